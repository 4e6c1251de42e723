//! `NAME=VALUE` settings.

use action::settings::faults::Faults;
use action::settings::value::Lines;

/// A line without `=` is not repeated: it may be the second line of a secret.
pub(super) fn pairs(field: &str, lines: &Lines, faults: &mut Faults) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    for (index, line) in lines.0.iter().enumerate() {
        match line.split_once('=') {
            // Nothing but `=` behind a first one ends what base64 wrote.
            Some((name, value))
                if !name.is_empty() && (value.is_empty() || !value.bytes().all(|b| b == b'=')) =>
            {
                pairs.push((name.to_owned(), value.to_owned()));
            }
            _ => faults.of(
                field,
                format!("number {} of them has no name and `=`", index + 1),
            ),
        }
    }
    pairs
}
