//! What a look at the host told.

use std::collections::{BTreeMap, BTreeSet};

use bundle::digest::Digest;
use filesync::{Decision, Files, Running, Seen, Tree};

/// What the host says about itself and the target folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// The release that is current.
    pub current: Option<Running>,
    /// Our releases, oldest first.
    pub releases: Vec<String>,
    /// Those of them that were healthy when they were started last.
    pub proven: BTreeSet<String>,
    /// Those that were healthy once, and were started anew by somebody who was stopped before they were so again.
    pub doubted: BTreeSet<String>,
    /// How they were run then, as [`crate::runtime::run_spec::RunSpec::to_text`] has it; not known of those that were proven before
    /// that was written down.
    pub run_specs: BTreeMap<String, String>,
    /// The Compose project that this target has, once that was written down.
    pub project: Option<String>,
    /// Releases of which it is written down which images they run.
    pub images: BTreeSet<String>,
    /// In-place: the release whose files were being placed when somebody was stopped.
    pub placing: Option<String>,
    /// What the agent decided alone on the last release whose deployment lost its connection, until that was told.
    pub decision: Option<Decision>,
    /// What stands where the target folder, or one above it, shall be, and is not a folder.
    pub blocked: Option<String>,
    /// The folder that holds what we make, and that we may not write into: the target, or the lowest one above it.
    pub closed: Option<String>,
    /// Free space on the target's file system, in KiB.
    pub free_kib: Option<u64>,
    /// Free inodes there.
    pub free_inodes: Option<u64>,
}

impl State {
    /// What of a look is ours to decide on.
    pub(crate) fn of(seen: Seen) -> Self {
        let names = |kept: &BTreeMap<String, String>| kept.keys().cloned().collect();
        let (proven, doubted) = (names(&seen.proven), names(&seen.doubted));
        let mut run_specs = seen.doubted;
        run_specs.extend(seen.proven);
        Self {
            current: seen.current,
            releases: seen.releases,
            proven,
            doubted,
            run_specs,
            project: seen.project,
            images: seen.images,
            placing: seen.placing,
            decision: seen.decision,
            blocked: seen.blocked,
            closed: seen.closed,
            free_kib: seen.free_kib,
            free_inodes: seen.free_inodes,
        }
    }

    /// The manifest of the current release, where it is another than the wanted one.
    pub(crate) fn stored(&self) -> Option<&Tree> {
        match &self.current.as_ref()?.files {
            Files::Of(tree) => Some(tree),
            _ => None,
        }
    }

    /// The digest of the current release's manifest.
    pub(crate) fn digest(&self) -> Option<String> {
        let digest = self.current.as_ref()?.digest?;
        Some(digest.to_string())
    }

    /// The current release's name.
    pub(crate) fn current_name(&self) -> Option<&str> {
        self.current.as_ref().map(|current| current.name.as_str())
    }

    /// Whether a look that may not have known the wanted tree tells all that one with this digest would: nothing is
    /// there, exactly this, or something else of which the manifest is told.
    pub(crate) fn tells_all_of(&self, digest: Digest) -> bool {
        let Some(current) = &self.current else {
            return true;
        };
        match &current.files {
            // Only who knows what is wanted has it read.
            Files::Verified | Files::Read { .. } => current.digest == Some(digest),
            Files::Of(tree) => current.digest != Some(digest) && !tree.is_empty(),
            Files::Unread => false,
        }
    }

    /// The release to go back to: the newest that is proven healthy and older than the current one.
    pub(crate) fn before_current(&self) -> Option<&str> {
        let current = self.current_name()?;
        self.releases
            .iter()
            .rev()
            .map(String::as_str)
            .find(|name| *name < current && self.proven.contains(*name))
    }

    /// Whether the current release was proven healthy. One that was not may not even have been started:
    /// somebody was stopped between the switch and the proof, and what answers may be the release before.
    pub(crate) fn is_proven(&self) -> bool {
        self.current_name()
            .is_some_and(|current| self.proven.contains(current))
    }

    /// The release that comes back when `next` does not become healthy: the current one, or where that is
    /// not proven the newest that is, or else that was once.
    pub(crate) fn fallback(&self, next: &str) -> Option<&str> {
        let current = self
            .current_name()
            .filter(|current| *current != next && self.is_proven());
        let newest = || {
            let all = self.releases.iter().rev().map(String::as_str);
            all.filter(|name| *name != next)
        };
        current
            .or_else(|| newest().find(|name| self.proven.contains(*name)))
            .or_else(|| newest().find(|name| self.doubted.contains(*name)))
    }

    /// Those of [`State::to_prune`] that may go without the lock: a newer one than the current may be what
    /// the lock's holder is deploying right now.
    pub(crate) fn to_prune_unlocked(&self, keep: usize, joins: bool) -> Vec<String> {
        let mut old = self.to_prune(keep, joins);
        old.retain(|name| Some(name.as_str()) < self.current_name());
        old
    }

