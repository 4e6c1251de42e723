//! A CloudFormation template: its sections, thinly, with the place of everything.

use crate::finding::{Finding, Place, did_you_mean};
use crate::model::language::SECTIONS;
use crate::model::yaml::{self, Merge, Node};
use crate::rule::Rule;
use crate::rules::{
    default_not_text, no_resources, no_type, not_a_template, undeclared_parameter, unknown_section,
};

/// A template with its sections found. Values are nodes: see [`crate::model::evaluate`].
#[derive(Debug, Clone)]
pub struct Template {
    /// The file as its user named it.
    pub file: String,
    /// Declared parameters, in the order of the file.
    pub parameters: Vec<Parameter>,
    /// Resources, in the order of the file.
    pub resources: Vec<Resource>,
    /// Conditions by name.
    pub conditions: Vec<(String, Node)>,
    /// The `Mappings` section.
    pub mappings: Option<Node>,
    /// Outputs by name.
    pub outputs: Vec<(String, Node)>,
    /// The whole document, for checks that look further.
    pub root: Node,
    /// What is probably not meant, such as an unknown section or a key that appears twice.
    pub warnings: Vec<Finding>,
    /// Where aliases stand.
    pub aliases: Vec<Place>,
    /// Merge keys.
    pub merges: Vec<Merge>,
}

/// What could be read of a template, and every fault on the way.
#[derive(Debug)]
pub struct Read {
    /// The template, as far as it is one: what has no Type has an empty one.
    pub template: Option<Template>,
    /// Why it is not one, or not wholly.
    pub faults: Vec<Finding>,
}

/// A declared parameter.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// Its name, a node so that messages can point at it.
    pub name: String,
    /// Its type, such as `String` or `AWS::EC2::Image::Id`.
    pub kind: String,
    /// Its default as text; lists are comma separated, as on the wire.
    pub default: Option<String>,
    /// The values it may have; empty means any.
    pub allowed_values: Vec<String>,
    /// The whole declaration.
    pub node: Node,
}

impl Parameter {
    /// Whether a reference to the parameter is a list of texts.
    #[must_use]
    pub fn is_list(&self) -> bool {
        self.kind == "CommaDelimitedList" || self.kind.starts_with("List<")
    }
}

/// A declared resource.
#[derive(Debug, Clone)]
pub struct Resource {
    /// Its logical id.
    pub id: String,
    /// Its type, such as `AWS::CodePipeline::Pipeline`.
    pub kind: String,
    /// Its `Properties`, when it has any.
    pub properties: Option<Node>,
    /// The condition on which it exists.
    pub condition: Option<String>,
    /// The whole declaration.
    pub node: Node,
}

impl Resource {
    /// A declaration; its type is empty when it has none.
    pub(crate) fn of(id: &str, node: &Node) -> Self {
        let text = |key| node.get(key).and_then(Node::as_str).map(str::to_owned);
        Self {
            id: id.to_owned(),
            kind: text("Type").unwrap_or_default(),
            properties: node.get("Properties").cloned(),
            condition: text("Condition"),
            node: node.clone(),
        }
    }
}

impl Template {
    /// Reads a template in YAML or JSON.
    ///
    /// # Errors
    /// Every fault at once: not YAML, not a mapping, no `Resources`, a resource without a
    /// `Type`, a parameter without a `Type`, a section of the wrong kind.
    pub fn parse(file: &str, bytes: &[u8]) -> Result<Self, Vec<Finding>> {
        let read = Self::read(file, bytes);
        match read.template {
            Some(template) if read.faults.is_empty() => Ok(template),
            _ => Err(read.faults),
        }
    }

    /// Reads what can be read of a template in YAML or JSON.
    #[must_use]
    pub fn read(file: &str, bytes: &[u8]) -> Read {
        let document = match yaml::read_bytes(file, bytes) {
            Ok(document) => document,
            Err(finding) => {
                return Read {
                    template: None,
                    faults: vec![finding],
                };
            }
        };
        let mut reader = Reader {
            file,
            faults: Vec::new(),
            warnings: document.twice,
        };
        let mut template = reader.template(document.root);
        if let Some(template) = &mut template {
            template.aliases = document.aliases;
            template.merges = document.merges;
        }
        Read {
            template,
            faults: reader.faults,
        }
    }

    /// A template whose tree is there already, without what is wrong with it.
    pub(crate) fn of_root(file: &str, root: Node) -> Option<Self> {
        let mut reader = Reader {
            file,
            faults: Vec::new(),
            warnings: Vec::new(),
        };
        reader.template(root)
    }

