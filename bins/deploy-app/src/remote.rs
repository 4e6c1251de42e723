//! The host as the steps see it: scripts whose failures say what they were for.

use action::exit::Exit;
use action::failure::Failure;

use crate::host::ssh::{Bounds, ExecError, Input, Output, Session, Show};
use crate::host::trust::Trust;
use crate::reach::{self, Way};
use crate::redact::Redactor;
use crate::release::{self, Locked, State};
use crate::runtime::Command;
use crate::settings::Checked;
use crate::sync::{self, Diff, Listing, Tree, Upload};

/// How many lines of a failed command are repeated in the error.
const TAIL: usize = 20;

/// A connected host with the folder that is deployed to.
#[derive(Debug)]
pub struct Remote<'a> {
    /// The connection.
    pub session: Session,
    /// How messages name the host.
    pub shown: String,
    /// The settings.
    pub settings: &'a Checked,
    /// How it was reached, to reach it again.
    pub way: &'a Way<'a>,
    /// The keys that are believed.
    pub trust: &'a Trust,
    /// What no line of the host may show.
    pub redactor: &'a Redactor,
}

impl<'a> Remote<'a> {
    /// Connects.
    ///
    /// # Errors
    /// As [`reach::connect`].
    pub async fn connect(
        settings: &'a Checked,
        way: &'a Way<'a>,
        trust: &'a Trust,
        redactor: &'a Redactor,
        bounds: &Bounds,
    ) -> Result<Self, Failure> {
        let session = reach::connect(settings, way, trust, bounds)
            .await?
            .hiding(redactor.clone());
        Ok(Self {
            session,
            shown: way.shown(),
            settings,
            way,
            trust,
            redactor,
        })
    }

    /// The same host over a new connection.
    ///
    /// # Errors
    /// As [`reach::connect`].
    pub async fn again(&self, bounds: &Bounds) -> Result<Self, Failure> {
        Self::connect(self.settings, self.way, self.trust, self.redactor, bounds).await
    }

    async fn script(
        &self,
        deed: &str,
        script: &str,
        input: Input,
        bounds: &Bounds,
    ) -> Result<Output, Failure> {
        let output = self
            .session
            .run(script, input, Show::Nothing, bounds)
            .await
            .map_err(|error| self.no_result(deed, &error))?;
        self.succeeded(deed, output)
    }

    fn no_result(&self, deed: &str, error: &ExecError) -> Failure {
        let deed = format!("cannot {deed} on {}", self.shown);
        match error {
            ExecError::Interrupted(signal) => Failure::interrupted(*signal, deed),
            ExecError::Deadline => Failure::new(Exit::Deadline, deed)
                .cause(error)
                .hint("running again starts over with what the host has by then; give it more time with --timeout"),
            _ => Failure::failed(deed).cause(error),
        }
    }

    fn succeeded(&self, deed: &str, output: Output) -> Result<Output, Failure> {
        if output.status == 0 {
            return Ok(output);
        }
        let is_denied = output
            .tail
            .iter()
            .any(|line| line.contains("Permission denied") || line.contains("permission denied"));
        let exit = if is_denied {
            Exit::NotPermitted
        } else {
            Exit::Failed
        };
        let failure = Failure::new(exit, format!("cannot {deed} on {}", self.shown))
            .cause(format!("exit status {}", output.status));
        let failure = output
            .tail
            .iter()
            .rev()
            .take(TAIL)
            .rev()
            .fold(failure, |failure, line| failure.detail(line));
        Err(if is_denied {
            failure.hint(format!(
                "user `{}` needs the right to do this; for the folder: sudo install -d -o {0} {1}",
                self.settings.user, self.settings.target
            ))
        } else {
            failure
        })
    }

    /// Runs a command of the application, its lines shown as they come.
    ///
    /// # Errors
    /// When it does not end well.
    pub async fn command(
        &self,
        command: &Command,
        deed: &str,
        bounds: &Bounds,
    ) -> Result<(), Failure> {
        let output = self
            .session
            .run(
                &command.script,
                Input::Empty,
                Show::Lines(command.name),
                bounds,
            )
            .await;
        self.succeeded(deed, output.map_err(|error| self.no_result(deed, &error))?)
            .map(drop)
    }

    /// The last lines of a command, whatever its status; none when it does not run.
    pub async fn tail(&self, command: &Command, bounds: &Bounds) -> Vec<String> {
        let output = self
            .session
            .run(&command.script, Input::Empty, Show::Nothing, bounds)
            .await;
        output.map(|output| output.tail).unwrap_or_default()
    }

