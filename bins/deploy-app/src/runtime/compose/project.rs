//! Whose a Compose project is. An engine knows projects by name alone: who starts another application under the name of
//! one that is there ends that one, and mounts its volumes.

use crate::settings::project_name::{last_part, whole_path};
use action::export::quote::posix as quote;
use filesync::Paths;
use filesync::release::is_name;

/// The label of an owner's volume that names its target folder.
const TARGET: &str = "deploy-app.target";
/// The label that names the project.
const PROJECT: &str = "deploy-app.project";

/// What an engine tells about the projects on it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Engine {
    /// Project and folder of every container, and whether this program has deployed to that folder.
    containers: Vec<(String, String, bool)>,
    /// Projects that have volumes.
    volumes: Vec<String>,
    /// Projects with the target folder that each belongs to.
    owners: Vec<(String, String)>,
    /// Target folders of all these that are not on the host.
    gone: Vec<String>,
}

/// Who has a project.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Holder {
    Nobody,
    Us,
    /// Another target folder of this program.
    Target(String),
    /// One that is not on the host any more: a volume says whose it is, or containers alone do.
    Gone {
        folder: String,
        owns: bool,
    },
    /// Somebody who did not come by this program: where its containers were started, if there are any.
    Somebody(Option<String>),
}

/// What is said about the project of a deployment, beside the engine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Project<'a> {
    /// By the settings.
    pub set: Option<&'a str>,
    /// By what the target has had so far.
    pub had: Option<&'a str>,
    /// By the application's own files.
    pub named: Option<&'a str>,
    /// The target folder.
    pub target: &'a str,
}

/// A project that somebody else has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Taken {
    /// Its name.
    pub project: String,
    /// Who has it, in words.
    pub by: String,
    /// What to do.
    pub hint: String,
}

