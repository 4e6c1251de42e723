//! What must hold of the stacks once their parameters have values, stack by stack.

mod alarms;
mod app;
mod contract_check;
mod fetch;
mod files;
mod names;
mod network;
mod pipeline;
mod programs;
mod roles;
mod rules;

use std::path::Path;

use crate::faults::Faults;

/// The three environments, each with its configuration files.
pub const ENVIRONMENTS: [&str; 3] = ["dev", "staging", "prod"];

type Look = fn(&Path, &mut Faults) -> Result<(), String>;

/// What is looked at: a name, the files of `cfn/` that it rests on, and how.
const LOOKS: [(&str, &[&str], Look); 11] = [
    ("app.yml", &["app.yml", "app-ecs.yml", "config"], app::look),
    ("network.yml", &["network.yml"], network::look),
    (
        "pipeline.yml",
        &["pipeline.yml", "custom-actions.yml", "config"],
        pipeline::look,
    ),
    ("alarms.yml", &["alarms.yml"], alarms::look),
    ("the contract", &[".yml", "config"], contract_check::look),
    (
        "rules",
        &["app.yml", "app-ecs.yml", "pipeline.yml", "config"],
        rules::look,
    ),
    (
        "programs that are fetched",
        &["pipeline.yml", "buildspecs"],
        fetch::look,
    ),
    ("roles", &[".yml", "config"], roles::look),
    ("names", &["app.yml", "pipeline.yml", "config"], names::look),
    (
        "programs",
        &[
            "app.yml",
            "buckets.yml",
            "pipeline.yml",
            "custom-actions.yml",
        ],
        programs::look,
    ),
    (
        "files",
        &["config", "rules", "README.md", "app.yml", "pipeline.yml"],
        files::look,
    ),
];

/// Everything that does not hold of the stacks in `folder`, which has `cfn/` and `buildspecs/`.
#[must_use]
pub fn faults(folder: &Path) -> Faults {
    look(folder, |_| true)
}

/// The same, but only what rests on `file`, such as `cfn/app.yml`.
#[must_use]
pub fn faults_around(folder: &Path, file: &str) -> Faults {
    look(folder, |files| files.iter().any(|one| file.contains(one)))
}

fn look(folder: &Path, wanted: impl Fn(&[&str]) -> bool) -> Faults {
    let mut faults = Faults::default();
    for (name, _, look) in LOOKS.iter().filter(|(_, files, _)| wanted(files)) {
        faults.at(name);
        if let Err(error) = look(folder, &mut faults) {
            faults.unless(false, error);
        }
    }
    faults
}

/// Which program's policy stands where, and what of it is not granted: for the test's own page.
pub use programs::{NOT_NEEDED, POLICIES};
