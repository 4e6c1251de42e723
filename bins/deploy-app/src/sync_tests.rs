#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use super::*;
use bundle::tree::{Rules, Source};
use proptest::prelude::*;
use std::path::Path;
use std::process::{Command, Stdio};

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

fn actual(entries: &[(&str, &str)]) -> BTreeMap<String, Digest> {
    entries
        .iter()
        .map(|(path, content)| ((*path).to_owned(), Digest::of(content.as_bytes())))
        .collect()
}

#[test]
fn equal_trees_differ_in_nothing_whatever_the_application_wrote() {
    let both = tree(&[
        ("a", file("1", Mode::Plain)),
        ("l", Kind::Symlink { target: "a".into() }),
        ("d", Kind::EmptyDir),
    ]);
    let found = diff(
        &both,
        &both,
        &actual(&[("a", "1"), ("__pycache__/a.pyc", "x")]),
    );
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
    let on_host = actual(&[
        ("same", "1"),
        ("edited", "2"),
        ("mode", "3"),
        ("altered-there", "?"),
        ("gone", "5"),
    ]);
    let found = diff(&wanted, &stored, &on_host);
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
        "deploy-app manifest 1\n100644\tzz\t1\ta\n",
        "deploy-app manifest 1\nx\n",
    ] {
        assert_eq!(from_text(text), None, "{text}");
    }
}

#[test]
fn shared_paths_become_links_and_clobber_nothing() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("data")).unwrap();
    std::fs::write(folder.path().join("data/a"), "1").unwrap();
    let manifest = bundle::tree::read(&[Source::root(folder.path())], &Rules::default()).unwrap();
    let tree = wanted(&manifest, &["var/db".to_owned()]).unwrap();
    assert_eq!(
        tree.get("var/db"),
        Some(&Kind::Symlink {
            target: "../../../shared/var/db".into()
        })
    );
    for shared in ["data", "data/a", "data/a/b"] {
        assert!(
            wanted(&manifest, &[shared.to_owned()])
                .unwrap_err()
                .contains("data/a"),
            "{shared}"
        );
    }
}

#[test]
fn hash_lines_are_read_as_gnu_and_busybox_write_them() {
    let digest = Digest::of(b"1");
    let text = format!(
        "{digest}  ./a b\n\\{digest}  ./c\\\\d\n{digest} *e\nsha256sum: ./x: Permission denied\n"
    );
    let names: Vec<String> = hashes(text.as_bytes()).into_keys().collect();
    assert_eq!(names, ["a b", "c\\d", "e"]);
}

#[test]
fn every_fault_of_an_unpacked_release_is_found() {
    let wanted = tree(&[
        ("a", file("1", Mode::Plain)),
        ("b", file("2", Mode::Executable)),
        ("c", file("3", Mode::Plain)),
        ("l", Kind::Symlink { target: "a".into() }),
    ]);
    let text = format!(
        "{}  ./a\n{}  ./b\n{}  ./x\n== executable\n./a\n== links\n./l\tb\n",
        Digest::of(b"1"),
        Digest::of(b"!"),
        Digest::of(b"9")
    );
    let faults = Listing::parse(text.as_bytes()).faults(&wanted);
    assert_eq!(
        faults,
        [
            "`a` has another mode",
            "`b` has other content",
            "`b` has another mode",
            "`c` is missing",
            "link `l` is missing or leads elsewhere",
            "`x` does not belong there",
        ]
    );
}

