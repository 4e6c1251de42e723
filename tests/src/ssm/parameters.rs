//! Parameter Store: PutParameter and GetParameter.

use std::collections::BTreeMap;

use serde_json::json;

use super::Answer;
use crate::fake_aws::{Reply, Request};

/// What becomes of a value of the type `aws:ec2:image`: PutParameter answers before the value is
/// checked (<https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-ec2-aliases.html>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ImageCheck {
    /// Visible at once.
    #[default]
    Passes,
    /// Visible after so many readings of the parameter.
    PassesAfter(u32),
    /// Never visible.
    Fails,
}

/// A version of a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// From 1 on.
    pub version: u32,
    /// `String`, `StringList` or `SecureString`.
    pub kind: String,
    /// `text` or `aws:ec2:image`.
    pub data_type: String,
    /// The value.
    pub value: String,
    /// How many readings do not see it yet.
    hidden: u32,
}

#[derive(Default)]
pub(super) struct Parameters {
    pub(super) check: ImageCheck,
    versions: BTreeMap<String, Vec<Parameter>>,
}

impl Parameters {
    /// The number of the new version.
    pub(super) fn add(
        &mut self,
        name: &str,
        kind: &str,
        data_type: &str,
        value: &str,
        hidden: u32,
    ) -> u32 {
        let versions = self.versions.entry(name.to_owned()).or_default();
        let version = versions.last().map_or(1, |last| last.version + 1);
        versions.push(Parameter {
            version,
            kind: kind.to_owned(),
            data_type: data_type.to_owned(),
            value: value.to_owned(),
            hidden,
        });
        version
    }

    pub(super) fn visible(&self, name: &str) -> Option<Parameter> {
        let versions = self.versions.get(name)?.iter();
        versions.rev().find(|version| version.hidden == 0).cloned()
    }

    pub(super) fn put(&mut self, request: &Request) -> Answer {
        let asked = request.json();
        let text = |name: &str| asked[name].as_str();
        let name = text("Name").unwrap_or("");
        let value = text("Value").unwrap_or("");
        if name.is_empty() || value.is_empty() {
            let message = "Name and Value must have a length of at least 1";
            return Err(Reply::error(400, "ValidationException", message));
        }
        let before = self.versions.get(name).and_then(|versions| versions.last());
        if before.is_some() && asked["Overwrite"] != true {
            let message = "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.";
            return Err(Reply::error(400, "ParameterAlreadyExists", message));
        }
        if before.is_some()
            && asked["Tags"]
                .as_array()
                .is_some_and(|tags| !tags.is_empty())
        {
            let message = "Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or RemoveTagsFromResource.";
            return Err(Reply::error(400, "ValidationException", message));
        }
        let kind = text("Type").or(before.map(|before| before.kind.as_str()));
        let Some(kind) = kind.map(str::to_owned) else {
            let message = "A parameter type is required when you create a parameter.";
            return Err(Reply::error(400, "ValidationException", message));
        };
        let data_type = text("DataType").unwrap_or("text");
        let is_image = data_type == "aws:ec2:image";
        if is_image && !is_image_id(value) {
            let message = format!("Parameter value {value} must be an image id (ami-…)");
            return Err(Reply::error(400, "ValidationException", message));
        }
        let hidden = match self.check {
            ImageCheck::PassesAfter(polls) if is_image => polls,
            ImageCheck::Fails if is_image => u32::MAX,
            _ => 0,
        };
        let version = self.add(name, &kind, data_type, value, hidden);
        Ok(Reply::json(
            &json!({"Version": version, "Tier": "Standard"}),
        ))
    }

    pub(super) fn get(&mut self, request: &Request) -> Answer {
        let asked = request.json();
        let asked = asked["Name"].as_str().unwrap_or("");
        // A name may carry a version: `/app/ami:3`.
        let (name, wanted) = match asked.rsplit_once(':') {
            Some((name, version)) => (name, version.parse::<u32>().ok()),
            None => (asked, None),
        };
        let found = self.visible(name);
        let found = match (found, wanted) {
            (Some(_), Some(wanted)) => {
                let versions = self.versions.get(name).into_iter().flatten();
                let mut seen = versions.filter(|version| version.hidden == 0);
                let found = seen.find(|version| version.version == wanted).cloned();
                let missing = || Reply::error(400, "ParameterVersionNotFound", "");
                Some(found.ok_or_else(missing)?)
            }
            (found, _) => found,
        };
        // This reading goes by for what is not visible yet.
        for version in self.versions.get_mut(name).into_iter().flatten() {
            if version.hidden != u32::MAX {
                version.hidden = version.hidden.saturating_sub(1);
            }
        }
        let found = found.ok_or_else(|| Reply::error(400, "ParameterNotFound", ""))?;
        Ok(Reply::json(&json!({"Parameter": {
            "Name": name,
            "Type": found.kind,
            "Value": found.value,
            "Version": found.version,
            "LastModifiedDate": 1_577_836_800.0,
            "ARN": format!("arn:aws:ssm:eu-west-1:123456789012:parameter/{}", name.trim_start_matches('/')),
            "DataType": found.data_type,
        }})))
    }
}

/// Whether `text` has the shape that the data type asks for.
fn is_image_id(text: &str) -> bool {
    let digits = text.strip_prefix("ami-").unwrap_or("");
    (8..=17).contains(&digits.len()) && digits.chars().all(|c| c.is_ascii_hexdigit())
}
