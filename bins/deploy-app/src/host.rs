//! The host as the deployment sees it: commands and files there, with failures that say what they were for.
//!
//! The program on the host is the `agent`; `command` is what it runs, `store` has it work on the releases. `look` and
//! `state` say what is there, `receive` and `upload` bring what is not, and `lock` keeps others out. Beside what
//! [`filesync`] keeps in the target folder lie there:
//!
//! ```text
//! TARGET/.deploy/holder           who deploys now: owner, token, since when, and the agent's process; its lock is the
//!                                 kernel's
//! TARGET/.deploy/agent/<digest>   the agent
//! ```

pub(crate) mod agent;
pub(crate) mod command;
pub(crate) mod lock;
mod look;
mod looking;
mod receive;
pub(crate) mod state;
mod store;
mod transfer;
mod upload;

use action::exit::Exit;
use action::failure::Failure;
use action::wait::Limits;
use bundle::digest::Digest;

use self::agent::{Folders, Host, StartError};
use self::command::{Command, Tool};
pub(crate) use self::looking::Looking;
use crate::connect;
use crate::connect::host_keys::{self, HostKeyTrust};
use crate::connect::ssh_target::SshTarget;
use crate::diagnostics::collector::Diagnostics;
use crate::diagnostics::timings::Timings;
use crate::settings::Checked;
use action::export::quote::posix as quote;
use ssh::{ExecError, ExecOutput as Output, OutputMode, Stdin};

/// How many lines of a failed command are repeated in the error.
const TAIL: usize = 20;

/// A connected host with the folder that is deployed to.
#[derive(Debug)]
pub(crate) struct Remote<'a> {
    /// The connection, with the agent.
    pub session: Host,
    /// How messages name the host.
    pub shown: String,
    pub settings: &'a Checked,
    /// How it was reached, to reach it again.
    pub ssh_target: &'a SshTarget<'a>,
    /// What it is believed by.
    pub trust: &'a HostKeyTrust,
    /// Where the deployment is.
    pub timings: &'a Timings,
    /// What is gathered for the failure bundle.
    pub diagnostics: &'a Diagnostics,
}

impl<'a> Remote<'a> {
    /// Connects, and has the agent begin with a look for the tree with this digest, as [`Remote::look`] does.
    pub(crate) async fn connect(
        settings: &'a Checked,
        ssh_target: &'a SshTarget<'a>,
        trust: &'a HostKeyTrust,
        (timings, diagnostics): (&'a Timings, &'a Diagnostics),
        wanted: Option<Digest>,
        limits: &Limits,
    ) -> Result<(Self, Looking), Failure> {
        let session = connect::connect(settings, ssh_target, trust, limits).await?;
        let folders = Folders {
            target: settings.paths.target.clone(),
            chosen: settings.agent_dir.clone(),
            path: settings.host_path.clone(),
        };
        let session = match &settings.sudo {
            Some(user) => session.by_sudo(user.clone()),
            None => session,
        };
        let first = (&settings.paths, looking::operation(wanted));
        let started = Host::start(session, &folders, first, limits).await;
        let (session, asked) = started.map_err(|error| no_agent(settings, ssh_target, &error))?;
        let remote = Self {
            session,
            shown: ssh_target.shown(),
            settings,
            ssh_target,
            trust,
            timings,
            diagnostics,
        };
        Ok((remote, Looking(asked)))
    }

    /// The same host by other settings.
    pub(crate) fn by<'b>(&'b self, settings: &'b Checked) -> Remote<'b> {
        Remote {
            session: self.session.clone(),
            shown: self.shown.clone(),
            settings,
            ssh_target: self.ssh_target,
            trust: self.trust,
            timings: self.timings,
            diagnostics: self.diagnostics,
        }
    }

    /// Writes down what the host was believed by, where that is due.
    pub(crate) async fn store_trust(&self) -> Result<(), Failure> {
        host_keys::store(
            self.settings,
            self.ssh_target,
            self.trust,
            self.session.ssh(),
        )
        .await
    }

    /// The same host over a new connection.
    pub(crate) async fn reconnect(&self, limits: &Limits) -> Result<Self, Failure> {
        let kept = (self.timings, self.diagnostics);
        let (settings, ssh_target, trust) = (self.settings, self.ssh_target, self.trust);
        let (remote, _) = Self::connect(settings, ssh_target, trust, kept, None, limits).await?;
        Ok(remote)
    }

