//! What must hold of the stacks once their parameters have values, stack by stack.

mod alarms;
mod app;
mod files;
mod network;
mod pipeline;
mod programs;
mod roles;

use std::path::Path;

use crate::faults::Faults;

/// The three environments, each with its configuration files.
pub const ENVIRONMENTS: [&str; 3] = ["dev", "staging", "prod"];

/// Everything that does not hold of the stacks in `folder`, which has `cfn/` and `buildspecs/`.
#[must_use]
pub fn faults(folder: &Path) -> Vec<String> {
    type Look = fn(&Path, &mut Faults) -> Result<(), String>;
    let looks: [(&str, Look); 7] = [
        ("app.yml", app::look),
        ("network.yml", network::look),
        ("pipeline.yml", pipeline::look),
        ("alarms.yml", alarms::look),
        ("roles", roles::look),
        ("programs", programs::look),
        ("files", files::look),
    ];
    let mut faults = Faults::default();
    for (name, look) in looks {
        faults.at(name);
        if let Err(error) = look(folder, &mut faults) {
            faults.unless(false, error);
        }
    }
    faults.into_vec()
}

/// Which program's policy stands where, and what of it is not granted: for the test's own page.
pub use programs::{NOT_NEEDED, POLICIES};
