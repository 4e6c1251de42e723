//! Which findings a project does not want to hear, and how bad it calls the others.
//!
//! An ignore names a rule and has a reason. It stands beside the code, as a comment
//! (`# pipeline-actions: ignore[P203] reason`), or in the project's configuration file, by file and code, for files
//! that know no comments. One that is not understood, has no reason or ignores nothing is a finding itself.

use std::collections::BTreeMap;

use globset::{GlobBuilder, GlobMatcher};

use crate::check::{Ignored, Report};
use crate::finding::{Finding, Place, did_you_mean};
use crate::model::yaml::{self, Node};
use crate::rule::Severity;
use crate::rules::{check_configuration, ignore_unused};

mod comments;
mod ignore;

use ignore::{Ignore, named, without_reason};

/// The letter of the rules about ignores, which no ignore silences.
const OWN_LETTER: char = 'I';

/// Rules that need more than the files: an archive, or a flag. A check without it finds nothing, so an ignore of
/// one may well be used elsewhere.
const BY_CALL: [&str; 7] = ["T302", "T303", "Y105", "Y106", "P306", "P307", "P308"];

/// What a project's configuration file says.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// The file as its user named it.
    file: String,
    text: Option<String>,
    severities: BTreeMap<&'static str, Severity>,
    ignores: Vec<ByFile>,
    faults: Vec<Finding>,
}

/// An ignore in the configuration file.
#[derive(Debug, Clone)]
struct ByFile {
    files: GlobMatcher,
    /// The path, when it stands for one file alone.
    path: Option<String>,
    ignore: Ignore,
}

impl Policy {
    /// Reads a configuration file. What is wrong in it becomes findings of every report that it is applied to.
    #[must_use]
    pub fn read(file: &str, bytes: &[u8]) -> Self {
        let mut policy = Self {
            file: file.to_owned(),
            text: Some(String::from_utf8_lossy(bytes).into_owned()),
            ..Self::default()
        };
        match yaml::read_bytes(file, bytes) {
            Ok(document) => {
                policy.faults.extend(document.twice);
                policy.root(&document.root);
            }
            Err(finding) => policy.faults.push(finding),
        }
        policy
    }

    /// Takes what is ignored out of a report, sets the severities, and adds what is wrong with the ignores.
    /// `exists` says whether a path of the configuration file, which is not among the files of the report, is a
    /// file at all.
    pub fn apply(&self, report: &mut Report, exists: &dyn Fn(&str) -> bool) {
        let mut ignoring = Ignoring::default();
        let texts = std::mem::take(&mut report.texts);
        for (file, text) in &texts {
            ignoring.comments.push((file, comments::read(file, text)));
        }
        let own = |one: &Finding| one.rule.code.starts_with(OWN_LETTER);
        for finding in std::mem::take(&mut report.findings) {
            let reason = if own(&finding) {
                None
            } else {
                ignoring.reason(self, &finding)
            };
            match reason {
                Some(reason) => report.ignored.push(Ignored { finding, reason }),
                None => report.findings.push(finding),
            }
        }
        let unused = ignoring.unused(self, exists);
        report.findings.extend(unused);
        for (_, read) in ignoring.comments {
            report.findings.extend(read.faults);
        }
        report.texts = texts;
        if let Some(text) = &self.text {
            report.texts.insert(self.file.clone(), text.clone());
            report.findings.extend(self.faults.iter().cloned());
        }
        for finding in &mut report.findings {
            if let Some(severity) = self.severities.get(finding.rule.code) {
                finding.severity = *severity;
            }
        }
        report.sort();
    }

    fn root(&mut self, root: &Node) {
        let Some(entries) = root.as_mapping() else {
            if !root.is_null() {
                self.fault(
                    root.place,
                    format!("the file is {}, not a mapping", root.kind()),
                );
            }
            return;
        };
        for (key, value) in entries {
            match key.as_str().unwrap_or_default() {
                "severity" => self.severity(value),
                "ignore" => match value.as_sequence() {
                    Some(items) => items.iter().for_each(|item| self.ignore(item)),
                    None => self.fault(
                        value.place,
                        format!("ignore is {}, not a list", value.kind()),
                    ),
                },
                other => self.unknown_key(key, other, &["severity", "ignore"]),
            }
        }
    }

    fn severity(&mut self, node: &Node) {
        let Some(entries) = node.as_mapping() else {
            self.fault(
                node.place,
                format!("severity is {}, not a mapping of codes", node.kind()),
            );
            return;
        };
        for (key, value) in entries {
            let rule = match named(&self.file, key.as_str().unwrap_or_default(), key.place) {
                Ok(rule) => rule,
                Err(finding) => {
                    self.faults.push(finding);
                    continue;
                }
            };
            let word = value.as_str().unwrap_or_default();
            match Severity::from_word(word) {
                Some(severity) => drop(self.severities.insert(rule.code, severity)),
                None => self.fault(
                    value.place,
                    format!("{word:?} is not a severity; use error, warning or note"),
                ),
            }
        }
    }

