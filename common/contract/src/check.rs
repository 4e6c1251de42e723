//! The whole contract: template, configuration files, pipeline and buildspecs, each by itself and
//! against each other.
//!
//! `package-template check` and `run-pipeline check` are this function over different archives: one
//! knows every name in it, the other a folder in which it can look.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::checks::template;
use crate::finding::{Finding, did_you_mean};
use crate::model::buildspec::Buildspec;
use crate::model::evaluate::is_unknown;
use crate::model::local;
use crate::model::parameters::{self, Configuration};
use crate::model::pipeline::Pipeline;
use crate::model::template::Template;
use crate::model::variables::{EXECUTION_KEY, EXECUTION_NAMESPACE, PIPELINE_NAMESPACE};
use crate::rule::Severity;
use crate::rules::yaml_alias;
use crate::rules::{file_not_in_artifact, local_path, wrong_key};

mod around;
mod artifact_files;
mod artifact_settings;
mod build;
mod builds;
mod definition;
mod deployments;
mod inline;
mod report;
mod run;
mod sources;
mod subject;

use around::Around;
use run::Run;

pub use definition::{Read, read_definition};
pub use report::{Ignored, Report};
pub use subject::{Archive, Definition, File, LocalFiles, LocalPaths, Subject, Written};

/// Checks everything.
#[must_use]
pub fn check(subject: &Subject<'_>) -> Report {
    let mut run = Run::new(subject);
    for name in &subject.templates {
        run.template(name);
    }
    if let Some(first) = subject.templates.first() {
        for name in &subject.configurations {
            run.own_configuration(name, first);
        }
    }
    if let Some(definition) = &subject.pipeline {
        run.definition(definition);
    }
    run.report.place_inline(&run.inline);
    let read = run.templates.iter().filter(|(_, read)| read.is_some());
    run.report.templates = read.map(|(name, _)| name.clone()).collect();
    run.report.sort();
    run.report
}

/// What is wrong in a buildspec by itself.
#[must_use]
pub fn buildspec(file: &str, bytes: &[u8]) -> Report {
    let read = Buildspec::read(file, bytes);
    let mut report = Report {
        findings: read.faults,
        ..Report::default()
    };
    if let Some(spec) = read.spec {
        report.findings.extend(spec.warnings.iter().cloned());
        report
            .findings
            .extend(crate::checks::buildspec::check(&spec));
    }
    let text = String::from_utf8_lossy(bytes).into_owned();
    report.texts.insert(file.to_owned(), text);
    report.sort();
    report
}

/// The paths in the archive that a pipeline names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Named {
    /// Every `TemplatePath`, each once.
    pub templates: Vec<String>,
    /// Every `TemplateConfiguration`, each once.
    pub configurations: Vec<String>,
}

/// Which paths of the archive the pipeline's CloudFormation actions name; none when the pipeline cannot be
/// read, which the check then says.
#[must_use]
pub fn named(definition: &Definition<'_>, written: Option<Written>) -> Named {
    let subject = Subject {
        archive: Archive {
            names: None,
            read: &|_| None,
        },
        templates: Vec::new(),
        configurations: Vec::new(),
        pipeline: None,
        written,
        buildspecs: Vec::new(),
        local_paths: LocalPaths::Packaged,
        local_files: &|_, _| None,
        aliases_written_out: true,
    };
    let mut run = Run::new(&subject);
    let mut named = Named::default();
    let pipelines = run.pipelines(definition);
    for around in &pipelines {
        let artifact = run.source_artifact(around).unwrap_or_default();
        named.add(&around.pipeline, &artifact);
    }
    named
}

impl Named {
    fn add(&mut self, pipeline: &Pipeline, artifact: &str) {
        for action in pipeline.actions() {
            for (field, paths) in [
                ("TemplatePath", &mut self.templates),
                ("TemplateConfiguration", &mut self.configurations),
            ] {
                let path = action
                    .setting(field)
                    .filter(|text| !is_unknown(text))
                    .and_then(|text| text.split_once("::"))
                    .filter(|(of, _)| *of == artifact)
                    .map(|(_, path)| path.to_owned());
                paths.extend(path.filter(|path| !paths.contains(path)));
            }
        }
    }
}

