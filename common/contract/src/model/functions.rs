//! Every function of a template, where CloudFormation resolves functions.

use crate::finding::Place;
use crate::model::evaluate::function;
use crate::model::template::Template;
use crate::model::yaml::{Content, Node};

/// Calls `look` with the long name of each function, its argument and its place, in the sections in which
/// CloudFormation resolves them.
pub(crate) fn each(template: &Template, look: &mut dyn FnMut(&str, &Node, Place)) {
    for section in ["Rules", "Conditions", "Resources", "Outputs", "Hooks"] {
        if let Some(node) = template.root.get(section) {
            below(node, look);
        }
    }
}

fn below(node: &Node, look: &mut dyn FnMut(&str, &Node, Place)) {
    if let Some((name, argument)) = function(node) {
        let bare = argument.bare();
        look(&name, &bare, node.place);
        return below(&bare, look);
    }
    match &node.content {
        Content::Scalar(..) => {}
        Content::Sequence(items) => items.iter().for_each(|item| below(item, look)),
        Content::Mapping(entries) => entries.iter().for_each(|(_, value)| below(value, look)),
    }
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
