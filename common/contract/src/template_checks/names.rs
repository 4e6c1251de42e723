//! The names that a template's functions, conditions and DependsOn use.

use std::collections::BTreeSet;

use crate::evaluate::function;
use crate::finding::{Finding, did_you_mean};
use crate::rule;
use crate::template::{Resource, Template};
use crate::yaml::{Content, Node};

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
pub(super) fn undeclared(template: &Template) -> Vec<Finding> {
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
pub(super) fn sub_names(pattern: &str) -> Vec<&str> {
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
