//! The rules that a template must keep by itself: limits, values, and every rule that looks at a template.
//!
//! A template that a macro or a transform writes on is looked at for what no macro changes only:
//! what a name means is known after the macro has run.

use super::names;
use crate::finding::Finding;
use crate::model::parameters::{self, MAX_VALUE};
use crate::model::template::Template;
use crate::model::yaml::Node;
use crate::model::yaml11;
use crate::rules::{self, large_body, too_large, too_long, too_many};

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
    findings.extend(names::check(template));
    findings.extend(rules::of_template(template));
    findings
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
            "bytes of template" => (&too_large::RULE, None),
            "bytes of description" => (&too_long::RULE, Some("Description")),
            "resources" => (&too_many::RULE, Some("Resources")),
            "parameters" => (&too_many::RULE, Some("Parameters")),
            "outputs" => (&too_many::RULE, Some("Outputs")),
            _ => (&too_many::RULE, Some("Mappings")),
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
        findings.push(Finding::new(&large_body::RULE, file, None, message));
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
            findings.push(Finding::new(&too_long::RULE, file, place, message));
        }
    }
    findings
}

#[cfg(test)]
mod tests;
