//! Looking at the host: what is there, and how it differs from what is wanted.

use std::collections::BTreeSet;

use action::failure::Failure;
use action::wait::Limits;
use bundle::digest::Digest;
use filesync::pieces::Pieces;
use filesync::{Diff, Files, Operation, Running, Seen, Tree};

use super::Remote;
use super::looking::{Looking, operation};
use super::state::State;
use ssh::{OutputMode, Stdin};

const DEED: &str = "look at the target folder";
const SHOW: OutputMode = OutputMode::Progress("compare");

impl Remote<'_> {
    /// Looks at the target folder, and at what the current release holds where that may differ from the tree with this
    /// digest. Without one, no file is read.
    pub(crate) async fn look(
        &self,
        wanted: Option<Digest>,
        limits: &Limits,
    ) -> Result<State, Failure> {
        let seen = self.store(DEED, operation(wanted), Stdin::Empty, SHOW, limits);
        self.state(seen.await?)
    }

    /// What the look told that the agent began with.
    pub(crate) async fn looked(
        &self,
        Looking(asked): Looking,
        limits: &Limits,
    ) -> Result<State, Failure> {
        let told = self.session.told(asked, SHOW, limits).await;
        self.state(self.told(DEED, told)?)
    }

    /// The same, unless a look before told all of it.
    pub(crate) async fn look_unless(
        &self,
        seen: State,
        digest: Digest,
        limits: &Limits,
    ) -> Result<State, Failure> {
        match seen.tells_all_of(digest) {
            true => Ok(seen),
            false => self.look(Some(digest), limits).await,
        }
    }

    /// Makes the store of releases, and looks at it without reading a file.
    pub(crate) async fn make_store(
        &self,
        digest: Digest,
        limits: &Limits,
    ) -> Result<State, Failure> {
        let wanted = Some(digest);
        let seen = self.files(DEED, Operation::MakeStore { wanted }, limits);
        self.state(seen.await?)
    }

    fn state(&self, seen: Seen) -> Result<State, Failure> {
        let paths = &self.settings.paths;
        if let Some(foreign) = &seen.foreign {
            return Err(Failure::refused(format!(
                "{}/{} on {} points to `{foreign}`, which is not a release of this program",
                paths.target,
                paths.current(),
                self.shown
            ))
            .hint("move it away, or set DEPLOY_APP_TARGET to a folder of its own"));
        }
        Ok(State::of(seen))
    }

    /// How the wanted tree differs from what a look found. `may_remember` lets the host write down that its
    /// files are what they should be.
    pub(crate) async fn compare(
        &self,
        wanted: &Tree,
        state: &State,
        may_remember: bool,
        limits: &Limits,
    ) -> Diff {
        let nothing = BTreeSet::new();
        let Some(Running { name, files, .. }) = &state.current else {
            return filesync::diff(wanted, &Tree::new(), &nothing);
        };
        let (stamp, faults) = match files {
            Files::Of(stored) => return filesync::diff(wanted, stored, &nothing),
            Files::Unread => return filesync::diff(wanted, &Tree::new(), &nothing),
            // Nothing will be sent, so nothing need be linked.
            Files::Verified if state.placing.is_none() => return Diff::default(),
            Files::Verified => return filesync::diff(wanted, wanted, &nothing),
            Files::Read { stamp, faults } => (stamp, faults),
        };
        // What the application wrote itself is nobody's business.
        let altered: BTreeSet<String> = faults
            .iter()
            .filter(|fault| !fault.what.is_theirs())
            .map(|fault| fault.path.clone())
            .collect();
        let is_fine = altered.is_empty() && may_remember;
        if let (true, Some(stamp)) = (is_fine, stamp) {
            // Spares the next look the reading of every file; failing costs time only.
            let operation = Operation::RememberStamp {
                release: name.clone(),
                stamp: *stamp,
            };
            let deed = "remember what was verified";
            drop(self.files::<()>(deed, operation, limits).await);
        }
        filesync::diff(wanted, wanted, &altered)
    }

    /// The manifest of a release; none when it cannot be read.
    pub(crate) async fn manifest(
        &self,
        release: &str,
        limits: &Limits,
    ) -> Result<Option<Tree>, Failure> {
        let deed = format!("read the manifest of release {release}");
        let release = release.to_owned();
        self.files(&deed, Operation::Manifest { release }, limits)
            .await
    }

    /// The pieces of a release's large files.
    pub(crate) async fn pieces(&self, release: &str, limits: &Limits) -> Result<Pieces, Failure> {
        let deed = format!("read the pieces of release {release}");
        let release = release.to_owned();
        self.files(&deed, Operation::Pieces { release }, limits)
            .await
    }
}
