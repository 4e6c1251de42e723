#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod arrival;
mod host;
mod in_place;
mod random;
mod store;

use std::collections::BTreeSet;

use crate::*;
use bundle::digest::Digest;
use bundle::manifest::{Kind, Mode};
use bundle::tree::{Rules, Source};

/// Bytes that repeat nowhere.
pub(crate) fn noise(length: usize, mut state: u64) -> Vec<u8> {
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        })
        .collect()
}

fn file(content: &str, mode: Mode) -> Kind {
    Kind::File {
        mode,
        size: content.len() as u64,
        sha256: Digest::of(content.as_bytes()),
    }
}

fn tree(entries: &[(&str, Kind)]) -> Tree {
    entries
        .iter()
        .map(|(path, kind)| ((*path).to_owned(), kind.clone()))
        .collect()
}

#[test]
fn equal_trees_differ_in_nothing_whatever_the_application_wrote() {
    let both = tree(&[
        ("a", file("1", Mode::Plain)),
        ("l", Kind::Symlink { target: "a".into() }),
        ("d", Kind::EmptyDir),
    ]);
    let found = diff(&both, &both, &BTreeSet::new());
    assert!(found.is_empty(), "{found:?}");
    assert_eq!(found.kept.get("a"), Some(&"a".to_owned()));
}

#[test]
fn differences_are_named() {
    let stored = tree(&[
        ("same", file("1", Mode::Plain)),
        ("edited", file("2", Mode::Plain)),
        ("mode", file("3", Mode::Plain)),
        ("altered-there", file("4", Mode::Plain)),
        ("gone", file("5", Mode::Plain)),
    ]);
    let wanted = tree(&[
        ("same", file("1", Mode::Plain)),
        ("edited", file("2b", Mode::Plain)),
        ("mode", file("3", Mode::Executable)),
        ("altered-there", file("4", Mode::Plain)),
        ("moved", file("5", Mode::Plain)),
        ("new", file("6", Mode::Plain)),
    ]);
    let altered = BTreeSet::from(["altered-there".to_owned()]);
    let found = diff(&wanted, &stored, &altered);
    assert_eq!(found.added, ["moved", "new"]);
    assert_eq!(found.changed, ["altered-there", "edited", "mode"]);
    assert_eq!(found.removed, ["gone"]);
    let kept: Vec<_> = found
        .kept
        .iter()
        .map(|(to, from)| (to.as_str(), from.as_str()))
        .collect();
    assert_eq!(kept, [("moved", "gone"), ("same", "same")]);
}

#[test]
fn a_stored_manifest_reads_back() {
    let stored = tree(&[
        ("a b\\c", file("1", Mode::Executable)),
        ("p", file("1", Mode::Private)),
        ("q", file("1", Mode::PrivateExecutable)),
        (
            "l",
            Kind::Symlink {
                target: "x\ty\nz".into(),
            },
        ),
        ("d/e", Kind::EmptyDir),
    ]);
    assert_eq!(from_text(&to_text(&stored)), Some(stored));
    for text in [
        "",
        "other\n",
        "deploy-app manifest 2\n100644\tzz\t1\ta\n",
        "deploy-app manifest 2\nx\n",
    ] {
        assert_eq!(from_text(text), None, "{text}");
    }
}

#[test]
fn shared_paths_become_links_beside_what_the_application_brings_there() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("data/empty")).unwrap();
    std::fs::write(folder.path().join("data/a"), "1").unwrap();
    let manifest = bundle::tree::read(&[Source::root(folder.path())], &Rules::default()).unwrap();
    let paths = |shared: &str| {
        let tree = wanted(&manifest, &[shared.to_owned()]).unwrap();
        let link = Kind::Symlink {
            target: shared_link(shared),
        };
        assert_eq!(tree.get(shared), Some(&link));
        tree.into_keys().collect::<Vec<_>>()
    };
    assert_eq!(shared_link("var/db"), "../../../shared/var/db");
    assert_eq!(paths("var/db"), ["data/a", "data/empty", "var/db"]);
    assert_eq!(
        paths("data"),
        [
            ".deploy-app-shared/data/a",
            ".deploy-app-shared/data/empty",
            "data"
        ]
    );
    assert_eq!(
        paths("data/a"),
        [".deploy-app-shared/data/a", "data/a", "data/empty"]
    );
    assert_eq!(paths("data/empty/b"), ["data/a", "data/empty/b"]);
    let below = wanted(&manifest, &["data/a/b".to_owned()]);
    assert!(below.unwrap_err().contains("below `data/a`"));
    let within = wanted(&manifest, &["data".to_owned(), "data/a".to_owned()]);
    assert!(within.unwrap_err().contains("below `data`"));
}
