//! What a check found.

use std::collections::BTreeMap;

use crate::finding::Finding;
use crate::model::yaml::place_of_offset;
use crate::rule::Severity;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The findings, by file and place.
    pub findings: Vec<Finding>,
    /// What an ignore silences: see [`crate::policy`].
    pub ignored: Vec<Ignored>,
    /// The text of each file that was looked at.
    pub texts: BTreeMap<String, String>,
    /// What could not be looked into, in words.
    pub unread: Vec<String>,
    /// The names in the archive of the templates that were read.
    pub templates: Vec<String>,
    /// What `#{namespace.KEY}` may name: the namespaces of the pipeline's actions, and the variables of those that are
    /// known.
    pub variables: BTreeMap<String, Vec<String>>,
}

/// A finding that somebody chose to ignore.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ignored {
    /// What is ignored.
    pub finding: Finding,
    /// Why.
    pub reason: String,
}

impl Report {
    /// The line and column after a finding's last character, both from 1. Where only the beginning is known
    /// it is the end of that line.
    pub(crate) fn end_of(&self, finding: &Finding) -> Option<(usize, usize)> {
        let place = finding.place?;
        let text = self.texts.get(&finding.file)?;
        if place.end > place.start {
            let end = place_of_offset(text, place.end.min(text.len()));
            return Some((end.line, end.column));
        }
        let line = text.lines().nth(place.line.checked_sub(1)?)?;
        Some((place.line, line.chars().count().max(place.column) + 1))
    }

    /// How many findings are that bad.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.findings
            .iter()
            .filter(|one| one.severity == severity)
            .count()
    }

    /// What several checks found.
    #[must_use]
    pub fn merged(reports: impl IntoIterator<Item = Self>) -> Self {
        let mut all = Self::default();
        for report in reports {
            all.extend(report);
        }
        all.sort();
        all
    }

    /// Adds what another check found.
    pub fn merge(&mut self, other: Self) {
        self.extend(other);
        self.sort();
    }

    fn extend(&mut self, other: Self) {
        self.findings.extend(other.findings);
        self.ignored.extend(other.ignored);
        self.texts.extend(other.texts);
        self.unread.extend(other.unread);
        self.variables.extend(other.variables);
    }

    /// Sorts the findings by file and place, each once.
    pub fn sort(&mut self) {
        let key = |one: &Finding| {
            let place = one.place.unwrap_or_default();
            (
                one.file.clone(),
                place.line,
                place.column,
                one.rule.code,
                one.message.clone(),
            )
        };
        self.findings.sort_by_key(key);
        self.findings.dedup();
        self.unread.sort();
        self.unread.dedup();
    }
}
