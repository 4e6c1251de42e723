//! One template, resolved over parameter values.

use std::collections::BTreeMap;
use std::path::Path;

use contract::evaluate::{Evaluator, World};
use contract::finding::Finding;
use contract::pipeline::Pipeline;
use contract::template::{Resource, Template};
use contract::yaml::{Content, Node, Style};
use serde_json::Value;

/// The folder of the repository.
#[must_use]
pub fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// A value for each parameter that no configuration file has.
const SAMPLES: [(&str, &str); 14] = [
    ("AMIId", "ami-0123456789abcdef0"),
    ("AppVpcId", "vpc-0123456789abcdef0"),
    ("AppImage", "example/rag-app:1"),
    ("BaseImageId", "ami-0123456789abcdef0"),
    ("CertificateArn", CERTIFICATE),
    ("Email", "team@example.org"),
    ("PrivateSubnetId1", "subnet-00000000000000003"),
    ("PrivateSubnetId2", "subnet-00000000000000004"),
    ("SubnetId1", "subnet-00000000000000001"),
    ("SubnetId2", "subnet-00000000000000002"),
    ("VPCId", "vpc-0123456789abcdef0"),
    ("BuildVpcId", ""),
    ("BuildSubnetId1", ""),
    ("BuildSecurityGroupId", ""),
];

/// The one subnet that is not of the stack's network.
pub const ELSEWHERE: &str = "subnet-0fffffffffffffff0";

/// A certificate's ARN.
pub const CERTIFICATE: &str = "arn:aws:acm:eu-central-1:123456789012:certificate/0a1b";

/// A topic's ARN.
pub const TOPIC: &str = "arn:aws:sns:eu-central-1:123456789012:alarms";

/// The name that every stack has here.
pub const STACK: &str = "the-stack";

/// A template with parameter values. A `Ref` to a resource is its logical id, `Fn::GetAtt` is
/// `Id.Attribute`: see [`contract::evaluate`].
#[derive(Debug, Clone)]
pub struct Stack {
    template: Template,
    world: World,
}

impl Stack {
    /// The template `cfn/NAME` under `folder` with its defaults and `SAMPLES`.
    ///
    /// # Errors
    /// When it cannot be read as a template.
    pub fn load(folder: &Path, name: &str) -> Result<Self, String> {
        let path = folder.join("cfn").join(name);
        let bytes = std::fs::read(&path).map_err(|error| format!("cfn/{name}: {error}"))?;
        let template = Template::parse(&format!("cfn/{name}"), &bytes).map_err(told)?;
        let mut world = World::in_region("eu-central-1", "123456789012", STACK);
        world.parameters = SAMPLES
            .iter()
            .filter(|(name, _)| template.parameter(name).is_some())
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Ok(Self { template, world })
    }

    /// The same with these parameter values.
    #[must_use]
    pub fn with(&self, values: &[(&str, &str)]) -> Self {
        let mut changed = self.clone();
        for (name, value) in values {
            let value = (*value).to_owned();
            changed.world.parameters.insert((*name).to_owned(), value);
        }
        changed
    }

