//! A check that is going on: what it has read, and what it has found.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::build::Build;
use super::inline::Inline;
use super::report::Report;
use super::subject::{File, Subject};
use crate::finding::Finding;
use crate::model::template::Template;

/// A check that is going on.
pub(super) struct Run<'a> {
    pub(super) subject: &'a Subject<'a>,
    pub(super) report: Report,
    /// Templates by their name in the archive; nothing for one that cannot be read.
    pub(super) templates: BTreeMap<String, Option<Rc<Template>>>,
    /// The parameters of configuration files by their names and their template's.
    pub(super) configurations: BTreeMap<(String, String), Vec<String>>,
    /// Buildspecs that are written inside a template, by the name that their findings have.
    pub(super) inline: BTreeMap<String, Inline>,
    /// What runs behind a namespace.
    pub(super) builds: BTreeMap<String, Build>,
}

impl<'a> Run<'a> {
    pub(super) fn new(subject: &'a Subject<'a>) -> Self {
        Self {
            subject,
            report: Report::default(),
            templates: BTreeMap::new(),
            configurations: BTreeMap::new(),
            inline: BTreeMap::new(),
            builds: BTreeMap::new(),
        }
    }
}

impl Run<'_> {
    pub(super) fn find(&mut self, finding: Finding) {
        self.report.findings.push(finding);
    }

    pub(super) fn find_all(&mut self, findings: impl IntoIterator<Item = Finding>) {
        self.report.findings.extend(findings);
    }

    /// Reads a file of the archive and keeps its text for the report.
    pub(super) fn read(&mut self, name: &str) -> Option<File> {
        let file = (self.subject.archive.read)(name)?;
        self.keep(&file);
        Some(file)
    }

    pub(super) fn keep(&mut self, file: &File) {
        let text = String::from_utf8_lossy(&file.bytes).into_owned();
        self.report.texts.insert(file.shown.clone(), text);
    }

    /// Whether a name is in the archive; nothing when that is not known.
    pub(super) fn has(&self, name: &str) -> Option<bool> {
        let names = self.subject.archive.names.as_ref()?;
        Some(names.iter().any(|one| one == name))
    }
}
