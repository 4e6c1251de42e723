//! CodeBuild actions: the buildspec that each runs, and what it exports.

use std::collections::BTreeMap;

use crate::checks::buildspec::{self, Set};
use crate::finding::{Finding, Place};
use crate::model::buildspec::{Buildspec, Read};
use crate::model::evaluate::{is_resource, is_unknown};
use crate::model::pipeline::Action;
use crate::model::project::{Project, Spec};
use crate::model::variables;
use crate::rules::{key_never_set, never_set};

use super::around::Around;
use super::build::Build;
use super::inline::Inline;
use super::run::Run;

/// An exported variable that nothing sets.
pub(super) struct NeverSet {
    namespace: Option<String>,
    name: String,
    file: String,
    place: Place,
}

impl Run<'_> {
    pub(super) fn build(
        &mut self,
        around: &Around,
        action: &Action,
        keys: &mut BTreeMap<String, Vec<String>>,
        never_set: &mut Vec<NeverSet>,
    ) {
        let Some(name) = action.setting("ProjectName") else {
            return;
        };
        let project = around
            .projects
            .iter()
            .find(|one| is_resource(name, &one.id) || one.name == name);
        let referred = project.filter(|one| is_resource(name, &one.id));
        let name = referred.map_or(name, |one| one.id.as_str());
        let Some(spec) = self.spec(around, action, name, project) else {
            return;
        };
        // What could not be read may set anything.
        let whole = spec.faults.is_empty();
        self.find_all(spec.faults);
        let Some(spec) = spec.spec else { return };
        self.find_all(spec.warnings.iter().cloned());
        self.find_all(buildspec::check(&spec));
        let namespace = action.namespace.as_ref().map(|text| text.text.clone());
        if let Some(namespace) = &namespace {
            let names = spec.env.exported.iter().map(|one| one.name.clone());
            keys.insert(namespace.clone(), names.collect());
        }
        // Who knows the project knows every variable that the build begins with.
        let given = project.filter(|project| !project.open).map(|project| {
            let stores = project
                .parameter_store
                .iter()
                .chain(&project.secrets_manager);
            let own = project.variables.iter().chain(stores);
            let mut names: Vec<String> = own.map(|(name, _)| name.clone()).collect();
            names.extend(action_variables(action));
            names
        });
        let build = Build { spec, given };
        for exported in build.spec.env.exported.iter().filter(|_| whole) {
            if build.set(&exported.name) == Set::No {
                never_set.push(NeverSet {
                    namespace: namespace.clone(),
                    name: exported.name.clone(),
                    file: build.spec.file.clone(),
                    place: exported.place,
                });
            }
        }
        if let Some(namespace) = namespace {
            self.builds.insert(namespace, build);
        }
    }

    /// The action's buildspec, when it can be found.
    fn spec(
        &mut self,
        around: &Around,
        action: &Action,
        name: &str,
        project: Option<&Project>,
    ) -> Option<Read> {
        let pipeline = &around.pipeline.file;
        let (path, place) = match project {
            Some(Project {
                id,
                buildspec: Spec::Inline(text),
                buildspec_place: place,
                buildspec_lines: lines,
                ..
            }) => {
                let shown = format!("{pipeline} (BuildSpec of {id})");
                let inline = Inline {
                    file: pipeline.clone(),
                    place: *place,
                    lines: *lines,
                };
                self.inline.insert(shown.clone(), inline);
                return Some(Buildspec::read(&shown, text.as_bytes()));
            }
            Some(Project {
                buildspec: Spec::Object(path),
                ..
            }) => {
                let unread = format!("the buildspec of project {name}: it is {path}");
                self.report.unread.push(unread);
                return None;
            }
            Some(Project {
                buildspec: Spec::File(path),
                buildspec_place,
                ..
            }) => (path.clone(), *buildspec_place),
            None => {
                let given = self.subject.buildspecs.iter().find(|(one, _)| one == name);
                let Some((_, path)) = given else {
                    let unread =
                        format!("the buildspec of project {name}: no file is named for it");
                    self.report.unread.push(unread);
                    return None;
                };
                (path.clone(), action.place_of("ProjectName"))
            }
        };
        if is_unknown(&path) {
            let unread = format!("the buildspec of project {name}: {path} has no value here");
            self.report.unread.push(unread);
            return None;
        }
        let primary = action
            .setting("PrimarySource")
            .or_else(|| action.inputs.first().map(|text| text.text.as_str()));
        if primary.is_none() || primary != around.artifact.as_deref() {
            self.report.unread.push(format!(
                "{path} of project {name}: it is in another artifact"
            ));
            return None;
        }
        let what = format!("the buildspec {path} of {name}");
        self.in_archive(around, &path, place, &what)?;
        let file = self.read(&path)?;
        Some(Buildspec::read(&file.shown, &file.bytes))
    }

    /// What is exported and never set: an error where an action uses it, otherwise a warning.
    pub(super) fn never_set(&mut self, around: &Around, never_set: Vec<NeverSet>) {
        let file = &around.pipeline.file;
        for one in never_set {
            let mut used = false;
            for action in around.pipeline.actions() {
                for (field, value) in &action.configuration {
                    let found = variables::references(&value.text).unwrap_or_default();
                    let uses = found.iter().any(|reference| {
                        Some(&reference.namespace) == one.namespace.as_ref()
                            && reference.key == one.name
                    });
                    if uses && field != "Commands" {
                        used = true;
                        let message = format!(
                            "{}: {} exports {} and nothing in it sets it",
                            action.name, one.file, one.name
                        );
                        self.find(Finding::new(
                            &key_never_set::RULE,
                            file,
                            Some(value.place),
                            message,
                        ));
                    }
                }
            }
            if !used {
                let message = format!("{} is exported and nothing here sets it", one.name);
                self.find(Finding::new(
                    &never_set::RULE,
                    &one.file,
                    Some(one.place),
                    message,
                ));
            }
        }
    }
}

/// The names in an action's `EnvironmentVariables`.
fn action_variables(action: &Action) -> Vec<String> {
    let listed = action
        .setting("EnvironmentVariables")
        .and_then(|text| serde_json::from_str::<Vec<serde_json::Value>>(text).ok());
    listed
        .unwrap_or_default()
        .iter()
        .filter_map(|one| Some(one.get("name")?.as_str()?.to_owned()))
        .collect()
}
