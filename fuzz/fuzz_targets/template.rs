//! No bytes make the readers, the checks or the reports panic, whatever they are taken for; what is found has
//! a place inside the text.
#![no_main]

use contract::buildspec::Buildspec;
use contract::checks;
use contract::check::{self, Archive, Definition, File, LocalPaths, Report, Subject, Written};
use contract::diff;
use contract::evaluate::World;
use contract::finding::Finding;
use contract::pipeline::Pipeline;
use contract::report::{Format, Tool, render};
use contract::template::Template;
use contract::yaml;
use libfuzzer_sys::fuzz_target;

const TOOL: Tool = Tool {
    name: "fuzz",
    version: "0",
};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(root) = yaml::parse_bytes("f", bytes) {
        assert!(root.place.end <= bytes.len());
        drop(root.to_json());
    }
    let mut found: Vec<Finding> = Vec::new();
    match Template::parse("f", bytes) {
        Ok(template) => assert_eq!(diff::changes(&template, &template), []),
        Err(faults) => found.extend(faults),
    }
    match Buildspec::parse("f", bytes) {
        Ok(spec) => {
            found.extend(spec.warnings.iter().cloned());
            found.extend(checks::buildspec::check(&spec));
        }
        Err(faults) => found.extend(faults),
    }
    found.extend(Pipeline::parse_definition("f", bytes).err().into_iter().flatten());
    let report = contract(bytes);
    for finding in found.iter().chain(&report.findings) {
        if let Some(place) = finding.place {
            assert!(place.start <= place.end && place.end <= bytes.len(), "{finding}");
        }
    }
    let mut all = report;
    all.findings.extend(found);
    for format in [Format::Text, Format::Json, Format::Sarif, Format::Junit] {
        assert!(render(&all, format, TOOL).ends_with('\n'));
    }
});

/// The same bytes as template, configuration file, buildspec and pipeline.
fn contract(bytes: &[u8]) -> Report {
    let file = || File {
        shown: "f".to_owned(),
        bytes: bytes.to_owned(),
    };
    let read = |_: &str| Some(file());
    let world = World {
        lenient: true,
        ..World::default()
    };
    check::check(&Subject {
        archive: Archive {
            names: Some(vec!["app.yml".to_owned(), "config.json".to_owned()]),
            read: &read,
        },
        templates: vec!["app.yml".to_owned()],
        configurations: vec!["config.json".to_owned()],
        pipeline: Some(Definition {
            file: file(),
            world: &world,
            id: None,
        }),
        written: Some(Written {
            bucket: None,
            key: "template.zip".to_owned(),
        }),
        buildspecs: vec![("p".to_owned(), "app.yml".to_owned())],
        local_paths: LocalPaths::Kept,
        local_files: &|_, _| None,
        aliases_written_out: false,
    })
}
