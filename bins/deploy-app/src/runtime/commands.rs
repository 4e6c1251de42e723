//! The commands that build, start and stop the application on the host.

use std::collections::BTreeMap;
use std::time::Duration;

use super::compose::{ONE_OFF, logged_in};
use crate::host::command::{Command, Tool};
use crate::settings::{ComposeRun, Hooks, Login, Run};
use action::export::quote::posix as quote;
use filesync::Paths;

/// Makes commands for one application.
#[derive(Debug, Clone)]
pub(crate) struct Commands<'a> {
    /// How it runs.
    pub run: &'a Run,
    /// Commands around its start.
    pub hooks: &'a Hooks,
    /// The folder with the releases.
    pub paths: &'a Paths,
    /// How long Compose may wait for its services.
    pub wait: Duration,
    /// Registries to log in to.
    pub logins: &'a [Login],
}

impl Commands<'_> {
    /// Checks that the host can run it; before anything is changed there.
    pub(crate) fn check(&self) -> Option<Command> {
        match self.run {
            Run::Compose(_) => {
                let script = "docker compose version --short && docker version --format '{{.Server.Version}}'";
                Some(Command::new("docker", script.to_owned()))
            }
            Run::Command { .. } | Run::None => None,
        }
    }

    /// Pulls the images of these services while the old release still serves.
    pub(crate) fn pull(&self, release: &str, services: &[String]) -> Option<Command> {
        let what = format!("pull {}", quoted(services));
        self.compose_command("pull", release, &self.stored(release), ("", &what))
    }

    /// What can be done while the old release still serves. A build that says when it was made would give
    /// every image another id, and every service a restart.
    pub(crate) fn build(&self, release: &str) -> Option<Command> {
        let plain = "export BUILDX_NO_DEFAULT_ATTESTATIONS=1; ";
        self.compose_command("build", release, &self.stored(release), (plain, "build"))
    }

    /// Builds some services of a release again, whose images are gone.
    pub(crate) fn rebuild(&self, release: &str, services: &[String]) -> Option<Command> {
        let what = format!("build {}", quoted(services));
        self.compose_command("build", release, &self.paths.live(release), ("", &what))
    }

    /// Starts a release; with Compose, changed services are replaced. `held` starts the images that are there, also
    /// where the project would have them pulled or built again. `anew` replaces containers that run and did not
    /// change as well, which `up` alone leaves as they are.
    pub(crate) fn start(&self, release: &str, held: bool, anew: bool) -> Option<Command> {
        match self.run {
            Run::Compose(_) => {
                let pull = if held { " --pull missing" } else { "" };
                let anew = if anew { " --force-recreate" } else { "" };
                let up = format!(
                    "up -d{pull}{anew} --wait --wait-timeout {} --remove-orphans",
                    self.wait.as_secs().max(1)
                );
                self.compose_command("start", release, &self.paths.live(release), ("", &up))
            }
            Run::Command { start, .. } => Some(self.live(start, release, "start")),
            Run::None => None,
        }
    }

    /// Stops what runs before another release is started; Compose does that by itself.
    pub(crate) fn stop(&self, release: &str) -> Option<Command> {
        match self.run {
            Run::Command {
                stop: Some(stop), ..
            } => Some(self.live(stop, release, "stop")),
            _ => None,
        }
    }

    /// Asks whether it runs.
    pub(crate) fn status(&self, release: &str) -> Option<Command> {
        match self.run {
            Run::Command {
                status: Some(status),
                ..
            } => Some(Command::new(
                "status",
                self.whole(status, release, "status"),
            )),
            _ => None,
        }
    }

    /// The hook before the switch. In-place, the files are not in place then; it runs in the release's
    /// own folder.
    pub(crate) fn before(&self, release: &str) -> Option<Command> {
        let before = self.hooks.before.as_ref()?;
        Some(self.command(&self.stored(release), before, release, "before"))
    }

    /// The hook after the proof of health.
    pub(crate) fn after(&self, release: &str) -> Option<Command> {
        let after = self.hooks.after.as_ref()?;
        Some(self.live(after, release, "after"))
    }

    /// Takes away what a release started. Volumes stay: they hold data.
    pub(crate) fn down(&self, release: &str) -> Option<Command> {
        match self.run {
            Run::Compose(_) => {
                let down = "down --remove-orphans";
                self.compose_command("stop", release, &self.paths.live(release), ("", down))
            }
            _ => self.stop(release),
        }
    }

    /// What the application said last.
    pub(crate) fn logs(&self, release: &str) -> Option<Command> {
        let script = match self.run {
            Run::Compose(ComposeRun { project, .. }) => {
                let folder = self.paths.live(release);
                // Not by `docker compose ps`, which shows the first characters of commands, secrets or not.
                format!(
                    "docker ps -a --filter label=com.docker.compose.project={} --format 'table {{{{.Names}}}}\\t{{{{.Status}}}}\\t{{{{.Ports}}}}'; {}",
                    quote(project),
                    self.compose(release, &folder, "logs --no-color --tail 50")
                )
            }
            // Nothing was started where there is none.
            Run::Command { .. } => {
                let log = quote(&self.log(release, "start"));
                format!("[ ! -e {log} ] || tail -n 50 {log}")
            }
            Run::None => return None,
        };
        Some(Command::new("logs", script))
    }

    fn compose_command(
        &self,
        name: &'static str,
        release: &str,
        folder: &str,
        (before, what): (&str, &str),
    ) -> Option<Command> {
        let Run::Compose(compose) = self.run else {
            return None;
        };
        let shown = format!("{before}{}", self.in_folder(compose, release, folder, what));
        let script = format!("{}{shown}", compose.variables.exports());
        Some(Command {
            name,
            script: logged_in(self.logins, &script),
            shown,
            tool: Tool::Compose,
        })
    }

    /// A Compose command in the folder that the release runs in; none without Compose.
    pub(crate) fn compose_live(&self, release: &str, what: &str) -> Option<String> {
        match self.run {
            Run::Compose(_) => Some(self.compose(release, &self.paths.live(release), what)),
            Run::Command { .. } | Run::None => None,
        }
    }

    /// Lists the containers of the project, and after them which of them somebody ran once: not every version of
    /// Compose tells that in its list. None without Compose.
    pub(crate) fn containers(&self, release: &str) -> Option<String> {
        let list = self.compose_live(release, "ps -a --format json")?;
        Some(format!(
            "{list} && docker ps -a --filter label=com.docker.compose.project={} --filter label=com.docker.compose.oneoff=True --format '{ONE_OFF}{{{{.Names}}}}' </dev/null",
            self.project().unwrap_or_default(),
        ))
    }

    /// A Compose command in the release's own folder; none without Compose.
    pub(crate) fn compose_stored(&self, release: &str, what: &str) -> Option<String> {
        match self.run {
            Run::Compose(_) => Some(self.compose(release, &self.stored(release), what)),
            Run::Command { .. } | Run::None => None,
        }
    }

    /// The Compose project.
    pub(crate) fn project(&self) -> Option<&str> {
        match self.run {
            Run::Compose(ComposeRun { project, .. }) => Some(project),
            Run::Command { .. } | Run::None => None,
        }
    }

    /// The log file of a command, on the host.
    pub(crate) fn log(&self, release: &str, what: &str) -> String {
        format!("{}/.deploy/logs/{release}-{what}.log", self.paths.target)
    }

    fn stored(&self, release: &str) -> String {
        format!("{}/{}", self.paths.target, self.paths.stored(release))
    }

    fn variables(&self, release: &str, folder: &str) -> String {
        let shared = format!("{}/shared", self.paths.target);
        environment(&BTreeMap::from([
            ("RELEASE_ID", release),
            ("RELEASE_DIR", folder),
            ("SHARED_DIR", &shared),
        ]))
    }

    /// Name and folder are always given: Compose would otherwise take both from a path that
    /// changes with each release, and see a new project (docker/compose#6515).
    fn in_folder(&self, compose: &ComposeRun, release: &str, folder: &str, what: &str) -> String {
        let quoted = quote(folder);
        format!(
            "cd {quoted} && {}docker compose -p {} {}--project-directory {} --ansi never {what} </dev/null",
            self.variables(release, folder),
            compose.project,
            compose.file_options(),
            quote(&compose.project_directory(folder)),
        )
    }

    /// The same with the variables that it gets; empty without Compose.
    fn compose(&self, release: &str, folder: &str, what: &str) -> String {
        let Run::Compose(compose) = self.run else {
            return String::new();
        };
        let exports = compose.variables.exports();
        format!(
            "{exports}{}",
            self.in_folder(compose, release, folder, what)
        )
    }

    /// What a command of the application finds in its environment so that `docker compose` means this project.
    fn compose_exports(&self) -> String {
        let Run::Compose(compose) = self.run else {
            return String::new();
        };
        let files = match compose.files.is_empty() {
            true => String::new(),
            false => format!(
                "COMPOSE_PATH_SEPARATOR=: COMPOSE_FILE={} ",
                quote(&compose.files.join(":"))
            ),
        };
        format!(
            "{}export {files}COMPOSE_PROJECT_NAME={}; ",
            compose.variables.exports(),
            compose.project
        )
    }

    /// A command of the application in the folder that the release runs in.
    fn live(&self, command: &str, release: &str, what: &'static str) -> Command {
        self.command(&self.paths.live(release), command, release, what)
    }

    /// The output goes to a file that only the user may read: a daemon that keeps our pipe open would
    /// hold up the connection for as long as it lives. Beside the command a loop prints what has come,
    /// until the command has ended and all that it said is printed. It is the loop that runs in the
    /// background: what a shell starts there ignores SIGINT for good, a daemon's children included.
    fn command(&self, folder: &str, command: &str, release: &str, what: &'static str) -> Command {
        let script = format!(
            r#"{exports}log={log}; cd {folder} && (umask 077; : >"$log") || exit; rm -f "$log.end"
(n=0; while :; do e=; if [ -e "$log.end" ] || ! kill -0 $$ 2>/dev/null; then e=1; fi; s=$(($(wc -c <"$log")))
if [ "$s" -gt "$n" ]; then tail -c +$((n + 1)) "$log" | head -c $((s - n)); n=$s; fi
[ -z "$e" ] || exit 0; sleep 0.1 2>/dev/null || sleep 1; done) &
{variables}sh -c {command} </dev/null >"$log" 2>&1; status=$?; : >"$log.end"; wait; rm -f "$log.end"; exit $status"#,
            exports = self.compose_exports(),
            log = quote(&self.log(release, what)),
            folder = quote(folder),
            variables = self.variables(release, folder),
            command = quote(command)
        );
        Command {
            name: what,
            script,
            shown: format!("cd {} && {command}", quote(folder)),
            tool: Tool::Other,
        }
    }

    /// The same for a command that is asked again and again, and whose output is of interest at its end.
    fn whole(&self, command: &str, release: &str, what: &str) -> String {
        let (log, folder) = (quote(&self.log(release, what)), self.paths.live(release));
        format!(
            "cd {} && (umask 077; : >{log}) && {}sh -c {} </dev/null >{log} 2>&1; status=$?; cat {log}; exit $status",
            quote(&folder),
            self.variables(release, &folder),
            quote(command)
        )
    }
}

