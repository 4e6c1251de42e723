//! Packing and unpacking: same bytes, other readers agree, hostile archives stay inside.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Read as _, Write as _};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use bundle::digest::digest;
use bundle::manifest::{Kind, Manifest, Mode};
use bundle::pack::{PackError, pack};
use bundle::tree::{self, Rules, Source};
use bundle::unpack::{Limits, UnpackError, contents, unpack};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

const LIMIT: u64 = 1 << 30;

fn read(root: &Path) -> Manifest {
    tree::read(&[Source::root(root)], &Rules::default()).unwrap()
}

fn sample() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    fs::create_dir_all(at("sub/empty")).unwrap();
    fs::write(at("template.yaml"), "Resources: {}\n".repeat(1000)).unwrap();
    fs::write(at("sub/ünïcode"), "").unwrap();
    fs::write(at("sub/run"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(at("sub/run"), fs::Permissions::from_mode(0o775)).unwrap();
    symlink("../template.yaml", at("sub/link")).unwrap();
    root
}

/// (general purpose flags, length of the extra field, DOS time and date) of each local header.
fn local_headers(archive: &[u8]) -> Vec<(u16, u16, u32)> {
    let u16_at = |at: usize| u16::from_le_bytes([archive[at], archive[at + 1]]);
    let u32_at = |at: usize| u32::from(u16_at(at)) | (u32::from(u16_at(at + 2)) << 16);
    let mut headers = Vec::new();
    let mut at = 0;
    while u32_at(at) == 0x0403_4b50 {
        headers.push((u16_at(at + 6), u16_at(at + 28), u32_at(at + 10)));
        let compressed = usize::try_from(u32_at(at + 18)).unwrap();
        at += 30 + usize::from(u16_at(at + 26)) + usize::from(u16_at(at + 28)) + compressed;
    }
    assert_eq!(
        u32_at(at),
        0x0201_4b50,
        "the central directory follows the last entry at once"
    );
    headers
}

#[test]
fn no_time_no_extra_field_no_data_descriptor() {
    let root = sample();
    let archive = pack(&read(root.path()), LIMIT).unwrap();
    let headers = local_headers(&archive);
    assert_eq!(headers.len(), 5);
    for (flags, extra, time) in headers {
        assert_eq!(flags & 0b1000, 0, "no data descriptor");
        assert_eq!(extra, 0, "no extra field");
        assert_eq!(time, 0x0021_0000, "1980-01-01 00:00:00");
    }
    let mut zip = zip::ZipArchive::new(Cursor::new(archive)).unwrap();
    let mut modes = BTreeMap::new();
    for at in 0..zip.len() {
        let entry = zip.by_index(at).unwrap();
        assert_eq!(entry.extra_data(), None);
        modes.insert(
            entry.name().unwrap().into_owned(),
            entry.unix_mode().unwrap(),
        );
    }
    let expected = [
        ("sub/empty/", 0o040_755),
        ("sub/link", 0o120_755),
        ("sub/run", 0o100_755),
        ("sub/ünïcode", 0o100_644),
        ("template.yaml", 0o100_644),
    ];
    assert_eq!(
        modes,
        expected.map(|(name, mode)| (name.to_owned(), mode)).into()
    );
}

#[test]
fn two_machines_make_the_same_bytes() {
    let (one, other) = (sample(), sample());
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(100_000);
    fs::File::open(other.path().join("template.yaml"))
        .unwrap()
        .set_modified(later)
        .unwrap();
    fs::set_permissions(
        other.path().join("template.yaml"),
        fs::Permissions::from_mode(0o600),
    )
    .unwrap();
    assert_eq!(
        pack(&read(one.path()), LIMIT).unwrap(),
        pack(&read(other.path()), LIMIT).unwrap()
    );
}

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
    assert_eq!(digest(&read(into.path())), digest(&manifest));
}

/// A program on this machine; reports with [`harness::missing()`] when it is not.
fn reader(program: &str) -> Option<Command> {
    let found = Command::new("sh")
        .args(["-c", &format!("command -v {program}")])
        .output()
        .unwrap();
    if !found.status.success() {
        harness::missing(program);
        return None;
    }
    Some(Command::new(program))
}

