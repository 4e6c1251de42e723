//! A host's store in a folder: what the other files bring trees to.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bundle::manifest::Manifest;
use bundle::names::Names;
use bundle::tree::{Litter, Rules, Source};

use crate::*;

/// A target folder on this machine.
pub(super) struct Target {
    pub(super) folder: tempfile::TempDir,
    pub(super) paths: Paths,
    pub(super) current: Option<String>,
}

pub(super) fn name(n: usize) -> String {
    format!("202601010000{n:02}-abcdef0")
}

impl Target {
    pub(super) fn new(layout: Layout) -> Self {
        let folder = tempfile::TempDir::with_prefix("target").unwrap();
        let paths = Paths {
            target: folder.path().to_str().unwrap().to_owned(),
            layout,
        };
        release::make_store(&paths).unwrap();
        Self {
            folder,
            paths,
            current: None,
        }
    }

    pub(super) fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// What is to be sent, how it differs, and what is there.
    pub(super) fn upload(&self, source: &Path, name: &str) -> (Upload, Diff) {
        let (wanted, sources) = read(source);
        let current = self.current.clone();
        let stored = current
            .as_ref()
            .map(|current| release::manifest(&self.paths, current).unwrap())
            .unwrap_or_default();
        let found = diff(&wanted, &stored, &BTreeSet::new());
        let upload = Upload {
            sources,
            wanted: Arc::new(wanted),
            kept: found.kept.clone(),
            pieces: current
                .as_ref()
                .map(|current| release::pieces(&self.paths, current))
                .unwrap_or_default(),
            current,
            release: name.to_owned(),
            compressed: true,
            only: None,
        };
        (upload, found)
    }

    pub(super) fn receive(&self, upload: &Upload) -> Received {
        let stream = upload.send(Vec::new()).unwrap();
        receive(&self.paths, &upload.incoming(), stream.as_slice()).unwrap()
    }

    /// Sends a release, and makes it current; gives what was wanted and how it differed.
    pub(super) fn release(&mut self, source: &Path, name: &str) -> (Tree, Diff) {
        let (upload, found) = self.upload(source, name);
        let received = self.receive(&upload);
        assert_eq!(received.faults, []);
        commit(&self.paths, name, &[], self.current.as_deref()).unwrap();
        let mut stamp = received.stamp;
        if self.paths.moves_files() {
            let mut from = Vec::from_iter(self.current.clone());
            from.push(name.to_owned());
            let moved = Put {
                release: name.to_owned(),
                is_wanted: true,
                from: Vec::from_iter(self.current.clone()),
                altered: Altered::Only(BTreeSet::new()),
            };
            let (live, faults) = put(&self.paths, &moved).unwrap();
            assert_eq!(faults, []);
            stamp = live;
        }
        release::remember_stamp(&self.paths, name, &stamp.unwrap()).unwrap();
        release::switch(&self.paths, name, true).unwrap();
        self.current = Some(name.to_owned());
        (Tree::clone(&upload.wanted), found)
    }

    pub(super) fn look(&self, wanted: Option<&Tree>) -> Seen {
        look(&self.paths, wanted.map(digest), true)
    }

    pub(super) fn files(&self, wanted: &Tree) -> Files {
        self.look(Some(wanted)).current.unwrap().files
    }

    /// What lies where the release runs, read by the reader of sources.
    pub(super) fn live(&self) -> Tree {
        let folder = PathBuf::from(self.paths.live(self.current.as_deref().unwrap()));
        let mut tree = read(&folder).0;
        tree.retain(|path, _| !path.starts_with(".deploy/"));
        tree
    }
}

pub(super) fn read(source: &Path) -> (Tree, Arc<Manifest>) {
    let rules = Rules {
        litter: Litter::LeaveOut,
        names: Names::Bytes,
        segments: Some(SEGMENT),
        private_modes: true,
        ..Rules::everything()
    };
    let manifest = bundle::tree::read(&[Source::root(source)], &rules).unwrap();
    (wanted(&manifest, &[]).unwrap(), Arc::new(manifest))
}

pub(super) fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// A source with these files.
pub(super) fn source(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, content) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    folder
}