    /// The parameter of that name.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&Parameter> {
        self.parameters.iter().find(|one| one.name == name)
    }

    /// The resource of that logical id.
    #[must_use]
    pub fn resource(&self, id: &str) -> Option<&Resource> {
        self.resources.iter().find(|one| one.id == id)
    }

    /// The resources of one type.
    pub fn resources_of(&self, kind: &str) -> impl Iterator<Item = &Resource> {
        self.resources.iter().filter(move |one| one.kind == kind)
    }

    /// An error for each name that is not a declared parameter, with the nearest that is.
    #[must_use]
    pub fn undeclared<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Vec<Finding> {
        names
            .into_iter()
            .filter(|name| self.parameter(name).is_none())
            .map(|name| {
                Finding::new(
                    &undeclared_parameter::RULE,
                    &self.file,
                    None,
                    format!("{name}: not a parameter of this template"),
                )
                .maybe_hint(did_you_mean(
                    name,
                    self.parameters.iter().map(|one| one.name.as_str()),
                ))
            })
            .collect()
    }
}

struct Reader<'a> {
    file: &'a str,
    faults: Vec<Finding>,
    warnings: Vec<Finding>,
}

impl Reader<'_> {
    fn template(&mut self, root: Node) -> Option<Template> {
        let Some(entries) = root.as_mapping() else {
            let what = root.kind();
            self.fault(
                &not_a_template::RULE,
                &root,
                format!("a template is a mapping of sections, this is {what}"),
                Some("a template begins with `Resources:` or `AWSTemplateFormatVersion:`"),
            );
            return None;
        };
        for (key, _) in entries {
            let name = key.as_str().unwrap_or_default();
            // A macro may take any section; SAM has Globals.
            if !SECTIONS.contains(&name) && !is_written_by_macro(&root) {
                self.warnings.push(
                    Finding::new(
                        &unknown_section::RULE,
                        self.file,
                        Some(key.place),
                        format!("`{name}` is not a section of a template"),
                    )
                    .maybe_hint(did_you_mean(name, SECTIONS)),
                );
            }
        }
        let parameters = self.parameters(&root);
        let resources = self.resources(&root);
        Some(Template {
            file: self.file.to_owned(),
            parameters,
            resources,
            conditions: self.section(&root, "Conditions"),
            mappings: root.get("Mappings").cloned(),
            outputs: self.section(&root, "Outputs"),
            warnings: std::mem::take(&mut self.warnings),
            aliases: Vec::new(),
            merges: Vec::new(),
            root,
        })
    }

    fn parameters(&mut self, root: &Node) -> Vec<Parameter> {
        let mut parameters = Vec::new();
        for (name, node) in self.section(root, "Parameters") {
            if name.starts_with("Fn::") {
                continue;
            }
            let kind = node.get("Type").and_then(Node::as_str);
            if kind.is_none() {
                self.fault(
                    &no_type::RULE,
                    &node,
                    format!("parameter {name} has no Type"),
                    None,
                );
            }
            parameters.push(Parameter {
                kind: kind.unwrap_or_default().to_owned(),
                default: node.get("Default").map(|value| self.scalar(&name, value)),
                allowed_values: node
                    .get("AllowedValues")
                    .and_then(Node::as_sequence)
                    .unwrap_or_default()
                    .iter()
                    .filter_map(|value| value.as_str().map(str::to_owned))
                    .collect(),
                name,
                node,
            });
        }
        parameters
    }

    fn scalar(&mut self, name: &str, value: &Node) -> String {
        if let Some(text) = value.as_str() {
            return text.to_owned();
        }
        self.fault(
            &default_not_text::RULE,
            value,
            format!("the Default of parameter {name} is {}", value.kind()),
            Some("write one text; a list is comma separated"),
        );
        String::new()
    }

    fn resources(&mut self, root: &Node) -> Vec<Resource> {
        if root.get("Resources").is_none() {
            self.fault(
                &no_resources::RULE,
                root,
                "the template has no Resources".to_owned(),
                Some("a template declares at least one resource under `Resources:`"),
            );
        }
        let mut resources = Vec::new();
        for (id, node) in self.section(root, "Resources") {
            // `Fn::ForEach::Name` and `Fn::Transform` stand among the resources and are none.
            if id.starts_with("Fn::") {
                continue;
            }
            let resource = Resource::of(&id, &node);
            if resource.kind.is_empty() && !is_written_by_macro(root) {
                self.fault(
                    &no_type::RULE,
                    &node,
                    format!("resource {id} has no Type"),
                    Some("write its type, such as `Type: AWS::S3::Bucket`"),
                );
            }
            resources.push(resource);
        }
        if resources.is_empty() && self.faults.is_empty() && !has_function(root) {
            self.fault(
                &no_resources::RULE,
                root,
                "the template declares no resource".to_owned(),
                None,
            );
        }
        resources
    }

    /// The entries of a section; an absent or empty one has none.
    fn section(&mut self, root: &Node, name: &str) -> Vec<(String, Node)> {
        let Some(section) = root.get(name) else {
            return Vec::new();
        };
        if section.is_null() {
            return Vec::new();
        }
        let Some(entries) = section.as_mapping() else {
            self.fault(
                &not_a_template::RULE,
                section,
                format!("{name} is {}, not a mapping", section.kind()),
                None,
            );
            return Vec::new();
        };
        entries
            .iter()
            .map(|(key, value)| (key.as_str().unwrap_or_default().to_owned(), value.clone()))
            .collect()
    }

    fn fault(&mut self, rule: &'static Rule, node: &Node, message: String, hint: Option<&str>) {
        self.faults.push(
            Finding::new(rule, self.file, Some(node.place), message)
                .maybe_hint(hint.map(str::to_owned)),
        );
    }
}

