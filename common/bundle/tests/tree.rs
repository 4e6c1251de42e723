//! What is read from a folder, what is left out and what is refused.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use bundle::digest::Digest;
use bundle::manifest::{Kind, Manifest};
use bundle::names::Names;
use bundle::tree::{self, Exclude, Litter, Rules, Source, TreeError, Why};

fn write(root: &Path, name: &str, content: &str) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn chmod(root: &Path, name: &str, mode: u32) {
    fs::set_permissions(root.join(name), fs::Permissions::from_mode(mode)).unwrap();
}

fn read(root: &Path, rules: &Rules) -> Result<Manifest, TreeError> {
    tree::read(&[Source::root(root)], rules)
}

fn names(manifest: &Manifest) -> Vec<&str> {
    manifest
        .entries()
        .iter()
        .map(|entry| entry.path.as_str())
        .collect()
}

/// The reasons, with the path below the root.
fn refused(root: &Path, rules: &Rules) -> Vec<(String, Why)> {
    let Err(TreeError::Refused(refusals)) = read(root, rules) else {
        panic!("nothing was refused")
    };
    refusals
        .all()
        .iter()
        .map(|refusal| {
            (
                refusal
                    .path
                    .strip_prefix(root)
                    .unwrap()
                    .display()
                    .to_string(),
                refusal.why.clone(),
            )
        })
        .collect()
}

#[test]
fn the_documented_digests_hold() {
    let root = tempfile::tempdir().unwrap();
    assert_eq!(
        Manifest::default().digest().to_string(),
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
    write(root.path(), "a", "hello\n");
    let of = || {
        read(root.path(), &Rules::default())
            .unwrap()
            .digest()
            .to_string()
    };
    assert_eq!(
        of(),
        "340cfd12d258d618b686b9d59aa22765fcbc9e08079dc2e89b05fa5d8c936901"
    );
    chmod(root.path(), "a", 0o700);
    assert_eq!(
        of(),
        "aeb322706c3eb98f48870f66b7e537527f831799b93b7deed766fd621014bbeb"
    );
    chmod(root.path(), "a", 0o600);
    fs::create_dir(root.path().join("d")).unwrap();
    symlink("a", root.path().join("l")).unwrap();
    write(root.path(), "sub/x", "#!/bin/sh\n");
    chmod(root.path(), "sub/x", 0o775);
    assert_eq!(
        of(),
        "9293c56bf00648a8994f30e49d72c5708b62ccea7e51d5b64421789da6148420"
    );
}

#[test]
fn a_digest_reads_back() {
    let digest = Digest::of(b"x");
    assert_eq!(digest.to_string().parse(), Ok(digest));
    for wrong in ["", "ab", &"g".repeat(64), &"+".repeat(64)] {
        assert!(wrong.parse::<Digest>().is_err(), "{wrong}");
    }
}

#[test]
fn touching_changes_nothing_and_chmod_does() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "t.yml", "Resources: {}\n");
    let of = || read(root.path(), &Rules::default()).unwrap().digest();
    let before = of();
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(100);
    fs::File::open(root.path().join("t.yml"))
        .unwrap()
        .set_modified(later)
        .unwrap();
    assert_eq!(of(), before);
    chmod(root.path(), "t.yml", 0o755);
    assert_ne!(of(), before);
}

#[test]
fn entries_are_sorted_by_bytes_whatever_the_walk_gives() {
    let root = tempfile::tempdir().unwrap();
    for name in ["b", "a/z", "a.txt", "a-b", "é", "Z", ".hidden", "a/b/c"] {
        write(root.path(), name, name);
    }
    let manifest = read(root.path(), &Rules::default()).unwrap();
    assert_eq!(
        names(&manifest),
        [".hidden", "Z", "a-b", "a.txt", "a/b/c", "a/z", "b", "é"]
    );
    assert!(matches!(
        manifest.get("a/z").unwrap().kind,
        Kind::File { size: 3, .. }
    ));
    assert_eq!(manifest.get("a"), None);
    assert_eq!(manifest.total_size(), 1 + 3 + 5 + 3 + 2 + 1 + 7 + 5);
}

