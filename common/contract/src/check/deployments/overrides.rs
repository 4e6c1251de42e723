//! What `ParameterOverrides` gives to the template, and whether an image among it is used.

use crate::check::{Around, Run};
use crate::finding::Finding;
use crate::model::evaluate::is_unknown;
use crate::model::functions::refers_to;
use crate::model::images::image_ids;
use crate::model::parameters;
use crate::model::pipeline::{Action, Text};
use crate::model::template::Template;
use crate::model::transform::is_transformed;
use crate::model::variables;
use crate::rules::{image_not_used, image_type};

use super::Given;

impl Run<'_> {
    pub(super) fn overrides(
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
        let Ok(serde_json::Value::Object(map)) = serde_json::from_str(&text.text) else {
            given.whole = false;
            return;
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
                self.function(around, action, text, function);
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
        } else if let Some(items) = get("Fn::GetArtifactAtt")
            && let [artifact, _] = texts(items).as_slice()
        {
            self.is_input(around, action, artifact, text.place);
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
                &image_type::RULE,
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
                    &image_not_used::RULE,
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
                    &image_not_used::RULE,
                    &around.pipeline.file,
                    Some(text.place),
                    message,
                )
            }
        };
        self.find(finding);
    }
}
