//! `Fn::ForEach` written out, as far as what it goes over is known.
//!
//! Source: CloudFormation template reference, "Fn::ForEach": `Fn::ForEach::Name: [identifier, collection, {key: value}]`, in
//! which `${identifier}`, `&{identifier}` (letters and digits only) and a Ref of the identifier become each item.

use crate::model::evaluate::{Evaluator, is_unknown};
use crate::model::template::Template;
use crate::model::yaml::{Content, Node};

/// What the keys of loops begin with.
pub(crate) const LOOP: &str = "Fn::ForEach::";

/// The most entries that loops may become here; nothing that CloudFormation takes comes near.
const MOST: usize = 10_000;

/// The template with its loops written out; nothing when it has none that can be. A loop whose collection is not known
/// stays as it is.
pub(crate) fn written_out(template: &Template, evaluator: &Evaluator<'_>) -> Option<Template> {
    let mut writer = Writer {
        evaluator,
        written: 0,
    };
    let root = writer.node(&template.root);
    let is_new = (1..=MOST).contains(&writer.written);
    is_new.then(|| Template::of_root(&template.file, root))?
}

/// Whether a mapping holds a loop, so that not all of its keys are known.
pub(crate) fn has_loop(node: &Node) -> bool {
    let entries = node.as_mapping().unwrap_or_default();
    entries.iter().any(|(key, _)| is_loop(key))
}

fn is_loop(key: &Node) -> bool {
    key.as_str().is_some_and(|key| key.starts_with(LOOP))
}

/// A loop whose items are known.
struct Loop<'n> {
    /// The identifier.
    name: String,
    items: Vec<String>,
    body: &'n [(Node, Node)],
}

struct Writer<'a> {
    evaluator: &'a Evaluator<'a>,
    /// How many entries loops became.
    written: usize,
}

impl Writer<'_> {
    fn node(&mut self, node: &Node) -> Node {
        let content = match &node.content {
            Content::Scalar(..) => return node.clone(),
            Content::Sequence(items) => {
                Content::Sequence(items.iter().map(|item| self.node(item)).collect())
            }
            Content::Mapping(entries) => Content::Mapping(self.entries(entries)),
        };
        Node {
            content,
            tag: node.tag.clone(),
            place: node.place,
        }
    }

    fn entries(&mut self, entries: &[(Node, Node)]) -> Vec<(Node, Node)> {
        let mut all = Vec::new();
        for (key, value) in entries {
            match is_loop(key).then(|| self.loop_of(value)).flatten() {
                Some(Loop { name, items, body }) => {
                    for item in items {
                        self.written += body.len();
                        if self.written > MOST {
                            return all;
                        }
                        let pairs = body.iter().map(|(key, value)| {
                            (with(key, &name, &item), with(value, &name, &item))
                        });
                        let pairs: Vec<_> = pairs.collect();
                        all.extend(self.entries(&pairs));
                    }
                }
                None => all.push((key.clone(), self.node(value))),
            }
        }
        all
    }

    fn loop_of<'n>(&self, value: &'n Node) -> Option<Loop<'n>> {
        let [name, collection, body] = value.as_sequence()? else {
            return None;
        };
        let items = self.evaluator.node(collection).ok().flatten()?;
        let items = items.as_sequence()?.iter().map(|item| {
            let text = item.as_str().filter(|text| !is_unknown(text));
            text.map(str::to_owned)
        });
        Some(Loop {
            name: name.as_str()?.to_owned(),
            items: items.collect::<Option<_>>()?,
            body: body.as_mapping()?,
        })
    }
}

/// A node with an item in place of the identifier.
fn with(node: &Node, name: &str, item: &str) -> Node {
    let is_name = |node: &Node| node.as_str() == Some(name);
    let content = match &node.content {
        Content::Scalar(..) if node.tag.as_deref() == Some("!Ref") && is_name(node) => {
            return Node::text(item, node.place);
        }
        Content::Scalar(text, style) => {
            let plain: String = item.chars().filter(char::is_ascii_alphanumeric).collect();
            let text = text
                .replace(&format!("${{{name}}}"), item)
                .replace(&format!("&{{{name}}}"), &plain);
            Content::Scalar(text, *style)
        }
        Content::Sequence(items) => {
            Content::Sequence(items.iter().map(|one| with(one, name, item)).collect())
        }
        Content::Mapping(entries) => match entries.as_slice() {
            [(key, value)] if key.as_str() == Some("Ref") && is_name(value) => {
                return Node::text(item, node.place);
            }
            entries => {
                let pairs = entries.iter();
                let pair =
                    |(key, value): &(Node, Node)| (with(key, name, item), with(value, name, item));
                Content::Mapping(pairs.map(pair).collect())
            }
        },
    };
    Node {
        content,
        tag: node.tag.clone(),
        place: node.place,
    }
}
