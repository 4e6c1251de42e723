//! Y106: an alias in a template.

use crate::finding::Repair;
use crate::finding::{Finding, Place};
use crate::model::template::Template;
use crate::model::yaml::Merge;
use crate::rule::{Example, Rule, Severity, source};
use crate::rules::merge_key;

/// An alias in a template.
pub static RULE: Rule = Rule {
    code: "Y106",
    name: "yaml-alias",
    severity: Severity::Error,
    summary: "A template has an alias (`*name`), which CloudFormation refuses.",
    fix: "write the value out, or let package-template do it with --expand-aliases",
    source: source::FORMATS,
    example: Example::Change {
        file: "app.yml",
        at: "Description: An application.",
        failing: "Metadata:\n  a: &a {x: '1'}\n  b: *a",
        passing: "Metadata:\n  a: {x: '1'}\n  b: {x: '1'}",
    },
};

/// A finding for each alias and each merge key of a template (Y106 and Y105).
#[must_use]
pub fn check(template: &Template) -> Vec<Finding> {
    in_document(&template.file, &template.aliases, &template.merges)
}

/// The same for a piece of a template.
#[must_use]
pub fn in_document(file: &str, aliases: &[Place], merges: &[Merge]) -> Vec<Finding> {
    let merged = merges.iter().map(|one| {
        let message = "`<<` merges, and CloudFormation does not take a merge key";
        Finding::new(&merge_key::RULE, file, Some(one.place), message)
            .repair(Some(Repair::ExpandAliases))
    });
    // An alias that is merged is told by its merge key.
    let alone = aliases.iter().filter(|alias| {
        let mut places = merges.iter().map(|one| one.place.start..one.place.end);
        !places.any(|place| place.contains(&alias.start))
    });
    let alone = alone.map(|place| {
        let message = "an alias stands here, and CloudFormation takes none";
        Finding::new(&RULE, file, Some(*place), message).repair(Some(Repair::ExpandAliases))
    });
    merged.chain(alone).collect()
}
