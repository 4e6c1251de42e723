//! The host as the steps see it: scripts whose failures say what they were for.

use std::collections::BTreeSet;

use action::exit::Exit;
use action::failure::Failure;

use crate::failure_bundle::Evidence;
use crate::host::exec::{Bounds, ExecError, Input, Output, Show};
use crate::host::ssh::Session;
use crate::host_keys::{self, Belief};
use crate::layout::Paths;
use crate::lease;
use crate::reach::{self, Way};
use crate::release::{self, State, lock, scripts};
use crate::runtime::Command;
use crate::settings::Checked;
use crate::stages::Stages;
use crate::sync::listing::{Fault, Listing, What};
use crate::sync::pieces::{self, Pieces};
use crate::sync::upload::Upload;
use crate::sync::{self, Diff, Tree};

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
    /// What it is believed by.
    pub belief: &'a Belief,
    /// Where the deployment is.
    pub stages: &'a Stages,
    /// What is gathered for the failure bundle.
    pub evidence: &'a Evidence,
}

impl<'a> Remote<'a> {
    /// Connects, and stores what the host was believed by where that is due.
    ///
    /// # Errors
    /// As [`reach::connect`] and [`host_keys::store`].
    pub async fn connect(
        settings: &'a Checked,
        way: &'a Way<'a>,
        belief: &'a Belief,
        (stages, evidence): (&'a Stages, &'a Evidence),
        bounds: &Bounds,
    ) -> Result<Self, Failure> {
        let session = reach::connect(settings, way, belief, bounds).await?;
        Ok(Self {
            session,
            shown: way.shown(),
            settings,
            way,
            belief,
            stages,
            evidence,
        })
    }

    /// Writes down what the host was believed by, where that is due.
    ///
    /// # Errors
    /// As [`host_keys::store`].
    pub async fn store_belief(&self) -> Result<(), Failure> {
        host_keys::store(
            self.settings,
            self.way,
            self.belief,
            self.session.host_key(),
        )
        .await
    }

    /// The same host over a new connection.
    ///
    /// # Errors
    /// As [`reach::connect`].
    pub async fn again(&self, bounds: &Bounds) -> Result<Self, Failure> {
        let kept = (self.stages, self.evidence);
        Self::connect(self.settings, self.way, self.belief, kept, bounds).await
    }

    /// Runs one of our own scripts, and gives all that it printed.
    ///
    /// # Errors
    /// When it has no exit status, or one that is not 0.
    pub async fn script(
        &self,
        deed: &str,
        script: &str,
        input: Input,
        bounds: &Bounds,
    ) -> Result<Output, Failure> {
        self.shown_script(deed, script, input, Show::Nothing, bounds)
            .await
    }

    async fn shown_script(
        &self,
        deed: &str,
        script: &str,
        input: Input,
        show: Show,
        bounds: &Bounds,
    ) -> Result<Output, Failure> {
        let output = self
            .session
            .run(script, input, show, bounds)
            .await
            .map_err(|error| self.no_result(deed, &error))?;
        if output.status == lock::LOST {
            return Err(lease::lost(&self.settings.paths.target));
        }
        self.succeeded(deed, output)
    }

    fn no_result(&self, deed: &str, error: &ExecError) -> Failure {
        self.evidence.command_failed(deed, &error.to_string());
        let deed = format!("cannot {deed} on {}", self.shown);
        match error {
            ExecError::Interrupted(signal) => Failure::interrupted(*signal, deed),
            ExecError::Deadline => Failure::new(Exit::Deadline, deed)
                .cause(error)
                .hint("running again starts over with what the host has by then; give it more time with --timeout"),
            ExecError::Input(_) => Failure::failed(deed).cause(error).hint(
                "run it again: did the application's folder change while it was sent?",
            ),
            _ => Failure::failed(deed).cause(error),
        }
    }

    /// The failure of a command with this status, with its last words.
    fn failed(&self, exit: Exit, deed: &str, output: &Output) -> Failure {
        let how = format!("exit status {}", output.status);
        self.evidence.command_failed(deed, &how);
        let failure = Failure::new(exit, format!("cannot {deed} on {}", self.shown)).cause(how);
        let from = output.tail.len().saturating_sub(TAIL);
        output.tail[from..].iter().fold(failure, Failure::detail)
    }