fn quoted(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| quote(word)).collect();
    words.join(" ")
}

/// Variables for a command of the application, as shell assignments.
fn environment(variables: &BTreeMap<&str, &str>) -> String {
    variables
        .iter()
        .map(|(name, value)| format!("{name}={} ", quote(value)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::Commands;
    use crate::settings::{ComposeRun, Hooks, Run, Variables};
    use filesync::{Layout, Paths};
    use std::time::Duration;

    fn paths(target: &str, layout: Layout) -> Paths {
        Paths {
            target: target.to_owned(),
            layout,
        }
    }

    #[test]
    fn compose_is_told_project_and_folder_and_never_downs_first() {
        let run = Run::Compose(ComposeRun {
            project: "app".to_owned(),
            files: Vec::new(),
            variables: Variables::default(),
        });
        let (paths, hooks) = (paths("/srv/my app", Layout::Releases), Hooks::default());
        let commands = Commands {
            run: &run,
            hooks: &hooks,
            paths: &paths,
            wait: Duration::from_secs(120),
            logins: &[],
        };
        let script = commands
            .start("20261123094308-0123456", false, false)
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
            status: None,
        };
        let hooks = Hooks {
            before: Some("./migrate".to_owned()),
            after: None,
        };
        let paths = paths("/srv/app", Layout::InPlace);
        let commands = Commands {
            run: &run,
            hooks: &hooks,
            paths: &paths,
            wait: Duration::from_secs(1),
            logins: &[],
        };
        let script = commands
            .start("r", false, false)
            .map(|command| command.script)
            .unwrap_or_default();
        assert!(
            script.contains(r"sh -c './start '\''x y'\'' && echo $RELEASE_ID' </dev/null"),
            "{script}"
        );
        assert!(script.contains("; cd '/srv/app' && "), "{script}");
        assert!(commands.build("r").is_none() && commands.stop("r").is_none());
        let before = commands.before("r").map(|command| command.script);
        assert!(
            before.is_some_and(|script| script.contains("; cd '/srv/app/.deploy/releases/r' && "))
        );
    }
}