/// A checkout with what version control and file managers leave in it.
fn littered() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for name in [
        ".git/HEAD",
        ".git/config",
        "module/.git",
        "__MACOSX/x",
        "a/.DS_Store",
        "a/kept",
        ".gitignore",
    ] {
        write(root.path(), name, "a/kept\n");
    }
    root
}

#[test]
fn litter_is_refused_in_folders_too() {
    let root = littered();
    let places = [".git", "__MACOSX", "a/.DS_Store", "module/.git"];
    assert_eq!(
        refused(root.path(), &Rules::default()),
        places.map(|place| (place.to_owned(), Why::Litter)),
        "a folder once, and not what is in it"
    );
    let rules = |litter| Rules {
        litter,
        ..Rules::default()
    };
    assert_eq!(
        names(&read(root.path(), &rules(Litter::LeaveOut)).unwrap()),
        [".gitignore", "a/kept"],
        "a .gitignore has no say"
    );
    let all = read(root.path(), &Rules::everything()).unwrap();
    assert_eq!(all.entries().len(), 7);
}

#[test]
fn litter_that_is_named_itself_is_refused() {
    let root = littered();
    let at = |name: &str| root.path().join(name);
    for litter in [Litter::Refuse, Litter::LeaveOut] {
        for source in [
            Source::named(at(".git"), ".git"),
            Source::named(at(".git"), "git"),
            Source::named(at("a/.DS_Store"), "store"),
            Source::named(at("a/kept"), "__MACOSX/kept"),
        ] {
            let rules = Rules {
                litter,
                ..Rules::default()
            };
            let error = tree::read(std::slice::from_ref(&source), &rules).unwrap_err();
            assert!(
                error
                    .to_string()
                    .contains("version control or a file manager"),
                "{source:?}: {error}"
            );
        }
    }
    let kept = tree::read(&[Source::named(at(".git"), "git")], &Rules::everything()).unwrap();
    assert_eq!(kept.entries().len(), 2);
}

#[test]
fn what_is_excluded_is_not_looked_at() {
    let root = littered();
    write(root.path(), "a/.env", "SECRET=1\n");
    write(root.path(), "a/build/x", "x");
    write(root.path(), "build/x", "x");
    write(root.path(), ".packageignore", "__MACOSX\n!a/.env\n");
    let rules = |patterns: &[&str]| Rules {
        ignore_file: Some(".packageignore".to_owned()),
        exclude: Exclude::new(&patterns.iter().map(ToString::to_string).collect::<Vec<_>>())
            .unwrap(),
        ..Rules::default()
    };
    let patterns = [".git", ".DS_Store", ".env", "/build/", "!module/.git"];
    assert_eq!(
        refused(root.path(), &rules(&patterns)),
        [("module/.git".to_owned(), Why::Litter)],
        "the last pattern that fits counts"
    );
    let manifest = read(root.path(), &rules(&patterns[..4])).unwrap();
    assert_eq!(names(&manifest), [".gitignore", "a/build/x", "a/kept"]);
    let named = tree::read(
        &[Source::named(root.path().join("a"), "x/a")],
        &rules(&[".DS_Store", ".env", "/x", "/a"]),
    );
    assert_eq!(
        names(&named.unwrap()),
        ["x/a/build/x", "x/a/kept"],
        "patterns begin below the folder"
    );
    let error = Exclude::new(&["{a".to_owned()]).unwrap_err();
    assert!(error.contains("{a"), "{error}");
}

#[test]
fn a_long_list_of_refusals_is_cut() {
    let root = tempfile::tempdir().unwrap();
    for at in 0..25 {
        write(root.path(), &format!("{at:02}/.DS_Store"), "x");
    }
    let error = read(root.path(), &Rules::default()).unwrap_err();
    let said = error.to_string();
    assert_eq!(said.lines().count(), 22, "{said}");
    assert!(said.starts_with("cannot bundle 25 files\n"), "{said}");
    assert!(said.ends_with("\n  and 5 more"), "{said}");
    let TreeError::Refused(all) = error else {
        panic!("{said}")
    };
    assert_eq!(all.all().len(), 25);
}

