//! The rules that a template must keep by itself: limits, attributes, names, images.
//!
//! A template that a macro or a transform writes on is looked at for what no macro changes only:
//! what a name means is known after the macro has run.

use std::collections::BTreeSet;

use crate::evaluate::function;
use crate::finding::{Finding, did_you_mean};
use crate::parameters::MAX_VALUE;
use crate::rule;
use crate::template::{Resource, Template};
use crate::yaml::{Content, Node};
use crate::yaml11;

/// The largest template that fits into a request, in bytes.
/// Source: CloudFormation user guide, "Quotas".
pub const MAX_BODY: usize = 51_200;

/// Something that CloudFormation counts, and how much of it there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// What is counted, in words.
    pub what: &'static str,
    /// How much there is.
    pub is: usize,
    /// How much there may be.
    pub limit: usize,
}

/// The attributes of a resource.
/// Source: CloudFormation user guide, "Resource attribute reference". `Version` is a custom resource's,
/// `Description` is taken and ignored.
const ATTRIBUTES: [&str; 11] = [
    "Type",
    "Properties",
    "DependsOn",
    "Condition",
    "Metadata",
    "CreationPolicy",
    "UpdatePolicy",
    "DeletionPolicy",
    "UpdateReplacePolicy",
    "Description",
    "Version",
];

/// Every fault of a template that shows without a pipeline; `bytes` is its length.
#[must_use]
pub fn check(template: &Template, bytes: usize) -> Vec<Finding> {
    let mut findings = template.warnings.clone();
    findings.extend(limits(template, bytes));
    findings.extend(yaml11::check(&template.file, &template.root));
    findings.extend(hard_coded_images(template));
    if !is_transformed(template) {
        findings.extend(logical_ids(template));
        findings.extend(attributes(template));
        findings.extend(undeclared_names(template));
    }
    findings
}

/// Whether something rewrites the template before it is read: a transform, a macro, a module, a loop.
#[must_use]
pub fn is_transformed(template: &Template) -> bool {
    template
        .root
        .get("Transform")
        .is_some_and(|node| !node.is_null())
        || template
            .resources
            .iter()
            .any(|one| one.kind.ends_with("::MODULE"))
        || has_function(&template.root, &|name| {
            name == "Fn::Transform" || name.starts_with("Fn::ForEach")
        })
}

/// Whether a function whose long name fits is used at or below a node.
pub(crate) fn has_function(node: &Node, fits: &dyn Fn(&str) -> bool) -> bool {
    if function(node).is_some_and(|(name, _)| fits(&name)) {
        return true;
    }
    match &node.content {
        Content::Scalar(..) => false,
        Content::Sequence(items) => items.iter().any(|item| has_function(item, fits)),
        Content::Mapping(entries) => entries.iter().any(|(key, value)| {
            // Loops and transforms stand beside other keys.
            key.as_str()
                .is_some_and(|key| key.starts_with("Fn::") && fits(key))
                || has_function(value, fits)
        }),
    }
}

/// A template against CloudFormation's limits; `bytes` is its length.
#[must_use]
pub fn sizes(template: &Template, bytes: usize) -> Vec<Size> {
    let size = |what, is, limit| Size { what, is, limit };
    let mappings = template
        .mappings
        .as_ref()
        .and_then(Node::as_mapping)
        .map_or(0, <[_]>::len);
    let description = template
        .root
        .get("Description")
        .and_then(Node::as_str)
        .map_or(0, str::len);
    vec![
        // "1 MB": the smaller reading is the safe one.
        size("bytes of template", bytes, 1_000_000),
        size("resources", template.resources.len(), 500),
        size("parameters", template.parameters.len(), 200),
        size("outputs", template.outputs.len(), 200),
        size("mappings", mappings, 200),
        size("bytes of description", description, 1024),
    ]
}

