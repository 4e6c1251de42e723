//! The functions themselves, one short method each.

use crate::finding::{Finding, Place, did_you_mean};
use crate::model::yaml::{Content, Node};

use super::{Argument, Evaluator, function, is_unknown};

/// The functions that are resolved here.
pub(super) const RESOLVED: [&str; 14] = [
    "Ref",
    "Condition",
    "Fn::Sub",
    "Fn::GetAtt",
    "Fn::Join",
    "Fn::If",
    "Fn::Equals",
    "Fn::And",
    "Fn::Or",
    "Fn::Not",
    "Fn::FindInMap",
    "Fn::Select",
    "Fn::Split",
    "Fn::ImportValue",
];

impl Evaluator<'_> {
    pub(super) fn call(
        &self,
        name: &str,
        argument: Argument<'_>,
        place: Place,
    ) -> Result<Option<Node>, Finding> {
        let bare = argument.bare();
        let text = |value: String| Ok(Some(Node::text(value, place)));
        match name {
            "Ref" => match bare.as_str() {
                Some(name) => self.reference(name, place),
                None => Err(self.shape(name, place, "the name of a parameter or a resource")),
            },
            "Fn::Sub" => text(self.sub(&bare, place)?),
            "Fn::GetAtt" => text(self.get_att(&bare, place)?),
            "Fn::Join" => text(self.join(&bare, place)?),
            "Fn::Split" => self.split(&bare, place).map(Some),
            "Fn::Select" => self.select(&bare, place).map(Some),
            "Fn::FindInMap" => self.find_in_map(&bare, place).map(Some),
            "Fn::ImportValue" => text(self.import(&bare, place)?),
            "Fn::If" => {
                let [condition, yes, no] = self.items(name, &bare, place)?;
                let condition = self.text(name, condition)?;
                let chosen = if self.condition(&condition, place)? {
                    yes
                } else {
                    no
                };
                self.node(chosen)
            }
            "Condition" | "Fn::Equals" | "Fn::And" | "Fn::Or" | "Fn::Not" => {
                text(self.logic(name, &bare, place)?.to_string())
            }
            other => Err(self.unknown_function(other, place)),
        }
    }

    pub(super) fn unknown_function(&self, name: &str, place: Place) -> Finding {
        let name = name.trim_start_matches('!');
        self.fault(
            place,
            format!("{name} cannot be resolved without an account"),
        )
        .maybe_hint(
            did_you_mean(name, RESOLVED)
                .or_else(|| Some(format!("resolved here are {}", RESOLVED.join(", ")))),
        )
    }

    /// The truth of a node among conditions.
    pub(super) fn truth(&self, node: &Node) -> Result<bool, Finding> {
        if let Some((name, argument)) = function(node) {
            let logic = ["Condition", "Fn::Equals", "Fn::And", "Fn::Or", "Fn::Not"];
            if logic.contains(&name.as_str()) {
                return self.logic(&name, &argument.bare(), node.place);
            }
        }
        if let Some([(key, value)]) = node.as_mapping()
            && key.as_str() == Some("Condition")
        {
            return self.logic("Condition", value, node.place);
        }
        match self.node(node)?.as_ref().and_then(Node::as_str) {
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            _ => Err(self.fault(node.place, "a condition must be true or false")),
        }
    }

    fn logic(&self, name: &str, bare: &Node, place: Place) -> Result<bool, Finding> {
        if name == "Condition" {
            return match bare.as_str() {
                Some(name) => self.condition(name, place),
                None => Err(self.shape(name, place, "the name of a condition")),
            };
        }
        if name == "Fn::Equals" {
            let [left, right] = self.items(name, bare, place)?;
            let side = |node: &Node| -> Result<Option<String>, Finding> {
                let value = self.node(node)?.map(|node| node.to_json());
                Ok(as_text(value.as_ref()))
            };
            let (left, right) = (side(left)?, side(right)?);
            let unknown = |text: &Option<String>| text.as_deref().is_some_and(is_unknown);
            // One unknown value equals itself; what a function gives is known by the function's name only.
            let function =
                |text: &Option<String>| text.as_deref().is_some_and(|text| text.contains("${Fn::"));
            if self.world.lenient
                && (unknown(&left) || unknown(&right))
                && (left != right || function(&left))
            {
                return Err(self.fault(place, "Fn::Equals compares what is not known here"));
            }
            return Ok(left == right);
        }
        let items = bare
            .as_sequence()
            .ok_or_else(|| self.shape(name, place, "a list of conditions"))?;
        let (least, most) = if name == "Fn::Not" { (1, 1) } else { (2, 10) };
        if !(least..=most).contains(&items.len()) {
            let message = format!(
                "{name} takes {least} to {most} conditions, here are {}",
                items.len()
            );
            return Err(self.fault(place, message));
        }
        let truths: Vec<_> = items.iter().map(|item| self.truth(item)).collect();
        // One known false decides an And, one known true an Or, whatever the others are.
        let decides = match name {
            "Fn::And" => Some(false),
            "Fn::Or" => Some(true),
            _ => None,
        };
        if self.world.lenient
            && let Some(truth) = decides
            && truths.contains(&Ok(truth))
        {
            return Ok(truth);
        }
        let truths = truths.into_iter().collect::<Result<Vec<bool>, _>>()?;
        Ok(match name {
            "Fn::And" => truths.iter().all(|truth| *truth),
            "Fn::Or" => truths.iter().any(|truth| *truth),
            _ => !truths.iter().any(|truth| *truth),
        })
    }

    fn sub(&self, bare: &Node, place: Place) -> Result<String, Finding> {
        let empty = Node {
            content: Content::Mapping(Vec::new()),
            tag: None,
            place,
        };
        let (pattern, names) = match bare.as_sequence() {
            Some([pattern, names]) if names.as_mapping().is_some() => (pattern, names),
            None => (bare, &empty),
            _ => return Err(self.shape("Fn::Sub", place, "a text, or a text and a mapping")),
        };
        let Some(pattern) = pattern.as_str() else {
            return Err(self.shape("Fn::Sub", place, "a text, or a text and a mapping"));
        };
        let mut out = String::with_capacity(pattern.len());
        let mut rest = pattern;
        while let Some(at) = rest.find("${") {
            out.push_str(&rest[..at]);
            let Some(end) = rest[at..].find('}') else {
                return Err(self
                    .fault(place, "`${` in Fn::Sub is never closed")
                    .hint("close it with `}`, or write `${!` for a literal `${`"));
            };
            let name = &rest[at + 2..at + end];
            rest = &rest[at + end + 1..];
            if let Some(literal) = name.strip_prefix('!') {
                // `${!Name}` is the documented way to write a literal `${Name}`.
                out.push_str(&format!("${{{literal}}}"));
            } else if let Some(value) = names.get(name) {
                out.push_str(&self.text("Fn::Sub", value)?);
            } else if let Some((id, attribute)) = name.split_once('.') {
                out.push_str(&self.attribute(id, attribute, place)?);
            } else {
                let value = self.reference(name.trim(), place)?;
                let value = value.as_ref().and_then(Node::as_str);
                let Some(value) = value else {
                    return Err(self.fault(place, format!("${{{name}}} in Fn::Sub is not text")));
                };
                out.push_str(value);
            }
        }
        out.push_str(rest);
        Ok(out)
    }

    fn get_att(&self, bare: &Node, place: Place) -> Result<String, Finding> {
        let shape = || self.shape("Fn::GetAtt", place, "a resource and an attribute");
        if let Some(text) = bare.as_str() {
            let (id, attribute) = text.split_once('.').ok_or_else(shape)?;
            return self.attribute(id, attribute, place);
        }
        let [id, attribute] = self.items("Fn::GetAtt", bare, place)?;
        let id = id.as_str().ok_or_else(shape)?;
        let attribute = self.text("Fn::GetAtt", attribute)?;
        self.attribute(id, &attribute, place)
    }

    fn attribute(&self, id: &str, attribute: &str, place: Place) -> Result<String, Finding> {
        if self.template.resource(id).is_none() {
            let ids = self.template.resources.iter().map(|one| one.id.as_str());
            return Err(self
                .fault(place, format!("{id}.{attribute}: {id} is not a resource"))
                .maybe_hint(did_you_mean(id, ids)));
        }
        Ok(self.deployed(&format!("{id}.{attribute}")))
    }

    fn join(&self, bare: &Node, place: Place) -> Result<String, Finding> {
        let [delimiter, list] = self.items("Fn::Join", bare, place)?;
        let delimiter = self.text("Fn::Join", delimiter)?;
        let mut parts = Vec::new();
        for item in self.list("Fn::Join", list)? {
            parts.push(self.text("Fn::Join", &item)?);
        }
        Ok(parts.join(&delimiter))
    }

    fn split(&self, bare: &Node, place: Place) -> Result<Node, Finding> {
        let [delimiter, text] = self.items("Fn::Split", bare, place)?;
        let delimiter = self.text("Fn::Split", delimiter)?;
        if delimiter.is_empty() {
            return Err(self.fault(place, "Fn::Split needs a delimiter that is not empty"));
        }
        let text = self.text("Fn::Split", text)?;
        Ok(Node {
            content: Content::Sequence(
                text.split(&delimiter)
                    .map(|part| Node::text(part, place))
                    .collect(),
            ),
            tag: None,
            place,
        })
    }

    fn select(&self, bare: &Node, place: Place) -> Result<Node, Finding> {
        let [index, list] = self.items("Fn::Select", bare, place)?;
        let index = self.text("Fn::Select", index)?;
        let mut items = self.list("Fn::Select", list)?;
        match index.trim().parse::<usize>() {
            Ok(at) if at < items.len() => Ok(items.swap_remove(at)),
            _ => Err(self.fault(
                place,
                format!(
                    "Fn::Select asks for item {index} of a list of {}",
                    items.len()
                ),
            )),
        }
    }

    fn find_in_map(&self, bare: &Node, place: Place) -> Result<Node, Finding> {
        let (keys, default) = match bare.as_sequence() {
            Some([map, top, second]) => ([map, top, second], None),
            Some([map, top, second, last]) => match last.get("DefaultValue") {
                Some(default) => ([map, top, second], Some(default)),
                None => {
                    let wanted = "DefaultValue in the mapping behind its three keys";
                    return Err(self.shape("Fn::FindInMap", place, wanted));
                }
            },
            _ => return Err(self.shape("Fn::FindInMap", place, "a list of 3")),
        };
        let mut node = self.template.mappings.as_ref();
        let mut path = String::new();
        for key in keys {
            let key = self.text("Fn::FindInMap", key)?;
            let found = node.and_then(|node| node.get(&key));
            let Some(found) = found else {
                // What is not known may be in the map.
                if let Some(default) = default.filter(|_| !is_unknown(&key)) {
                    return self.node(default)?.ok_or_else(|| {
                        self.shape("Fn::FindInMap", place, "a value for DefaultValue")
                    });
                }
                let names = node.and_then(Node::as_mapping).unwrap_or_default();
                return Err(self
                    .fault(
                        place,
                        format!("Fn::FindInMap: no `{key}` in Mappings{path}"),
                    )
                    .maybe_hint(did_you_mean(
                        &key,
                        names.iter().filter_map(|(name, _)| name.as_str()),
                    )));
            };
            path.push('.');
            path.push_str(&key);
            node = Some(found);
        }
        match node {
            Some(found) => Ok(Node {
                place,
                ..found.clone()
            }),
            None => Err(self.fault(place, "Fn::FindInMap: the template has no Mappings")),
        }
    }

    fn import(&self, bare: &Node, place: Place) -> Result<String, Finding> {
        let name = self.text("Fn::ImportValue", bare)?;
        self.world.imports.get(&name).cloned().ok_or_else(|| {
            self.fault(place, format!("Fn::ImportValue: no stack exports {name}"))
                .maybe_hint(
                    did_you_mean(&name, self.world.imports.keys().map(String::as_str))
                        .or_else(|| Some("deploy the stack that exports it first".to_owned())),
                )
        })
    }

    /// An evaluated text.
    fn text(&self, name: &str, node: &Node) -> Result<String, Finding> {
        let value = self.node(node)?;
        match value.as_ref().and_then(Node::as_str) {
            Some(text) => Ok(text.to_owned()),
            None => Err(self.shape(name, node.place, "text there")),
        }
    }

    /// An evaluated list.
    fn list(&self, name: &str, node: &Node) -> Result<Vec<Node>, Finding> {
        match self.node(node)?.map(|node| node.content) {
            Some(Content::Sequence(items)) => Ok(items),
            _ => Err(self.shape(name, node.place, "a list there")),
        }
    }

    /// Exactly N arguments, not evaluated yet.
    fn items<'n, const N: usize>(
        &self,
        name: &str,
        bare: &'n Node,
        place: Place,
    ) -> Result<&'n [Node; N], Finding> {
        bare.as_sequence()
            .and_then(|items| items.try_into().ok())
            .ok_or_else(|| self.shape(name, place, &format!("a list of {N}")))
    }

    fn shape(&self, name: &str, place: Place, wanted: &str) -> Finding {
        self.fault(place, format!("{name} takes {wanted}"))
    }
}

/// Fn::Equals compares as text: a parameter is always text, a literal may be a number. A plain text was read as
/// CloudFormation reads it when it was evaluated.
fn as_text(value: Option<&serde_json::Value>) -> Option<String> {
    value.map(|value| match value {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    })
}