    /// How one of our own scripts ended, whose words tell what the user may not do.
    fn succeeded(&self, deed: &str, output: Output) -> Result<Output, Failure> {
        if output.status == 0 {
            return Ok(output);
        }
        let is_denied = output
            .tail
            .iter()
            .any(|line| line.contains("Permission denied") || line.contains("permission denied"));
        if !is_denied {
            return Err(self.failed(Exit::Failed, deed, &output));
        }
        Err(self.failed(Exit::NotPermitted, deed, &output).hint(format!(
            "user `{}` needs the right to do this; for the folder: sudo install -d -o {0} {1}",
            self.settings.user, self.settings.paths.target
        )))
    }

    /// How a command of the application ended. Whatever it was denied is its own business.
    fn did_well(&self, deed: &str, output: &Output) -> Result<(), Failure> {
        if output.status == 0 {
            return Ok(());
        }
        let failure = self.failed(Exit::Failed, deed, output);
        Err(match hint_of(output.status) {
            Some(hint) => failure.hint(hint),
            None => failure,
        })
    }

    /// Runs a command that asks whether the host can run the application, its lines shown as they come.
    ///
    /// # Errors
    /// When it does not end well.
    pub async fn check(
        &self,
        command: &Command,
        deed: &str,
        bounds: &Bounds,
    ) -> Result<(), Failure> {
        let output = self.run(command, Show::Lines(command.name), bounds).await;
        self.succeeded(deed, output.map_err(|error| self.no_result(deed, &error))?)
            .map(drop)
    }

    async fn run(
        &self,
        command: &Command,
        show: Show,
        bounds: &Bounds,
    ) -> Result<Output, ExecError> {
        let session = &self.session;
        session
            .run(&command.script, Input::Empty, show, bounds)
            .await
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
        let output = self.run(command, Show::Lines(command.name), bounds).await;
        self.did_well(deed, &output.map_err(|error| self.no_result(deed, &error))?)
    }

    /// Runs a command of the application whose lines are of interest only when it fails.
    ///
    /// # Errors
    /// When it does not end well.
    pub async fn quietly(
        &self,
        command: &Command,
        deed: &str,
        bounds: &Bounds,
    ) -> Result<(), Failure> {
        let output = self.run(command, Show::Tail, bounds).await;
        self.did_well(deed, &output.map_err(|error| self.no_result(deed, &error))?)
    }

    /// The last lines of a command, whatever its status; none when it does not run.
    pub async fn tail(&self, command: &Command, bounds: &Bounds) -> Vec<String> {
        let output = self.run(command, Show::Tail, bounds).await;
        output.map(|output| output.tail).unwrap_or_default()
    }

    /// Looks at the host and the target folder, and at what the current release holds where that may
    /// differ from the tree with this digest.
    ///
    /// # Errors
    /// When the host lacks a tool, or `current` is not ours.
    pub async fn look(&self, digest: &str, bounds: &Bounds) -> Result<State, Failure> {
        let script = release::look(&self.settings.paths, digest);
        let output = self
            .shown_script(
                "look at the target folder",
                &script,
                Input::Empty,
                Show::Progress("compare"),
                bounds,
            )
            .await?;
        self.seen(&output.stdout)
    }

    /// The same, unless a look before told all of it.
    ///
    /// # Errors
    /// As [`Remote::look`].
    pub async fn look_unless(
        &self,
        seen: Option<State>,
        digest: &str,
        bounds: &Bounds,
    ) -> Result<State, Failure> {
        match seen.filter(|seen| seen.tells_all_of(digest)) {
            Some(seen) => Ok(seen),
            None => self.look(digest, bounds).await,
        }
    }

    /// Reads what a look printed.
    ///
    /// # Errors
    /// As [`Remote::look`].
    pub fn seen(&self, printed: &[u8]) -> Result<State, Failure> {
        let paths = &self.settings.paths;
        let state = State::parse(printed);
        let missing = state.missing_tools();
        if !missing.is_empty() {
            return Err(
                Failure::refused(format!("{} lacks {}", self.shown, missing.join(", ")))
                    .hint("on Debian and Ubuntu: apt-get install coreutils findutils mawk tar"),
            );
        }
        if let Some(foreign) = &state.foreign {
            return Err(Failure::refused(format!(
                "{}/{} on {} leads to `{foreign}`, which is no release of this program",
                paths.target,
                paths.current(),
                self.shown
            ))
            .hint("move it away, or set DEPLOY_APP_TARGET to a folder of its own"));
        }
        Ok(state)
    }

