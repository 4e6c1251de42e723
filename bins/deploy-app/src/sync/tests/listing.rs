//! What a host tells of its files, by whatever tools it has.

use action::export::quote::posix as quote;
use std::os::unix::ffi::OsStrExt as _;
use std::process::Command;

use bundle::digest::Digest;
use bundle::manifest::{Kind, Mode};
use bundle::names::bytes;

use super::file;
use super::noise;
use super::random::{Edit, apply};
use super::target::Target;
use crate::layout::Layout;
use crate::release::scripts;
use crate::sync::listing::{Folder, Listing, SEGMENT, script};
use crate::sync::{Tree, digest};

#[test]
fn the_script_hashes_the_segments_that_the_program_does() {
    let script = script(Folder::Release, true);
    assert_eq!(script.matches(&format!("-size +{SEGMENT}c")).count(), 3);
    assert!(script.contains(&format!("n * {SEGMENT}")));
    assert!(script.contains(&format!("hashlib.sha256(), {SEGMENT}\n")));
    assert!(script.contains(&format!("$1 * {}", SEGMENT / 65536)));
}

#[test]
fn many_hashes_come_whole_by_whatever_tools() {
    let folder = tempfile::tempdir().unwrap();
    let odd: [&[u8]; 6] = [
        b"back\\slash",
        b"new\nline",
        b"-n",
        b"l\xe4tin",
        b"failed",
        b"%s",
    ];
    let odd = odd.iter().map(|name| name.to_vec());
    // Lines of all lengths, in several batches.
    let many = (0..4500).map(|n| format!("{n}-{}", "n".repeat(n % 240)).into_bytes());
    let wanted: Tree = many
        .chain(odd)
        .map(|name| {
            let name = std::ffi::OsStr::from_bytes(&name);
            std::fs::write(folder.path().join(name), name.as_bytes()).unwrap();
            let text = bytes::to_text(name);
            let kind = Kind::File {
                mode: Mode::Plain,
                size: name.len() as u64,
                sha256: Digest::of(name.as_bytes()),
            };
            (text, kind)
        })
        .collect();
    let tools = tempfile::tempdir().unwrap();
    let awk = tools.path().join("awk");
    std::fs::write(&awk, "#!/bin/sh\nexec busybox awk \"$@\"\n").unwrap();
    std::fs::set_permissions(&awk, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let by_busybox = format!("PATH={}:$PATH", tools.path().display());
    for before in ["", "openssl() { return 1; }", &by_busybox] {
        let script = format!(
            "{before}\ncd {}\n{}",
            folder.path().display(),
            script(Folder::Release, false)
        );
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{before}");
        let faults = Listing::parse(&output.stdout).faults(&wanted);
        assert!(faults.is_empty(), "{before}: {faults:?}");
    }
    // A file that cannot be read is told of by the script's end; so is one that is hashed on its own.
    let script = format!(
        "cd {}; find() {{ printf 'gone\\0'; }}; set -e\n{}",
        folder.path().display(),
        script(Folder::Release, false)
    );
    let status = Command::new("sh")
        .args(["-c", &script])
        .output()
        .unwrap()
        .status;
    assert!(!status.success());
}

#[test]
fn long_files_that_cannot_be_read_keep_no_other_from_being_hashed() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("there"), "1").unwrap();
    // More of them than there are threads.
    let gone = (0..3).map(|n| format!("./gone{n}"));
    let unreadable = (0..300).map(|n| {
        std::fs::create_dir(folder.path().join(n.to_string())).unwrap();
        format!("./{n}")
    });
    let output = Command::new("python3")
        .args(["-ISc", include_str!("../segments.py")])
        .args(gone.chain(unreadable))
        .arg("./there")
        .current_dir(folder.path())
        .output()
        .unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(told, format!("0 {}\0./there\0", Digest::of(b"1")));
    let why = String::from_utf8(output.stderr).unwrap();
    assert!(why.contains("./gone2") && why.contains("./299"), "{why}");
    assert!(!why.contains("Traceback"), "{why}");
}

#[test]
fn a_name_that_no_line_can_carry_comes_whole() {
    let folder = tempfile::tempdir().unwrap();
    // Their lines would be written in two, and mix with those of the processes beside.
    let deep = folder.path().join(vec!["d".repeat(249); 16].join("/"));
    std::fs::create_dir_all(&deep).unwrap();
    let mut wanted = Tree::new();
    for n in 0..150 {
        let path = deep.join(format!("{n:040}"));
        std::fs::write(&path, n.to_string()).unwrap();
        let name = path.strip_prefix(folder.path()).unwrap().to_str().unwrap();
        assert!(name.len() > 4030);
        wanted.insert(name.to_owned(), file(&n.to_string(), Mode::Plain));
    }
    for (n, has_long) in [false, true].into_iter().enumerate() {
        let name = format!("line\nfeed {n}");
        std::fs::write(folder.path().join(&name), "1").unwrap();
        wanted.insert(name, file("1", Mode::Plain));
        let script = format!(
            "cd {}\n{}",
            folder.path().display(),
            script(Folder::Release, has_long)
        );
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        let faults = Listing::parse(&output.stdout).faults(&wanted);
        assert!(faults.is_empty(), "{faults:?}");
        let lines = output.stdout.split(|byte| *byte == b'\n');
        let lines = lines.take_while(|line| *line != b"== segments");
        assert!(lines.into_iter().all(|line| line.len() < 4096));
    }
}

