//! No text makes a reader of env files panic or run away, what the portable dialect takes means the
//! same to every reader, and no message repeats a value.
#![no_main]

use action::env_file::explain::{Spelling, explain};
use action::env_file::reading::Reading;
use action::env_file::spelling::Reader;
use action::env_file::{Dialect, parse};
use libfuzzer_sys::fuzz_target;
use std::collections::HashSet;

fn host(name: &str) -> Option<String> {
    (name == "HOME").then(|| "/home/reader".to_owned())
}

fuzz_target!(|text: &str| {
    // Python ends a line at a lone carriage return too.
    let lines = text.matches(['\n', '\r']).count() + 1;
    for reader in Reader::ALL {
        for statement in reader.read(text, &host) {
            assert!((1..=lines).contains(&statement.line), "{}", reader.name());
        }
    }
    for dialect in [
        Dialect::Docker,
        Dialect::Compose,
        Dialect::Dotenv,
        Dialect::Sh,
    ] {
        if let Err(faults) = parse(text.as_bytes(), dialect, host) {
            assert!(faults.iter().all(|fault| fault.line <= lines));
        }
    }
    if let Ok(taken) = parse(text.as_bytes(), Dialect::Portable, host) {
        for reader in Reader::ALL {
            let mut read = reader.read(text, &host);
            // The same assignment twice is taken once.
            let mut seen = HashSet::new();
            read.retain(|one| seen.insert(one.name.clone()));
            assert_eq!(read.len(), taken.len(), "{}", reader.name());
            for (one, taken) in read.iter().zip(&taken) {
                assert_eq!(one.name, taken.name, "{}", reader.name());
                assert_eq!(
                    one.reading,
                    Reading::Value(taken.value.clone()),
                    "{}",
                    reader.name()
                );
            }
        }
    }
    for one in explain(text, &host) {
        assert!(one.line <= one.last && one.last <= lines);
        let (Some((name, value)), Spelling::Everywhere(line)) = (one.meant(), one.spelling())
        else {
            continue;
        };
        // The common spelling is what a person would write into the file instead.
        for reader in Reader::ALL {
            let read = reader.read(&format!("{line}\n"), &|_| None);
            assert_eq!(read.len(), 1, "{}", reader.name());
            assert_eq!(read[0].name, name);
            assert_eq!(read[0].reading.value(), Some(value));
        }
    }
});
