//! Idioms of a buildspec's scripts that lose exported variables or hide failures.
//!
//! CodeBuild runs each item as a script of its own and saves the environment in its last lines, so that
//! `exit` loses what the item set (seen in AWS's codecatalyst-runner-cli and in build logs, not
//! documented; to be settled with `run-pipeline buildspec` beside a real build). What a shell does with a
//! status is POSIX.

mod sets;

use crate::finding::Finding;
use crate::model::buildspec::{Buildspec, script};
use crate::rules;

pub use sets::{Set, sets};

/// Every finding in the scripts of a buildspec.
#[must_use]
pub fn check(spec: &Buildspec) -> Vec<Finding> {
    let shell = spec.env.shell.as_deref();
    let is_posix = shell.is_none_or(|shell| matches!(shell, "bash" | "/bin/sh" | "sh"));
    let mut findings = Vec::new();
    if is_posix {
        script::each(spec, &mut |script| {
            findings.extend(rules::of_script(script));
        });
    }
    findings
}

#[cfg(test)]
mod tests;
