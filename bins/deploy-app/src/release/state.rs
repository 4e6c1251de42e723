//! What a look at the host told.

use std::collections::{BTreeMap, BTreeSet};

use super::{TOOLS, is_name, tried};
use crate::manner::Manner;
use crate::settings::{Checked, Run};
use crate::sync::Tree;
use crate::sync::listing::Listing;

/// The release that is current, and what is known about its files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Current {
    /// Its name.
    pub name: String,
    /// Its manifest; none when it is exactly the wanted one, and empty when it cannot be read.
    pub manifest: Option<Tree>,
    /// What its folder holds; none when the host vouches that it is what was verified last.
    pub listing: Option<Listing>,
    /// The stamp that the listing was taken under.
    pub stamp: Option<String>,
}

/// What the host says about itself and the target folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// Tools from [`TOOLS`] and [`super::OPTIONAL`] that it has.
    pub tools: Vec<String>,
    /// What its tools do not do and must.
    pub lacking: Vec<&'static str>,
    /// The release that is current.
    pub current: Option<Current>,
    /// The digest of its manifest.
    pub digest: Option<String>,
    /// Where `current` leads when that is not a release of ours.
    pub foreign: Option<String>,
    /// Our releases, oldest first.
    pub releases: Vec<String>,
    /// Those of them that were healthy when they were started last.
    pub proven: BTreeSet<String>,
    /// Those that were healthy once, and were started anew by somebody who was stopped before they were so again.
    pub doubted: BTreeSet<String>,
    /// How they were run then, as [`crate::manner::Manner::to_text`] has it; not known of those that were proven before
    /// that was written down.
    pub manners: BTreeMap<String, String>,
    /// The Compose project that this target has, once that was written down.
    pub project: Option<String>,
    /// Releases of which it is written down which images they run.
    pub images: BTreeSet<String>,
    /// In-place: the release whose files were being placed when somebody was stopped.
    pub placing: Option<String>,
    /// What stands where the target folder, or one above it, shall be, and is no folder.
    pub blocked: Option<String>,
    /// The folder that holds what we make, and that we may not write into: the target, or the lowest one above it.
    pub closed: Option<String>,
    /// Free space on the target's file system, in KiB.
    pub free_kib: Option<u64>,
    /// Free inodes there.
    pub free_inodes: Option<u64>,
}