    /// How the wanted tree differs from what a look found. `may_remember` lets the host write down that its
    /// files are what they should be.
    pub async fn compare(
        &self,
        wanted: &Tree,
        state: &State,
        may_remember: bool,
        bounds: &Bounds,
    ) -> Diff {
        let Some(current) = &state.current else {
            return sync::diff(wanted, &Tree::new(), &BTreeSet::new());
        };
        if let Some(stored) = &current.manifest {
            return sync::diff(wanted, stored, &BTreeSet::new());
        }
        let Some(listing) = &current.listing else {
            if state.placing.is_none() {
                // Nothing will be sent, so nothing need be linked.
                return Diff::default();
            }
            return sync::diff(wanted, wanted, &BTreeSet::new());
        };
        // What the application wrote itself is nobody's business.
        let altered: BTreeSet<String> = listing
            .faults(wanted)
            .into_iter()
            .filter(|fault| !fault.what.is_theirs())
            .map(|fault| fault.path)
            .collect();
        let is_fine = altered.is_empty() && may_remember;
        if let (true, Some(stamp)) = (is_fine, &current.stamp) {
            // Spares the next look the reading of every file; failing costs time only.
            let script = scripts::remember_stamp(&self.settings.paths, &current.name, stamp);
            drop(
                self.release("remember what was verified", &script, bounds)
                    .await,
            );
        }
        sync::diff(wanted, wanted, &altered)
    }

    /// Sends a release and has it verified by the host's own hashes; what did not arrive as it should
    /// is sent once more, whole. Gives the stamp of what was verified.
    ///
    /// # Errors
    /// When it does not arrive exactly.
    pub async fn receive(&self, upload: Upload, bounds: &Bounds) -> Result<String, Failure> {
        let deed = format!("unpack release {}", upload.release);
        let (paths, wanted) = (&self.settings.paths, upload.wanted.clone());
        let (mut stamp, mut faults) = self.send(&deed, upload.clone(), bounds).await?;
        let is_curable = |faults: &[Fault]| faults.iter().all(|fault| fault.what != What::Foreign);
        if !faults.is_empty() && is_curable(&faults) {
            let linked = faults.iter().filter(|fault| upload.is_linked(&fault.path));
            let linked = linked.count();
            tracing::info!("{}", sent_again(linked, faults.len() - linked));
            let only = faults.into_iter().map(|fault| fault.path).collect();
            let rest = Upload {
                only: Some(only),
                ..upload
            };
            (stamp, faults) = self.send(&deed, rest, bounds).await?;
        }
        if faults.is_empty() {
            return Ok(stamp);
        }
        Err(self.unlike(&deed, paths, &wanted, &faults))
    }

    fn unlike(&self, deed: &str, paths: &Paths, wanted: &Tree, faults: &[Fault]) -> Failure {
        let failure = Failure::failed(format!(
            "cannot {deed} in {} on {}",
            paths.target, self.shown
        ))
        .cause(format!(
            "what the host holds is not what was sent ({} in {})",
            counted(faults.len(), "fault", "faults"),
            counted(wanted.len(), "entry", "entries")
        ));
        faults
            .iter()
            .take(TAIL)
            .fold(failure, |failure, fault| failure.detail(fault.to_string()))
            .hint("did the application's folder change meanwhile, or is the host's disk full?")
    }

    async fn send(
        &self,
        deed: &str,
        upload: Upload,
        bounds: &Bounds,
    ) -> Result<(String, Vec<Fault>), Failure> {
        let again = upload.only.is_some();
        let paths = &self.settings.paths;
        let has_long = sync::has_long(&upload.wanted);
        let script = scripts::unpack(paths, &upload.release, upload.gzip, again, has_long);
        let wanted = upload.wanted.clone();
        let (tell, chunks) = tokio::sync::mpsc::channel(16);
        let sender = tokio::task::spawn_blocking(move || upload.send(tell));
        let output = self
            .shown_script(
                deed,
                &script,
                Input::Chunks(chunks),
                Show::Progress("send"),
                bounds,
            )
            .await;
        // It ends by itself: nobody listens any more.
        drop(sender.await);
        Ok(stamped(&output?.stdout, &wanted))
    }

