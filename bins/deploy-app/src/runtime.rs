//! The commands that build, start and stop the application on the host.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::host::ssh::quote;
use crate::release::environment;
use crate::settings::Run;

/// A command on the host, with the name under which its lines are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Such as `build`.
    pub name: &'static str,
    /// The script.
    pub script: String,
}

/// Makes commands for one application.
#[derive(Debug, Clone)]
pub struct Commands<'a> {
    /// How it runs.
    pub run: &'a Run,
    /// The folder with the releases.
    pub target: &'a str,
    /// How long Compose may wait for its services.
    pub wait: Duration,
}

impl Commands<'_> {
    /// Checks that the host can run it; before anything is changed there.
    #[must_use]
    pub fn check(&self) -> Option<Command> {
        match self.run {
            Run::Compose { .. } => Some(Command {
                name: "docker",
                script: "docker compose version --short && docker version --format '{{.Server.Version}}'".to_owned(),
            }),
            Run::Command { .. } | Run::None => None,
        }
    }

    /// What can be done while the old release still serves.
    #[must_use]
    pub fn build(&self, release: &str) -> Option<Command> {
        match self.run {
            Run::Compose { project } => Some(Command {
                name: "build",
                script: self.compose(project, release, "build"),
            }),
            Run::Command { .. } | Run::None => None,
        }
    }

    /// Starts a release; with Compose, changed services are replaced. `again` builds first, from the
    /// cache, because the images' names belong to a later release by now.
    #[must_use]
    pub fn start(&self, release: &str, again: bool) -> Option<Command> {
        let script = match self.run {
            Run::Compose { project } => {
                let build = if again { " --build" } else { "" };
                let up = format!(
                    "up -d{build} --wait --wait-timeout {} --remove-orphans",
                    self.wait.as_secs().max(1)
                );
                self.compose(project, release, &up)
            }
            Run::Command { start, .. } => self.command(start, release, "start"),
            Run::None => return None,
        };
        Some(Command {
            name: "start",
            script,
        })
    }

    /// Stops what runs before another release is started; Compose does that by itself.
    #[must_use]
    pub fn stop(&self, release: &str) -> Option<Command> {
        match self.run {
            Run::Command {
                stop: Some(stop), ..
            } => Some(Command {
                name: "stop",
                script: self.command(stop, release, "stop"),
            }),
            _ => None,
        }
    }

    /// Takes away what a first release started. Volumes stay: they hold data.
    #[must_use]
    pub fn down(&self, release: &str) -> Option<Command> {
        match self.run {
            Run::Compose { project } => Some(Command {
                name: "stop",
                script: self.compose(project, release, "down --remove-orphans"),
            }),
            _ => self.stop(release),
        }
    }

    /// What the application said last.
    #[must_use]
    pub fn logs(&self, release: &str) -> Option<Command> {
        let script = match self.run {
            Run::Compose { project } => format!(
                "{}; {}",
                self.compose(project, release, "ps -a"),
                self.compose(project, release, "logs --no-color --tail 50")
            ),
            Run::Command { .. } => format!("tail -n 50 {}", quote(&self.log(release, "start"))),
            Run::None => return None,
        };
        Some(Command {
            name: "logs",
            script,
        })
    }

    fn folder(&self, release: &str) -> String {
        format!("{}/releases/{release}", self.target)
    }

    fn log(&self, release: &str, what: &str) -> String {
        format!("{}/.deploy/logs/{release}-{what}.log", self.target)
    }

    fn variables(&self, release: &str) -> String {
        let (folder, shared) = (self.folder(release), format!("{}/shared", self.target));
        environment(&BTreeMap::from([
            ("RELEASE_ID", release),
            ("RELEASE_DIR", &folder),
            ("SHARED_DIR", &shared),
        ]))
    }

    /// Name and folder are always given: Compose would otherwise take both from a path that
    /// changes with each release, and see a new project (docker/compose#6515).
    fn compose(&self, project: &str, release: &str, what: &str) -> String {
        let folder = quote(&self.folder(release));
        format!(
            "cd {folder} && {}docker compose -p {project} --project-directory {folder} --ansi never {what} </dev/null",
            self.variables(release)
        )
    }

    /// The output goes to a file: a daemon that keeps our pipe open would hold up the connection
    /// for as long as it lives. What it said until the command ended is printed after.
    fn command(&self, command: &str, release: &str, what: &str) -> String {
        let log = quote(&self.log(release, what));
        format!(
            "cd {} && {}sh -c {} </dev/null >{log} 2>&1; status=$?; cat {log}; exit $status",
            quote(&self.folder(release)),
            self.variables(release),
            quote(command)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::Commands;
    use crate::settings::Run;
    use std::time::Duration;

    #[test]
    fn compose_is_told_project_and_folder_and_never_downs_first() {
        let run = Run::Compose {
            project: "app".to_owned(),
        };
        let commands = Commands {
            run: &run,
            target: "/srv/my app",
            wait: Duration::from_secs(120),
        };
        let script = commands
            .start("20261123094308-0123456", false)
            .map(|command| command.script);
        assert_eq!(
            script.as_deref(),
            Some(
                "cd '/srv/my app/releases/20261123094308-0123456' && RELEASE_DIR='/srv/my app/releases/20261123094308-0123456' \
                 RELEASE_ID='20261123094308-0123456' SHARED_DIR='/srv/my app/shared' docker compose -p app --project-directory \
                 '/srv/my app/releases/20261123094308-0123456' --ansi never up -d --wait --wait-timeout 120 --remove-orphans </dev/null"
            )
        );
        assert_eq!(commands.stop("r"), None);
    }

    #[test]
    fn commands_of_the_application_are_one_quoted_word() {
        let run = Run::Command {
            start: "./start 'x y' && echo $RELEASE_ID".to_owned(),
            stop: None,
        };
        let commands = Commands {
            run: &run,
            target: "/srv/app",
            wait: Duration::from_secs(1),
        };
        let script = commands
            .start("r", false)
            .map(|command| command.script)
            .unwrap_or_default();
        assert!(
            script.contains(r"sh -c './start '\''x y'\'' && echo $RELEASE_ID' </dev/null"),
            "{script}"
        );
        assert!(commands.build("r").is_none() && commands.stop("r").is_none());
    }
}
