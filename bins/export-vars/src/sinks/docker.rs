//! An env file as `docker run --env-file` and CodeBuild's local agent read it.

use crate::variable::Variable;
use action::env_file::docker::MAX_LINE_BYTES;

/// `NAME=value` a line, raw.
pub(crate) fn render(variables: &[Variable]) -> String {
    let lines = variables.iter();
    lines
        .map(|Variable { name, value, .. }| format!("{name}={value}\n"))
        .collect()
}

/// Whether docker reads the value back.
pub(crate) fn check(name: &str, value: &str) -> Result<(), String> {
    if let Some(at) = value.find(char::is_control) {
        let line = value[..at].matches('\n').count() + 1;
        return Err(format!(
            "line {line} ends in a control character; an env file cannot hold it"
        ));
    }
    if name.len() + 1 + value.len() > MAX_LINE_BYTES {
        return Err(format!(
            "{} bytes; docker reads lines of at most {MAX_LINE_BYTES} bytes, name and `=` included",
            value.len()
        ));
    }
    Ok(())
}