#[test]
fn kept_releases_are_not_read_to_tell_what_lies_in_place() {
    let source = tempfile::tempdir().unwrap();
    std::fs::write(source.path().join("a"), "1").unwrap();
    let mut target = Target::new(Layout::InPlace);
    let name = "20260101000000-abcdef0";
    let (wanted, _) = target.release(source.path(), name);
    target.sh(
        &format!(
            "cd {}/.deploy && ln -s releases/{name} current && echo 2 >../theirs",
            quote(&target.paths.target)
        ),
        &[],
    );
    let look = crate::release::look(&target.paths, &digest(&wanted).to_string());
    let state = crate::release::State::parse(&target.sh(&look, &[]));
    let listing = state.current.unwrap().listing.unwrap();
    assert_eq!(Vec::from_iter(listing.hashes.keys()), ["a", "theirs"]);
}

/// A folder with nothing but what BusyBox brings; none where it is not installed.
fn busybox() -> Option<tempfile::TempDir> {
    let Ok(list) = Command::new("busybox").arg("--list").output() else {
        harness::missing("busybox");
        return None;
    };
    let folder = tempfile::tempdir().unwrap();
    let found = Command::new("sh")
        .args(["-c", "command -v busybox"])
        .output()
        .unwrap();
    let busybox = String::from_utf8(found.stdout).unwrap();
    for applet in String::from_utf8(list.stdout).unwrap().lines() {
        std::os::unix::fs::symlink(busybox.trim(), folder.path().join(applet)).unwrap();
    }
    Some(folder)
}

#[test]
fn nothing_but_busybox_is_enough() {
    let Some(tools) = busybox() else { return };
    for layout in [Layout::Releases, Layout::InPlace] {
        let source = tempfile::tempdir().unwrap();
        let mut target = Target::new(layout);
        target.tools = Some(tools.path().to_owned());
        for (name, mode) in [
            ("plain", 0o644),
            ("program", 0o755),
            ("private", 0o600),
            ("private program", 0o700),
            ("new\nline", 0o644),
            ("end\n", 0o644),
            ("back\\slash", 0o755),
            ("return\r", 0o644),
            ("folder\n/-n", 0o644),
            ("failed", 0o644),
            ("quote'\"$x*", 0o600),
        ] {
            apply(
                source.path(),
                &Edit::Write(name.to_owned(), name.into(), mode),
            );
        }
        let latin = bytes::to_text(std::ffi::OsStr::from_bytes(b"l\xe4tin"));
        for edit in [
            Edit::Write(latin, b"1".to_vec(), 0o644),
            Edit::Link("link".to_owned(), "plain".to_owned()),
            Edit::Link("link\n".to_owned(), "./line\nfeed\n".to_owned()),
            Edit::Folder("empty".to_owned()),
        ] {
            apply(source.path(), &edit);
        }
        // Put together in either layout; in one of them it is hashed by segments too.
        let zeros = match layout {
            Layout::Releases => SEGMENT as usize,
            Layout::InPlace => 0,
        };
        let first = [vec![0; zeros], noise(5 << 20, 8)].concat();
        let mut edited = first.clone();
        edited[zeros + 500..][..1000].copy_from_slice(&noise(1000, 9));
        for (n, large) in [&first, &edited].into_iter().enumerate() {
            let release = format!("2026010100000{n}-abcdef0");
            std::fs::write(source.path().join("large\nmodel"), large).unwrap();
            let (wanted, _) = target.release(source.path(), &release);
            assert_eq!(target.live(), wanted, "{release}");
            let stored = target.sh(&scripts::list_stored(&target.paths, &release), &[]);
            let found = Listing::parse(&stored).faults(&wanted);
            assert!(found.is_empty(), "{release}: {found:?}");
            let live = target.sh(&scripts::list_live(&target.paths, &release, true), &[]);
            let end = live.iter().position(|byte| *byte == b'\n').unwrap();
            let found = Listing::parse(&live[end + 1..]).faults(&wanted);
            assert!(found.is_empty(), "{release}: {found:?}");
            apply(source.path(), &Edit::Remove("program".to_owned()));
            apply(
                source.path(),
                &Edit::Write("end\n".to_owned(), vec![1], 0o644),
            );
        }
    }
}