#[test]
fn the_ignore_file_speaks_gitignore_in_every_folder() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), ".deployignore", "*.log\n!keep.log\n/build/\n");
    write(root.path(), "sub/.deployignore", "secret.txt\n");
    for name in [
        "a.log",
        "keep.log",
        "build/x",
        "sub/build/x",
        "sub/secret.txt",
        "secret.txt",
        "logs/x.log",
    ] {
        write(root.path(), name, "x");
    }
    let rules = Rules {
        ignore_file: Some(".deployignore".to_owned()),
        ..Rules::default()
    };
    let manifest = read(root.path(), &rules).unwrap();
    // `logs` holds left-out files only: it is no empty folder.
    assert_eq!(names(&manifest), ["keep.log", "secret.txt", "sub/build/x"]);
}

#[test]
fn every_refusal_is_reported_at_once() {
    let root = tempfile::tempdir().unwrap();
    let key = format!(
        "-----BEGIN OPENSSH PRIVATE KEY-----\n{}\n",
        "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ".repeat(2)
    );
    write(root.path(), "id", &key);
    write(root.path(), ".env", "A=1");
    write(root.path(), "back\\slash", "");
    write(root.path(), "Case", "");
    write(root.path(), "case", "");
    write(root.path(), "new\nline", "");
    symlink("../elsewhere", root.path().join("out")).unwrap();
    symlink("/etc/hosts", root.path().join("far")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(root.path().join("sock")).unwrap();
    let found = refused(root.path(), &Rules::default());
    let paths: Vec<_> = found.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(
        paths,
        [
            ".env",
            "back\\slash",
            "case",
            "far",
            "id",
            "new\nline",
            "out",
            "sock"
        ]
    );
    assert_eq!(
        found[2].1,
        Why::CaseClash {
            other: "Case".to_owned()
        }
    );
    assert_eq!(
        found[3].1,
        Why::LinkOut {
            target: "/etc/hosts".to_owned()
        }
    );
    assert_eq!(
        found[4].1,
        Why::PrivateKey {
            kind: "OPENSSH PRIVATE KEY".to_owned()
        }
    );
    assert_eq!(found[7].1, Why::Special { what: "a socket" });
}

#[test]
fn a_unix_host_may_have_what_an_archive_may_not() {
    let root = tempfile::tempdir().unwrap();
    for name in ["Case", "case", "back\\slash"] {
        write(root.path(), name, "");
    }
    let rules = Rules {
        names: Names::Unix,
        ..Rules::default()
    };
    assert_eq!(
        names(&read(root.path(), &rules).unwrap()),
        ["Case", "back\\slash", "case"]
    );
}

#[test]
fn names_that_are_not_utf8_are_refused() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join(std::ffi::OsStr::from_bytes(b"\xff")), "").unwrap();
    assert_eq!(
        refused(root.path(), &Rules::everything())[0].1,
        Why::NotUtf8
    );
}

#[test]
fn a_link_that_leaves_through_another_link_is_refused() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("deep/er")).unwrap();
    write(root.path(), "deep/er/x", "");
    symlink("deep/er", root.path().join("d")).unwrap();
    // By its text this stays at `a/b`; on the disk `c/up/..` is somewhere else.
    fs::create_dir(root.path().join("c")).unwrap();
    symlink("..", root.path().join("c/up")).unwrap();
    symlink("up/up2/../../..", root.path().join("c/leaves")).unwrap();
    symlink("c", root.path().join("up2")).unwrap();
    let manifest = read(root.path(), &Rules::default());
    match manifest {
        Err(TreeError::Refused(refusals)) => {
            assert_eq!(refusals.all().len(), 1);
            assert!(refusals.all()[0].path.ends_with("c/leaves"), "{refusals}");
        }
        other => panic!("{other:?}"),
    }
    fs::remove_file(root.path().join("c/leaves")).unwrap();
    let manifest = read(root.path(), &Rules::default()).unwrap();
    assert_eq!(
        manifest.get("d").unwrap().kind,
        Kind::Symlink {
            target: "deep/er".to_owned()
        }
    );
}

