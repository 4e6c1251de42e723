//! A host's folder, and trees to send there.

use action::export::quote::posix as quote;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use bundle::manifest::Manifest;
use bundle::tree::Source;
use tokio::sync::mpsc;

use crate::application;
use crate::layout::{Layout, Paths};
use crate::release::scripts;
use crate::sync::listing::Listing;
use crate::sync::upload::{Upload, null_separated};
use std::collections::BTreeSet;

use crate::sync::*;

/// A host's folder on this machine, worked on by the scripts that a host runs.
pub(super) struct Target {
    pub(super) folder: tempfile::TempDir,
    pub(super) paths: Paths,
    pub(super) current: Option<String>,
    /// What its shell runs before anything else.
    pub(super) before: String,
    /// The only folder in which it looks for tools, where not in all of this machine's.
    pub(super) tools: Option<PathBuf>,
}

impl Target {
    pub(super) fn new(layout: Layout) -> Self {
        let folder = tempfile::TempDir::with_prefix("target").unwrap();
        let paths = Paths {
            target: folder.path().to_str().unwrap().to_owned(),
            layout,
        };
        let target = Self {
            folder,
            paths,
            current: None,
            before: String::new(),
            tools: None,
        };
        target.sh(
            &format!(
                "cd {} && mkdir -p {} .deploy/manifests .deploy/lists .deploy/pieces .deploy/stamps",
                quote(&target.paths.target),
                target.paths.store()
            ),
            &[],
        );
        target
    }

    pub(super) fn sh(&self, script: &str, input: &[u8]) -> Vec<u8> {
        let mut sh = Command::new("sh");
        // The shell itself is looked for there too.
        sh.envs(self.tools.iter().map(|tools| ("PATH", tools)));
        let mut child = sh
            .args(["-c", &format!("{}{script}", self.before)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        assert!(output.status.success(), "{script}");
        output.stdout
    }

    pub(super) fn own(&self, folder: &str, release: &str) -> String {
        let path = self
            .folder
            .path()
            .join(".deploy")
            .join(folder)
            .join(release);
        std::fs::read_to_string(path).unwrap()
    }

    /// What is to be sent, how it differs, and what is there.
    pub(super) fn upload(&self, source: &Path, name: &str) -> (Upload, Diff, Tree) {
        let (wanted, sources) = read(source);
        let current = self.current.clone();
        let stored = current
            .as_ref()
            .map(|current| from_text(&self.own("manifests", current)).unwrap())
            .unwrap_or_default();
        let found = diff(&wanted, &stored, &BTreeSet::new());
        let upload = Upload {
            sources,
            wanted: Arc::new(wanted),
            kept: found.kept.clone(),
            pieces: current
                .as_ref()
                .map(|current| pieces::from_text(&self.own("pieces", current)))
                .unwrap_or_default(),
            current,
            release: name.to_owned(),
            paths: self.paths.clone(),
            gzip: true,
            only: None,
        };
        (upload, found, stored)
    }

    /// Sends a release, and makes it current; gives what was wanted and how it differed.
    pub(super) fn release(&mut self, source: &Path, name: &str) -> (Tree, Diff) {
        let (upload, found, stored) = self.upload(source, name);
        let wanted = Tree::clone(&upload.wanted);
        let unpack = scripts::unpack(&self.paths, name, true, false, true);
        let output = self.sh(&unpack, &sent(upload));
        let end = output.iter().position(|byte| *byte == b'\n').unwrap();
        let faults = Listing::parse(&output[end + 1..]).faults(&wanted);
        assert!(faults.is_empty(), "{faults:?}");
        self.sh(&scripts::commit(&self.paths, name, &[], None), &[]);
        if self.paths.layout == Layout::InPlace {
            let moves = crate::place::moves(&stored, &wanted, &BTreeSet::new());
            let list = |paths: &[String]| null_separated(paths.iter().map(String::as_str));
            for (script, list) in [
                (scripts::remove_files(&self.paths), list(&moves.remove)),
                (scripts::remove_folders(&self.paths), list(&moves.fold)),
                (scripts::place(&self.paths, name), list(&moves.place)),
            ] {
                if !list.is_empty() {
                    self.sh(&script, &list);
                }
            }
        }
        self.current = Some(name.to_owned());
        (wanted, found)
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
    let manifest = bundle::tree::read(&[Source::root(source)], &application::rules()).unwrap();
    let wanted = wanted(&manifest, &[]).unwrap();
    (wanted, Arc::new(manifest))
}

/// The whole stream of an upload.
pub(super) fn sent(upload: Upload) -> Vec<u8> {
    let (tell, mut heard) = mpsc::channel(4);
    let sender = std::thread::spawn(move || upload.send(tell));
    let mut stream = Vec::new();
    while let Some(chunk) = heard.blocking_recv() {
        stream.extend(chunk.unwrap());
    }
    sender.join().unwrap();
    stream
}
