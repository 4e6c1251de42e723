//! Which capabilities a template needs to be acknowledged.
//!
//! Source: CloudFormation API reference, CreateStack, "Capabilities". A macro needs
//! CAPABILITY_AUTO_EXPAND only where no change set is reviewed first.

use crate::finding::Place;
use crate::template::Template;
use crate::template_checks::has_function;
use crate::yaml::Node;

/// A capability, what needs it and where that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// `CAPABILITY_IAM`, `CAPABILITY_NAMED_IAM` or `CAPABILITY_AUTO_EXPAND`.
    pub capability: &'static str,
    /// What needs it, in words.
    pub why: String,
    /// Where that stands.
    pub place: Place,
}

impl Need {
    /// Whether acknowledged capabilities cover it: CAPABILITY_NAMED_IAM is more than CAPABILITY_IAM.
    #[must_use]
    pub fn is_covered(&self, acknowledged: &[&str]) -> bool {
        acknowledged.contains(&self.capability)
            || self.capability == "CAPABILITY_IAM" && acknowledged.contains(&"CAPABILITY_NAMED_IAM")
    }
}

/// Resources that need CAPABILITY_IAM, with the property that gives one a name of its own.
const IAM: [(&str, &str); 8] = [
    ("AWS::IAM::AccessKey", ""),
    ("AWS::IAM::Group", "GroupName"),
    ("AWS::IAM::InstanceProfile", "InstanceProfileName"),
    ("AWS::IAM::ManagedPolicy", "ManagedPolicyName"),
    ("AWS::IAM::Policy", ""),
    ("AWS::IAM::Role", "RoleName"),
    ("AWS::IAM::User", "UserName"),
    ("AWS::IAM::UserToGroupAddition", ""),
];

/// What the template needs, the first reason for each capability.
#[must_use]
pub fn needed(template: &Template) -> Vec<Need> {
    let mut needs: Vec<Need> = Vec::new();
    let mut need = |capability, why: String, place| {
        if needs.iter().all(|one| one.capability != capability) {
            needs.push(Need {
                capability,
                why,
                place,
            });
        }
    };
    for resource in &template.resources {
        let Some((kind, name)) = IAM.iter().find(|(kind, _)| *kind == resource.kind) else {
            continue;
        };
        let given = resource
            .properties
            .as_ref()
            .and_then(|properties| properties.get(name));
        match given {
            Some(node) => need(
                "CAPABILITY_NAMED_IAM",
                format!("{} ({kind}) has a {name}", resource.id),
                node.place,
            ),
            None => need(
                "CAPABILITY_IAM",
                format!("{} is an {kind}", resource.id),
                resource.node.place,
            ),
        }
    }
    // SAM makes a role for each function that names none.
    let for_all = ["Globals", "Function", "Role"];
    let role = for_all
        .iter()
        .try_fold(&template.root, |node, key| node.get(key));
    for resource in template.resources_of("AWS::Serverless::Function") {
        let own = resource
            .properties
            .as_ref()
            .and_then(|node| node.get("Role"));
        if own.is_none() && role.is_none() {
            need(
                "CAPABILITY_IAM",
                format!(
                    "{} is a function without Role, for which SAM makes one",
                    resource.id
                ),
                resource.node.place,
            );
        }
    }
    if let Some((key, value)) = template.root.entry("Transform")
        && !value.is_null()
    {
        let what = match value.as_sequence() {
            Some(items) => items
                .iter()
                .filter_map(Node::as_str)
                .collect::<Vec<_>>()
                .join(", "),
            None => value.as_str().unwrap_or("AWS::Include").to_owned(),
        };
        need(
            "CAPABILITY_AUTO_EXPAND",
            format!("the template is transformed by {what}"),
            key.place,
        );
    } else if has_function(&template.root, &|name| name == "Fn::Transform") {
        need(
            "CAPABILITY_AUTO_EXPAND",
            "Fn::Transform calls a macro".to_owned(),
            template.root.place,
        );
    }
    needs
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    fn of(text: &str) -> Vec<&'static str> {
        let template = Template::parse("t.yml", text.as_bytes()).unwrap();
        needed(&template).iter().map(|one| one.capability).collect()
    }

    #[test]
    fn roles_names_and_macros_need_their_capabilities() {
        assert_eq!(
            of("Resources: {A: {Type: AWS::S3::Bucket}}"),
            [] as [&str; 0]
        );
        assert_eq!(
            of(
                "Resources: {A: {Type: AWS::IAM::Role, Properties: {}}, B: {Type: AWS::IAM::Policy}}"
            ),
            ["CAPABILITY_IAM"]
        );
        assert_eq!(
            of(
                "Transform: [X]\nResources: {A: {Type: AWS::IAM::Role, Properties: {RoleName: x}}, B: {Type: AWS::IAM::Policy}}"
            ),
            [
                "CAPABILITY_NAMED_IAM",
                "CAPABILITY_IAM",
                "CAPABILITY_AUTO_EXPAND"
            ]
        );
        assert_eq!(
            of(
                "Resources: {A: {Type: AWS::S3::Bucket, Properties: {'Fn::Transform': {Name: M}, X: 1}}}"
            ),
            ["CAPABILITY_AUTO_EXPAND"]
        );
        let sam = "Transform: AWS::Serverless-2016-10-31\nResources: {F: {Type: AWS::Serverless::Function, Properties: {X: 1}}}";
        assert_eq!(of(sam), ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]);
        assert_eq!(
            of(&sam.replace("X: 1", "Role: r")),
            ["CAPABILITY_AUTO_EXPAND"]
        );
        let need = Need {
            capability: "CAPABILITY_IAM",
            why: String::new(),
            place: Place::default(),
        };
        assert!(need.is_covered(&["CAPABILITY_NAMED_IAM"]) && !need.is_covered(&[]));
    }
}
