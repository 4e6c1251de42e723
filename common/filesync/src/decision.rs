//! What became of a release whose deployment lost its connection after the switch.

use std::fs;

use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::layout::Paths;
use crate::release::{self, is_name};

/// Where it is written down, below `.deploy`.
const FILE: &str = "decision";

/// What became of a release whose deployment lost its connection after the switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The release that was brought to run.
    pub release: String,
    /// What became of it.
    pub outcome: Outcome,
    /// In words, how that came about.
    pub why: String,
    /// Who deployed, in words.
    pub owner: String,
    /// What no other holder of the lock had.
    pub token: String,
}

/// What became of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// It is proven, and is current.
    Kept,
    /// This release is current again.
    WentBack(String),
    /// Nothing is current: there was no release to go back to.
    TakenDown,
    /// It is not proven, and could not be taken back.
    Stuck,
}

/// Writes down what became of a release, whole at once.
///
/// # Errors
/// When it cannot be written.
pub fn write(paths: &Paths, decision: &Decision) -> Result<(), StoreError> {
    release::write_whole(paths, FILE, &to_text(decision))
}

/// What became of the last release that was decided on, until that was told.
pub(crate) fn read(paths: &Paths) -> Option<Decision> {
    let text = fs::read_to_string(paths.below(".deploy").join(FILE)).ok()?;
    from_text(&text)
}

/// It was told.
///
/// # Errors
/// When it cannot be removed.
pub fn forget(paths: &Paths) -> Result<(), StoreError> {
    release::remove_any(paths, &format!(".deploy/{FILE}"))
}

/// Five lines for people, which [`from_text`] reads.
fn to_text(decision: &Decision) -> String {
    let Decision {
        release,
        outcome,
        why,
        owner,
        token,
    } = decision;
    let outcome = match outcome {
        Outcome::Kept => "kept".to_owned(),
        Outcome::WentBack(before) => format!("went back to {before}"),
        Outcome::TakenDown => "taken down".to_owned(),
        Outcome::Stuck => "not taken back".to_owned(),
    };
    let lines = [release, &outcome, why, owner, token];
    let lines = lines.map(|line| line.replace(['\n', '\r'], " "));
    lines.join("\n") + "\n"
}

fn from_text(text: &str) -> Option<Decision> {
    let [release, outcome, why, owner, token] = text.lines().collect::<Vec<_>>().try_into().ok()?;
    let outcome = match outcome {
        "kept" => Outcome::Kept,
        "taken down" => Outcome::TakenDown,
        "not taken back" => Outcome::Stuck,
        other => {
            let before = other.strip_prefix("went back to ")?;
            Outcome::WentBack(is_name(before).then(|| before.to_owned())?)
        }
    };
    Some(Decision {
        release: is_name(release).then(|| release.to_owned())?,
        outcome,
        why: why.to_owned(),
        owner: owner.to_owned(),
        token: token.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::{Decision, Outcome, from_text, to_text};

    #[test]
    fn a_decision_is_read_as_it_was_written() {
        let release = "20261123094308-0123456".to_owned();
        for outcome in [
            Outcome::Kept,
            Outcome::WentBack("20261123094307-0123456".to_owned()),
            Outcome::TakenDown,
            Outcome::Stuck,
        ] {
            let decision = Decision {
                release: release.clone(),
                outcome,
                why: "it answers 500".to_owned(),
                owner: "build web:1".to_owned(),
                token: "a7".to_owned(),
            };
            assert_eq!(from_text(&to_text(&decision)), Some(decision.clone()));
            let broken = Decision {
                why: "two\nlines".to_owned(),
                ..decision
            };
            let read = from_text(&to_text(&broken));
            assert_eq!(read.map(|it| it.why), Some("two lines".to_owned()));
        }
        for text in ["", "kept\n", "x\nkept\n\n\n\n"] {
            assert_eq!(from_text(text), None, "{text:?}");
        }
    }
}