/// A finding for each limit that is exceeded.
fn limits(template: &Template, bytes: usize) -> Vec<Finding> {
    let file = &template.file;
    let mut findings = Vec::new();
    for Size { what, is, limit } in sizes(template, bytes) {
        if is <= limit {
            continue;
        }
        let (rule, section) = match what {
            "bytes of template" => (&rule::TOO_LARGE, None),
            "bytes of description" => (&rule::TOO_LONG, Some("Description")),
            "resources" => (&rule::TOO_MANY, Some("Resources")),
            "parameters" => (&rule::TOO_MANY, Some("Parameters")),
            "outputs" => (&rule::TOO_MANY, Some("Outputs")),
            _ => (&rule::TOO_MANY, Some("Mappings")),
        };
        let place = section.and_then(|name| template.root.entry(name));
        let message = format!("{is} {what}, CloudFormation's limit is {limit}");
        findings.push(Finding::new(
            rule,
            file,
            place.map(|(key, _)| key.place),
            message,
        ));
    }
    if (MAX_BODY + 1..=1_000_000).contains(&bytes) {
        let message = format!("{bytes} bytes of template; {MAX_BODY} fit into a request");
        findings.push(Finding::new(&rule::LARGE_BODY, file, None, message));
    }
    for parameter in &template.parameters {
        if let Some(default) = &parameter.default
            && default.len() > MAX_VALUE
        {
            let place = parameter.node.get("Default").map(|node| node.place);
            let message = format!(
                "the default of {} has {} bytes, CloudFormation's limit is {MAX_VALUE}",
                parameter.name,
                default.len()
            );
            findings.push(Finding::new(&rule::TOO_LONG, file, place, message));
        }
    }
    findings
}

/// The longest name of a parameter, a resource or an output, in characters.
/// Source: CloudFormation user guide, "Quotas".
const MAX_NAME: usize = 255;

/// A finding for each name of a parameter, a resource or an output that cannot be one.
fn logical_ids(template: &Template) -> Vec<Finding> {
    let mut findings = Vec::new();
    for section in ["Parameters", "Resources", "Outputs"] {
        let entries = template.root.get(section).and_then(Node::as_mapping);
        for (key, _) in entries.unwrap_or_default() {
            let name = key.as_str().unwrap_or_default();
            let count = name.chars().count();
            let message = if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric()) {
                format!("{name:?} in {section} is not a name of letters and digits only")
            } else if count > MAX_NAME {
                format!("a name in {section} has {count} characters, the limit is {MAX_NAME}")
            } else {
                continue;
            };
            findings.push(Finding::new(
                &rule::LOGICAL_ID,
                &template.file,
                Some(key.place),
                message,
            ));
        }
    }
    findings
}

fn attributes(template: &Template) -> Vec<Finding> {
    let mut findings = Vec::new();
    for resource in &template.resources {
        for (key, _) in resource.node.as_mapping().unwrap_or_default() {
            let name = key.as_str().unwrap_or_default();
            if !ATTRIBUTES.contains(&name) {
                let message = format!("{name} of {} is not an attribute of resources", resource.id);
                findings.push(
                    Finding::new(
                        &rule::UNKNOWN_ATTRIBUTE,
                        &template.file,
                        Some(key.place),
                        message,
                    )
                    .maybe_hint(did_you_mean(name, ATTRIBUTES)),
                );
            }
        }
    }
    findings
}

/// What a name refers to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A parameter, a resource or a pseudo parameter.
    Value,
    /// A resource with an attribute.
    Resource,
    /// A condition.
    Condition,
}

/// A finding for each name that nothing declares.
fn undeclared_names(template: &Template) -> Vec<Finding> {
    let mut names = Names {
        template,
        seen: BTreeSet::new(),
        findings: Vec::new(),
    };
    for resource in &template.resources {
        if let Some(properties) = &resource.properties {
            names.walk(properties);
        }
        names.attributes(resource);
    }
    for (_, condition) in &template.conditions {
        names.condition(condition);
    }
    for (_, output) in &template.outputs {
        if let Some(condition) = output.get("Condition") {
            names.name(condition, condition.as_str(), Kind::Condition);
        }
        for key in ["Value", "Export"] {
            if let Some(node) = output.get(key) {
                names.walk(node);
            }
        }
    }
    names.findings
}

struct Names<'a> {
    template: &'a Template,
    seen: BTreeSet<(usize, String)>,
    findings: Vec<Finding>,
}