    fn ignore(&mut self, node: &Node) {
        let Some(entries) = node.as_mapping() else {
            self.fault(
                node.place,
                format!("an ignore is {}, not a mapping", node.kind()),
            );
            return;
        };
        for (key, _) in entries {
            let name = key.as_str().unwrap_or_default();
            if !["code", "file", "reason"].contains(&name) {
                self.unknown_key(key, name, &["code", "file", "reason"]);
            }
        }
        let codes = node.get("code");
        let codes: Vec<&Node> = match codes.and_then(Node::as_sequence) {
            Some(items) => items.iter().collect(),
            None => codes.into_iter().collect(),
        };
        let file = node.get("file").and_then(Node::as_str).unwrap_or_default();
        if codes.is_empty() || file.is_empty() {
            let message = "an ignore needs `code` and `file`";
            self.fault(node.place, message);
            return;
        }
        let mut rules = Vec::new();
        for code in codes {
            match named(&self.file, code.as_str().unwrap_or_default(), code.place) {
                Ok(rule) => rules.push((rule, code.place)),
                Err(finding) => self.faults.push(finding),
            }
        }
        let reason = node.get("reason").and_then(Node::as_str).map(str::trim);
        let Some(reason) = reason.filter(|reason| !reason.is_empty()) else {
            self.faults
                .push(without_reason(&self.file, node.place, &rules));
            return;
        };
        // Paths are relative to the file that names them.
        let path = match self.file.rsplit_once('/') {
            Some((folder, _)) => format!("{folder}/{file}"),
            None => file.to_owned(),
        };
        match GlobBuilder::new(&path).literal_separator(true).build() {
            Ok(glob) => {
                let is_path = !path.contains(['*', '?', '[', '{', '\\']);
                self.ignores.push(ByFile {
                    files: glob.compile_matcher(),
                    path: is_path.then_some(path),
                    ignore: Ignore {
                        rules,
                        reason: reason.to_owned(),
                    },
                });
            }
            Err(error) => {
                let place = node.get("file").map_or(node.place, |one| one.place);
                self.fault(place, format!("{file:?} is not a pattern: {error}"));
            }
        }
    }

    fn unknown_key(&mut self, key: &Node, name: &str, known: &[&str]) {
        let message = format!("key `{name}` is not known here");
        let finding = Finding::new(
            &check_configuration::RULE,
            &self.file,
            Some(key.place),
            message,
        );
        let hint = did_you_mean(name, known.iter().copied());
        let hint = hint.unwrap_or_else(|| format!("the keys are {}", known.join(", ")));
        self.faults.push(finding.hint(hint));
    }

    fn fault(&mut self, place: Place, message: impl Into<String>) {
        let rule = &check_configuration::RULE;
        self.faults
            .push(Finding::new(rule, &self.file, Some(place), message));
    }
}

/// The ignores of one report, and which of them were used.
#[derive(Default)]
struct Ignoring<'a> {
    comments: Vec<(&'a str, comments::Read)>,
    /// By place in the text that holds the ignore; nothing in the file is the configuration file.
    used: Vec<(Option<&'a str>, Place)>,
}

impl<'a> Ignoring<'a> {
    /// Why a finding is ignored, when it is. Every ignore that fits counts as used.
    fn reason(&mut self, policy: &Policy, finding: &Finding) -> Option<String> {
        let mut reason = None;
        let mut met = |ignore: &Ignore| {
            let named = ignore.rules.iter();
            let found = named.clone().find(|(rule, _)| *rule == finding.rule)?;
            reason.get_or_insert_with(|| ignore.reason.clone());
            Some(found.1)
        };
        for (file, read) in &self.comments {
            let fitting = read
                .comments
                .iter()
                .filter(|one| *file == finding.file && one.covers(read, finding.place));
            let used = fitting.filter_map(|one| Some((Some(*file), met(&one.ignore)?)));
            self.used.extend(used);
        }
        for one in &policy.ignores {
            if one.files.is_match(plain(&finding.file)) {
                self.used
                    .extend(met(&one.ignore).map(|place| (None, place)));
            }
        }
        reason
    }

    /// A finding for each ignore that was not used.
    fn unused(&self, policy: &Policy, exists: &dyn Fn(&str) -> bool) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut find = |key: Option<&'a str>, ignore: &Ignore, why: &str| {
            for (rule, place) in &ignore.rules {
                if self.used.contains(&(key, *place)) {
                    continue;
                }
                let file = key.unwrap_or(&policy.file);
                let message = format!("{} is not found here{why}: this ignores nothing", rule.code);
                let finding = Finding::new(&ignore_unused::RULE, file, Some(*place), message);
                findings.push(if BY_CALL.contains(&rule.code) {
                    finding.lowered(Severity::Note)
                } else {
                    finding
                });
            }
        };
        for (file, read) in &self.comments {
            for one in &read.comments {
                find(Some(*file), &one.ignore, "");
            }
        }
        for one in &policy.ignores {
            let looked_at = self
                .comments
                .iter()
                .any(|(file, _)| one.files.is_match(plain(file)));
            match &one.path {
                _ if looked_at => find(None, &one.ignore, ""),
                Some(path) if !exists(path) => {
                    find(None, &one.ignore, ", for there is no such file")
                }
                // The check of another pipeline looks at these files.
                _ => {}
            }
        }
        findings
    }
}

/// A path as patterns are written.
fn plain(file: &str) -> &str {
    file.strip_prefix("./").unwrap_or(file)
}

#[cfg(test)]
mod tests;
