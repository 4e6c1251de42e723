//! What is wrong in a file, where, and what to do about it.

use std::fmt;

use crate::rule::{Rule, Severity};

/// Where something stands in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    /// Offset of the first byte.
    pub start: usize,
    /// Offset after the last byte.
    pub end: usize,
    /// Line of the first byte, counted from 1.
    pub line: usize,
    /// Column of the first byte, in characters, counted from 1.
    pub column: usize,
}

/// A change that mends a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Repair {
    /// `to` stands in place of each `from` in the value at that place.
    Replace {
        /// The value.
        place: Place,
        /// What stands there.
        from: String,
        /// What is right.
        to: String,
    },
    /// `PollForSourceChanges: 'false'` stands in the configuration that has a value at that place.
    StopPolling {
        /// The value of any setting of the action.
        beside: Place,
    },
    /// A buildspec exports a variable that it sets.
    Export {
        /// The buildspec.
        file: String,
        /// The variable.
        name: String,
    },
    /// Aliases and merge keys are written out.
    ExpandAliases,
}

impl Repair {
    /// The file that it changes, for a finding.
    #[must_use]
    pub fn file<'a>(&'a self, finding: &'a Finding) -> &'a str {
        match self {
            Self::Export { file, .. } => file,
            _ => &finding.file,
        }
    }

    /// What it does, in words.
    #[must_use]
    pub fn deed(&self) -> String {
        match self {
            Self::Replace { from, to, .. } => format!("{to}… in place of {from}…"),
            Self::StopPolling { .. } => "PollForSourceChanges: 'false'".to_owned(),
            Self::Export { name, .. } => format!("{name} is exported"),
            Self::ExpandAliases => "aliases and merge keys are written out".to_owned(),
        }
    }
}

/// One thing that is wrong, printed as `file:line:column: message` with the hint on its own line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule that is broken.
    pub rule: &'static Rule,
    /// How bad it is: what the rule says, or less.
    pub severity: Severity,
    /// The file as its user named it.
    pub file: String,
    /// Where in the file, when the finding has a place.
    pub place: Option<Place>,
    /// What is wrong: lower case, no full stop.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The change that mends it, where there is one right answer.
    pub repair: Option<Repair>,
}

impl Finding {
    /// A broken rule.
    #[must_use]
    pub fn new(
        rule: &'static Rule,
        file: &str,
        place: Option<Place>,
        message: impl Into<String>,
    ) -> Self {
        Self {
            rule,
            severity: rule.severity,
            file: file.to_owned(),
            place,
            message: message.into(),
            hint: None,
            repair: None,
        }
    }

    /// The same finding with the change that mends it.
    #[must_use]
    pub fn repair(mut self, repair: Option<Repair>) -> Self {
        self.repair = repair;
        self
    }

    /// What to do: the finding's own hint, else what its rule says.
    #[must_use]
    pub fn fix(&self) -> &str {
        self.hint.as_deref().unwrap_or(self.rule.fix)
    }

    /// The same finding where it is less bad than its rule says.
    #[must_use]
    pub fn lowered(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// The finding in one or two lines, with its code: what a program's message quotes.
    #[must_use]
    pub fn coded(&self) -> String {
        let shown = self.to_string();
        let (first, rest) = shown.split_once('\n').unwrap_or((&shown, ""));
        let hint = if self.hint.is_some() {
            rest.to_owned()
        } else {
            format!("  hint: {}", self.rule.fix)
        };
        format!("{first} [{}]\n{hint}", self.rule.code)
    }

    /// The same finding with something that can be acted on.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same finding with a hint, when there is one.
    #[must_use]
    pub fn maybe_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint.or(self.hint);
        self
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(place) = self.place {
            write!(f, ":{}:{}", place.line, place.column)?;
        }
        write!(f, ": {}", self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Finding {}

/// The nearest of some names, as a hint, or nothing when none is near.
///
/// "Near" is a Damerau-Levenshtein distance of at most a third of the word, or only a
/// difference in letter case.
#[must_use]
pub fn did_you_mean<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    let (_, best) = near(word, candidates).into_iter().next()?;
    Some(format!("did you mean {best}?"))
}

/// The nearest of some names when no other is as near.
#[must_use]
pub fn only_near<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    match near(word, candidates).as_slice() {
        [(_, best)] => Some(best),
        [(first, best), (second, _), ..] if first < second => Some(best),
        _ => None,
    }
}

/// The names that are near, each once, the nearest first.
fn near<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<(usize, &'a str)> {
    let folded = word.to_lowercase();
    let limit = (word.chars().count() / 3).max(1);
    let mut all: Vec<(usize, &str)> = candidates
        .into_iter()
        .map(|candidate| {
            let distance = strsim::damerau_levenshtein(&folded, &candidate.to_lowercase());
            (distance, candidate)
        })
        .filter(|(distance, _)| *distance <= limit)
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_offered_and_a_far_one_is_not() {
        let names = ["AMIcreation", "Build"];
        assert_eq!(
            did_you_mean("AMIcreaton", names).as_deref(),
            Some("did you mean AMIcreation?")
        );
        assert_eq!(
            did_you_mean("amiCREATION", names).as_deref(),
            Some("did you mean AMIcreation?")
        );
        assert_eq!(did_you_mean("Deploy", names), None);
        assert_eq!(did_you_mean("x", []), None);
    }

    #[test]
    fn a_finding_reads_like_a_compiler_message() {
        let place = Place {
            start: 4,
            end: 5,
            line: 2,
            column: 3,
        };
        let finding = Finding::new(
            &crate::rules::syntax::RULE,
            "a.yml",
            Some(place),
            "key `x` is not known",
        )
        .hint("did you mean y?");
        assert_eq!(
            finding.to_string(),
            "a.yml:2:3: key `x` is not known\n  hint: did you mean y?"
        );
    }
}
