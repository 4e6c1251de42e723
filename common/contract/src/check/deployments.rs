//! CloudFormation actions: the files that each names, the values that it gives, what it acknowledges.

use std::collections::BTreeMap;

use crate::model::parameters;
use crate::model::pipeline::Action;
use crate::model::transform::is_transformed;
use crate::rules::{no_role, replace_on_failure};

use super::around::Around;
use super::run::Run;

mod capabilities;
mod overrides;

/// What an action gives to a template's parameters.
#[derive(Default)]
struct Given {
    names: Vec<String>,
    /// Whether every source of values could be read.
    whole: bool,
}

impl Run<'_> {
    pub(super) fn deployment(
        &mut self,
        around: &Around,
        action: &Action,
        keys: &mut BTreeMap<String, Vec<String>>,
    ) {
        let file = &around.pipeline.file;
        let mode = action.setting("ActionMode").unwrap_or_default();
        self.find_all(replace_on_failure::check(file, action));
        self.find_all(no_role::check(file, action));
        if matches!(mode, "CHANGE_SET_EXECUTE" | "DELETE_ONLY") {
            return;
        }
        let Some(text) = action.text("TemplatePath") else {
            return;
        };
        let Some(name) = self.artifact_file(around, action, "TemplatePath", text) else {
            // The configuration file is looked for even so.
            if let Some(text) = action.text("TemplateConfiguration") {
                self.artifact_file(around, action, "TemplateConfiguration", text);
            }
            return;
        };
        let Some(template) = self.template(&name) else {
            return;
        };
        let mut given = Given {
            whole: true,
            ..Given::default()
        };
        if let Some(text) = action.text("TemplateConfiguration") {
            let found = self
                .artifact_file(around, action, "TemplateConfiguration", text)
                .and_then(|name| self.configuration(&name, &template));
            match found {
                Some(names) => given.names.extend(names),
                None => given.whole = false,
            }
        }
        self.overrides(around, action, &template, &mut given);
        if given.whole {
            let place = Some(text.place);
            self.find_all(parameters::missing(file, place, &given.names, &template));
            let unfit = parameters::unfit_defaults(file, place, &given.names, &template);
            self.find_all(unfit);
        }
        self.capabilities(around, action, mode, &template);
        if let Some(namespace) = &action.namespace
            && mode != "CHANGE_SET_REPLACE"
            && !is_transformed(&template)
        {
            let names = template.outputs.iter().map(|(name, _)| name.clone());
            keys.insert(namespace.text.clone(), names.collect());
        }
    }
}