impl Run<'_> {
    /// The template of that name, checked by itself when it is first met.
    fn template(&mut self, name: &str) -> Option<Rc<Template>> {
        if let Some(known) = self.templates.get(name) {
            return known.clone();
        }
        let template = self.read(name).and_then(|file| {
            let read = Template::read(&file.shown, &file.bytes);
            self.find_all(read.faults);
            let template = read.template?;
            self.find_all(template::check(&template, file.bytes.len()));
            if !self.subject.aliases_written_out {
                self.find_all(yaml_alias::check(&template));
            }
            self.find_all(local_paths(&template, self.subject.local_paths));
            Some(Rc::new(template))
        });
        self.templates.insert(name.to_owned(), template.clone());
        template
    }

    /// The parameters that a configuration file gives to a template, or nothing when it cannot be read.
    fn configuration(&mut self, name: &str, template: &Template) -> Option<Vec<String>> {
        let key = (name.to_owned(), template.file.clone());
        if let Some(known) = self.configurations.get(&key) {
            return Some(known.clone());
        }
        let file = self.read(name)?;
        let Configuration {
            parameters,
            findings,
        } = parameters::configuration(&file.shown, &file.bytes, template);
        self.find_all(findings);
        self.configurations.insert(key, parameters.clone());
        Some(parameters)
    }

    /// A configuration file that the user named.
    fn own_configuration(&mut self, name: &str, template: &str) {
        let Some(template) = self.template(template) else {
            return;
        };
        if self.has(name) == Some(false) {
            let names = self.subject.archive.names.iter().flatten();
            let hint = did_you_mean(name, names.map(String::as_str));
            self.find(
                Finding::new(
                    &file_not_in_artifact::RULE,
                    name,
                    None,
                    "no such file in the archive",
                )
                .hint("--config takes the name inside the archive")
                .maybe_hint(hint),
            );
        } else {
            self.configuration(name, &template);
        }
    }

    fn definition(&mut self, definition: &Definition<'_>) {
        self.keep(&definition.file);
        let mut pipelines = self.pipelines(definition);
        // The archive is written for those that read it, when any does.
        let reads: Vec<bool> = pipelines
            .iter()
            .map(|one| self.reads_archive(one))
            .collect();
        if reads.contains(&true) {
            let mut reads = reads.into_iter();
            pipelines.retain(|_| reads.next() == Some(true));
        }
        for (at, mut around) in pipelines.into_iter().enumerate() {
            let before = self.report.findings.len();
            self.pipeline(&mut around);
            // What a loop makes several times has its fault once.
            if at > 0 {
                let new = self.report.findings.split_off(before);
                let is_known = |one: &Finding| {
                    let mut known = self.report.findings.iter();
                    known.any(|other| {
                        (other.rule, &other.file, other.place) == (one.rule, &one.file, one.place)
                    })
                };
                let new: Vec<Finding> = new.into_iter().filter(|one| !is_known(one)).collect();
                self.find_all(new);
            }
        }
    }

    fn reads_archive(&mut self, around: &Around) -> bool {
        let before = self.report.findings.len();
        self.source_artifact(around);
        let found = self.report.findings.split_off(before);
        found.iter().all(|one| one.rule != &wrong_key::RULE)
    }

    fn pipeline(&mut self, around: &mut Around) {
        around.artifact = self.source_artifact(around);
        let mut keys = self.source_keys(around);
        let mut never_set = Vec::new();
        for action in around.pipeline.actions() {
            match action.provider.as_str() {
                "CodeBuild" => {
                    self.artifact_settings(around, action);
                    self.build(around, action, &mut keys, &mut never_set);
                }
                "CloudFormation" => self.deployment(around, action, &mut keys),
                // Only the variables that it lists leave it (CodePipeline user guide, "Commands action
                // reference").
                "Commands" if !around.pipeline.open => {
                    let namespace = action.namespace.iter().map(|text| text.text.clone());
                    keys.extend(namespace.map(|name| (name, action.variables.clone())));
                }
                _ => self.artifact_settings(around, action),
            }
        }
        let builds = std::mem::take(&mut self.builds);
        let setter = |namespace: &str, name: &str| builds.get(namespace)?.sets(name);
        let found = crate::checks::pipeline::check_with(&around.pipeline, &keys, &setter);
        self.find_all(found);
        self.report
            .variables
            .extend(variables(&around.pipeline, keys));
        self.never_set(around, never_set);
    }
}

/// What the references of a pipeline may name.
fn variables(
    pipeline: &Pipeline,
    mut known: BTreeMap<String, Vec<String>>,
) -> BTreeMap<String, Vec<String>> {
    for action in pipeline.actions() {
        let namespace = action.namespace.iter().map(|text| text.text.clone());
        for name in namespace.filter(|name| !is_unknown(name)) {
            known.entry(name).or_default();
        }
    }
    let execution = vec![EXECUTION_KEY.to_owned()];
    known.insert(EXECUTION_NAMESPACE.to_owned(), execution);
    let declared = pipeline.variables.iter().map(|(name, _)| name.clone());
    let declared: Vec<String> = declared.collect();
    if !declared.is_empty() {
        known.insert(PIPELINE_NAMESPACE.to_owned(), declared);
    }
    known
}

/// A finding for each local path of a template that is not uploaded.
fn local_paths(template: &Template, become_of: LocalPaths) -> Vec<Finding> {
    let finding = |one: &local::Local<'_>| {
        let (what, path) = (one.what(), one.path);
        let place = Some(one.node.place);
        let find = |message| Finding::new(&local_path::RULE, &template.file, place, message);
        match become_of {
            LocalPaths::Packaged => None,
            LocalPaths::Packable => {
                let message = format!(
                    "{what} is the local path {path:?}, which package-template replaces once it has a bucket"
                );
                Some(find(message).lowered(Severity::Note))
            }
            LocalPaths::Kept => Some(find(format!(
                "{what} is the local path {path:?}, which CloudFormation cannot read"
            ))),
        }
    };
    local::find(&template.root)
        .iter()
        .filter_map(finding)
        .collect()
}
