//! CloudFormation actions: the files that each names, the values that it gives, what it acknowledges.

use std::collections::{BTreeMap, BTreeSet};

use crate::capabilities::{self, Need};
use crate::evaluate::is_unknown;
use crate::finding::{Finding, Place, did_you_mean};
use crate::local::{self, Form};
use crate::parameters;
use crate::pipeline::{Action, Text};
use crate::rule;
use crate::template::Template;
use crate::template_checks::{image_ids, is_transformed, refers_to};
use crate::variables;

use super::{Around, Run};

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

    /// The name in the archive behind `Artifact::path`, when it is there.
    fn artifact_file(
        &mut self,
        around: &Around,
        action: &Action,
        field: &str,
        text: &Text,
    ) -> Option<String> {
        let file = &around.pipeline.file;
        if is_unknown(&text.text) {
            return None;
        }
        let Some((artifact, path)) = text.text.split_once("::") else {
            let message = format!(
                "{}: {field} {:?} is not `Artifact::path`",
                action.name, text.text
            );
            self.find(Finding::new(
                &rule::ARTIFACT_NOT_INPUT,
                file,
                Some(text.place),
                message,
            ));
            return None;
        };
        if !self.is_input(around, action, artifact, text.place) {
            return None;
        }
        if Some(artifact) != around.artifact.as_deref() {
            self.report.unread.push(format!(
                "{path} of {}: it is in the artifact {artifact}",
                action.name
            ));
            return None;
        }
        let what = format!("{}: {field} {path}", action.name);
        self.in_archive(around, path, text.place, &what)?;
        Some(path.to_owned())
    }

    fn is_input(&mut self, around: &Around, action: &Action, artifact: &str, place: Place) -> bool {
        let mut inputs = action.inputs.iter();
        if inputs.any(|input| input.text == artifact || is_unknown(&input.text)) {
            return true;
        }
        // What the action takes may depend on what is not known.
        if around.pipeline.open && action.inputs.is_empty() {
            return false;
        }
        let known = action.inputs.iter().map(|input| input.text.as_str());
        let message = format!("{}: {artifact} is not an input artifact", action.name);
        self.find(
            Finding::new(
                &rule::ARTIFACT_NOT_INPUT,
                &around.pipeline.file,
                Some(place),
                message,
            )
            .maybe_hint(did_you_mean(artifact, known)),
        );
        false
    }

    /// Whether a path is in the archive; a finding says what is there instead.
    pub(super) fn in_archive(
        &mut self,
        around: &Around,
        path: &str,
        place: Place,
        what: &str,
    ) -> Option<()> {
        match self.has(path) {
            Some(true) if (self.subject.archive.read)(path).is_some() => return Some(()),
            Some(true) => {
                let artifact = around.artifact.as_deref().unwrap_or_default();
                let message = format!("{what} is no plain file in artifact {artifact}");
                let file = &around.pipeline.file;
                self.find(
                    Finding::new(&rule::FILE_NOT_IN_ARTIFACT, file, Some(place), message).hint(
                        "a symbolic link stays a link in the archive: name the file that it leads to",
                    ),
                );
                return None;
            }
            None if (self.subject.archive.read)(path).is_some() => return Some(()),
            None => {
                self.report.unread.push(format!(
                    "{what}: it is not in the folder, and what the archive holds is not known"
                ));
                return None;
            }
            Some(false) => {}
        }
        let artifact = around.artifact.as_deref().unwrap_or_default();
        let names = self.subject.archive.names.clone().unwrap_or_default();
        let base = path.rsplit('/').next().unwrap_or(path);
        let elsewhere = names
            .iter()
            .find(|name| name.rsplit('/').next() == Some(base));
        let hint = match elsewhere {
            Some(name) => Some(format!(
                "the archive has {name}: write {artifact}::{name}, or package it under the name {path} (FILE={path})"
            )),
            None => did_you_mean(path, names.iter().map(String::as_str)).or_else(|| {
                let some: Vec<_> = names.iter().take(5).map(String::as_str).collect();
                let more = if names.len() > some.len() {
                    ", …"
                } else {
                    ""
                };
                Some(format!("the archive has {}{more}", some.join(", ")))
            }),
        };
        let message = format!("{what} does not exist in artifact {artifact}");
        let file = &around.pipeline.file;
        self.find(
            Finding::new(&rule::FILE_NOT_IN_ARTIFACT, file, Some(place), message).maybe_hint(hint),
        );
        None
    }

    fn overrides(
        &mut self,
        around: &Around,
        action: &Action,
        template: &Template,
        given: &mut Given,
    ) {
        let Some(text) = action.text("ParameterOverrides") else {
            return;
        };
        let file = around.pipeline.file.clone();
        let parsed = serde_json::from_str(&text.text);
        let map = match parsed {
            Ok(serde_json::Value::Object(map)) => map,
            Ok(_) | Err(_) if is_unknown(&text.text) => {
                given.whole = false;
                return;
            }
            faulty => {
                let what = match faulty {
                    Ok(other) => format!("{other}, not an object"),
                    Err(error) => format!("not JSON: {error}"),
                };
                let message = format!("{}: ParameterOverrides is {what}", action.name);
                self.find(Finding::new(
                    &rule::OVERRIDES_NOT_JSON,
                    &file,
                    Some(text.place),
                    message,
                ));
                given.whole = false;
                return;
            }
        };
        for (name, value) in map {
            if is_unknown(&name) {
                given.whole = false;
                continue;
            }
            let place = (text.place, text.place);
            let plain = value.as_str().unwrap_or("#{function}");
            let findings = parameters::given(&file, place, &name, plain, template);
            self.find_all(findings);
            if let serde_json::Value::Object(function) = &value {
                self.function(around, action, text, &name, function);
            }
            self.image(around, text, &name, plain, template);
            given.names.push(name);
        }
    }

    /// `{"Fn::GetParam": [artifact, file, key]}` and `{"Fn::GetArtifactAtt": [artifact, attribute]}`.
    fn function(
        &mut self,
        around: &Around,
        action: &Action,
        text: &Text,
        name: &str,
        function: &serde_json::Map<String, serde_json::Value>,
    ) {
        let get = |key: &str| function.get(key).and_then(serde_json::Value::as_array);
        let texts = |items: &[serde_json::Value]| -> Vec<String> {
            items
                .iter()
                .filter_map(|item| item.as_str().map(str::to_owned))
                .collect()
        };
        if let Some(items) = get("Fn::GetParam") {
            if let [artifact, path, _] = texts(items).as_slice()
                && self.is_input(around, action, artifact, text.place)
                && Some(artifact) == around.artifact.as_ref()
            {
                let what = format!("{}: Fn::GetParam {path}", action.name);
                // Whether it is there is all that can be said; its value is the run's.
                let _found = self.in_archive(around, path, text.place, &what);
            }
        } else if let Some(items) = get("Fn::GetArtifactAtt") {
            if let [artifact, _] = texts(items).as_slice() {
                self.is_input(around, action, artifact, text.place);
            }
        } else {
            let message = format!(
                "{}: the value of {name} in ParameterOverrides is neither a text nor Fn::GetParam or Fn::GetArtifactAtt",
                action.name
            );
            self.find(Finding::new(
                &rule::OVERRIDES_NOT_JSON,
                &around.pipeline.file,
                Some(text.place),
                message,
            ));
        }
    }

    /// An image that the pipeline passes must fit its parameter and reach an ImageId.
    fn image(
        &mut self,
        around: &Around,
        text: &Text,
        name: &str,
        value: &str,
        template: &Template,
    ) {
        let Some(parameter) = template.parameter(name) else {
            return;
        };
        let passes_image = variables::references(value)
            .unwrap_or_default()
            .iter()
            .any(|reference| reference.key.to_ascii_uppercase().contains("AMI_ID"));
        let is_image = parameter.kind == "AWS::EC2::Image::Id";
        if !passes_image && !is_image {
            return;
        }
        if passes_image
            && !is_image
            && !matches!(
                parameter.kind.as_str(),
                "String" | "CommaDelimitedList" | "List<String>" | "List<AWS::EC2::Image::Id>"
            )
        {
            let place = parameter
                .node
                .get("Type")
                .map_or(parameter.node.place, |node| node.place);
            let message = format!("{name} gets an AMI id and has the type {}", parameter.kind);
            self.find(Finding::new(
                &rule::IMAGE_TYPE,
                &template.file,
                Some(place),
                message,
            ));
        }
        if is_transformed(template) {
            return;
        }
        let images = image_ids(template);
        let used = template.resources.iter().any(|resource| {
            // Another stack, or whatever the template hands the image to, may run it.
            let foreign = !resource.kind.starts_with("AWS::EC2::")
                && !resource.kind.starts_with("AWS::AutoScaling::");
            foreign
                && resource
                    .properties
                    .as_ref()
                    .is_some_and(|node| refers_to(node, name))
        });
        if used || images.iter().any(|node| refers_to(node, name)) {
            return;
        }
        let finding = match images.first() {
            Some(node) => {
                let message =
                    format!("ImageId does not refer to {name}, which gets the pipeline's image");
                Finding::new(
                    &rule::IMAGE_NOT_USED,
                    &template.file,
                    Some(node.place),
                    message,
                )
                .hint(format!("write `ImageId: !Ref {name}`"))
            }
            None => {
                let message =
                    format!("no ImageId refers to {name}, which gets the pipeline's image");
                Finding::new(
                    &rule::IMAGE_NOT_USED,
                    &around.pipeline.file,
                    Some(text.place),
                    message,
                )
            }
        };
        self.find(finding);
    }

    fn capabilities(&mut self, around: &Around, action: &Action, mode: &str, template: &Template) {
        let text = action.setting("Capabilities").unwrap_or_default();
        if is_unknown(text) {
            return;
        }
        let file = &around.pipeline.file;
        let place = action.place_of("Capabilities");
        let acknowledged: Vec<&str> = text.split(',').map(str::trim).collect();
        if text.contains(' ') {
            let message = format!("{}: Capabilities {text:?} holds a blank", action.name);
            self.find(
                Finding::new(&rule::CAPABILITIES, file, Some(place), message)
                    .hint(format!("write {}", acknowledged.join(","))),
            );
        }
        let mut needs: Vec<(String, Need)> = Vec::new();
        self.needs(template, &mut needs, &mut BTreeSet::new());
        for (of, need) in needs {
            // A change set shows what a macro made, so that nothing must be acknowledged before.
            let reviewed = (mode == "CHANGE_SET_REPLACE" || is_unknown(mode))
                && need.capability == "CAPABILITY_AUTO_EXPAND";
            if reviewed || need.is_covered(&acknowledged) {
                continue;
            }
            let message = format!(
                "{}: {} is not acknowledged, and {of}:{}: {}",
                action.name, need.capability, need.place.line, need.why
            );
            let all: Vec<&str> = acknowledged
                .iter()
                .copied()
                .filter(|one| !one.is_empty())
                .chain([need.capability])
                .collect();
            self.find(
                Finding::new(&rule::CAPABILITIES, file, Some(place), message)
                    .hint(format!("write `Capabilities: {}`", all.join(","))),
            );
        }
    }

    /// What a template and the nested ones that are packaged with it need, the first reason for each
    /// capability, with the file that has it: the one who creates the stack acknowledges for all of them.
    fn needs(
        &self,
        template: &Template,
        needs: &mut Vec<(String, Need)>,
        seen: &mut BTreeSet<String>,
    ) {
        if !seen.insert(template.file.clone()) {
            return;
        }
        for need in capabilities::needed(template) {
            if needs
                .iter()
                .all(|(_, one)| one.capability != need.capability)
            {
                needs.push((template.file.clone(), need));
            }
        }
        let Some(read) = self.subject.local_files else {
            return;
        };
        for one in local::find(&template.root) {
            let file = (one.form == Form::Template).then(|| read(&template.file, one.path));
            let nested = file.flatten();
            // Who packages it says what is wrong with it.
            let nested = nested.and_then(|file| Template::parse(&file.shown, &file.bytes).ok());
            if let Some(nested) = nested {
                self.needs(&nested, needs, seen);
            }
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
