//! The rules that a template must keep by itself: limits, attributes, names, images.
//!
//! A template that a macro or a transform writes on is looked at for what no macro changes only:
//! what a name means is known after the macro has run.

pub(crate) mod functions;
mod images;
mod names;

use crate::evaluate::function;
use crate::finding::{Finding, did_you_mean};
use crate::language::{ATTRIBUTES, UPDATE_POLICY};
use crate::parameters::{self, MAX_VALUE};
use crate::rule;
use crate::rules;
use crate::template::Template;
use crate::yaml::{Content, Node};
use crate::yaml11;

pub use images::{image_ids, is_image_id, refers_to};

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

/// Every fault of a template that shows without a pipeline; `bytes` is its length.
#[must_use]
pub fn check(template: &Template, bytes: usize) -> Vec<Finding> {
    let mut findings = template.warnings.clone();
    findings.extend(limits(template, bytes));
    findings.extend(yaml11::check(&template.file, &template.root));
    findings.extend(parameters::defaults(template));
    findings.extend(images::hard_coded(template));
    findings.extend(rules::of_template(template));
    if !has_own_macro(template) {
        findings.extend(names::pseudo_parameters(template));
    }
    if !is_transformed(template) {
        findings.extend(logical_ids(template));
        findings.extend(attributes(template));
        findings.extend(names::undeclared(template));
    }
    findings
}

/// The directives of rain, which writes a template out before it is deployed.
pub(crate) const RAIN: &str = "Fn::Rain::";

/// Whether a macro of its author's, or rain, may write any text into the template; macros of AWS have names that
/// begin with `AWS::`.
#[must_use]
pub(crate) fn has_own_macro(template: &Template) -> bool {
    fn names(node: &Node) -> bool {
        match &node.content {
            Content::Scalar(name, _) => !name.starts_with("AWS::"),
            Content::Sequence(items) => items.iter().any(names),
            Content::Mapping(_) => node.get("Name").is_none_or(names),
        }
    }
    fn calls(node: &Node) -> bool {
        let own = function(node).is_some_and(|(name, argument)| {
            name == "Fn::Transform" && names(&argument.bare()) || name.starts_with(RAIN)
        });
        own || match &node.content {
            Content::Scalar(..) => false,
            Content::Sequence(items) => items.iter().any(calls),
            Content::Mapping(entries) => entries.iter().any(|(key, value)| {
                let key = key.as_str().unwrap_or_default();
                key == "Fn::Transform" && names(value) || key.starts_with("Rain::") || calls(value)
            }),
        }
    }
    let whole = template
        .root
        .get("Transform")
        .filter(|node| !node.is_null());
    whole.is_some_and(names) || calls(&template.root)
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
        || has_own_macro(template)
}

/// Whether a function whose long name fits is used at or below a node.
#[must_use]
pub fn has_function(node: &Node, fits: &dyn Fn(&str) -> bool) -> bool {
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
        let policy = resource.node.get("UpdatePolicy").and_then(Node::as_mapping);
        for (key, _) in policy.unwrap_or_default() {
            let name = key.as_str().unwrap_or_default();
            if !UPDATE_POLICY.contains(&name) && !name.starts_with("Fn::") {
                let message = format!("{name} is not a part of an UpdatePolicy");
                findings.push(
                    Finding::new(
                        &rule::UNKNOWN_ATTRIBUTE,
                        &template.file,
                        Some(key.place),
                        message,
                    )
                    .maybe_hint(did_you_mean(name, UPDATE_POLICY)),
                );
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests;
