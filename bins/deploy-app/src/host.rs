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
mod receive;
pub(crate) mod state;
mod store;
mod transfer;
mod upload;

use action::exit::Exit;
use action::failure::Failure;
use action::wait::Limits;

use self::agent::{Folders, Host, StartError};
use self::command::{Command, Tool};
use crate::connect;
use crate::connect::host_keys::{self, HostKeyTrust};
use crate::connect::ssh_target::SshTarget;
use crate::diagnostics::collector::Evidence;
use crate::diagnostics::timings::Stages;
use crate::settings::Checked;
use action::export::quote::posix as quote;
use ssh::{ExecError, ExecOutput as Output, OutputMode as Show, Stdin as Input};

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
    pub stages: &'a Stages,
    /// What is gathered for the failure bundle.
    pub evidence: &'a Evidence,
}

impl<'a> Remote<'a> {
    /// Connects, and stores what the host was believed by where that is due.
    pub(crate) async fn connect(
        settings: &'a Checked,
        ssh_target: &'a SshTarget<'a>,
        trust: &'a HostKeyTrust,
        (stages, evidence): (&'a Stages, &'a Evidence),
        limits: &Limits,
    ) -> Result<Self, Failure> {
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
        let started = Host::start(session, &folders, limits).await;
        let session = started.map_err(|error| no_agent(settings, ssh_target, &error))?;
        Ok(Self {
            session,
            shown: ssh_target.shown(),
            settings,
            ssh_target,
            trust,
            stages,
            evidence,
        })
    }

    /// The same host by other settings.
    pub(crate) fn by<'b>(&'b self, settings: &'b Checked) -> Remote<'b> {
        Remote {
            session: self.session.clone(),
            shown: self.shown.clone(),
            settings,
            ssh_target: self.ssh_target,
            trust: self.trust,
            stages: self.stages,
            evidence: self.evidence,
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
    pub(crate) async fn again(&self, limits: &Limits) -> Result<Self, Failure> {
        let kept = (self.stages, self.evidence);
        Self::connect(self.settings, self.ssh_target, self.trust, kept, limits).await
    }

    /// Runs one of our own scripts, and gives all that it printed.
    pub(crate) async fn script(
        &self,
        deed: &str,
        script: &str,
        input: Input,
        limits: &Limits,
    ) -> Result<Output, Failure> {
        self.shown_script(deed, script, input, Show::Nothing, limits)
            .await
    }

    async fn shown_script(
        &self,
        deed: &str,
        script: &str,
        input: Input,
        show: Show,
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
            .exec(script, Input::Empty, Show::Nothing, limits)
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
    fn did_well(&self, command: &Command, deed: &str, output: &Output) -> Result<(), Failure> {
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
        let output = self.run(command, Show::Lines(command.name), limits).await;
        let output = output.map_err(|error| self.no_result(deed, &error))?;
        self.succeeded(deed, output, Tool::Other).map(drop)
    }

    async fn run(
        &self,
        command: &Command,
        show: Show,
        limits: &Limits,
    ) -> Result<Output, ExecError> {
        let session = &self.session;
        session
            .exec(&command.script, Input::Empty, show, limits)
            .await
    }

    /// Runs a command of the application, its lines shown as they come.
    pub(crate) async fn command(
        &self,
        command: &Command,
        deed: &str,
        limits: &Limits,
    ) -> Result<(), Failure> {
        let output = self.run(command, Show::Lines(command.name), limits).await;
        let output = output.map_err(|error| self.no_result(deed, &error))?;
        self.did_well(command, deed, &output)
    }

    /// Runs a command of the application whose lines are of interest only when it fails.
    pub(crate) async fn quietly(
        &self,
        command: &Command,
        deed: &str,
        limits: &Limits,
    ) -> Result<(), Failure> {
        let output = self.run(command, Show::Tail, limits).await;
        let output = output.map_err(|error| self.no_result(deed, &error))?;
        self.did_well(command, deed, &output)
    }

    /// The last lines of a command, whatever its status; none when it does not run.
    pub(crate) async fn tail(&self, command: &Command, limits: &Limits) -> Vec<String> {
        let output = self.run(command, Show::Tail, limits).await;
        output.map(|output| output.tail).unwrap_or_default()
    }

    /// Runs one of our own scripts that print nothing.
    pub(crate) async fn release(
        &self,
        deed: &str,
        script: &str,
        limits: &Limits,
    ) -> Result<(), Failure> {
        self.script(deed, script, Input::Empty, limits)
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
        StartError::Silent(_) | StartError::Hello(_) => {
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
