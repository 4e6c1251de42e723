//! Every function of a template, where CloudFormation resolves functions.

use crate::evaluate::function;
use crate::finding::Place;
use crate::template::Template;
use crate::yaml::{Content, Node};

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
