//! What changes between two versions of a template, by meaning: comments, order and quoting do not
//! count.

use crate::model::template::Template;
use crate::model::yaml::{Content, Node};

/// The names that were added, removed and changed in one section.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Only in the new version.
    pub added: Vec<String>,
    /// Only in the old version.
    pub removed: Vec<String>,
    /// In both, with another content.
    pub changed: Vec<String>,
}

impl Changes {
    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

/// The changes of every section that has any, by its name, in the order of a template. What is not a
/// section of named things, such as Description, is one name in the section `Template`.
#[must_use]
pub fn changes(old: &Template, new: &Template) -> Vec<(&'static str, Changes)> {
    const NAMED: [&str; 7] = [
        "Parameters",
        "Mappings",
        "Conditions",
        "Rules",
        "Resources",
        "Outputs",
        "Metadata",
    ];
    let mut all = Vec::new();
    for section in NAMED {
        let of = |template: &Template| entries(template.root.get(section));
        all.push((section, compare(&of(old), &of(new))));
    }
    let rest = |template: &Template| {
        let mut rest = entries(Some(&template.root));
        rest.retain(|(name, _)| !NAMED.contains(&name.as_str()));
        rest
    };
    all.push(("Template", compare(&rest(old), &rest(new))));
    all.retain(|(_, changes)| !changes.is_empty());
    all
}

fn entries(section: Option<&Node>) -> Vec<(String, Node)> {
    section
        .and_then(Node::as_mapping)
        .unwrap_or_default()
        .iter()
        .map(|(key, value)| (key.as_str().unwrap_or_default().to_owned(), value.clone()))
        .collect()
}

fn compare(old: &[(String, Node)], new: &[(String, Node)]) -> Changes {
    let find = |all: &[(String, Node)], name: &str| {
        all.iter()
            .find(|(one, _)| one == name)
            .map(|(_, node)| node.clone())
    };
    let mut changes = Changes::default();
    for (name, node) in new {
        match find(old, name) {
            None => changes.added.push(name.clone()),
            Some(before) if !same(&before, node) => changes.changed.push(name.clone()),
            Some(_) => {}
        }
    }
    for (name, _) in old {
        if find(new, name).is_none() {
            changes.removed.push(name.clone());
        }
    }
    changes
}

/// Whether two nodes mean the same: `!Ref x` and `{Ref: x}` are one, the order of keys does not count.
fn same(a: &Node, b: &Node) -> bool {
    let (a, b) = (long_form(a), long_form(b));
    match (&a.content, &b.content) {
        (Content::Sequence(a), Content::Sequence(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Content::Mapping(x), Content::Mapping(y)) => {
            x.len() == y.len()
                && x.iter().all(|(key, value)| {
                    key.as_str()
                        .and_then(|key| b.get(key))
                        .is_some_and(|other| same(value, other))
                })
        }
        (Content::Scalar(..), Content::Scalar(..)) => a.to_json() == b.to_json(),
        _ => false,
    }
}

/// A short-form function as the mapping that it stands for.
fn long_form(node: &Node) -> Node {
    let Some((name, argument)) = crate::model::evaluate::function(node) else {
        return node.clone();
    };
    let mut bare = argument.bare();
    if name == "Fn::GetAtt"
        && let Some((id, attribute)) = bare.as_str().and_then(|text| text.split_once('.'))
    {
        let parts = [id, attribute].map(|part| Node::text(part, node.place));
        bare.content = Content::Sequence(parts.to_vec());
    }
    Node {
        content: Content::Mapping(vec![(Node::text(name, node.place), bare)]),
        tag: None,
        place: node.place,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    fn template(text: &str) -> Template {
        Template::parse("t", text.as_bytes()).unwrap()
    }

    #[test]
    fn only_what_means_something_else_is_a_change() {
        let old = template(
            "# a\nParameters: {A: {Type: String}, B: {Type: Number}}\nResources:\n  R: {Type: X::Y::Z, Properties: {a: !Ref A, b: !GetAtt R.Arn}}\n  S: {Type: X::Y::Z}\n",
        );
        let same = template(
            "{\"Resources\": {\"S\": {\"Type\": \"X::Y::Z\"}, \"R\": {\"Properties\": {\"b\": {\"Fn::GetAtt\": [\"R\", \"Arn\"]}, \
             \"a\": {\"Ref\": \"A\"}}, \"Type\": \"X::Y::Z\"}}, \"Parameters\": {\"B\": {\"Type\": \"Number\"}, \"A\": {\"Type\": \"String\"}}}",
        );
        assert_eq!(changes(&old, &same), []);
        let new = template(
            "Description: d\nParameters: {A: {Type: String}, C: {Type: Number}}\nResources:\n  R: {Type: X::Y::Z, Properties: {a: !Ref C}}\n  S: {Type: X::Y::Z}\n",
        );
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let expected = [
            (
                "Parameters",
                Changes {
                    added: names(&["C"]),
                    removed: names(&["B"]),
                    changed: vec![],
                },
            ),
            (
                "Resources",
                Changes {
                    changed: names(&["R"]),
                    ..Changes::default()
                },
            ),
            (
                "Template",
                Changes {
                    added: names(&["Description"]),
                    ..Changes::default()
                },
            ),
        ];
        assert_eq!(changes(&old, &new), expected);
    }
}