    /// Looks at the host and the target folder.
    ///
    /// # Errors
    /// When the host lacks a tool, or `current` is not ours.
    pub async fn look(&self, bounds: &Bounds) -> Result<State, Failure> {
        let target = &self.settings.target;
        let output = self
            .script(
                "look at the target folder",
                &release::look(target),
                Input::Empty,
                bounds,
            )
            .await?;
        let state = State::parse(&String::from_utf8_lossy(&output.stdout));
        let missing = state.missing_tools();
        if !missing.is_empty() {
            return Err(
                Failure::refused(format!("{} lacks {}", self.shown, missing.join(", ")))
                    .hint("on Debian and Ubuntu: apt-get install coreutils findutils tar"),
            );
        }
        if let Some(foreign) = &state.foreign {
            return Err(Failure::refused(format!(
                "{target}/current on {} leads to `{foreign}`, which is no release of this program",
                self.shown
            ))
            .hint("move it away, or set DEPLOY_APP_TARGET to a folder of its own"));
        }
        Ok(state)
    }

    /// Compares the wanted tree with the current release, content by content.
    ///
    /// # Errors
    /// When the host cannot say what it has.
    pub async fn compare(
        &self,
        wanted: &Tree,
        current: Option<&str>,
        bounds: &Bounds,
    ) -> Result<Diff, Failure> {
        let Some(current) = current else {
            return Ok(sync::diff(
                wanted,
                &Tree::new(),
                &std::collections::BTreeMap::new(),
            ));
        };
        let script = release::contents(&self.settings.target, current);
        let output = self
            .script(
                &format!("read release {current}"),
                &script,
                Input::Empty,
                bounds,
            )
            .await?;
        let (stored, hashes) = release::split_contents(&output.stdout);
        let stored = sync::from_text(&String::from_utf8_lossy(stored)).unwrap_or_default();
        Ok(sync::diff(wanted, &stored, &sync::hashes(hashes)))
    }

    /// Takes the lock; gives the release that is current under it.
    ///
    /// # Errors
    /// [`Exit::Lost`] when somebody else holds it.
    pub async fn lock(
        &self,
        owner: &str,
        token: &str,
        ttl_secs: u64,
        bounds: &Bounds,
    ) -> Result<Option<String>, Failure> {
        let target = &self.settings.target;
        let script = release::lock(target, owner, token, ttl_secs);
        let output = self
            .script("take the deployment lock", &script, Input::Empty, bounds)
            .await?;
        match Locked::parse(&String::from_utf8_lossy(&output.stdout)) {
            Some(Locked::Taken { current, from }) => {
                if let Some(from) = from {
                    tracing::warn!("took over the expired lock of {from}");
                }
                Ok(current)
            }
            Some(Locked::Held { owner, expires_in }) => Err(Failure::new(
                Exit::Lost,
                format!(
                    "another deployment to {target} on {} is going on",
                    self.shown
                ),
            )
            .detail(format!("held by {owner}, for {expires_in} s more at most"))
            .hint(format!(
                "run again when it is done; if it is dead, on the host: {}",
                release::unlock_by_hand(target)
            ))),
            None => Err(Failure::failed(format!(
                "cannot take the deployment lock on {}",
                self.shown
            ))
            .cause("the answer makes no sense")),
        }
    }

    /// Sends a release and has it verified by the host's own hashes.
    ///
    /// # Errors
    /// When it did not arrive exactly.
    pub async fn receive(&self, upload: Upload, bounds: &Bounds) -> Result<(), Failure> {
        let deed = format!("unpack release {}", upload.release);
        let script = release::unpack(&self.settings.target, &upload.release, upload.gzip);
        let wanted = upload.wanted.clone();
        let (tell, chunks) = tokio::sync::mpsc::channel(4);
        let sender = tokio::task::spawn_blocking(move || upload.send(tell));
        let output = self
            .script(&deed, &script, Input::Chunks(chunks), bounds)
            .await;
        // It ends by itself: nobody listens any more.
        drop(sender.await);
        let faults = Listing::parse(&output?.stdout).faults(&wanted);
        if faults.is_empty() {
            return Ok(());
        }
        let failure = Failure::failed(format!("cannot {deed} on {}", self.shown)).cause(format!(
            "what the host holds is not what was sent ({} faults)",
            faults.len()
        ));
        Err(faults
            .iter()
            .take(TAIL)
            .fold(failure, |failure, fault| failure.detail(fault))
            .hint("did the application's folder change meanwhile, or is the host's disk full?"))
    }

    /// Runs one of the scripts of [`release`].
    ///
    /// # Errors
    /// When it fails.
    pub async fn release(&self, deed: &str, script: &str, bounds: &Bounds) -> Result<(), Failure> {
        self.script(deed, script, Input::Empty, bounds)
            .await
            .map(drop)
    }
}
