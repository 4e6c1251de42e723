//! Unpacking: the same tree again, and hostile archives stay inside.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;

use bundle::pack::pack;
use bundle::tree::{self, Rules, Source};
use bundle::unpack::{Limits, UnpackError, unpack};
use proptest::prelude::*;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::{LIMIT, read, sample};

#[test]
fn unpacking_gives_the_same_tree() {
    let root = sample();
    let manifest = read(root.path());
    let archive = pack(&manifest, LIMIT).unwrap();
    let into = tempfile::tempdir().unwrap();
    assert_eq!(
        unpack(Cursor::new(archive), into.path(), Limits::default()).unwrap(),
        5
    );
    assert_eq!(read(into.path()).digest(), manifest.digest());
}

/// An archive as an attacker writes it: no rule applies.
fn hostile(write: impl FnOnce(&mut ZipWriter<Cursor<Vec<u8>>>)) -> Cursor<Vec<u8>> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    write(&mut zip);
    Cursor::new(zip.finish().unwrap().into_inner())
}

fn unpack_error(archive: Cursor<Vec<u8>>, limits: Limits) -> UnpackError {
    let root = tempfile::tempdir().unwrap();
    let into = root.path().join("into");
    let error = unpack(archive, &into, limits).expect_err("the archive was accepted");
    let outside: Vec<_> = fs::read_dir(root.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert!(
        outside.is_empty() || outside == ["into"],
        "written outside: {outside:?}"
    );
    error
}

#[test]
fn names_that_climb_are_refused() {
    let options = SimpleFileOptions::default();
    for name in [
        "../x",
        "/tmp/x",
        "a/../../x",
        "a\\..\\x",
        "C:x",
        "a//x",
        "./x",
    ] {
        let archive = hostile(|zip| zip.start_file(name, options).unwrap());
        assert!(
            matches!(
                unpack_error(archive, Limits::default()),
                UnpackError::Name { .. }
            ),
            "{name}"
        );
    }
}

#[test]
fn links_that_leave_are_refused() {
    let options = SimpleFileOptions::default();
    for target in ["..", "/etc/passwd", "a/../../x", ""] {
        let archive = hostile(|zip| zip.add_symlink("link", target, options).unwrap());
        assert!(
            matches!(
                unpack_error(archive, Limits::default()),
                UnpackError::LinkOut { .. }
            ),
            "{target}"
        );
    }
    // Neither link leaves by its text; together they do.
    let chain = hostile(|zip| {
        zip.add_directory("a/b", options).unwrap();
        zip.add_symlink("a/b/up", "../..", options).unwrap();
        zip.add_symlink("a/b/x", "up/up2/../../..", options)
            .unwrap();
        zip.add_symlink("up2", "a", options).unwrap();
    });
    assert!(matches!(
        unpack_error(chain, Limits::default()),
        UnpackError::LinkOut { .. }
    ));
    // A file below a link would be written through it.
    let through = hostile(|zip| {
        zip.add_symlink("d", "e", options).unwrap();
        zip.start_file("d/x", options).unwrap();
    });
    unpack_error(through, Limits::default());
}

#[test]
fn bombs_are_stopped_while_they_unpack() {
    let archive = || {
        hostile(|zip| {
            zip.start_file("bomb", SimpleFileOptions::default())
                .unwrap();
            zip.write_all(&vec![0; 1 << 20]).unwrap();
        })
    };
    let limits = Limits {
        bytes: (1 << 20) - 1,
        ..Limits::default()
    };
    assert!(matches!(
        unpack_error(archive(), limits),
        UnpackError::TooLarge(_)
    ));
    let limits = Limits {
        entries: 0,
        ..Limits::default()
    };
    assert!(matches!(
        unpack_error(archive(), limits),
        UnpackError::TooLarge(_)
    ));
    let exact = Limits {
        bytes: 1 << 20,
        entries: 1,
    };
    let into = tempfile::tempdir().unwrap();
    assert_eq!(unpack(archive(), into.path(), exact).unwrap(), 1);
}

#[test]
fn a_folder_in_use_is_not_unpacked_into() {
    let archive = pack(&read(sample().path()), LIMIT).unwrap();
    let into = sample();
    let before = read(into.path()).digest();
    let result = unpack(Cursor::new(archive), into.path(), Limits::default());
    assert!(matches!(result, Err(UnpackError::NotEmpty(_))));
    assert_eq!(read(into.path()).digest(), before);
}

#[test]
fn what_is_not_an_archive_says_so() {
    for bytes in [&b""[..], b"<html>", &[0; 100]] {
        assert!(matches!(
            unpack_error(Cursor::new(bytes.to_vec()), Limits::default()),
            UnpackError::Archive(_)
        ));
    }
    let mut archive = pack(&read(sample().path()), LIMIT).unwrap();
    archive.truncate(archive.len() / 2);
    unpack_error(Cursor::new(archive), Limits::default());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any tree: packed twice it gives equal bytes, each entry reads back, no name escapes, and
    /// what is unpacked has the digest of what was packed.
    #[test]
    fn any_tree_survives(
        files in prop::collection::btree_map(
            "[a-zé .@+-]{1,8}(/[a-z0-9 ]{1,5}){0,2}",
            (prop::collection::vec(any::<u8>(), 0..300), any::<bool>()),
            1..20,
        )
    ) {
        let root = tempfile::tempdir().unwrap();
        let mut written = BTreeMap::new();
        for (name, (content, executable)) in files {
            let path = root.path().join(&name);
            // Some names are `.` or `..`, or need a folder where a file already is.
            let usable = name.split('/').all(|part| !matches!(part, "." | ".."))
                && fs::create_dir_all(path.parent().unwrap()).is_ok()
                && !path.is_dir();
            if !usable {
                continue;
            }
            fs::write(&path, &content).unwrap();
            let mode = if executable { 0o755 } else { 0o644 };
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            written.insert(name, (content, mode));
        }
        prop_assume!(!written.is_empty());
        let manifest = tree::read(&[Source::root(root.path())], &Rules::everything()).unwrap();
        let archive = pack(&manifest, LIMIT).unwrap();
        prop_assert_eq!(&archive, &pack(&manifest, LIMIT).unwrap());

        let mut zip = zip::ZipArchive::new(Cursor::new(&archive)).unwrap();
        zip.validate_header_consistency().unwrap();
        for at in 0..zip.len() {
            let mut entry = zip.by_index(at).unwrap();
            let name = entry.name().unwrap().into_owned();
            prop_assert!(entry.enclosed_name().is_some(), "{}", name);
            if entry.is_dir() {
                continue;
            }
            let mut content = Vec::new();
            entry.read_to_end(&mut content).unwrap();
            let mode = entry.unix_mode().unwrap() & 0o777;
            prop_assert_eq!(Some((content, mode)), written.remove(&name));
        }
        prop_assert!(written.is_empty(), "missing: {:?}", written.keys());

        let into = tempfile::tempdir().unwrap();
        unpack(Cursor::new(archive), into.path(), Limits::default()).unwrap();
        let again = tree::read(&[Source::root(into.path())], &Rules::everything()).unwrap();
        prop_assert_eq!(again.digest(), manifest.digest());
    }

    /// Damage anywhere in an archive ends in an error or in a tree inside the folder, never in a panic.
    #[test]
    fn damaged_archives_stay_inside(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut archive = pack(&read(sample().path()), LIMIT).unwrap();
        let at = at.index(archive.len());
        archive[at] = byte;
        let root = tempfile::tempdir().unwrap();
        let _any = unpack(Cursor::new(archive), &root.path().join("into"), Limits { entries: 10, bytes: 1 << 20 });
        let outside = fs::read_dir(root.path()).unwrap().filter(|entry| entry.as_ref().unwrap().file_name() != "into");
        prop_assert_eq!(outside.count(), 0);
    }
}