/// Whether a macro or a transform rewrites the whole template.
fn is_written_by_macro(root: &Node) -> bool {
    root.get("Transform").is_some_and(|node| !node.is_null())
}

/// Whether resources come out of a loop or a macro.
fn has_function(root: &Node) -> bool {
    is_written_by_macro(root)
        || root
            .get("Resources")
            .and_then(Node::as_mapping)
            .is_some_and(|entries| {
                entries
                    .iter()
                    .any(|(key, _)| key.as_str().is_some_and(|id| id.starts_with("Fn::")))
            })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    fn faults(text: &str) -> String {
        let all = Template::parse("t.yml", text.as_bytes()).unwrap_err();
        all.iter().map(|one| format!("{one}\n")).collect()
    }

    #[test]
    fn sections_are_found() {
        let text = "Parameters:\n  AMIId:\n    Type: AWS::EC2::Image::Id\n  Size: {Type: Number, Default: 3}\n\
                    Resources:\n  A:\n    Type: AWS::S3::Bucket\n    Condition: C\n\
                    Conditions:\n  C: !Equals [a, b]\nOutputs:\n  O: {Value: 1}\nOutput: {}\n";
        let template = Template::parse("t.yml", text.as_bytes()).unwrap();
        assert_eq!(
            template.parameter("Size").unwrap().default.as_deref(),
            Some("3")
        );
        assert_eq!(
            template.resource("A").unwrap().condition.as_deref(),
            Some("C")
        );
        assert_eq!(template.outputs.len(), 1);
        assert_eq!(
            template.warnings[0].to_string(),
            "t.yml:13:1: `Output` is not a section of a template\n  hint: did you mean Outputs?"
        );
        assert_eq!(
            template.undeclared(["AMIID", "Size"])[0].to_string(),
            "t.yml: AMIID: not a parameter of this template\n  hint: did you mean AMIId?"
        );
    }

    #[test]
    fn what_is_not_a_template_is_named() {
        assert!(faults("").contains("a template is a mapping of sections, this is nothing"));
        assert!(faults("- a\n").contains("this is a list"));
        assert!(faults("Description: x\n").contains("t.yml:1:1: the template has no Resources"));
        assert!(faults("Resources:\n").contains("declares no resource"));
        assert!(faults("Resources: []\n").contains("Resources is a list, not a mapping"));
        assert!(faults("\u{7b}\"Resources\": ").contains("not valid YAML"));
    }

    #[test]
    fn what_a_merge_gives_is_there() {
        let text =
            "Resources:\n  A: &a {Type: AWS::S3::Bucket}\n  B:\n    <<: *a\n    DependsOn: A\n";
        let template = Template::parse("t.yml", text.as_bytes()).unwrap();
        assert_eq!(template.resource("B").unwrap().kind, "AWS::S3::Bucket");
        assert_eq!((template.aliases.len(), template.merges.len()), (1, 1));
    }

    #[test]
    fn what_can_be_known_is_read_beside_a_fault() {
        let text = "Parameters: {P: {Default: x}}\nResources: {A: {Properties: {X: !Ref B}}}\nOutput: {}\n";
        let read = Template::read("t.yml", text.as_bytes());
        assert_eq!(read.faults.len(), 2);
        let template = read.template.unwrap();
        assert!(template.parameter("P").is_some() && template.resource("A").is_some());
        assert_eq!(template.warnings.len(), 1);
    }

    #[test]
    fn every_fault_is_reported_at_once() {
        let all = faults("Parameters:\n  P: {Default: x}\nResources:\n  A: {}\n  B: {}\n");
        assert_eq!(all.matches("has no Type").count(), 3, "{all}");
    }
}
