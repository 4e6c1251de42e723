//! A quoted value is read back as it was by a shell's rules, alone and among others, and an export
//! file is read back by what reads those of other actions.
#![no_main]

use action::env_file::reading::Reading;
use action::env_file::spelling::{self, Reader};
use action::env_file::{Dialect, parse};
use action::export::{Exports, quote};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|values: Vec<&str>| {
    let mut exports = Exports::new();
    for (index, value) in values.iter().enumerate() {
        let name = format!("V{index}");
        let text = format!("{name}={}\n", quote::posix(value));
        let read = Reader::Shell.read(&text, &|_| None);
        assert_eq!(read.len(), 1);
        assert_eq!(read[0].reading, Reading::Value((*value).to_owned()));
        // What cannot travel is refused before it is quoted.
        let refused = exports.add(&name, *value).is_err();
        assert!(!refused || value.contains('\0') || value.len() > 100_000 || index > 0);
        for readers in [&Reader::ALL[..], &[Reader::Compose, Reader::Dotenv]] {
            if let Some(line) = spelling::of(&name, value, readers) {
                for reader in readers {
                    let read = reader.read(&format!("{line}\n"), &|_| None);
                    assert_eq!(read.len(), 1);
                    assert_eq!(read[0].reading.value(), Some(*value));
                }
            }
        }
    }
    let back = parse(exports.to_shell().as_bytes(), Dialect::Sh, |_| None).unwrap();
    let back: Vec<_> = back
        .iter()
        .map(|one| (one.name.as_str(), one.value.as_str()))
        .collect();
    assert_eq!(back, exports.iter().collect::<Vec<_>>());
});
