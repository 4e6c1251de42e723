//! Ignores are read out of any text, and each thing said about one stands at a piece of it.
#![no_main]

use contract::check::Report;
use contract::finding::{Finding, Place};
use contract::policy::Policy;
use contract::rules::unknown_key;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &str, u8)| {
    let (text, configuration, line) = input;
    let mut report = Report::default();
    report.texts.insert("f".to_owned(), text.to_owned());
    let place = Place {
        line: line.into(),
        column: 1,
        ..Place::default()
    };
    report.findings.push(Finding::new(&unknown_key::RULE, "f", Some(place), "found"));
    Policy::read("c", configuration.as_bytes()).apply(&mut report, &|_| true);
    let ignored = report.ignored.len();
    let kept = report.findings.iter().filter(|one| one.message == "found").count();
    assert_eq!(ignored + kept, 1);
    for one in report.findings.iter().filter(|one| one.file == "f") {
        let place = one.place.expect("everything here has a place");
        assert!(text.get(place.start..place.end).is_some());
    }
});