    /// In-place: has the target folder verified; gives the stamp of what was verified.
    ///
    /// # Errors
    /// When it does not hold the tree.
    pub async fn verify_live(
        &self,
        release: &str,
        wanted: &Tree,
        bounds: &Bounds,
    ) -> Result<String, Failure> {
        let deed = format!("put release {release} into place");
        let paths = &self.settings.paths;
        let script = scripts::list_live(paths, release, sync::has_long(wanted));
        let show = Show::Progress("verify");
        let output = self
            .shown_script(&deed, &script, Input::Empty, show, bounds)
            .await?;
        let (stamp, mut faults) = stamped(&output.stdout, wanted);
        // Whatever else is there was there before, or is the application's.
        faults.retain(|fault| !fault.what.is_theirs());
        if faults.is_empty() {
            return Ok(stamp);
        }
        Err(self.unlike(&deed, paths, wanted, &faults))
    }

    /// The manifest of a release; none when it cannot be read.
    ///
    /// # Errors
    /// When the host does not answer.
    pub async fn manifest(&self, release: &str, bounds: &Bounds) -> Result<Option<Tree>, Failure> {
        let script = scripts::read_own(&self.settings.paths, "manifests", release);
        let deed = format!("read the manifest of release {release}");
        let output = self.script(&deed, &script, Input::Empty, bounds).await?;
        Ok(sync::from_text(&String::from_utf8_lossy(&output.stdout)))
    }

    /// The pieces of a release's large files.
    ///
    /// # Errors
    /// When the host does not answer.
    pub async fn pieces(&self, release: &str, bounds: &Bounds) -> Result<Pieces, Failure> {
        let script = scripts::read_own(&self.settings.paths, "pieces", release);
        let deed = format!("read the pieces of release {release}");
        let output = self.script(&deed, &script, Input::Empty, bounds).await?;
        Ok(pieces::from_text(&String::from_utf8_lossy(&output.stdout)))
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

    /// Runs one of the scripts of [`release`] that read paths from standard input; not at all when there
    /// are none.
    ///
    /// # Errors
    /// When it fails.
    pub async fn with_paths(
        &self,
        deed: &str,
        script: &str,
        paths: Vec<u8>,
        bounds: &Bounds,
    ) -> Result<(), Failure> {
        if paths.is_empty() {
            return Ok(());
        }
        self.script(deed, script, Input::Bytes(paths), bounds)
            .await
            .map(drop)
    }
}

/// Reads a stamp and the listing after it.
fn stamped(output: &[u8], wanted: &Tree) -> (String, Vec<Fault>) {
    let end = output.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let stamp = String::from_utf8_lossy(&output[..end]).into_owned();
    let listing = Listing::parse(output.get(end + 1..).unwrap_or_default());
    (stamp, listing.faults(wanted))
}

/// What can be done about an application's command that could not even be run.
fn hint_of(status: u32) -> Option<&'static str> {
    match status {
        126 => Some("is it executable? (git update-index --chmod=+x FILE)"),
        127 => Some("is it there, on the host's PATH or in the release?"),
        _ => None,
    }
}

/// Why files are sent once more: so many of them were linked to the release before, and so many were sent.
fn sent_again(linked: usize, sent: usize) -> String {
    let mut reasons = Vec::new();
    if linked > 0 {
        let files = counted(linked, "file", "files");
        reasons.push(format!("{files} of the release before changed on the host"));
    }
    if sent > 0 {
        let files = counted(sent, "file", "files");
        reasons.push(format!("{files} did not arrive as read here"));
    }
    format!("{}: sending again, whole", reasons.join(", "))
}

/// A number with the word for what is counted.
fn counted(number: usize, one: &str, several: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { several })
}

#[cfg(test)]
mod tests {
    use super::sent_again;

    #[test]
    fn what_is_sent_once_more_is_told_as_it_is() {
        for (linked, sent, told) in [
            (
                1,
                0,
                "1 file of the release before changed on the host: sending again, whole",
            ),
            (
                0,
                2,
                "2 files did not arrive as read here: sending again, whole",
            ),
            (
                2,
                1,
                "2 files of the release before changed on the host, 1 file did not arrive as read here: sending again, whole",
            ),
        ] {
            assert_eq!(sent_again(linked, sent), told);
        }
    }
}
