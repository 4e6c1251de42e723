//! Logging commands of Azure Pipelines, which its agent reads from any line of the build's output.
//!
//! <https://learn.microsoft.com/en-us/azure/devops/pipelines/scripts/logging-commands>. A raw value
//! with a line break could carry a command of its own
//! (<https://github.com/microsoft/azure-pipelines-tasks/pull/22282>), so what the agent decodes is
//! escaped as Microsoft's own task library does:
//! <https://github.com/microsoft/azure-pipelines-task-lib/blob/master/node/taskcommand.ts>.

use crate::variable::Variable;

/// Prefixes of names that a pipeline must not set, in any letter case:
/// <https://learn.microsoft.com/en-us/azure/devops/pipelines/process/variables>.
const RESERVED: [&str; 5] = ["endpoint", "input", "secret", "path", "securefile"];

/// One command a variable. `isOutput` makes it readable by later jobs and stages.
pub(crate) fn render(variables: &[Variable]) -> String {
    let lines = variables.iter();
    lines
        .map(|Variable { name, value, .. }| {
            format!(
                "##vso[task.setvariable variable={name};isOutput=true]{}\n",
                escaped(value)
            )
        })
        .collect()
}

/// Whether Azure lets a pipeline set the name.
pub(crate) fn check(name: &str) -> Result<(), String> {
    let lower = name.to_ascii_lowercase();
    match RESERVED.iter().find(|prefix| lower.starts_with(**prefix)) {
        Some(prefix) => Err(format!(
            "Azure Pipelines does not set names that start with {prefix}"
        )),
        None => Ok(()),
    }
}

/// The agent decodes these, and the percent sign last.
fn escaped(value: &str) -> String {
    value
        .replace('%', "%AZP25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}
