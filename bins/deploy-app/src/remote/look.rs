//! Looking at the host: what is there, and how it differs from what is wanted.

use std::collections::BTreeSet;

use action::failure::Failure;
use action::wait::Limits;

use super::Remote;
use crate::release::{self, State, scripts};
use crate::sync::pieces::{self, Pieces};
use crate::sync::{self, Diff, Tree};
use ssh::{OutputMode as Show, Stdin as Input};

impl Remote<'_> {
    /// Looks at the host and the target folder, and at what the current release holds where that may
    /// differ from the tree with this digest.
    ///
    /// # Errors
    /// When the host lacks a tool, or `current` is not ours.
    pub async fn look(&self, digest: &str, limits: &Limits) -> Result<State, Failure> {
        let script = release::look(&self.settings.paths, digest);
        let output = self
            .shown_script(
                "look at the target folder",
                &script,
                Input::Empty,
                Show::Progress("compare"),
                limits,
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
        limits: &Limits,
    ) -> Result<State, Failure> {
        match seen.filter(|seen| seen.tells_all_of(digest)) {
            Some(seen) => Ok(seen),
            None => self.look(digest, limits).await,
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
        if !state.lacking.is_empty() {
            let refused = Failure::refused(format!("{} cannot be deployed to", self.shown));
            return Err(state.lacking.iter().fold(refused, Failure::cause).hint(
                "install GNU's tools or BusyBox and have them found first in the PATH of commands over SSH; \
                 on Debian and Ubuntu: apt-get install coreutils findutils mawk tar",
            ));
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
        limits: &Limits,
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
                self.release("remember what was verified", &script, limits)
                    .await,
            );
        }
        sync::diff(wanted, wanted, &altered)
    }

    /// The manifest of a release; none when it cannot be read.
    ///
    /// # Errors
    /// When the host does not answer.
    pub async fn manifest(&self, release: &str, limits: &Limits) -> Result<Option<Tree>, Failure> {
        let script = scripts::read_own(&self.settings.paths, "manifests", release);
        let deed = format!("read the manifest of release {release}");
        let output = self.script(&deed, &script, Input::Empty, limits).await?;
        Ok(sync::from_text(&String::from_utf8_lossy(&output.stdout)))
    }

    /// The pieces of a release's large files.
    ///
    /// # Errors
    /// When the host does not answer.
    pub async fn pieces(&self, release: &str, limits: &Limits) -> Result<Pieces, Failure> {
        let script = scripts::read_own(&self.settings.paths, "pieces", release);
        let deed = format!("read the pieces of release {release}");
        let output = self.script(&deed, &script, Input::Empty, limits).await?;
        Ok(pieces::from_text(&String::from_utf8_lossy(&output.stdout)))
    }
}