    /// The same with the values of a configuration file.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn configured(&self, folder: &Path, file: &str) -> Result<Self, String> {
        let mut changed = self.clone();
        changed
            .world
            .parameters
            .extend(configuration(folder, file)?);
        Ok(changed)
    }

    /// In another region.
    #[must_use]
    pub fn in_region(&self, region: &str) -> Self {
        let mut changed = self.clone();
        changed.world.pseudo = World::in_region(region, "123456789012", STACK).pseudo;
        changed
    }

    /// The template itself.
    #[must_use]
    pub fn template(&self) -> &Template {
        &self.template
    }

    /// The pipeline that the template holds.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn pipeline(&self) -> Result<Pipeline, String> {
        let evaluator = Evaluator::new(&self.template, &self.world).map_err(told)?;
        Pipeline::from_template(&self.template, &evaluator, None).map_err(told)
    }

    /// Whether the resource exists with these values.
    ///
    /// # Errors
    /// When the template has no such resource, or its condition cannot be resolved.
    pub fn exists(&self, id: &str) -> Result<bool, String> {
        self.made(self.resource(id)?)
    }

    /// The logical ids of the resources of a type that exist with these values.
    ///
    /// # Errors
    /// When a condition cannot be resolved.
    pub fn ids(&self, kind: &str) -> Result<Vec<String>, String> {
        let mut ids = Vec::new();
        for resource in self.template.resources_of(kind) {
            if self.made(resource)? {
                ids.push(resource.id.clone());
            }
        }
        Ok(ids)
    }

    /// A resource's properties, resolved.
    ///
    /// # Errors
    /// When there are none, or one cannot be resolved.
    pub fn properties(&self, id: &str) -> Result<Value, String> {
        self.attribute(id, "Properties")
    }

    /// An attribute beside the properties, such as `UpdatePolicy`, resolved; null without.
    ///
    /// # Errors
    /// When the template has no such resource, or it cannot be resolved.
    pub fn attribute(&self, id: &str, name: &str) -> Result<Value, String> {
        let Some(node) = self.resource(id)?.node.get(name) else {
            return Ok(Value::Null);
        };
        let evaluator = Evaluator::new(&self.template, &self.world).map_err(told)?;
        let node = evaluator
            .node(&local(node))
            .map_err(|one| told(vec![one]))?;
        Ok(node.map_or(Value::Null, |node| node.to_json()))
    }

    /// What the template's `Rules` refuse of these values: the description of every assertion that
    /// does not hold.
    ///
    /// # Errors
    /// When a rule cannot be resolved.
    pub fn refused(&self) -> Result<Vec<String>, String> {
        let evaluator = Evaluator::new(&self.template, &self.world).map_err(told)?;
        let holds = |node: &Node| {
            if let Some(lists) = single(node, "Fn::EachMemberIn") {
                return self.each_member_in(lists);
            }
            let truth = evaluator.node(node).map_err(|one| told(vec![one]))?;
            Ok::<_, String>(truth.is_some_and(|node| node.as_str() == Some("true")))
        };
        let mut refused = Vec::new();
        let rules = self.template.root.get("Rules").and_then(Node::as_mapping);
        for (_, rule) in rules.unwrap_or_default() {
            if let Some(condition) = rule.get("RuleCondition")
                && !holds(condition)?
            {
                continue;
            }
            let assertions = rule.get("Assertions").and_then(Node::as_sequence);
            for assertion in assertions.unwrap_or_default() {
                let Some(assert) = assertion.get("Assert") else {
                    continue;
                };
                if !holds(assert)? {
                    let description = assertion.get("AssertDescription").and_then(Node::as_str);
                    refused.push(description.unwrap_or_default().to_owned());
                }
            }
        }
        Ok(refused)
    }

    /// Whether each member of the first list is one of the second, for lists over the account's own
    /// resources; every subnet but [`ELSEWHERE`] is of the stack's network.
    /// <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/intrinsic-function-reference-rules.html>
    fn each_member_in(&self, lists: &Node) -> Result<bool, String> {
        let lists = lists.as_sequence().unwrap_or_default();
        let lists: Vec<Vec<String>> = lists
            .iter()
            .map(|list| self.of_the_account(list))
            .collect::<Result<_, _>>()?;
        let [members, all] = &lists[..] else {
            return Err("Fn::EachMemberIn takes two lists".to_owned());
        };
        Ok(members.iter().all(|one| all.contains(one)))
    }

    /// The values of `Fn::RefAll`, or of `Fn::ValueOfAll` for a subnet's `VpcId`.
    fn of_the_account(&self, list: &Node) -> Result<Vec<String>, String> {
        if let Some(kind) = single(list, "Fn::RefAll").and_then(Node::as_str) {
            return Ok(self.values_of(kind));
        }
        let arguments = single(list, "Fn::ValueOfAll").and_then(Node::as_sequence);
        let arguments: Vec<_> = arguments.into_iter().flatten().map(Node::as_str).collect();
        match arguments[..] {
            [Some(kind @ "AWS::EC2::Subnet::Id"), Some("VpcId")] => {
                let network = &self.world.parameters["VPCId"];
                let of = |subnet| match subnet {
                    ELSEWHERE => "vpc-elsewhere".to_owned(),
                    _ => network.clone(),
                };
                let subnets = self.values_of(kind);
                Ok(subnets.iter().map(|subnet| of(subnet.as_str())).collect())
            }
            _ => Err(format!("the account has no answer to {}", list.to_json())),
        }
    }

    /// The values of all parameters of a type.
    fn values_of(&self, kind: &str) -> Vec<String> {
        let parameters = self.template.parameters.iter();
        parameters
            .filter(|parameter| parameter.kind == kind)
            .filter_map(|parameter| self.world.parameters.get(&parameter.name))
            .cloned()
            .collect()
    }

    fn resource(&self, id: &str) -> Result<&Resource, String> {
        let missing = || format!("{} has no resource {id}", self.template.file);
        self.template.resource(id).ok_or_else(missing)
    }

    fn made(&self, resource: &Resource) -> Result<bool, String> {
        let Some(condition) = &resource.condition else {
            return Ok(true);
        };
        let evaluator = Evaluator::new(&self.template, &self.world).map_err(told)?;
        evaluator
            .condition(condition, resource.node.place)
            .map_err(|one| told(vec![one]))
    }
}