impl State {
    /// Reads what [`super::look`] prints.
    #[must_use]
    pub fn parse(output: &[u8]) -> Self {
        let mut state = Self::default();
        let mut rest = output;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line = String::from_utf8_lossy(&rest[..end]).into_owned();
            rest = &rest[end + 1..];
            match line.split_once(' ') {
                Some(("==", section)) => {
                    if let Some(current) = &mut state.current {
                        current.read(section, rest);
                    }
                    break;
                }
                Some((word, rest)) => state.word(word, rest),
                None => {}
            }
        }
        state.releases.sort();
        state
    }

    fn word(&mut self, word: &str, rest: &str) {
        match word {
            "tool" => self.tools.push(rest.to_owned()),
            "cannot" => self.lacking.extend(tried::lacking(rest)),
            "blocked" => self.blocked = Some(rest.to_owned()),
            "closed" => self.closed = Some(rest.to_owned()),
            "free" => self.free_kib = rest.parse().ok(),
            "inodes" => self.free_inodes = rest.parse().ok(),
            "current" => match rest.strip_prefix("releases/").filter(|name| is_name(name)) {
                Some(name) => {
                    self.current = Some(Current {
                        name: name.to_owned(),
                        manifest: Some(Tree::new()),
                        ..Current::default()
                    });
                }
                None => self.foreign = Some(rest.to_owned()),
            },
            "digest" if rest.len() == 64 => self.digest = Some(rest.to_owned()),
            "release" if is_name(rest) => self.releases.push(rest.to_owned()),
            "proven" | "unproven" => {
                let (name, manner) = rest.split_once(' ').unwrap_or((rest, ""));
                if is_name(name) {
                    if word == "proven" {
                        // Told last: whoever was stopped right after the proof left both.
                        self.doubted.remove(name);
                        self.proven.insert(name.to_owned());
                    } else {
                        self.doubted.insert(name.to_owned());
                    }
                    self.manners.insert(name.to_owned(), manner.to_owned());
                }
            }
            "project" => self.project = Some(rest.to_owned()),
            "images" if is_name(rest) => drop(self.images.insert(rest.to_owned())),
            "placing" if is_name(rest) => self.placing = Some(rest.to_owned()),
            _ => {}
        }
    }

    /// The current release's name.
    #[must_use]
    pub fn current_name(&self) -> Option<&str> {
        self.current.as_ref().map(|current| current.name.as_str())
    }

    /// How a release was run when it was proven; as this deployment has it where that is not known.
    #[must_use]
    pub fn manner(&self, release: &str, settings: &Checked) -> Manner {
        Manner::kept(self.manners.get(release).map(String::as_str), settings)
    }

    /// The Compose project that this target has had so far. Before it was written down, that was what the current release
    /// was proven with, or else the last part of the target.
    #[must_use]
    pub fn had_project(&self, settings: &Checked) -> Option<String> {
        let of_release = |name: &str| match self.manner(name, settings).run {
            Run::Compose { project } => Some(project),
            Run::Command { .. } | Run::None => None,
        };
        self.project
            .clone()
            .or_else(|| self.current_name().and_then(of_release))
    }

    /// Whether a [`super::quick_look`], or one with [`super::UNKNOWN`], tells all that a [`super::look`] with this digest would:
    /// nothing is there, exactly this, or something else of which the manifest is told.
    #[must_use]
    pub fn tells_all_of(&self, digest: &str) -> bool {
        let Some(current) = &self.current else {
            return true;
        };
        match self.digest.as_deref() == Some(digest) {
            true => current.manifest.is_none() && current.listing.is_none(),
            false => current
                .manifest
                .as_ref()
                .is_some_and(|tree| !tree.is_empty()),
        }
    }

    /// Required tools that the host does not have.
    #[must_use]
    pub fn missing_tools(&self) -> Vec<&'static str> {
        TOOLS.into_iter().filter(|tool| !self.has(tool)).collect()
    }

    /// Whether the host has this tool.
    #[must_use]
    pub fn has(&self, tool: &str) -> bool {
        self.tools.iter().any(|known| known == tool)
    }

    /// The release to go back to: the newest that is proven healthy and older than the current one.
    #[must_use]
    pub fn before_current(&self) -> Option<&str> {
        let current = self.current_name()?;
        self.releases
            .iter()
            .rev()
            .map(String::as_str)
            .find(|name| *name < current && self.proven.contains(*name))
    }

    /// Whether the current release was proven healthy. One that was not may not even have been started:
    /// somebody was stopped between the switch and the proof, and what answers may be the release before.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        self.current_name()
            .is_some_and(|current| self.proven.contains(current))
    }

    /// The release that comes back when `next` does not become healthy: the current one, or where that is
    /// not proven the newest that is, or else that was once.
    #[must_use]
    pub fn fallback(&self, next: &str) -> Option<&str> {
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
    #[must_use]
    pub fn to_prune_unlocked(&self, keep: usize, joins: bool) -> Vec<String> {
        let mut old = self.to_prune(keep, joins);
        old.retain(|name| Some(name.as_str()) < self.current_name());
        old
    }

    /// Releases that go so that `keep` remain once a new one has joined them: first those that never
    /// were healthy, then the oldest; never the current one, nor the one that comes back in its place.
    #[must_use]
    pub fn to_prune(&self, keep: usize, joins: bool) -> Vec<String> {
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

impl Current {
    fn read(&mut self, section: &str, rest: &[u8]) {
        match section {
            "manifest" => {
                let text = String::from_utf8_lossy(rest);
                self.manifest = Some(crate::sync::from_text(&text).unwrap_or_default());
            }
            "verified" => self.manifest = None,
            "listing" => {
                self.manifest = None;
                let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(0);
                self.stamp = Some(String::from_utf8_lossy(&rest[..end]).into_owned());
                self.listing = Some(Listing::parse(rest.get(end + 1..).unwrap_or_default()));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Current, State};

    #[test]
    fn a_look_is_read() {
        let state = State::parse(
            b"tool tar\ntool find\nfree 1024\ninodes 77\nrelease 20261123094308-0123456\n\
              release 20251123094308-0123456\nrelease mine\nproven 20251123094308-0123456\n\
              current releases/20261123094308-0123456\n== manifest\ndeploy-app manifest 2\n040000\t-\t0\tempty\n",
        );
        assert_eq!(state.current_name(), Some("20261123094308-0123456"));
        let manifest = state.current.as_ref().and_then(|c| c.manifest.as_ref());
        assert_eq!(manifest.map(|tree| tree.len()), Some(1));
        assert_eq!(
            state.releases,
            ["20251123094308-0123456", "20261123094308-0123456"]
        );
        assert_eq!(state.before_current(), Some("20251123094308-0123456"));
        assert_eq!((state.free_kib, state.free_inodes), (Some(1024), Some(77)));
        assert!(
            state.missing_tools().contains(&"sha256sum") && !state.missing_tools().contains(&"tar")
        );
        assert_eq!(
            State::parse(b"current /srv/app\n").foreign.as_deref(),
            Some("/srv/app")
        );
        let digest = "0".repeat(64);
        let look = |end| {
            let text = format!("current releases/20261123094308-0123456\ndigest {digest}\n{end}");
            State::parse(text.as_bytes())
        };
        assert!(!look("").tells_all_of(&digest), "its files may be others");
        let same = look("== verified\n");
        assert!(same.tells_all_of(&digest) && !same.tells_all_of(&"1".repeat(64)));
        assert!(State::default().tells_all_of(&digest), "nothing is there");
        let other = look("== manifest\ndeploy-app manifest 2\n040000\t-\t0\tempty\n");
        assert!(other.tells_all_of(&"1".repeat(64)) && !look("").tells_all_of(&"1".repeat(64)));
        let current = same.current.unwrap_or_default();
        assert_eq!((current.manifest, current.listing), (None, None));
    }

    #[test]
    fn what_was_healthy_once_comes_back_where_nothing_is_proven() {
        let (one, two) = ("20261123094308-0123456", "20261123094309-0123456");
        let told = |lines: &str| {
            let releases = format!("release {one}\nrelease {two}\n{lines}current releases/{one}\n");
            State::parse(releases.as_bytes())
        };
        let doubted = told(&format!("unproven {one} {{}}\n"));
        assert!(!doubted.is_proven());
        assert_eq!(doubted.fallback("next"), Some(one));
        assert_eq!(doubted.fallback(one), None);
        let other = told(&format!("unproven {one} {{}}\nproven {two} {{}}\n"));
        assert_eq!(other.fallback("next"), Some(two));
        // The proof counts, and how it was run then.
        let both = told(&format!("unproven {one} old\nproven {one} new\n"));
        assert!(both.is_proven() && both.doubted.is_empty());
        assert_eq!(both.manners.get(one).map(String::as_str), Some("new"));
    }

    #[test]
    fn the_oldest_go_but_never_the_current() {
        let release = |n: u8| format!("2026112309430{n}-0123456");
        let state = State {
            current: Some(Current {
                name: release(1),
                ..Current::default()
            }),
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
            current: Some(Current {
                name: release(current),
                ..Current::default()
            }),
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
