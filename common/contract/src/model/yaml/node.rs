//! The nodes of the tree.

use serde_json::Value;

use crate::finding::Place;

/// How a scalar was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Without quotes: may be a boolean, a number or null.
    Plain,
    /// In quotes: always text.
    Quoted,
    /// A `|` block: always text, line by line.
    Literal,
    /// A `>` block: always text, folded.
    Folded,
}

/// What a node holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Text, before any interpretation.
    Scalar(String, Style),
    /// A list.
    Sequence(Vec<Node>),
    /// Keys and values in the order of the file. Keys are scalars and unique.
    Mapping(Vec<(Node, Node)>),
}

/// One node of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// What the node holds.
    pub content: Content,
    /// The tag as written (`!Ref`, `!Fn::GetAtt`), absent for an untagged node and for the
    /// tags of YAML's own types.
    pub tag: Option<String>,
    /// Where the content stands, without tag and anchor. A block scalar begins at its first
    /// character that is not blank, after the `|`; an alias has the place of its `*name`.
    pub place: Place,
}

impl Node {
    /// An untagged text node.
    #[must_use]
    pub fn text(value: impl Into<String>, place: Place) -> Self {
        Self {
            content: Content::Scalar(value.into(), Style::Quoted),
            tag: None,
            place,
        }
    }

    /// The text of a scalar, whatever its style.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar(text, _) => Some(text),
            _ => None,
        }
    }

    /// The items of a list.
    #[must_use]
    pub fn as_sequence(&self) -> Option<&[Self]> {
        match &self.content {
            Content::Sequence(items) => Some(items),
            _ => None,
        }
    }

    /// The keys and values of a mapping.
    #[must_use]
    pub fn as_mapping(&self) -> Option<&[(Self, Self)]> {
        match &self.content {
            Content::Mapping(entries) => Some(entries),
            _ => None,
        }
    }

    /// The value of a key of a mapping.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entry(key).map(|(_, value)| value)
    }

    /// The key and the value of a key of a mapping.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<(&Self, &Self)> {
        self.as_mapping()?
            .iter()
            .find(|(name, _)| name.as_str() == Some(key))
            .map(|(name, value)| (name, value))
    }

    /// Whether this is YAML's null: nothing at all, `~` or `null` without quotes.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(&self.content, Content::Scalar(text, Style::Plain)
            if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// Whether this is a boolean written without quotes, and which.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match &self.content {
            Content::Scalar(text, Style::Plain) => match text.as_str() {
                "true" | "True" | "TRUE" => Some(true),
                "false" | "False" | "FALSE" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    /// The kind of node in words, for messages.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match &self.content {
            _ if self.is_null() => "nothing",
            Content::Scalar(..) => "text",
            Content::Sequence(_) => "a list",
            Content::Mapping(_) => "a mapping",
        }
    }

    /// The line on which the text of a scalar begins: the line after the `|` of a block,
    /// also when that line is blank.
    #[must_use]
    pub fn first_text_line(&self) -> usize {
        match &self.content {
            Content::Scalar(text, Style::Literal | Style::Folded) => {
                let blank = text.chars().take_while(|c| *c == '\n').count();
                self.place.line.saturating_sub(blank)
            }
            _ => self.place.line,
        }
    }

    /// The node as JSON. Plain `true`, `false`, `null` and decimal numbers get their type;
    /// all else stays text, also what YAML 1.1 would read as a boolean (`yes`) or as octal
    /// (`0755`): the readers of these files disagree about them. Tags are not looked at.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match &self.content {
            Content::Scalar(text, Style::Plain) => self.plain_to_json(text),
            Content::Scalar(text, _) => Value::String(text.clone()),
            Content::Sequence(items) => Value::Array(items.iter().map(Self::to_json).collect()),
            Content::Mapping(entries) => Value::Object(
                entries
                    .iter()
                    .map(|(key, value)| {
                        (key.as_str().unwrap_or_default().to_owned(), value.to_json())
                    })
                    .collect(),
            ),
        }
    }

    fn plain_to_json(&self, text: &str) -> Value {
        if self.is_null() {
            return Value::Null;
        }
        if let Some(value) = self.as_bool() {
            return Value::Bool(value);
        }
        // JSON's own number syntax is the part on which all readers agree. The round trip
        // keeps numbers that would change in a float (an account id, a long version) as text.
        match serde_json::from_str::<serde_json::Number>(text) {
            Ok(number) if number.to_string() == text => Value::Number(number),
            _ => Value::String(text.to_owned()),
        }
    }
}