fn output(mut command: Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The sample in a file, and what is in it: name, text.
fn packed() -> (tempfile::NamedTempFile, Vec<(String, Vec<u8>)>) {
    let root = sample();
    let file = tempfile::Builder::new().suffix(".zip").tempfile().unwrap();
    let manifest = read(root.path());
    fs::write(file.path(), pack(&manifest, LIMIT).unwrap()).unwrap();
    let files = manifest.entries().iter().filter_map(|entry| {
        let Kind::File { .. } = entry.kind else {
            return None;
        };
        Some((entry.path.clone(), entry.read().unwrap().into_owned()))
    });
    let files = files.collect();
    (file, files)
}

fn holds(folder: &Path, files: &[(String, Vec<u8>)]) {
    for (name, content) in files {
        assert_eq!(&fs::read(folder.join(name)).unwrap(), content, "{name}");
    }
    let run = fs::metadata(folder.join("sub/run")).unwrap();
    assert!(run.is_file());
}

#[test]
fn info_zip_agrees() {
    let Some(mut unzip) = reader("unzip") else {
        return;
    };
    let (file, files) = packed();
    let into = tempfile::tempdir().unwrap();
    unzip.args(["-q", "-d"]).arg(into.path()).arg(file.path());
    output(unzip);
    holds(into.path(), &files);
    let mode = fs::metadata(into.path().join("sub/run")).unwrap();
    assert_eq!(mode.permissions().mode() & 0o777, 0o755);
    assert_eq!(
        fs::read_link(into.path().join("sub/link")).unwrap(),
        Path::new("../template.yaml")
    );
    let mut info = reader("zipinfo").unwrap();
    info.arg(file.path());
    let listed = output(info);
    assert!(
        listed.contains("-rwxr-xr-x") && listed.contains(" unx "),
        "{listed}"
    );
    assert!(listed.contains("80-Jan-01 00:00 sub/run"), "{listed}");
}

#[test]
fn pythons_zipfile_agrees() {
    let Some(mut python) = reader("python3") else {
        return;
    };
    let (file, files) = packed();
    let script = "import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as z:
    assert z.testzip() is None
    for i in z.infolist():
        assert i.date_time == (1980, 1, 1, 0, 0, 0) and not i.extra and not i.flag_bits & 8, i
        print(i.filename, oct(i.external_attr >> 16), len(z.read(i)))
";
    python
        .args(["-c", script])
        .arg(file.path())
        .env("PYTHONIOENCODING", "utf-8");
    let listed = output(python);
    for (name, content) in &files {
        let mode = if name == "sub/run" {
            "0o100755"
        } else {
            "0o100644"
        };
        assert!(
            listed.contains(&format!("{name} {mode} {}\n", content.len())),
            "{listed}"
        );
    }
    assert!(listed.contains("sub/link 0o120755 16\n"), "{listed}");
}

/// Names and contents of any archive, by a reader that is not ours: one run of Python over many.
#[test]
fn python_reads_any_names_and_contents() {
    let Some(mut python) = reader("python3") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let trees = prop::collection::vec(
        (
            "[a-zA-Zé€ .@+_-]{1,9}(/[a-z0-9 ü]{1,5}){0,2}",
            any::<bool>(),
            prop::collection::vec(any::<u8>(), 0..500),
        ),
        1..12,
    );
    let mut expected = String::new();
    for number in 0..50 {
        let files = trees.new_tree(&mut runner).unwrap().current();
        let files = files.into_iter().map(|(name, executable, bytes)| {
            (
                name,
                if executable {
                    Mode::Executable
                } else {
                    Mode::Plain
                },
                bytes,
            )
        });
        // Names that clash are refused as a whole; there are enough trees without.
        let Ok(manifest) = tree::hold(files.collect(), &Rules::default()) else {
            continue;
        };
        let path = folder.path().join(format!("{number}.zip"));
        fs::write(&path, pack(&manifest, LIMIT).unwrap()).unwrap();
        expected.push_str(&format!("{}\n", path.display()));
        for entry in manifest.entries() {
            let Kind::File { sha256, mode, .. } = entry.kind else {
                unreachable!()
            };
            expected.push_str(&format!("{sha256} {:o} {}\n", mode.bits(), entry.path));
        }
    }
    let archives = expected.matches(".zip\n").count();
    assert!(archives > 20, "{archives} archives");
    let script = "import glob, hashlib, sys, zipfile
for path in sys.argv[1:]:
    print(path)
    with zipfile.ZipFile(path) as z:
        assert z.testzip() is None
        for i in z.infolist():
            print(hashlib.sha256(z.read(i)).hexdigest(), '%o' % (i.external_attr >> 16 & 0o777), i.filename)
";
    let paths = expected
        .lines()
        .filter(|line| line.ends_with(".zip") && line.starts_with('/'));
    python
        .args(["-c", script])
        .args(paths)
        .env("PYTHONIOENCODING", "utf-8");
    assert_eq!(output(python), expected);
}

#[test]
fn what_is_held_in_memory_keeps_the_rules_and_can_be_edited() {
    let file = |name: &str, bytes: &[u8]| (name.to_owned(), Mode::Plain, bytes.to_vec());
    let refused = |files: Vec<(String, Mode, Vec<u8>)>| {
        tree::hold(files, &Rules::default())
            .unwrap_err()
            .to_string()
    };
    assert!(refused(vec![file("../a", b"")]).contains("`.` or `..`"));
    assert!(refused(vec![file("a", b""), file("A", b"")]).contains("case only"));
    assert!(refused(vec![file("a", b""), file("a/b", b"")]).contains("not a folder"));
    assert!(refused(vec![file("x/.env", b"A=1")]).contains("environment file"));
    assert!(refused(Vec::new()).contains("nothing to bundle"));
    let mut manifest = tree::hold(
        vec![file("t.yml", b"old"), file("b", b"x")],
        &Rules::default(),
    )
    .unwrap();
    let before = digest(&manifest);
    assert!(manifest.edit("t.yml", b"new".to_vec()) && !manifest.edit("no", Vec::new()));
    assert_ne!(digest(&manifest), before);
    let found = contents(
        Cursor::new(pack(&manifest, LIMIT).unwrap()),
        Limits::default(),
    )
    .unwrap();
    let found: Vec<_> = found
        .iter()
        .map(|one| (one.name.as_str(), one.bytes.as_slice()))
        .collect();
    assert_eq!(found, [("b", &b"x"[..]), ("t.yml", b"new")]);
    // An edited file on a disk is packed as edited, although the disk says something else.
    let root = sample();
    let mut manifest = read(root.path());
    assert!(manifest.edit("sub/run", b"edited".to_vec()));
    let archive = pack(&manifest, LIMIT).unwrap();
    let limits = Limits {
        entries: 9,
        bytes: 10,
    };
    assert!(matches!(
        contents(Cursor::new(&archive), limits),
        Err(UnpackError::TooLarge(_))
    ));
    let found = contents(Cursor::new(&archive), Limits::default()).unwrap();
    assert!(
        found
            .iter()
            .any(|one| one.name == "sub/run" && one.bytes == b"edited")
    );
}

#[test]
fn seven_zip_agrees() {
    let Some(mut seven) = reader("7z") else {
        return;
    };
    let (file, files) = packed();
    let into = tempfile::tempdir().unwrap();
    let mut test = Command::new("7z");
    test.arg("t").arg(file.path());
    assert!(output(test).contains("Everything is Ok"));
    // 7-Zip makes no link whose text holds `..`, even one that stays inside.
    seven
        .args(["x", "-y", "-xr!link"])
        .arg(format!("-o{}", into.path().display()))
        .arg(file.path());
    // 7-Zip writes no name that the locale has no characters for.
    seven.env("LC_ALL", "C.UTF-8");
    output(seven);
    holds(into.path(), &files);
}

#[test]
fn javas_jar_agrees() {
    let Some(mut jar) = reader("jar") else { return };
    let (file, files) = packed();
    let into = tempfile::tempdir().unwrap();
    jar.arg("xf").arg(file.path()).current_dir(into.path());
    // Before Java 18 file names follow the locale.
    jar.env("LC_ALL", "C.UTF-8");
    output(jar);
    holds(into.path(), &files);
}

#[test]
fn a_file_that_changes_after_hashing_is_an_error() {
    let root = sample();
    let manifest = read(root.path());
    fs::write(root.path().join("sub/run"), "#!/bin/rm\n").unwrap();
    assert!(
        matches!(pack(&manifest, LIMIT), Err(PackError::Changed { path }) if path.ends_with("sub/run"))
    );
    fs::remove_file(root.path().join("sub/run")).unwrap();
    assert!(matches!(
        pack(&manifest, LIMIT),
        Err(PackError::Read { .. })
    ));
}

#[test]
fn the_limit_is_on_the_archive() {
    let root = sample();
    let manifest = read(root.path());
    let size = pack(&manifest, LIMIT).unwrap().len() as u64;
    assert!(pack(&manifest, size).is_ok());
    assert!(matches!(
        pack(&manifest, size - 1),
        Err(PackError::TooLarge { .. })
    ));
    assert!(matches!(
        pack(&manifest, 1),
        Err(PackError::TooLarge { .. })
    ));
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
    let before = digest(&read(into.path()));
    let result = unpack(Cursor::new(archive), into.path(), Limits::default());
    assert!(matches!(result, Err(UnpackError::NotEmpty(_))));
    assert_eq!(digest(&read(into.path())), before);
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
        prop_assert_eq!(digest(&again), digest(&manifest));
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
