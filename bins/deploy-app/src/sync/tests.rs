#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod large;
mod listing;
mod random;
mod target;

/// Bytes that repeat nowhere.
fn noise(length: usize, mut state: u64) -> Vec<u8> {
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        })
        .collect()
}

use super::listing::Listing;
use super::*;
use bundle::digest::Digest;
use bundle::manifest::{Kind, Mode};

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
fn hash_lines_are_read_as_gnu_and_busybox_write_them() {
    let digest = Digest::of(b"1");
    let text = format!(
        "{digest}  ./a b\n\\{digest}  ./c\\\\d\\ne\n{digest} *./f\nsha256sum: ./x: Permission denied\n{digest}  -\n"
    );
    let names: Vec<String> = Listing::parse(text.as_bytes()).hashes.into_keys().collect();
    assert_eq!(names, ["a b", "c\\d\ne", "f"]);
}

#[test]
fn every_fault_of_an_unpacked_release_is_found() {
    let wanted = tree(&[
        ("a", file("1", Mode::Plain)),
        ("b", file("2", Mode::Executable)),
        ("c", file("3", Mode::Plain)),
        ("d", file("1", Mode::Executable)),
        ("e", file("1", Mode::Private)),
        ("f", file("1", Mode::Plain)),
        ("l", Kind::Symlink { target: "a".into() }),
    ]);
    let text = format!(
        "{0}  ./a\n{1}  ./b\n{2}  ./x\n{0}  ./d\n{0}  ./e\n{0}  ./f\n== segments\n\0x./a\0p./f\0l./l\0b\0",
        Digest::of(b"1"),
        Digest::of(b"!"),
        Digest::of(b"9"),
    );
    let faults: Vec<String> = Listing::parse(text.as_bytes())
        .faults(&wanted)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        faults,
        [
            "`a` has another mode",
            "`b` has other content",
            "`c` is missing",
            "`d` has another mode",
            "`e` has another mode",
            "`f` may be read by its owner only",
            "link `l` is missing or leads elsewhere",
            "`x` does not belong there",
        ]
    );
}
