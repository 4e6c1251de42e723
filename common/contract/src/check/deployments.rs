//! CloudFormation actions: the files that each names, the values that it gives, what it acknowledges.

use std::collections::BTreeMap;

use crate::evaluate::is_unknown;
use crate::finding::Finding;
use crate::parameters;
use crate::pipeline::Action;
use crate::rule;
use crate::template_checks::is_transformed;

use super::{Around, Run};

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
        let mode = action.setting("ActionMode").unwrap_or_default();
        self.mode(around, action, mode);
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
            let file = &around.pipeline.file;
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

    fn mode(&mut self, around: &Around, action: &Action, mode: &str) {
        let file = &around.pipeline.file;
        if mode == "REPLACE_ON_FAILURE" {
            let stack = action.setting("StackName").unwrap_or_default();
            let is_spared = [action.name.as_str(), stack].into_iter().any(is_for_tests);
            if !is_spared && !is_unknown(stack) {
                let place = action.place_of("ActionMode");
                let message = format!("{} deletes the stack when it failed", action.name);
                self.find(Finding::new(
                    &rule::REPLACE_ON_FAILURE,
                    file,
                    Some(place),
                    message,
                ));
            }
        }
        if !mode.is_empty()
            && mode != "CHANGE_SET_EXECUTE"
            && !is_unknown(mode)
            && action.setting("RoleArn").is_none()
        {
            let message = format!("{} has no RoleArn, which {mode} needs", action.name);
            self.find(Finding::new(
                &rule::NO_ROLE,
                file,
                Some(action.place_of("ActionMode")),
                message,
            ));
        }
    }
}

/// Whether a name says by one of its words that it is for tests: `app-test`, `TestStack`, not `latest`.
fn is_for_tests(name: &str) -> bool {
    let mut words = vec![String::new()];
    let mut after_lower = false;
    for c in name.chars() {
        if !c.is_ascii_alphabetic() || c.is_ascii_uppercase() && after_lower {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c.is_ascii_alphabetic()) {
            word.push(c.to_ascii_lowercase());
        }
        after_lower = c.is_ascii_lowercase();
    }
    words
        .iter()
        .any(|word| matches!(word.as_str(), "test" | "tests" | "testing"))
}

#[cfg(test)]
mod tests {
    use super::is_for_tests;

    #[test]
    fn a_name_is_for_tests_by_a_whole_word() {
        for name in [
            "test",
            "app-test",
            "test_1",
            "TestStack",
            "RunTests",
            "app-TEST-2",
        ] {
            assert!(is_for_tests(name), "{name}");
        }
        for name in ["latest", "contest-prod", "Attestation", "app", ""] {
            assert!(!is_for_tests(name), "{name}");
        }
    }
}
