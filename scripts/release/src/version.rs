//! Versions of releases, `1.4.0` or `1.4.0-rc.1`, and their order.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// A version as `Cargo.toml` has it, without build metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    numbers: [u64; 3],
    /// What follows the hyphen; empty for a release proper.
    pre: Vec<Part>,
}

/// A part of what follows the hyphen; numbers come before words (<https://semver.org/#spec-item-11>).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Number(u64),
    Word(String),
}

impl FromStr for Version {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not a version such as 1.4.0 or 1.4.0-rc.1");
        let (numbers, pre) = match text.split_once('-') {
            Some((_, "")) => return Err(wrong()),
            Some((numbers, pre)) => (numbers, pre.split('.').map(part).collect::<Option<_>>()),
            None => (text, Some(Vec::new())),
        };
        let numbers: Option<Vec<u64>> = numbers.split('.').map(number).collect();
        match (numbers.map(<[u64; 3]>::try_from), pre) {
            (Some(Ok(numbers)), Some(pre)) => Ok(Self { numbers, pre }),
            _ => Err(wrong()),
        }
    }
}

fn number(text: &str) -> Option<u64> {
    let canonical = text == "0" || !text.starts_with(['0', '+']);
    text.parse().ok().filter(|_| canonical)
}

fn part(text: &str) -> Option<Part> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '-';
    match number(text) {
        Some(number) => Some(Part::Number(number)),
        None if !text.is_empty() && text.chars().all(word) => Some(Part::Word(text.to_owned())),
        None => None,
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.numbers;
        write!(f, "{major}.{minor}.{patch}")?;
        for (index, part) in self.pre.iter().enumerate() {
            f.write_str(if index == 0 { "-" } else { "." })?;
            match part {
                Part::Number(number) => write!(f, "{number}")?,
                Part::Word(word) => f.write_str(word)?,
            }
        }
        Ok(())
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        // A version with a hyphen comes before the one without.
        self.numbers
            .cmp(&other.numbers)
            .then_with(|| self.pre.is_empty().cmp(&other.pre.is_empty()))
            .then_with(|| self.pre.cmp(&other.pre))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::Version;

    #[test]
    fn versions_are_ordered_as_semver_says_and_said_as_they_were_read() {
        let rising = [
            "0.9.0",
            "0.10.0",
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0",
        ];
        for pair in rising.windows(2) {
            let (low, high): (Version, Version) =
                (pair[0].parse().unwrap(), pair[1].parse().unwrap());
            assert!(low < high, "{pair:?}");
            assert_eq!(low.to_string(), pair[0]);
        }
        for wrong in [
            "",
            "1",
            "1.2",
            "1.2.3.4",
            "1.2.x",
            "v1.2.3",
            "01.2.3",
            "1.2.3-",
            "1.2.3-a..b",
            "1.2.3/x",
            "1.+2.3",
        ] {
            assert!(wrong.parse::<Version>().is_err(), "{wrong}");
        }
    }
}
