//! The rules over one small world: `world` beside this folder holds its files.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod cases;
mod loops;
mod page;
mod pipeline;
mod repairs;
mod unknown;

use std::collections::BTreeMap;

use contract::check::{
    self, Archive, Definition, File, LocalFiles, LocalPaths, Report, Subject, Written,
};
use contract::evaluate::World;
use contract::policy::Policy;

/// The check's own configuration file.
const CONFIGURATION: &str = ".pipeline-actions.yml";

fn world() -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        (
            "pipeline.yml",
            include_str!("../world/pipeline.yml").to_owned(),
        ),
        ("app.yml", include_str!("../world/app.yml").to_owned()),
        (
            "config.json",
            include_str!("../world/config.json").to_owned(),
        ),
        (
            "buildspecs/ami.yml",
            include_str!("../world/ami.yml").to_owned(),
        ),
        (CONFIGURATION, "severity: {}\n".to_owned()),
    ])
}

fn check(files: &BTreeMap<&'static str, String>) -> Report {
    check_with(files, &[], None)
}

/// A check in which some names of the archive are links, and local paths may be packaged.
fn check_with(
    files: &BTreeMap<&'static str, String>,
    links: &[&str],
    local_files: Option<&LocalFiles<'_>>,
) -> Report {
    let read = |name: &str| {
        (!links.contains(&name)).then_some(())?;
        Some(File {
            shown: name.to_owned(),
            bytes: files.get(name)?.clone().into_bytes(),
        })
    };
    let world = World {
        lenient: true,
        ..World::default()
    };
    let own = ["pipeline.yml", CONFIGURATION];
    let names = files.keys().filter(|name| !own.contains(name));
    let mut report = check::check(&Subject {
        archive: Archive {
            names: Some(names.map(|name| (*name).to_owned()).collect()),
            read: &read,
        },
        templates: vec!["app.yml".to_owned()],
        configurations: Vec::new(),
        pipeline: Some(Definition {
            file: read("pipeline.yml").unwrap(),
            world: &world,
            id: None,
        }),
        written: Some(Written {
            bucket: Some("source".to_owned()),
            key: "template.zip".to_owned(),
        }),
        buildspecs: Vec::new(),
        local_paths: if local_files.is_some() {
            LocalPaths::Packaged
        } else {
            LocalPaths::Kept
        },
        local_files: local_files.unwrap_or(&|_, _| None),
        aliases_written_out: false,
    });
    let configuration = files.get(CONFIGURATION).map(String::as_bytes);
    let policy = Policy::read(CONFIGURATION, configuration.unwrap_or_default());
    policy.apply(&mut report, &|_| false);
    report
}

fn lines(report: &Report) -> Vec<String> {
    report
        .findings
        .iter()
        .map(contract::finding::Finding::coded)
        .collect()
}

#[test]
fn the_world_is_clean() {
    let report = check(&world());
    assert_eq!(lines(&report), [] as [&str; 0]);
    assert_eq!(report.unread, [] as [&str; 0]);
}

/// The world with its pipeline changed at several places.
fn world_with(changes: &[(&str, &str)]) -> BTreeMap<&'static str, String> {
    let mut files = world();
    let pipeline = files.get_mut("pipeline.yml").unwrap();
    for (at, instead) in changes {
        assert_eq!(pipeline.matches(at).count(), 1, "{at}");
        *pipeline = pipeline.replace(at, instead);
    }
    files
}

/// The source polls: left out it means true.
const POLLS: (&str, &str) = ("                PollForSourceChanges: 'false'\n", "");