impl Names<'_> {
    fn attributes(&mut self, resource: &Resource) {
        if let Some(condition) = resource.node.get("Condition") {
            self.name(condition, condition.as_str(), Kind::Condition);
        }
        if let Some(node) = resource.node.get("DependsOn") {
            let one = std::slice::from_ref(node);
            for item in node.as_sequence().unwrap_or(one) {
                self.name(item, item.as_str(), Kind::Resource);
            }
        }
    }

    /// A node among the conditions, where `Condition: name` is a function.
    fn condition(&mut self, node: &Node) {
        if let Some([(key, value)]) = node.as_mapping()
            && key.as_str() == Some("Condition")
        {
            return self.name(value, value.as_str(), Kind::Condition);
        }
        if let Some((name, argument)) = function(node)
            && matches!(name.as_str(), "Fn::And" | "Fn::Or" | "Fn::Not")
        {
            let bare = argument.bare();
            for item in bare.as_sequence().unwrap_or_default() {
                self.condition(item);
            }
            return;
        }
        self.walk(node);
    }

    fn walk(&mut self, node: &Node) {
        if let Some((name, argument)) = function(node) {
            let bare = argument.bare();
            match name.as_str() {
                "Ref" => return self.name(node, bare.as_str(), Kind::Value),
                "Condition" => return self.name(node, bare.as_str(), Kind::Condition),
                "Fn::GetAtt" => {
                    let id = match &bare.content {
                        Content::Scalar(text, _) => text.split('.').next(),
                        _ => bare
                            .as_sequence()
                            .and_then(|items| items.first())
                            .and_then(Node::as_str),
                    };
                    return self.name(node, id, Kind::Resource);
                }
                "Fn::If" => {
                    if let Some([condition, rest @ ..]) = bare.as_sequence() {
                        self.name(condition, condition.as_str(), Kind::Condition);
                        rest.iter().for_each(|one| self.walk(one));
                    }
                    return;
                }
                "Fn::Sub" => return self.sub(node, &bare),
                _ => return self.below(&bare),
            }
        }
        self.below(node);
    }

    fn below(&mut self, node: &Node) {
        match &node.content {
            Content::Scalar(..) => {}
            Content::Sequence(items) => items.iter().for_each(|item| self.walk(item)),
            Content::Mapping(entries) => entries.iter().for_each(|(_, value)| self.walk(value)),
        }
    }

    fn sub(&mut self, node: &Node, bare: &Node) {
        let (pattern, own) = match bare.as_sequence() {
            Some([pattern, own, ..]) => (pattern.as_str(), Some(own)),
            Some([pattern]) => (pattern.as_str(), None),
            _ => (bare.as_str(), None),
        };
        if let Some(own) = own {
            self.below(own);
        }
        for name in sub_names(pattern.unwrap_or_default()) {
            if own.is_some_and(|own| own.get(name).is_some()) {
                continue;
            }
            match name.split_once('.') {
                Some((id, _)) => self.name(node, Some(id), Kind::Resource),
                None => self.name(node, Some(name), Kind::Value),
            }
        }
    }

    fn name(&mut self, node: &Node, name: Option<&str>, kind: Kind) {
        let Some(name) = name else { return };
        let template = self.template;
        let resource = template.resource(name).is_some();
        let declared = match kind {
            Kind::Value => {
                resource || template.parameter(name).is_some() || name.starts_with("AWS::")
            }
            Kind::Resource => resource,
            Kind::Condition => template.conditions.iter().any(|(one, _)| one == name),
        };
        if declared || !self.seen.insert((node.place.start, name.to_owned())) {
            return;
        }
        let parameters = template.parameters.iter().map(|one| one.name.as_str());
        let resources = template.resources.iter().map(|one| one.id.as_str());
        let (message, hint) = match kind {
            Kind::Value => (
                format!("{name} is neither a parameter nor a resource"),
                did_you_mean(name, parameters.chain(resources)),
            ),
            Kind::Resource => (
                format!("{name} is not a resource of the template"),
                did_you_mean(name, resources),
            ),
            Kind::Condition => (
                format!("condition {name} is not declared"),
                did_you_mean(
                    name,
                    template.conditions.iter().map(|(one, _)| one.as_str()),
                ),
            ),
        };
        self.findings.push(
            Finding::new(&rule::UNDECLARED, &template.file, Some(node.place), message)
                .maybe_hint(hint),
        );
    }
}

/// The names in the `${…}` of a Fn::Sub, without literals (`${!x}`).
pub(crate) fn sub_names(pattern: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut rest = pattern;
    while let Some(at) = rest.find("${") {
        rest = &rest[at + 2..];
        let Some(end) = rest.find('}') else { break };
        if !rest.starts_with('!') {
            names.push(rest[..end].trim());
        }
        rest = &rest[end + 1..];
    }
    names
}

/// Every `ImageId` of EC2 and Auto Scaling resources.
#[must_use]
pub fn image_ids(template: &Template) -> Vec<&Node> {
    let mut found = Vec::new();
    for resource in &template.resources {
        if ["AWS::EC2::", "AWS::AutoScaling::"]
            .iter()
            .any(|service| resource.kind.starts_with(service))
            && let Some(properties) = &resource.properties
        {
            below_key(properties, "ImageId", &mut found);
        }
    }
    found
}

