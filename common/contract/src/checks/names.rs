//! The names that a template's functions, conditions and DependsOn use (T201).

use crate::finding::{Finding, did_you_mean};
use crate::model::evaluate::function;
use crate::model::functions::{self, sub_names};
use crate::model::language::PSEUDO_PARAMETERS;
use crate::model::template::{Resource, Template};
use crate::model::transform::{has_own_macro, is_transformed};
use crate::model::yaml::{Content, Node};
use crate::rules::undeclared_name;
use std::collections::BTreeSet;

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

/// A finding for each name that nothing declares; what a transform or a macro makes of the names is not known.
pub(super) fn check(template: &Template) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !has_own_macro(template) {
        findings.extend(pseudo_parameters(template));
    }
    if !is_transformed(template) {
        findings.extend(undeclared(template));
    }
    findings
}

/// A finding for each name that nothing declares, wherever CloudFormation resolves names.
fn undeclared(template: &Template) -> Vec<Finding> {
    let mut names = Names {
        template,
        scope: Scope::Whole,
        seen: BTreeSet::new(),
        findings: Vec::new(),
    };
    for resource in &template.resources {
        names.resource(resource);
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
    if let Some(hooks) = template.root.get("Hooks") {
        names.walk(hooks);
    }
    names.scope = Scope::Parameters;
    for (_, condition) in &template.conditions {
        names.condition(condition);
    }
    if let Some(rules) = template.root.get("Rules") {
        names.walk(rules);
    }
    names.findings
}

/// A finding for each pseudo parameter that does not exist; no transform of AWS's makes one.
fn pseudo_parameters(template: &Template) -> Vec<Finding> {
    let mut findings = Vec::new();
    functions::each(template, &mut |function, argument, place| {
        let pattern = match argument.as_sequence() {
            Some([pattern, ..]) => pattern.as_str(),
            _ => argument.as_str(),
        };
        let used = match (function, pattern) {
            ("Ref", Some(name)) => vec![name],
            ("Fn::Sub", Some(pattern)) => sub_names(pattern),
            _ => return,
        };
        for name in used {
            if !name.starts_with("AWS::") || PSEUDO_PARAMETERS.contains(&name) {
                continue;
            }
            let message = format!("{name} is not a pseudo parameter");
            let finding =
                Finding::new(&undeclared_name::RULE, &template.file, Some(place), message);
            findings.push(finding.maybe_hint(did_you_mean(name, PSEUDO_PARAMETERS)));
        }
    });
    findings
}

/// What a name may refer to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// Parameters and resources.
    Whole,
    /// Parameters alone, as in Conditions and Rules.
    Parameters,
}

struct Names<'a> {
    template: &'a Template,
    scope: Scope,
    seen: BTreeSet<(usize, String)>,
    findings: Vec<Finding>,
}

impl Names<'_> {
    fn resource(&mut self, resource: &Resource) {
        if let Some(condition) = resource.node.get("Condition") {
            self.name(condition, condition.as_str(), Kind::Condition);
        }
        if let Some(node) = resource.node.get("DependsOn") {
            let one = std::slice::from_ref(node);
            for item in node.as_sequence().unwrap_or(one) {
                self.name(item, item.as_str(), Kind::Resource);
            }
        }
        for key in ["Properties", "Metadata", "CreationPolicy", "UpdatePolicy"] {
            if let Some(node) = resource.node.get(key) {
                self.walk(node);
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
                "Fn::FindInMap" => {
                    self.mapping(node, &bare);
                    return self.below(&bare);
                }
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

    /// A mapping and its keys, as far as they are written out; with a default they need not be there.
    fn mapping(&mut self, node: &Node, bare: &Node) {
        let Some(keys @ [_, _, _]) = bare.as_sequence() else {
            return;
        };
        let mut found = self.template.mappings.as_ref();
        let mut path = "Mappings".to_owned();
        for key in keys {
            let Some(name) = key.as_str().filter(|_| key.tag.is_none()) else {
                return;
            };
            let entries = found.and_then(Node::as_mapping).unwrap_or_default();
            let names = || entries.iter().filter_map(|(key, _)| key.as_str());
            // What an include adds is not known.
            if names().any(|name| name.starts_with("Fn::")) {
                return;
            }
            let Some(next) = found.and_then(|node| node.get(name)) else {
                let message = format!("{path} has no {name}");
                self.find(node, name, message, did_you_mean(name, names()));
                return;
            };
            path = format!("{path}.{name}");
            found = Some(next);
        }
    }

    fn name(&mut self, node: &Node, name: Option<&str>, kind: Kind) {
        let Some(name) = name else { return };
        let template = self.template;
        let resource = template.resource(name).is_some();
        let in_scope = resource && self.scope == Scope::Whole;
        let declared = match kind {
            // Of pseudo parameters `pseudo_parameters` speaks.
            Kind::Value => {
                in_scope || template.parameter(name).is_some() || name.starts_with("AWS::")
            }
            Kind::Resource => in_scope,
            Kind::Condition => template.conditions.iter().any(|(one, _)| one == name),
        };
        if declared {
            return;
        }
        let parameters = template.parameters.iter().map(|one| one.name.as_str());
        let resources = template.resources.iter().map(|one| one.id.as_str());
        let (message, hint) = match kind {
            Kind::Value | Kind::Resource if resource => (
                format!("{name} is a resource, to which Conditions and Rules cannot refer"),
                Some("refer to a parameter".to_owned()),
            ),
            Kind::Value if self.scope == Scope::Parameters => (
                format!("{name} is not a parameter"),
                did_you_mean(name, parameters),
            ),
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
        self.find(node, name, message, hint);
    }

    fn find(&mut self, node: &Node, name: &str, message: String, hint: Option<String>) {
        if self.seen.insert((node.place.start, name.to_owned())) {
            self.findings.push(
                Finding::new(
                    &undeclared_name::RULE,
                    &self.template.file,
                    Some(node.place),
                    message,
                )
                .maybe_hint(hint),
            );
        }
    }
}