#[test]
fn several_sources_make_one_bundle() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "cfn/app.yml", "Resources: {}");
    write(root.path(), "app/main.py", "");
    let source = |path: &str, name: &str| Source::named(root.path().join(path), name);
    let both = [
        source("cfn/app.yml", "template.yaml"),
        source("app", "src/app"),
    ];
    let manifest = tree::read(&both, &Rules::default()).unwrap();
    assert_eq!(names(&manifest), ["src/app/main.py", "template.yaml"]);

    let fault = |sources: &[Source]| match tree::read(sources, &Rules::default()) {
        Err(TreeError::Refused(refusals)) => refusals.all()[0].why.clone(),
        other => panic!("{other:?}"),
    };
    assert!(matches!(
        fault(&[source("cfn/app.yml", "a"), source("app/main.py", "a")]),
        Why::Twice { .. }
    ));
    assert!(matches!(
        fault(&[source("cfn/app.yml", "a"), source("app", "a")]),
        Why::UnderFile { .. }
    ));
    assert!(matches!(fault(&[source("app", "../a")]), Why::Name(_)));
    assert!(matches!(fault(&[source("app", "/a")]), Why::Name(_)));
}

#[test]
fn an_empty_folder_that_another_source_fills_is_no_clash() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("e/a")).unwrap();
    write(root.path(), "f.yml", "x");
    let at = |path: &str, name: &str| Source::named(root.path().join(path), name);
    let both = [at("e", "app"), at("f.yml", "app/a/f")];
    let manifest = tree::read(&both, &Rules::default()).unwrap();
    assert_eq!(names(&manifest), ["app/a/f"]);
    let alone = tree::read(&both[1..], &Rules::default()).unwrap();
    assert_eq!(manifest.digest(), alone.digest());
    // The same folder from two sources is one; a file in its place is none.
    let twice = [at("e", "app"), at("e", "app")];
    assert_eq!(
        names(&tree::read(&twice, &Rules::default()).unwrap()),
        ["app/a"]
    );
    let file = [at("e", "app"), at("f.yml", "app/a")];
    let Err(TreeError::Refused(refusals)) = tree::read(&file, &Rules::default()) else {
        panic!("nothing was refused")
    };
    assert!(
        refusals.to_string().contains("already has the name"),
        "{refusals}"
    );
}

#[test]
fn nothing_to_bundle_is_an_error() {
    let root = tempfile::tempdir().unwrap();
    assert!(matches!(
        read(root.path(), &Rules::default()),
        Err(TreeError::Empty { .. })
    ));
    assert!(matches!(
        tree::read(&[], &Rules::default()),
        Err(TreeError::Empty { .. })
    ));
    let missing = root.path().join("missing");
    assert!(
        matches!(read(&missing, &Rules::default()), Err(TreeError::Read { path, .. }) if path == missing)
    );
}

#[test]
fn large_files_are_hashed_to_their_end() {
    let root = tempfile::tempdir().unwrap();
    let mut content = vec![b'x'; 3 * 1024 * 1024 + 7];
    fs::write(root.path().join("big"), &content).unwrap();
    let entry = |manifest: &Manifest| manifest.entries()[0].kind.clone();
    let first = entry(&read(root.path(), &Rules::default()).unwrap());
    assert!(
        matches!(first, Kind::File { size, sha256, .. } if size == content.len() as u64 && sha256 == Digest::of(&content))
    );
    *content.last_mut().unwrap() = b'y';
    fs::write(root.path().join("big"), &content).unwrap();
    assert_ne!(entry(&read(root.path(), &Rules::default()).unwrap()), first);
}
#[test]
fn a_source_has_a_path_and_a_name() {
    let item = |text: &str| {
        text.parse::<Source>()
            .map(|item| (item.path.display().to_string(), item.name))
    };
    let is = |path: &str, name: &str| Ok((path.to_owned(), name.to_owned()));
    assert_eq!(item("cfn/app.yml"), is("cfn/app.yml", "app.yml"));
    assert_eq!(
        item("cfn/app.yml=template.yml"),
        is("cfn/app.yml", "template.yml")
    );
    assert_eq!(item("buildspecs/"), is("buildspecs/", "buildspecs"));
    assert_eq!(item("app=src/app/"), is("app", "src/app"));
    assert_eq!(item("app=."), is("app", ""));
    assert_eq!(item("a=b=c"), is("a=b", "c"));
    for wrong in [
        ".", "..", "/", "=x", "x=", "x=/", "x=../y", "x=/y", "x=a\\b",
    ] {
        assert!(item(wrong).is_err(), "{wrong}");
    }
}
