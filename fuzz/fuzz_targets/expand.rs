//! Aliases that are written out leave a text that means the same and has none.
#![no_main]

use contract::expand::expanded;
use contract::yaml;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(done) = expanded(text) else { return };
    let old = yaml::read("f", text).expect("it was read");
    let new = yaml::read("f", &done).expect("what is written out is read again");
    let changed = !old.aliases.is_empty() || !old.merges.is_empty();
    assert!(changed || done == text);
    assert!(new.aliases.is_empty() && new.merges.is_empty());
    assert_eq!(old.root.to_json(), new.root.to_json());
});
