//! Fields of a YAML mapping in the forms that buildspecs use.

use contract::yaml::Node;

/// A text of a mapping.
pub(crate) fn text<'n>(node: &'n Node, key: &str) -> Option<&'n str> {
    node.get(key).and_then(Node::as_str)
}

/// A list of texts of a mapping, or one text in place of it.
pub(crate) fn texts(node: &Node, key: &str) -> Vec<String> {
    let Some(value) = node.get(key) else {
        return Vec::new();
    };
    match value.as_sequence() {
        Some(items) => items
            .iter()
            .filter_map(|item| item.as_str().map(str::to_owned))
            .collect(),
        None => value.as_str().map(str::to_owned).into_iter().collect(),
    }
}

/// The entries of a mapping inside a mapping.
pub(crate) fn entries<'n>(node: &'n Node, key: &str) -> &'n [(Node, Node)] {
    let value = node.get(key).and_then(Node::as_mapping);
    value.unwrap_or_default()
}
