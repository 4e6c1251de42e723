//! The scripts of a buildspec with what stands around each.

use super::{Buildspec, Item};
use crate::finding::Finding;
use crate::model::shell::{self, Command};
use crate::rule::Rule;

/// An item whose commands are known.
pub(crate) struct Script<'a> {
    pub(crate) spec: &'a Buildspec,
    pub(crate) item: &'a Item,
    pub(crate) commands: &'a [Command],
    /// The items that run after it.
    pub(crate) later: &'a [(&'a Item, Vec<Command>)],
    /// The variables that the buildspec exports.
    pub(crate) exported: &'a [&'a str],
    /// The variables that an item sets in its own shell.
    pub(crate) in_shell: &'a [&'a str],
}

impl Script<'_> {
    pub(crate) fn finding(
        &self,
        rule: &'static Rule,
        command: &Command,
        message: String,
    ) -> Finding {
        let place = self.item.place_of_line(command.line);
        Finding::new(rule, &self.spec.file, Some(place), message)
    }
}

/// Calls `look` with each script in the order of the phases.
pub(crate) fn each(spec: &Buildspec, look: &mut dyn FnMut(&Script<'_>)) {
    let exported = spec.env.exported.iter().map(|one| one.name.as_str());
    let exported: Vec<&str> = exported.collect();
    let scripts: Vec<_> = spec
        .items()
        .filter_map(|item| Some((item, shell::commands(&item.script)?)))
        .collect();
    let in_shell: Vec<&str> = scripts
        .iter()
        .flat_map(|(_, commands)| commands)
        .filter(|one| !one.is_child())
        .flat_map(Command::sets)
        .collect();
    for (at, (item, commands)) in scripts.iter().enumerate() {
        look(&Script {
            spec,
            item,
            commands,
            later: &scripts[at + 1..],
            exported: &exported,
            in_shell: &in_shell,
        });
    }
}