    /// Runs one of our own scripts, and gives all that it printed.
    pub(crate) async fn script(
        &self,
        deed: &str,
        script: &str,
        input: Stdin,
        limits: &Limits,
    ) -> Result<Output, Failure> {
        self.shown_script(deed, script, input, OutputMode::Nothing, limits)
            .await
    }

    async fn shown_script(
        &self,
        deed: &str,
        script: &str,
        input: Stdin,
        show: OutputMode,
        limits: &Limits,
    ) -> Result<Output, Failure> {
        let output = self
            .session
            .exec(script, input, show, limits)
            .await
            .map_err(|error| self.no_result(deed, &error))?;
        self.succeeded(deed, output, Tool::Other)
    }

    /// The same of a script whose exit status is that of Docker Compose.
    pub(crate) async fn compose(
        &self,
        deed: &str,
        script: &str,
        limits: &Limits,
    ) -> Result<Output, Failure> {
        let ended = self
            .session
            .exec(script, Stdin::Empty, OutputMode::Nothing, limits)
            .await;
        let output = ended.map_err(|error| self.no_result(deed, &error))?;
        self.succeeded(deed, output, Tool::Compose)
    }

    pub(crate) fn no_result(&self, deed: &str, error: &ExecError) -> Failure {
        let deed = format!("{deed} on {}", self.shown);
        no_result(self.settings, &deed, error)
    }

    /// The failure of a command with this status, with its last words.
    fn failed(&self, exit: Exit, deed: &str, output: &Output, tool: Tool) -> Failure {
        let how = match tool.meaning(output.status) {
            Some(meaning) => format!("exit status {}: {meaning}", output.status),
            None => format!("exit status {}", output.status),
        };
        let failure = Failure::new(exit, format!("cannot {deed} on {}", self.shown))
            .of_command(deed, &how)
            .cause(how);
        let from = output.tail.len().saturating_sub(TAIL);
        output.tail[from..].iter().fold(failure, Failure::detail)
    }

    /// How one of our own scripts ended, whose words tell what the user may not do.
    fn succeeded(&self, deed: &str, output: Output, tool: Tool) -> Result<Output, Failure> {
        if output.status == 0 {
            return Ok(output);
        }
        if !is_denied(&output) {
            return Err(self.failed(Exit::Failed, deed, &output, tool));
        }
        Err(self
            .failed(Exit::NotPermitted, deed, &output, tool)
            .hint(self.make_by_hand_hint()))
    }

    /// What helps a user who may not write to the target folder.
    pub(crate) fn make_by_hand_hint(&self) -> String {
        format!(
            "user `{}` needs the right to do this; for the folder: {}",
            self.settings.acts_as(),
            self.make_by_hand()
        )
    }

    /// The command by which a person makes the target folder.
    pub(crate) fn make_by_hand(&self) -> String {
        let user = quote(&self.settings.acts_as());
        format!(
            "sudo install -d -o {user} {}",
            quote(&self.settings.paths.target)
        )
    }

    /// How a command of the application ended. Whatever it was denied is its own business.
    fn check_exit(&self, command: &Command, deed: &str, output: &Output) -> Result<(), Failure> {
        if output.status == 0 {
            return Ok(());
        }
        let failure = self.failed(Exit::Failed, deed, output, command.tool);
        Err(match hint_of(output.status) {
            Some(hint) => failure.hint(hint),
            None => failure,
        })
    }

    /// Runs a command that asks whether the host can run the application, its lines shown as they come.
    pub(crate) async fn check(
        &self,
        command: &Command,
        deed: &str,
        limits: &Limits,
    ) -> Result<(), Failure> {
        let output = self
            .run(command, OutputMode::Lines(command.name), limits)
            .await;
        let output = output.map_err(|error| self.no_result(deed, &error))?;
        self.succeeded(deed, output, Tool::Other).map(drop)
    }

    async fn run(
        &self,
        command: &Command,
        show: OutputMode,
        limits: &Limits,
    ) -> Result<Output, ExecError> {
        let session = &self.session;
        session
            .exec(&command.script, Stdin::Empty, show, limits)
            .await
    }

    /// Runs a command of the application, its lines shown as they come.
    pub(crate) async fn command(
        &self,
        command: &Command,
        deed: &str,
        limits: &Limits,
    ) -> Result<(), Failure> {
        let output = self
            .run(command, OutputMode::Lines(command.name), limits)
            .await;
        let output = output.map_err(|error| self.no_result(deed, &error))?;
        self.check_exit(command, deed, &output)
    }

