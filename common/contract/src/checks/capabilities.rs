//! Which capabilities a template needs to be acknowledged.
//!
//! Source: CloudFormation API reference, CreateStack, "Capabilities". A macro needs
//! CAPABILITY_AUTO_EXPAND only where no change set is reviewed first.

use crate::finding::Place;
use crate::model::functions::has_function;
use crate::model::template::{Resource, Template};
use crate::model::yaml::Node;

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
    let resources = all_resources(template);
    for resource in &resources {
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
    for resource in &resources {
        let own = property(resource, "Role");
        let what = match resource.kind.as_str() {
            "AWS::Serverless::Function" if own.is_none() && role.is_none() => {
                "a function without Role, for which SAM makes one"
            }
            "AWS::Serverless::StateMachine" if own.is_none() => {
                "a state machine without Role, for which SAM makes one"
            }
            "AWS::Serverless::Connector"
                if property(resource, "Source").is_some_and(|one| has_role(one, &resources)) =>
            {
                "a connector, for which SAM makes a policy"
            }
            kind if RUNS_WITH_ROLE.contains(&kind) && resource.node.get("Connectors").is_some() => {
                "a resource with Connectors, for which SAM makes policies"
            }
            _ => continue,
        };
        need(
            "CAPABILITY_IAM",
            format!("{} is {what}", resource.id),
            resource.node.place,
        );
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

/// What runs with a role, so that a connector from it becomes a managed policy for that role; other
/// sources get a policy of the destination, which is no IAM resource.
/// Source: SAM, `samtranslator/model/connector_profiles/profiles.json`.
const RUNS_WITH_ROLE: [&str; 4] = [
    "AWS::Serverless::Function",
    "AWS::Serverless::StateMachine",
    "AWS::Lambda::Function",
    "AWS::StepFunctions::StateMachine",
];

fn property<'r>(resource: &'r Resource, name: &str) -> Option<&'r Node> {
    resource.properties.as_ref()?.get(name)
}

/// Whether the end of a connector runs with a role: by its `Type`, or by the resource that `Id` names.
fn has_role(end: &Node, resources: &[Resource]) -> bool {
    let text = |key| end.get(key).and_then(Node::as_str);
    let named = resources
        .iter()
        .find(|one| Some(one.id.as_str()) == text("Id"));
    let kind = text("Type").or(named.map(|one| one.kind.as_str()));
    kind.is_some_and(|kind| RUNS_WITH_ROLE.contains(&kind))
}

/// The resources, those of loops once.
fn all_resources(template: &Template) -> Vec<Resource> {
    let mut all = template.resources.clone();
    if let Some(section) = template.root.get("Resources") {
        in_loops(section, &mut all);
    }
    all
}

/// `Fn::ForEach::Name: [identifier, collection, body]`; the body holds resources, or loops again.
fn in_loops(section: &Node, all: &mut Vec<Resource>) {
    for (key, value) in section.as_mapping().unwrap_or_default() {
        if !key
            .as_str()
            .is_some_and(|key| key.starts_with("Fn::ForEach::"))
        {
            continue;
        }
        let Some([_, _, body]) = value.as_sequence() else {
            continue;
        };
        all.extend(
            body.as_mapping()
                .unwrap_or_default()
                .iter()
                .filter_map(|(id, node)| Some(Resource::of(id.as_str()?, node))),
        );
        in_loops(body, all);
    }
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
        let machine = sam.replace("::Function", "::StateMachine");
        assert_eq!(of(&machine), ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]);
        let connector = |source: &str| {
            of(&format!(
                "Transform: AWS::Serverless-2016-10-31\nResources:\n  F: {{Type: AWS::Lambda::Function, Properties: {{Role: r}}}}\n  \
                 C: {{Type: AWS::Serverless::Connector, Properties: {{Source: {source}, Destination: {{Id: T}}, Permissions: [Write]}}}}"
            ))
        };
        assert_eq!(connector("{Id: F}").len(), 2);
        assert_eq!(
            connector("{Type: AWS::StepFunctions::StateMachine}").len(),
            2
        );
        assert_eq!(connector("{Type: AWS::SNS::Topic}").len(), 1);
        let looped = "Transform: AWS::LanguageExtensions\nResources:\n  Fn::ForEach::Roles:\n  - Name\n  - [A, B]\n  \
                      - 'Role${Name}': {Type: AWS::IAM::Role, Properties: {RoleName: !Sub '${Name}'}}";
        assert_eq!(
            of(looped),
            ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
        );
        let need = Need {
            capability: "CAPABILITY_IAM",
            why: String::new(),
            place: Place::default(),
        };
        assert!(need.is_covered(&["CAPABILITY_NAMED_IAM"]) && !need.is_covered(&[]));
    }
}
