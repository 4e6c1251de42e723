//! What is packed comes out of the archive again, and no archive makes the reader panic.
#![no_main]

use std::io::Cursor;

use bundle::manifest::Mode;
use bundle::pack::pack;
use bundle::tree::{Rules, hold};
use bundle::unpack::{Limits, contents};
use libfuzzer_sys::fuzz_target;

const LIMITS: Limits = Limits {
    entries: 1000,
    bytes: 1 << 24,
};

fuzz_target!(|input: (Vec<(String, bool, Vec<u8>)>, &[u8])| {
    let (files, hostile) = input;
    drop(contents(Cursor::new(hostile), LIMITS));
    let mode = |executable| if executable { Mode::Executable } else { Mode::Plain };
    let files: Vec<_> = files
        .into_iter()
        .map(|(name, executable, bytes)| (name, mode(executable), bytes))
        .collect();
    let Ok(manifest) = hold(files.clone(), &Rules::default()) else { return };
    let archive = pack(&manifest, 1 << 30).expect("what was accepted can be packed");
    assert_eq!(archive, pack(&manifest, 1 << 30).expect("twice"));
    let mut expected = files;
    expected.sort_by(|a, b| a.0.cmp(&b.0));
    let found: Vec<_> = contents(Cursor::new(archive), LIMITS)
        .expect("our own archive is read")
        .into_iter()
        .map(|content| (content.name, content.mode, content.bytes))
        .collect();
    assert_eq!(found, expected);
    let again = hold(found, &Rules::default()).expect("the same names");
    assert_eq!(again.digest(), manifest.digest());
});
