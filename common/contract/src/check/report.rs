//! What a check found.

use std::collections::BTreeMap;

use crate::finding::Finding;
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