/// Prints what [`Engine::parse`] reads. A folder that is the target, or lies in it, is told as the target, whatever its name. One counts as gone only where
/// the folder above it can be looked into.
pub(crate) fn engine(paths: &Paths) -> String {
    format!(
        r#"T={target}; R=$(cd "$T" 2>/dev/null && pwd -P) || R=$T
at() {{ case $(cd "$1" 2>/dev/null && pwd -P) in "$R"|"$R"/*) echo "$T";; *) printf '%s\n' "$1";; esac; }}
gone() {{ g=$1; while [ ! -e "$g" ] && [ ! -L "$g" ] && [ -n "$g" ]; do g=${{g%/*}}; done; [ "$g" = "$1" ] || [ ! -x "${{g:-/}}" ] || printf 'gone %s\n' "$1"; }}
docker ps -a --filter label=com.docker.compose.project --format '{{{{.Label "com.docker.compose.project"}}}} {{{{.Label "com.docker.compose.project.working_dir"}}}}' </dev/null | sort -u | while read -r p w; do
  k=other; [ ! -d "$w/.deploy/manifests" ] || k=deployed; echo "container $p $k $(at "$w")"; gone "${{w%/releases/*}}"; done
docker volume ls --filter label=com.docker.compose.project --format 'volume {{{{.Label "com.docker.compose.project"}}}}' </dev/null | sort -u
docker volume ls --filter label={TARGET} --format '{{{{.Label "{PROJECT}"}}}} {{{{.Label "{TARGET}"}}}}' </dev/null | while read -r p t; do echo "owner $p $(at "$t")"; gone "$t"; done; :"#,
        target = quote(&paths.target),
    )
}

/// Writes down that a project is this target's: as a labelled volume, because an engine may have more than one host's
/// users, and in the target. Fails when it is another's by now.
pub(crate) fn claim(paths: &Paths, project: &str) -> String {
    format!(
        r#"T={target}; v=$(docker volume create --label {PROJECT}={project} --label {TARGET}="$T" {volume}) || exit 1
o=$(docker volume inspect --format '{{{{index .Labels "{TARGET}"}}}}' "$v") || exit 1
[ "$o" = "$T" ] || [ "$(cd "$o" 2>/dev/null && pwd -P)" = "$(pwd -P)" ] || {{ echo "the project {project} belongs to $o by now" >&2; exit 1; }}
printf '%s\n' {project} >.deploy/project"#,
        target = quote(&paths.target),
        volume = volume_of(project),
    )
}

/// The volume that says whose a project is.
fn volume_of(project: &str) -> String {
    format!("deploy-app.owner.{project}")
}

/// The project that a deployment runs as.
pub(crate) fn choose(project: Project<'_>, engine: &Engine) -> Result<String, Taken> {
    let target = project.target;
    if let Some(name) = project.set.or(project.had).or(project.named) {
        return match engine.holder(name, target) {
            holder @ (Holder::Target(_) | Holder::Gone { owns: true, .. }) => {
                Err(taken(name, &holder, target))
            }
            // Whoever says the name means that one.
            _ => Ok(name.to_owned()),
        };
    }
    let (last, whole) = (last_part(target), whole_path(target));
    for name in [&last, &whole] {
        match engine.holder(name, target) {
            Holder::Nobody | Holder::Us => return Ok(name.clone()),
            Holder::Target(_) | Holder::Gone { .. } if *name == last && last != whole => {}
            holder => return Err(taken(name, &holder, target)),
        }
    }
    Ok(whole)
}

fn taken(name: &str, holder: &Holder, target: &str) -> Taken {
    let whole = whole_path(target);
    let other = if name == whole {
        format!("{whole}-2")
    } else {
        whole
    };
    let own = format!(
        "DEPLOY_APP_PROJECT={other}, or any other unused name, gives this application a project of its own"
    );
    let (by, hint) = match holder {
        Holder::Target(by) => (
            format!("belongs to the application in {by}"),
            format!(
                "{own}; where that application was given up, on the host: docker volume rm {}",
                volume_of(name)
            ),
        ),
        Holder::Gone { folder, owns } => (
            format!("belongs to the application in {folder}, which is no longer on this host"),
            format!(
                "{}; where another host that uses this Docker has it: {own}, without the volumes of this one",
                match owns {
                    true => format!(
                        "where that application was moved or given up, on the host: docker volume rm {}; the next deployment takes the project over with its volumes",
                        volume_of(name)
                    ),
                    false => format!("DEPLOY_APP_PROJECT={name} takes it over with its volumes"),
                }
            ),
        ),
        Holder::Somebody(from) => (
            match from {
                Some(folder) => format!("was started from {folder}, and not by this program"),
                None => "has volumes, and it is not known whose".to_owned(),
            },
            format!("DEPLOY_APP_PROJECT={name} takes it over with its volumes; {own}"),
        ),
        Holder::Nobody | Holder::Us => (String::new(), own),
    };
    Taken {
        project: name.to_owned(),
        by,
        hint,
    }
}

impl Engine {
    /// Reads what [`engine`] prints.
    pub(crate) fn parse(printed: &str) -> Self {
        let mut engine = Self::default();
        for line in printed.lines() {
            let mut words = line.splitn(4, ' ');
            let (what, project) = (words.next(), words.next().unwrap_or_default().to_owned());
            let rest = (words.next(), words.next());
            match (what, rest) {
                (Some("container"), (Some(kind), Some(folder))) => {
                    let releases = folder.rsplit_once("/releases/");
                    let folder = releases.filter(|(_, name)| is_name(name));
                    let (folder, is_ours) = match folder {
                        Some((target, _)) => (target, true),
                        None => (rest.1.unwrap_or_default(), kind == "deployed"),
                    };
                    engine
                        .containers
                        .push((project, folder.to_owned(), is_ours));
                }
                (Some("volume"), _) => engine.volumes.push(project),
                (Some("owner"), _) => {
                    let target = line.splitn(3, ' ').nth(2).unwrap_or_default();
                    engine.owners.push((project, target.to_owned()));
                }
                (Some("gone"), _) => {
                    let folder = line.split_once(' ').unwrap_or_default().1;
                    engine.gone.push(folder.to_owned());
                }
                _ => {}
            }
        }
        engine
    }

    fn holder(&self, project: &str, target: &str) -> Holder {
        let is_ours = |folder: &str| filesync::is_at(folder, target);
        let other = |folder: &String, owns: bool| match self.gone.contains(folder) {
            true => Holder::Gone {
                folder: folder.clone(),
                owns,
            },
            false => Holder::Target(folder.clone()),
        };
        let owner = self.owners.iter().find(|(name, _)| name == project);
        if let Some((_, owner)) = owner {
            return match is_ours(owner) {
                true => Holder::Us,
                false => other(owner, true),
            };
        }
        let mut holder = Holder::Nobody;
        if self.volumes.iter().any(|name| name == project) {
            holder = Holder::Somebody(None);
        }
        for (name, folder, is_deployed) in &self.containers {
            if name != project {
                continue;
            }
            match (is_ours(folder), is_deployed) {
                (false, true) => return other(folder, false),
                (true, _) => holder = Holder::Us,
                (false, false) if holder != Holder::Us => {
                    holder = Holder::Somebody(Some(folder.clone()));
                }
                (false, false) => {}
            }
        }
        holder
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(printed: &str, set: Option<&str>, named: Option<&str>) -> Result<String, Taken> {
        let project = Project {
            set,
            had: None,
            named,
            target: "/srv/blog/app",
        };
        choose(project, &Engine::parse(printed))
    }

    #[test]
    fn the_first_that_is_said_is_the_project() {
        let said = |set, had, named| {
            let project = Project {
                set,
                had,
                named,
                target: "/srv/blog/app",
            };
            choose(project, &Engine::default())
        };
        for (set, had, named, chosen) in [
            (Some("s"), Some("h"), Some("n"), "s"),
            (None, Some("h"), Some("n"), "h"),
            (None, None, Some("n"), "n"),
            (None, None, None, "app"),
        ] {
            assert_eq!(said(set, had, named), Ok(chosen.to_owned()));
        }
    }

    #[test]
    fn another_targets_project_is_never_taken() {
        let release = "/srv/shop/app/releases/20261123094308-1a2b3c4";
        for printed in [
            "owner app /srv/shop/app\n".to_owned(),
            format!("container app other {release}\nvolume app\n"),
            "container app deployed /srv/shop/app\n".to_owned(),
            format!("container app other /srv/blog/app\ncontainer app other {release}\n"),
        ] {
            assert_eq!(project(&printed, None, None), Ok("srv-blog-app".to_owned()));
            for (set, named) in [(Some("app"), None), (None, Some("app"))] {
                let taken = project(&printed, set, named);
                assert!(
                    taken.is_err_and(|taken| taken.by.contains("/srv/shop/app")
                        && taken.hint.contains("DEPLOY_APP_PROJECT=srv-blog-app")),
                    "{printed}"
                );
            }
            let both = format!("{printed}owner srv-blog-app /elsewhere\n");
            assert!(project(&both, None, None).is_err(), "{both}");
        }
    }

    #[test]
    fn a_project_of_a_folder_that_is_gone_is_let_go_by_its_volume_alone() {
        let gone = "gone /srv/shop/app\n";
        let owner = format!("owner app /srv/shop/app\n{gone}");
        let taken = project(&owner, Some("app"), None);
        assert!(taken.is_err_and(|taken| {
            taken.by.ends_with("no longer on this host")
                && taken
                    .hint
                    .contains("docker volume rm deploy-app.owner.app;")
                && taken.hint.ends_with("without the volumes of this one")
        }));
        let release = "/srv/shop/app/releases/20261123094308-1a2b3c4";
        let containers = format!("container app other {release}\n{gone}volume app\n");
        for (set, named) in [(Some("app"), None), (None, Some("app"))] {
            assert_eq!(project(&containers, set, named), Ok("app".to_owned()));
        }
        // Who names nothing does not mean it.
        let own = Ok("srv-blog-app".to_owned());
        assert_eq!(project(&containers, None, None), own);
    }

    #[test]
    fn what_ran_before_this_program_came_is_taken_over_by_whoever_names_it() {
        for printed in [
            "container app other /home/u/app\nvolume app\n",
            "volume app\n",
        ] {
            let taken = project(printed, None, None);
            assert!(taken.is_err_and(|taken| taken.hint.contains("DEPLOY_APP_PROJECT=app ")));
            assert_eq!(project(printed, Some("app"), None), Ok("app".to_owned()));
            assert_eq!(project(printed, None, Some("app")), Ok("app".to_owned()));
        }
    }

    #[test]
    fn what_is_ours_stays_so() {
        for printed in [
            "owner app /srv/blog/app\ncontainer app other /home/u/app\nvolume app\n",
            "container app other /srv/blog/app/releases/20261123094308-1a2b3c4\nvolume app\n",
            "container app other /srv/blog/app/current\n",
            "container other deployed /srv/shop/app\nowner application /srv/shop/app\n",
        ] {
            assert_eq!(
                project(printed, None, None),
                Ok("app".to_owned()),
                "{printed}"
            );
        }
    }
}
