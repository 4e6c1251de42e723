//! Large files that changed little, and what is linked and was damaged.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::noise;
use super::target::{Target, read, sent};
use crate::layout::Layout;
use crate::release::scripts;
use crate::sync::listing::{Listing, SEGMENT, What};
use crate::sync::pieces::Pieces;
use crate::sync::upload::Upload;

#[test]
fn a_large_file_that_changed_little_is_put_together_on_the_host() {
    let source = tempfile::tempdir().unwrap();
    // A host whose `dd` only knows what POSIX asks of it, and which has no Python.
    let plain = tempfile::tempdir().unwrap();
    for (tool, text) in [
        (
            "dd",
            "case $* in *flag=*) exit 1;; esac; PATH=${PATH#*:} exec dd \"$@\"",
        ),
        ("python3", "exit 127"),
    ] {
        let path = plain.path().join(tool);
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(path, executable).unwrap();
    }
    let plain = format!("PATH={}:$PATH; export PATH; ", plain.path().display());
    let mut target = Target::new(Layout::Releases);
    // A first segment that is quickly made, and a second one of noise.
    let first = [vec![0; SEGMENT as usize], noise(5 << 20, 5)].concat();
    let model = source.path().join("it's a model");
    std::fs::write(&model, &first).unwrap();
    std::fs::write(source.path().join("small"), "1").unwrap();
    target.release(source.path(), "20260101000000-abcdef0");
    let at = SEGMENT as usize + (2 << 20);
    let mut edited = first.clone();
    edited[at..at + 1000].copy_from_slice(&noise(1000, 6));
    let shorter = [&first[..at], &noise(100, 7), &first[at..at + (2 << 20)]].concat();
    for (n, (content, before)) in [(edited, ""), (shorter, ""), (first, &plain)]
        .into_iter()
        .enumerate()
    {
        let release = format!("2026010100000{}-abcdef0", n + 1);
        std::fs::write(&model, &content).unwrap();
        let mut upload = target.upload(source.path(), &release).0;
        upload.gzip = false;
        let length = sent(upload).len();
        assert!(length < 4 << 20, "{length} B were sent for {release}");
        target.before = before.to_owned();
        let (wanted, _) = target.release(source.path(), &release);
        assert_eq!(target.live(), wanted, "{release}");
    }
    // The releases before are what they were, and nothing is left of the pieces.
    let left = std::fs::read_dir(target.folder.path().join("releases")).unwrap();
    assert_eq!(left.count(), 4);
}

#[test]
fn what_was_damaged_on_the_host_is_noticed_when_it_is_linked() {
    let source = tempfile::tempdir().unwrap();
    let mut target = Target::new(Layout::Releases);
    std::fs::write(source.path().join("a"), "1").unwrap();
    std::fs::write(source.path().join("b"), "2").unwrap();
    let (_, sources) = read(source.path());
    target.release(source.path(), "20260101000000-abcdef0");
    let stored = target
        .folder
        .path()
        .join("releases/20260101000000-abcdef0/a");
    std::fs::write(stored, "?").unwrap();
    std::fs::write(source.path().join("b"), "3").unwrap();
    let (wanted, _) = read(source.path());
    let upload = Upload {
        sources,
        wanted: Arc::new(wanted.clone()),
        kept: BTreeMap::from([("a".to_owned(), "a".to_owned())]),
        pieces: Pieces::new(),
        current: target.current.clone(),
        release: "20260101000001-abcdef0".to_owned(),
        paths: target.paths.clone(),
        gzip: true,
        only: None,
    };
    let faults = |target: &Target, upload: Upload, again| {
        let script = scripts::unpack(&target.paths, &upload.release, true, again, false);
        let output = target.sh(&script, &sent(upload));
        let end = output.iter().position(|byte| *byte == b'\n').unwrap();
        Listing::parse(&output[end + 1..]).faults(&wanted)
    };
    let found = faults(&target, upload.clone(), false);
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].path.as_str(), found[0].what),
        ("a", What::Content)
    );
    let only = Some(BTreeSet::from(["a".to_owned()]));
    let found = faults(&target, Upload { only, ..upload }, true);
    assert!(found.is_empty(), "{found:?}");
    // What was linked is another file now; the old one is as damaged as before.
    let old = target
        .folder
        .path()
        .join("releases/20260101000000-abcdef0/a");
    assert_eq!(std::fs::read_to_string(old).unwrap(), "?");
}