    /// Runs a command of the application whose lines are of interest only when it fails.
    pub(crate) async fn run_buffered(
        &self,
        command: &Command,
        deed: &str,
        limits: &Limits,
    ) -> Result<(), Failure> {
        let output = self.run(command, OutputMode::Tail, limits).await;
        let output = output.map_err(|error| self.no_result(deed, &error))?;
        self.check_exit(command, deed, &output)
    }

    /// The last lines of a command, whatever its status; none when it does not run.
    pub(crate) async fn tail(&self, command: &Command, limits: &Limits) -> Vec<String> {
        let output = self.run(command, OutputMode::Tail, limits).await;
        output.map(|output| output.tail).unwrap_or_default()
    }

    /// Runs one of our own scripts that print nothing.
    pub(crate) async fn run_script(
        &self,
        deed: &str,
        script: &str,
        limits: &Limits,
    ) -> Result<(), Failure> {
        self.script(deed, script, Stdin::Empty, limits)
            .await
            .map(drop)
    }
}

/// The failure of a command on the host that has no result.
fn no_result(settings: &Checked, command: &str, error: &ExecError) -> Failure {
    let deed = format!("cannot {command}");
    let user = &settings.user;
    let failure = match error {
        ExecError::NotRun { said, .. } => {
            let from = said.len().saturating_sub(TAIL);
            let failure = Failure::new(Exit::NotPermitted, deed).cause(error);
            let failure = said[from..].iter().fold(failure, Failure::detail);
            failure.hint(match &settings.sudo {
                Some(other) => format!(
                    "DEPLOY_APP_SUDO={other} needs a host where sudo lets the user `{user}` run sh as `{other}` without a password, \
                     as with the line `{user} ALL=({other}) NOPASSWD: ALL` in sudoers"
                ),
                None => format!(
                    "the user `{user}` must be able to run commands there: look at its login shell, at its start-up files, \
                     and at ForceCommand or command= in sshd_config and authorized_keys"
                ),
            })
        }
        ExecError::Interrupted(signal) => Failure::interrupted(*signal, deed),
        ExecError::Deadline => Failure::new(Exit::Deadline, deed)
            .cause(error)
            .hint("running again starts over with what the host has by then; give it more time with --timeout"),
        ExecError::Input(_) => Failure::failed(deed).cause(error).hint(
            "run it again: did the application's folder change while it was sent?",
        ),
        _ => Failure::failed(deed).cause(error),
    };
    failure.of_command(command, error)
}

/// The failure of a host on which there is no agent.
fn no_agent(settings: &Checked, ssh_target: &SshTarget<'_>, error: &StartError) -> Failure {
    let shown = ssh_target.shown();
    let deed = format!("start the agent on {shown}");
    let refused = || Failure::refused(format!("cannot {deed}; nothing was touched")).cause(error);
    match error {
        StartError::Exec(error) => no_result(settings, &deed, error),
        StartError::Machine(_) => refused().hint("hosts with x86_64 and aarch64 processors can be deployed to"),
        StartError::NoFolder(tried) => tried
            .iter()
            .fold(refused(), |failure, folder| failure.detail(format!("tried {folder}")))
            .hint(
                "set DEPLOY_APP_AGENT_DIR to a folder of the user's own on a file system without `noexec`; \
                 nobody else may be able to write to it",
            ),
        StartError::NotPut(_) => Failure::failed(format!("cannot {deed}"))
            .cause(error)
            .hint("is the host's disk full? DEPLOY_APP_AGENT_DIR names another folder"),
        StartError::Silent(_) | StartError::Hello(_) | StartError::Opening(_) => {
            Failure::failed(format!("cannot {deed}")).cause(error)
        }
        StartError::Program(_) => refused(),
    }
}

/// Whether a script ended for a right that the user lacks. Its status does not tell: what does are the words of
/// EACCES in its last lines ("Permission denied", strerror(3)), and those of Docker's client about its socket
/// ("permission denied while trying to connect to the Docker daemon socket").
fn is_denied(output: &Output) -> bool {
    let mut lines = output.tail.iter();
    lines.any(|line| line.contains("Permission denied") || line.contains("permission denied"))
}

/// What can be done about an application's command that could not even be run.
fn hint_of(status: u32) -> Option<&'static str> {
    match status {
        126 => Some("is it executable? (git update-index --chmod=+x FILE)"),
        127 => Some("is it there, on the host's PATH or in the release?"),
        _ => None,
    }
}