    /// Releases that go so that `keep` remain once a new one has joined them: first those that never
    /// were healthy, then the oldest; never the current one, nor the one that comes back in its place.
    pub(crate) fn to_prune(&self, keep: usize, joins: bool) -> Vec<String> {
        let spare = (self.releases.len() + usize::from(joins)).saturating_sub(keep.max(1));
        let mut all: Vec<&String> = self
            .releases
            .iter()
            .filter(|name| Some(name.as_str()) != self.current_name())
            .filter(|name| self.is_proven() || Some(name.as_str()) != self.fallback(""))
            // What of it lies in the open is told by its manifest only.
            .filter(|name| Some(*name) != self.placing.as_ref())
            .collect();
        all.sort_by_key(|name| (self.proven.contains(*name), (*name).clone()));
        all.into_iter().take(spare).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use bundle::digest::Digest;
    use bundle::manifest::Kind;
    use filesync::{Files, Running, Seen};

    use super::State;
    use filesync::Tree;

    fn running(name: &str, files: Files) -> Running {
        Running {
            name: name.to_owned(),
            digest: Some(Digest::of(b"wanted")),
            files,
        }
    }

    #[test]
    fn a_look_tells_all_of_what_need_not_be_read() {
        let look = |files| State {
            current: Some(running("20261123094308-0123456", files)),
            ..State::default()
        };
        let (wanted, other) = (Digest::of(b"wanted"), Digest::of(b"other"));
        assert!(
            !look(Files::Unread).tells_all_of(wanted),
            "its files may be others"
        );
        let same = look(Files::Verified);
        assert!(same.tells_all_of(wanted) && !same.tells_all_of(other));
        let read = look(Files::Read {
            stamp: None,
            faults: Vec::new(),
        });
        assert!(read.tells_all_of(wanted) && !read.tells_all_of(other));
        assert!(State::default().tells_all_of(wanted), "nothing is there");
        let tree = Tree::from([("empty".to_owned(), Kind::EmptyDir)]);
        assert!(look(Files::Of(tree)).tells_all_of(other));
        assert!(!look(Files::Of(Tree::new())).tells_all_of(other));
    }

    #[test]
    fn what_was_healthy_once_comes_back_where_nothing_is_proven() {
        let (one, two) = ("20261123094308-0123456", "20261123094309-0123456");
        let kept = |of: &[(&str, &str)]| {
            let owned = of.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned()));
            owned.collect::<BTreeMap<_, _>>()
        };
        let told = |proven: &[(&str, &str)], doubted: &[(&str, &str)]| {
            State::of(Seen {
                releases: vec![one.to_owned(), two.to_owned()],
                proven: kept(proven),
                doubted: kept(doubted),
                current: Some(running(one, Files::Unread)),
                ..Seen::default()
            })
        };
        let doubted = told(&[], &[(one, "{}")]);
        assert!(!doubted.is_proven());
        assert_eq!(doubted.fallback("next"), Some(one));
        assert_eq!(doubted.fallback(one), None);
        let other = told(&[(two, "{}")], &[(one, "{}")]);
        assert_eq!(other.fallback("next"), Some(two));
    }

    #[test]
    fn the_oldest_go_but_never_the_current() {
        let release = |n: u8| format!("2026112309430{n}-0123456");
        let state = State {
            current: Some(running(&release(1), Files::Unread)),
            releases: (1..=4).map(release).collect(),
            proven: (1..=3).map(release).collect(),
            ..State::default()
        };
        assert_eq!(state.to_prune(5, true), Vec::<String>::new());
        assert_eq!(state.to_prune(4, true), [release(4)], "never proven");
        assert_eq!(state.to_prune(3, true), [release(4), release(2)]);
        assert_eq!(
            state.to_prune(1, true),
            [release(4), release(2), release(3)]
        );
        assert_eq!(state.to_prune(4, false), Vec::<String>::new());
        let stopped = State {
            placing: Some(release(4)),
            ..state
        };
        assert_eq!(stopped.to_prune(3, true), [release(2), release(3)]);
    }

    #[test]
    fn what_a_killed_deployment_left_is_neither_gone_back_to_nor_taken_for_done() {
        let release = |n: u8| format!("2026112309430{n}-0123456");
        let state = |current: u8, proven: &[u8]| State {
            current: Some(running(&release(current), Files::Unread)),
            releases: (1..=4).map(release).collect(),
            proven: proven.iter().copied().map(release).collect(),
            ..State::default()
        };
        let killed = state(3, &[1, 2]);
        assert!(!killed.is_proven() && state(2, &[1, 2]).is_proven());
        assert_eq!(killed.fallback(&release(4)), Some(release(2).as_str()));
        assert_eq!(killed.fallback(&release(2)), Some(release(1).as_str()));
        assert_eq!(
            state(2, &[1, 2]).fallback(&release(4)),
            Some(release(2).as_str())
        );
        assert_eq!(state(3, &[]).fallback(&release(4)), None);
        // What comes back in place of the current one stays, and without the lock so does what is newer.
        assert_eq!(killed.to_prune(1, true), [release(4), release(1)]);
        assert_eq!(killed.to_prune_unlocked(1, true), [release(1)]);
        assert_eq!(
            State::default().to_prune_unlocked(1, true),
            Vec::<String>::new()
        );
    }
}
