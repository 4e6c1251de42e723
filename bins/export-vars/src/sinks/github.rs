//! Lines for the file that `$GITHUB_OUTPUT` (or `$GITHUB_ENV`) names.
//!
//! `NAME<<DELIMITER`, the value, the delimiter. A fixed delimiter lets a value end itself and set
//! another variable (<https://github.com/google-github-actions/run-gemini-cli/issues/526>), so it is
//! drawn at random for each variable, and refused if the value holds it all the same.
//! <https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions#multiline-strings>

use crate::variable::Variable;
use action::failure::Failure;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Read as _;

/// The lines of all variables.
pub(crate) fn render(variables: &[Variable]) -> Result<String, Failure> {
    let mut text = String::new();
    for Variable { name, value, .. } in variables {
        let delimiter = random_delimiter()
            .map_err(|error| Failure::failed("cannot draw a random delimiter").cause(error))?;
        text.push_str(&lines(name, value, &delimiter)?);
    }
    Ok(text)
}

/// The lines of one variable with this delimiter.
pub(crate) fn lines(name: &str, value: &str, delimiter: &str) -> Result<String, Failure> {
    if value.contains(delimiter) || name.contains(delimiter) {
        return Err(Failure::refused(format!(
            "{name}: the value holds the delimiter of its own lines; nothing was exported"
        ))
        .hint("the delimiter is drawn at random: running again draws another"));
    }
    Ok(format!("{name}<<{delimiter}\n{value}\n{delimiter}\n"))
}

/// 128 bits that no value can foresee.
fn random_delimiter() -> std::io::Result<String> {
    let mut bytes = [0_u8; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    let mut text = "ghadelimiter_".to_owned();
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    Ok(text)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::{lines, random_delimiter};

    #[test]
    fn a_value_that_holds_its_delimiter_is_refused() {
        let refused = lines("A", "x\nEOF\nB=1", "EOF").unwrap_err();
        assert!(
            refused
                .to_string()
                .starts_with("A: the value holds the delimiter")
        );
        assert!(!refused.to_string().contains("B=1"));
        assert_eq!(lines("A", "x", "EOF").unwrap(), "A<<EOF\nx\nEOF\n");
    }

    #[test]
    fn no_two_delimiters_are_the_same() {
        assert_ne!(random_delimiter().unwrap(), random_delimiter().unwrap());
    }
}
