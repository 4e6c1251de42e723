//! No bytes make the readers or the checks panic; whatever is found has a place inside the text.
#![no_main]

use contract::buildspec::Buildspec;
use contract::pipeline::Pipeline;
use contract::template::Template;
use contract::yaml;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(root) = yaml::parse_bytes("f", bytes) {
        assert!(root.place.end <= bytes.len());
        drop(root.to_json());
    }
    for findings in [
        Template::parse("f", bytes).err(),
        Buildspec::parse("f", bytes).err(),
        Pipeline::parse_definition("f", bytes).err(),
    ] {
        for finding in findings.into_iter().flatten() {
            if let Some(place) = finding.place {
                assert!(place.start <= place.end && place.end <= bytes.len(), "{finding}");
            }
        }
    }
});