/// The parameter values of a configuration file.
///
/// # Errors
/// When it cannot be read.
pub fn configuration(folder: &Path, file: &str) -> Result<BTreeMap<String, String>, String> {
    let path = folder.join("cfn/config").join(file);
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{file}: {error}"))?;
    let value: Value = serde_json::from_str(&text).map_err(|error| format!("{file}: {error}"))?;
    let parameters = value["Parameters"].as_object().cloned().unwrap_or_default();
    Ok(parameters
        .into_iter()
        .map(|(name, value)| (name, value.as_str().unwrap_or_default().to_owned()))
        .collect())
}

fn told(findings: Vec<Finding>) -> String {
    let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// The two functions that need no account but are not resolved by `contract`: `Fn::Base64` becomes
/// what it encodes, `Fn::GetAZs` two zones.
fn local(node: &Node) -> Node {
    if node.tag.as_deref() == Some("!GetAZs") || single(node, "Fn::GetAZs").is_some() {
        let zones = ["zone-1", "zone-2"].map(|zone| Node::text(zone, node.place));
        return Node {
            content: Content::Sequence(zones.to_vec()),
            tag: None,
            place: node.place,
        };
    }
    if node.tag.as_deref() == Some("!Base64") {
        return Node {
            tag: None,
            ..node.clone()
        };
    }
    if let Some(encoded) = single(node, "Fn::Base64") {
        return local(encoded);
    }
    let content = match &node.content {
        Content::Sequence(items) => Content::Sequence(items.iter().map(local).collect()),
        Content::Mapping(entries) => Content::Mapping(
            entries
                .iter()
                .map(|(key, value)| (key.clone(), local(value)))
                .collect(),
        ),
        // Numbers of a template are texts to CloudFormation as much as texts are.
        Content::Scalar(text, Style::Plain) if text.parse::<f64>().is_ok() => {
            Content::Scalar(text.clone(), Style::Quoted)
        }
        other => other.clone(),
    };
    Node {
        content,
        tag: node.tag.clone(),
        place: node.place,
    }
}

/// The argument of `{NAME: argument}`.
fn single<'a>(node: &'a Node, name: &str) -> Option<&'a Node> {
    match node.as_mapping()? {
        [(key, value)] if key.as_str() == Some(name) => Some(value),
        _ => None,
    }
}