/// Unpacks an upload as the host does, with the system's own tar, and lists it with the script.
fn release(
    source: &Path,
    target: &Path,
    name: &str,
    current: Option<&str>,
) -> (Tree, Listing, Diff) {
    let rules = Rules {
        names: bundle::names::Names::Unix,
        ..Rules::default()
    };
    let manifest = bundle::tree::read(&[Source::root(source)], &rules).unwrap();
    let wanted = wanted(&manifest, &[]).unwrap();
    let stored = current
        .and_then(|current| {
            from_text(
                &std::fs::read_to_string(target.join(".deploy/manifests").join(current)).unwrap(),
            )
        })
        .unwrap_or_default();
    let on_host = current.map(|current| {
        let script = crate::release::HASHES;
        let output = Command::new("sh")
            .args(["-c", script])
            .current_dir(target.join("releases").join(current))
            .output()
            .unwrap();
        hashes(&output.stdout)
    });
    let found = diff(&wanted, &stored, &on_host.unwrap_or_default());
    let upload = Upload {
        manifest,
        wanted: wanted.clone(),
        kept: found.kept.clone(),
        current: current.map(str::to_owned),
        release: name.to_owned(),
        gzip: true,
        mtime: 1_800_000_000,
    };
    let (tell, mut heard) = mpsc::channel(1000);
    let sender = std::thread::spawn(move || upload.send(tell));
    let mut child = Command::new("sh")
        .args([
            "-c",
            &crate::release::unpack(target.to_str().unwrap(), name, true),
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    while let Some(chunk) = heard.blocking_recv() {
        stdin.write_all(&chunk.unwrap()).unwrap();
    }
    drop(stdin);
    sender.join().unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    std::fs::rename(
        target.join(partial(name)),
        target.join("releases").join(name),
    )
    .unwrap();
    (wanted, Listing::parse(&output.stdout), found)
}

/// One edit of a random tree.
#[derive(Debug, Clone)]
enum Edit {
    Write(String, Vec<u8>, bool),
    Link(String, String),
    Folder(String),
    Remove(String),
}

fn name() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        "[a-c]",
        Just("-n".to_owned()),
        Just("with blank".to_owned()),
        Just("back\\slash".to_owned()),
        Just("quote'\"$x".to_owned()),
        Just("ünïcode".to_owned()),
        Just("*".to_owned()),
        Just("l".repeat(200)),
        Just("m".repeat(255)),
    ];
    proptest::collection::vec(part, 1..3).prop_map(|parts| parts.join("/"))
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let edit = prop_oneof![
        4 => (name(), proptest::collection::vec(any::<u8>(), 0..40), any::<bool>()).prop_map(|(n, c, x)| Edit::Write(n, c, x)),
        1 => (name(), prop_oneof![Just("a".to_owned()), Just("./a/../b".to_owned()), Just("z".repeat(150))]).prop_map(|(n, t)| Edit::Link(n, t)),
        1 => name().prop_map(Edit::Folder),
        1 => name().prop_map(Edit::Remove),
    ];
    proptest::collection::vec(edit, 1..12)
}

/// Applies an edit where the tree allows it; a name below a file does not.
fn apply(root: &Path, edit: &Edit) {
    use std::os::unix::fs::PermissionsExt as _;
    let (Edit::Write(name, ..) | Edit::Link(name, _) | Edit::Folder(name) | Edit::Remove(name)) =
        edit;
    let path = root.join(name);
    if std::fs::create_dir_all(path.parent().unwrap()).is_err() {
        return;
    }
    if std::fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir()) {
        std::fs::remove_dir_all(&path).unwrap();
    } else if std::fs::symlink_metadata(&path).is_ok() {
        std::fs::remove_file(&path).unwrap();
    }
    match edit {
        Edit::Write(_, content, executable) => {
            std::fs::write(&path, content).unwrap();
            let mode = if *executable { 0o755 } else { 0o644 };
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        }
        Edit::Link(name, target) => {
            // Only links that stay inside and lead nowhere else travel; others are refused earlier.
            if bundle::names::link_stays_inside(name, target) {
                std::os::unix::fs::symlink(target, &path).unwrap();
            }
        }
        Edit::Folder(_) => std::fs::create_dir_all(&path).unwrap(),
        Edit::Remove(_) => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Any tree, then any edits of it, arrive with content, mode and links, and nothing else.
    #[test]
    fn released_trees_equal_their_sources(first in edits(), second in edits()) {
        let (source, target) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for folder in ["releases", ".deploy/manifests"] {
            std::fs::create_dir_all(target.path().join(folder)).unwrap();
        }
        std::fs::write(source.path().join("always"), "there").unwrap();
        let mut current: Option<String> = None;
        let mut before = None;
        for (round, edits) in [first, second, Vec::new()].iter().enumerate() {
            for edit in edits {
                apply(source.path(), edit);
            }
            let release_name = format!("2026010100000{round}-abcdefg");
            let (wanted, listing, found) = release(source.path(), target.path(), &release_name, current.as_deref());
            prop_assert_eq!(listing.faults(&wanted), Vec::<String>::new());
            // An edit may change nothing, such as removing what is not there.
            let unchanged = before.as_ref() == Some(&wanted);
            prop_assert_eq!(found.is_empty(), unchanged, "{:?}", found);
            prop_assert!(unchanged || !edits.is_empty() || round == 0);
            // Read back by the reader of sources: equal manifests, so equal trees.
            let released = target.path().join("releases").join(&release_name);
            let rules = Rules { names: bundle::names::Names::Unix, ..Rules::default() };
            let again = bundle::tree::read(&[Source::root(&released)], &rules).unwrap();
            prop_assert_eq!(&super::wanted(&again, &[]).unwrap(), &wanted);
            before = Some(wanted);
            current = Some(release_name);
        }
    }
}
