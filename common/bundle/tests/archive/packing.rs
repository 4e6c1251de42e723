//! What pack writes: the same bytes everywhere, and nothing of the machine.

use std::collections::BTreeMap;
use std::fs;
use std::io::Cursor;
use std::os::unix::fs::PermissionsExt as _;

use bundle::manifest::Mode;
use bundle::pack::{PackError, pack};
use bundle::tree::{self, Rules};
use bundle::unpack::{self, Limits, UnpackError, contents};

use super::{LIMIT, read, sample};

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
    let before = manifest.digest();
    assert!(manifest.edit("t.yml", b"new".to_vec()) && !manifest.edit("no", Vec::new()));
    assert_ne!(manifest.digest(), before);
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
fn the_digest_of_an_archive_is_that_of_the_tree_whatever_packed_it() {
    use std::io::Write as _;
    let root = sample();
    let manifest = read(root.path());
    let archive = pack(&manifest, LIMIT).unwrap();
    let of = |archive: &[u8]| unpack::digest(Cursor::new(archive), Limits::default());
    assert_eq!(of(&archive).unwrap(), manifest.digest());

    // Stored, in another order, with the folders that hold something.
    let mut other = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = |mode| {
        zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored)
            .unix_permissions(mode)
    };
    other.add_directory("sub", options(0o755)).unwrap();
    other
        .add_symlink("sub/link", "../template.yaml", options(0o777))
        .unwrap();
    for (name, mode, content) in [
        ("template.yaml", 0o600, "Resources: {}\n".repeat(1000)),
        ("sub/run", 0o700, "#!/bin/sh\n".to_owned()),
        ("sub/ünïcode", 0o644, String::new()),
    ] {
        other.start_file(name, options(mode)).unwrap();
        other.write_all(content.as_bytes()).unwrap();
    }
    other.add_directory("sub/empty", options(0o755)).unwrap();
    let other = other.finish().unwrap().into_inner();
    assert_ne!(other, archive);
    assert_eq!(of(&other).unwrap(), manifest.digest());

    // A folder is part of it, a link is not the file with its text, and a cut archive has none.
    let changed = |change: &dyn Fn(&std::path::Path)| {
        let root = sample();
        change(root.path());
        pack(&read(root.path()), LIMIT).unwrap()
    };
    let without = changed(&|root| fs::remove_dir(root.join("sub/empty")).unwrap());
    assert_ne!(of(&without).unwrap(), manifest.digest());
    let copied = changed(&|root| {
        fs::remove_file(root.join("sub/link")).unwrap();
        fs::write(root.join("sub/link"), "../template.yaml").unwrap();
    });
    assert_ne!(of(&copied).unwrap(), manifest.digest());
    assert!(of(&archive[..archive.len() - 1]).is_err());
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

/// Small files are packed by groups, and a large one alone: the archive must not show where a group ends.
#[test]
fn many_files_stand_in_the_order_of_their_names() {
    let root = tempfile::tempdir().unwrap();
    let mut expected = Vec::new();
    for n in 0..300_usize {
        let name = format!("f{n:03}");
        let size = if n % 97 == 5 { 700_000 } else { n * 50 };
        let content: Vec<u8> = (0..size).map(|at| ((at * (n + 1)) >> 3) as u8).collect();
        fs::write(root.path().join(&name), &content).unwrap();
        expected.push((name, content));
    }
    let archive = pack(&read(root.path()), LIMIT).unwrap();
    let headers = local_headers(&archive);
    assert_eq!(headers.len(), expected.len());
    assert!(
        headers
            .iter()
            .all(|(flags, extra, _)| flags & 0b1000 == 0 && *extra == 0)
    );
    let mut zip = zip::ZipArchive::new(Cursor::new(archive)).unwrap();
    for (at, (name, content)) in expected.iter().enumerate() {
        let mut entry = zip.by_index(at).unwrap();
        assert_eq!(entry.name().unwrap(), name.as_str());
        let mut found = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut found).unwrap();
        assert!(found == *content, "{name}");
    }
}