fn below_key<'n>(node: &'n Node, wanted: &str, found: &mut Vec<&'n Node>) {
    match &node.content {
        Content::Scalar(..) => {}
        Content::Sequence(items) => items.iter().for_each(|item| below_key(item, wanted, found)),
        Content::Mapping(entries) => {
            for (key, value) in entries {
                if key.as_str() == Some(wanted) {
                    found.push(value);
                } else {
                    below_key(value, wanted, found);
                }
            }
        }
    }
}

/// Whether a text is an AMI id: `ami-` and 8 or 17 hexadecimal digits.
#[must_use]
pub fn is_image_id(text: &str) -> bool {
    text.strip_prefix("ami-").is_some_and(|digits| {
        matches!(digits.len(), 8 | 17) && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

fn hard_coded_images(template: &Template) -> Vec<Finding> {
    image_ids(template)
        .into_iter()
        .filter(|node| node.tag.is_none() && node.as_str().is_some_and(is_image_id))
        .map(|node| {
            let message = format!(
                "ImageId is {}, written down",
                node.as_str().unwrap_or_default()
            );
            Finding::new(
                &rule::HARD_CODED_IMAGE,
                &template.file,
                Some(node.place),
                message,
            )
        })
        .collect()
}

/// Whether a node refers to a parameter or resource, by Ref or in a Fn::Sub, at any depth.
#[must_use]
pub fn refers_to(node: &Node, name: &str) -> bool {
    if let Some((function, argument)) = function(node) {
        let bare = argument.bare();
        let pattern = match bare.as_sequence() {
            Some([pattern, ..]) => pattern.as_str(),
            _ => bare.as_str(),
        };
        match function.as_str() {
            "Ref" => return bare.as_str() == Some(name),
            "Fn::Sub" if sub_names(pattern.unwrap_or_default()).contains(&name) => return true,
            _ => {}
        }
        return refers_below(&bare, name);
    }
    refers_below(node, name)
}

fn refers_below(node: &Node, name: &str) -> bool {
    match &node.content {
        Content::Scalar(..) => false,
        Content::Sequence(items) => items.iter().any(|item| refers_to(item, name)),
        Content::Mapping(entries) => entries.iter().any(|(_, value)| refers_to(value, name)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    fn found(text: &str) -> Vec<String> {
        let template = Template::parse("t.yml", text.as_bytes()).unwrap();
        check(&template, text.len())
            .iter()
            .map(|one| format!("{} {one}", one.rule.code))
            .collect()
    }

    #[test]
    fn limits_are_counted() {
        let many: String = (0..501)
            .map(|n| format!("  R{n}: {{Type: AWS::S3::Bucket}}\n"))
            .collect();
        assert_eq!(
            found(&format!("Resources:\n{many}")),
            ["T103 t.yml:1:1: 501 resources, CloudFormation's limit is 500"]
        );
        let small = "Resources: {A: {Type: 'AWS::S3::Bucket'}}";
        for (section, one, limit) in [
            ("Parameters", "{Type: String}", 200),
            ("Mappings", "{a: {b: c}}", 200),
            ("Outputs", "{Value: x}", 200),
        ] {
            let with = |count: usize| {
                let many: Vec<String> = (0..count).map(|n| format!("N{n}: {one}")).collect();
                found(&format!("{section}: {{{}}}\n{small}", many.join(", ")))
            };
            assert_eq!(with(limit), [] as [&str; 0], "{section}");
            let said = format!(
                "{} {}, CloudFormation's limit is {limit}",
                limit + 1,
                section.to_lowercase()
            );
            let over = with(limit + 1);
            assert!(over.len() == 1 && over[0].ends_with(&said), "{over:?}");
        }
        let template = Template::parse("t.yml", small.as_bytes()).unwrap();
        let code = |bytes| check(&template, bytes).first().map(|one| one.rule.code);
        assert_eq!(code(51_200), None);
        assert_eq!(code(51_201), Some("T102"));
        assert_eq!(code(1_000_000), Some("T102"));
        assert_eq!(code(1_000_001), Some("T101"));
        let long = format!(
            "Description: {}\nParameters: {{P: {{Type: String, Default: {}}}}}\n{small}",
            "x".repeat(1025),
            "y".repeat(4097)
        );
        assert_eq!(found(&long).len(), 2);
    }

    #[test]
    fn names_are_letters_and_digits() {
        let longest = "A".repeat(255);
        assert_eq!(
            found(&format!(
                "Resources: {{{longest}: {{Type: AWS::S3::Bucket}}}}"
            )),
            [] as [&str; 0]
        );
        for (text, said) in [
            (
                format!("Resources: {{{longest}B: {{Type: AWS::S3::Bucket}}}}"),
                "T007 t.yml:1:13: a name in Resources has 256 characters, the limit is 255",
            ),
            (
                "Resources: {Bad-Id: {Type: AWS::S3::Bucket}}".to_owned(),
                "T007 t.yml:1:13: \"Bad-Id\" in Resources is not a name of letters and digits only",
            ),
        ] {
            assert!(
                found(&text).iter().any(|one| one.starts_with(said)),
                "{:?}",
                found(&text)
            );
        }
        // A macro may take any name.
        let looped = "Transform: X\nResources: {Bad-Id: {Type: AWS::S3::Bucket}}";
        assert_eq!(found(looped), [] as [&str; 0]);
    }

    #[test]
    fn names_must_be_declared() {
        let text = "Parameters: {Env: {Type: String}}
Conditions:
  IsProd: !Equals [!Ref Evn, prod]
  Both: !And [!Condition IsProd, Condition: IsPord]
Resources:
  A:
    Type: AWS::S3::Bucket
    Condition: Bot
    DependsOn: [B, C]
    Properties:
      BucketName: !Sub ['${Env}-${Own}-${A.Arn}-${!Lit}-${X.Y}-${AWS::Region}', {Own: !Ref Z}]
      Tags: !If [Isprod, !GetAtt Q.Arn, {'Fn::GetAtt': [A, Arn]}]
      Properties: x
  B: {Type: AWS::S3::Bucket, TemplateURL: x}
Outputs:
  O: {Value: !Ref Env, Condition: No}
";
        let all = found(text);
        let expected = [
            ("T006 t.yml:14:30: TemplateURL of B", ""),
            ("T201 t.yml:11:19: Z is neither", ""),
            ("T201 t.yml:11:19: X is not a resource", ""),
            (
                "T201 t.yml:12:18: condition Isprod is not declared",
                "did you mean IsProd?",
            ),
            ("T201 t.yml:12:26: Q is not a resource", ""),
            (
                "T201 t.yml:8:16: condition Bot is not declared",
                "did you mean Both?",
            ),
            ("T201 t.yml:9:20: C is not a resource", ""),
            ("T201 t.yml:3:21: Evn is neither", "did you mean Env?"),
            ("T201 t.yml:4:47: condition IsPord", "did you mean IsProd?"),
            ("T201 t.yml:16:35: condition No", ""),
        ];
        for (start, hint) in expected {
            let start = start.rsplit_once(": ").unwrap().1;
            assert!(
                all.iter()
                    .any(|one| one.contains(start) && one.contains(hint)),
                "{start}: {all:#?}"
            );
        }
        // `No` is also a surprise of YAML 1.1.
        assert_eq!(all.len(), expected.len() + 1, "{all:#?}");
    }

    #[test]
    fn what_a_macro_writes_is_not_guessed() {
        let text = "Transform: AWS::Serverless-2016-10-31\nResources:\n  F:\n    Type: AWS::Serverless::Function\n    Connectors: {}\n    \
                    Properties: {Role: !GetAtt FRole.Arn}\n";
        assert_eq!(found(text), [] as [&str; 0]);
    }

    #[test]
    fn images_are_parameters() {
        let text = "Parameters: {AMIId: {Type: 'AWS::EC2::Image::Id'}}
Resources:
  A: {Type: AWS::EC2::Instance, Properties: {ImageId: ami-0123456789abcdef0}}
  B: {Type: AWS::EC2::LaunchTemplate, Properties: {LaunchTemplateData: {ImageId: !Ref AMIId}}}
  C: {Type: AWS::EC2::Instance, Properties: {ImageId: '{{resolve:ssm:/x}}'}}
  D: {Type: AWS::Other::Thing, Properties: {ImageId: ami-0123456789abcdef0}}
";
        assert_eq!(
            found(text),
            ["T301 t.yml:3:55: ImageId is ami-0123456789abcdef0, written down"]
        );
        let template = Template::parse("t.yml", text.as_bytes()).unwrap();
        let images = image_ids(&template);
        assert_eq!(images.len(), 3);
        assert!(refers_to(images[1], "AMIId") && !refers_to(images[0], "AMIId"));
    }
}
