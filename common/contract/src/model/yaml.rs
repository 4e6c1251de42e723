//! A YAML tree that keeps tags, scalar styles and spans. JSON is read by the same parser.
//!
//! Nothing is interpreted while reading: a scalar is its text and its style, `!Ref` is a tag
//! on a node. [`Node::to_json`] interprets, the way CloudFormation does.

mod node;

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, Span};

use crate::finding::{Finding, Place};
use crate::rule::Rule;
use crate::rules::{duplicate_key, key_not_text, second_document, syntax, too_many_values};

pub use node::{Content, Node, Style};

/// The most nodes a document may have once its aliases are expanded. A template may hold
/// 1 MB, so only an alias bomb comes near.
pub const MAX_NODES: usize = 200_000;

/// A document, and what not every reader of YAML takes in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its tree: aliases stand for their values, merge keys for the entries that they add, and of a key that
    /// appears twice the last one counts.
    pub root: Node,
    /// Where the aliases stand (`*name`), in the order of the text.
    pub aliases: Vec<Place>,
    /// The merge keys (`<<`), in the order of the text.
    pub merges: Vec<Merge>,
    /// A warning for each key that appears twice.
    pub twice: Vec<Finding>,
}

/// A merge key of a mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merge {
    /// Where the key and its value stand together.
    pub place: Place,
    /// The entries that it adds: those that the mapping does not have otherwise.
    pub added: Vec<(Node, Node)>,
    /// Whether the mapping has other entries in the text.
    pub beside_others: bool,
}

/// Reads bytes that should hold exactly one YAML (or JSON) document whose keys stand once.
///
/// # Errors
/// As [`read_bytes`], and for a key that appears twice in its mapping.
pub fn parse_bytes(file: &str, bytes: &[u8]) -> Result<Node, Finding> {
    read_bytes(file, bytes).and_then(Document::strict)
}

/// Reads a text that should hold exactly one YAML (or JSON) document whose keys stand once.
///
/// # Errors
/// As [`parse_bytes`].
pub fn parse(file: &str, text: &str) -> Result<Node, Finding> {
    read(file, text).and_then(Document::strict)
}

impl Document {
    fn strict(self) -> Result<Node, Finding> {
        match self.twice.into_iter().next() {
            Some(finding) => Err(finding),
            None => Ok(self.root),
        }
    }
}

/// Reads bytes that should hold exactly one YAML (or JSON) document.
///
/// # Errors
/// Text that is not UTF-8 or not YAML, a second document, a key that is not text, an unknown or
/// self-containing alias, and more than [`MAX_NODES`] nodes; each with its line and column.
pub fn read_bytes(file: &str, bytes: &[u8]) -> Result<Document, Finding> {
    match std::str::from_utf8(bytes) {
        Ok(text) => read(file, text),
        Err(error) => {
            let good = &bytes[..error.valid_up_to()];
            let place = place_of_offset(&String::from_utf8_lossy(good), good.len());
            let byte = bytes.get(good.len()).copied().unwrap_or_default();
            Err(Finding::new(
                &syntax::RULE,
                file,
                Some(place),
                format!("byte {byte:#04x} at offset {} is not UTF-8", place.start),
            )
            .hint("save the file as UTF-8; a zip or an image is not a YAML file"))
        }
    }
}

/// Reads a text that should hold exactly one YAML (or JSON) document.
///
/// # Errors
/// As [`read_bytes`].
pub fn read(file: &str, text: &str) -> Result<Document, Finding> {
    let mut builder = Builder {
        file,
        parser: Parser::new_from_str_with_options(text, options()),
        anchors: HashMap::new(),
        nodes: 0,
        aliases: Vec::new(),
        merges: Vec::new(),
        twice: Vec::new(),
    };
    let root = builder.document(text)?;
    Ok(Document {
        root,
        aliases: builder.aliases,
        merges: builder.merges,
        twice: builder.twice,
    })
}

/// How every text is read.
pub(crate) fn options() -> granit_parser::Options {
    let mut options = granit_parser::Options::default();
    options.set_emit_comments(false);
    // JSON knows no limit for the length of a key, and neither does CloudFormation before
    // its own checks.
    options.simple_key_max_lookahead = 16_384;
    options
}

/// The place of a byte offset in a text: an empty span there.
#[must_use]
pub fn place_of_offset(text: &str, offset: usize) -> Place {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    Place {
        start: before.len(),
        end: before.len(),
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
    }
}

/// Builds the tree out of the parser's events.
struct Builder<'a> {
    file: &'a str,
    parser: Parser<'a, granit_parser::StrInput<'a>>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    aliases: Vec<Place>,
    merges: Vec<Merge>,
    twice: Vec<Finding>,
}

/// The entries of a mapping, where its closing bracket stands, and where its last value ends in the text.
struct Entries {
    all: Vec<(Node, Node)>,
    end: Span,
    last: Option<usize>,
}

impl<'a> Builder<'a> {
    fn document(&mut self, text: &str) -> Result<Node, Finding> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => break,
                Event::StreamStart | Event::DocumentEnd => {}
                Event::DocumentStart(..) => {
                    if root.is_some() {
                        return Err(self
                            .fault(
                                &second_document::RULE,
                                place(&span),
                                "a second document begins here",
                            )
                            .hint("keep one document a file; remove the `---` line"));
                    }
                }
                event => root = Some(self.node(event, &span)?),
            }
        }
        // An empty file has no document at all: that is null, not a fault of the syntax.
        Ok(root.unwrap_or_else(|| Node {
            content: Content::Scalar(String::new(), Style::Plain),
            tag: None,
            place: place_of_offset(text, 0),
        }))
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), Finding> {
        match self.parser.next() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => {
                let mark = error.marker();
                let at = Place {
                    start: mark.byte_offset().unwrap_or_default(),
                    end: mark.byte_offset().unwrap_or_default(),
                    line: mark.line(),
                    column: mark.col() + 1,
                };
                let info = error.info();
                let hint = hint_for(&info);
                Err(self
                    .fault(&syntax::RULE, at, format!("not valid YAML: {info}"))
                    .maybe_hint(hint))
            }
            None => Err(self.fault(
                &syntax::RULE,
                Place::default(),
                "not valid YAML: the text ends too early",
            )),
        }
    }

    fn node(&mut self, event: Event<'a>, span: &Span) -> Result<Node, Finding> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(self.too_many(place(span)));
        }
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let node = Node {
                    content: Content::Scalar(text.into_owned(), style_of(style)),
                    tag: tag.and_then(|tag| custom_tag(&tag)),
                    place: place(span),
                };
                self.remember(anchor, &node);
                Ok(node)
            }
            Event::SequenceStart(_, anchor, tag) => {
                let mut items = Vec::new();
                let end = loop {
                    match self.next()? {
                        (Event::SequenceEnd, end) => break end,
                        (event, span) => items.push(self.node(event, &span)?),
                    }
                };
                let last = items.last().map(|item: &Node| item.place.end);
                let node = Node {
                    content: Content::Sequence(items),
                    tag: tag.and_then(|tag| custom_tag(&tag)),
                    place: collection_place(span, &end, last),
                };
                self.remember(anchor, &node);
                Ok(node)
            }
            Event::MappingStart(_, anchor, tag) => {
                let Entries { all, end, last } = self.entries()?;
                let node = Node {
                    content: Content::Mapping(all),
                    tag: tag.and_then(|tag| custom_tag(&tag)),
                    place: collection_place(span, &end, last),
                };
                self.remember(anchor, &node);
                Ok(node)
            }
            Event::Alias(anchor) => {
                let Some(target) = self.anchors.get(&anchor) else {
                    return Err(self.fault(
                        &syntax::RULE,
                        place(span),
                        "an alias stands inside its own anchor",
                    ));
                };
                self.nodes += size(target);
                if self.nodes > MAX_NODES {
                    return Err(self.too_many(place(span)));
                }
                let mut node = target.clone();
                node.place = place(span);
                self.aliases.push(node.place);
                Ok(node)
            }
            other => Err(self.fault(
                &syntax::RULE,
                place(span),
                format!("unexpected YAML event {other:?}"),
            )),
        }
    }

    fn entries(&mut self) -> Result<Entries, Finding> {
        let mut all: Vec<(Node, Node)> = Vec::new();
        let mut seen: HashMap<String, usize> = HashMap::new();
        let mut merges: Vec<(Place, Node)> = Vec::new();
        let mut last = None;
        loop {
            let key = match self.next()? {
                (Event::MappingEnd, end) => {
                    self.merge(&mut all, &seen, merges);
                    return Ok(Entries { all, end, last });
                }
                (event, span) => self.node(event, &span)?,
            };
            let Some(name) = key.as_str() else {
                return Err(self
                    .fault(
                        &key_not_text::RULE,
                        key.place,
                        format!("a key must be text, this is {}", key.kind()),
                    )
                    .hint("quote it if it begins with `[`, `{` or `*`"));
            };
            let is_merge =
                matches!(&key.content, Content::Scalar(text, Style::Plain) if text == "<<");
            let (event, span) = self.next()?;
            if is_merge {
                let value = self.node(event, &span)?;
                last = Some(value.place.end);
                let place = Place {
                    end: value.place.end,
                    ..key.place
                };
                merges.push((place, value));
                continue;
            }
            if let Some(first) = seen.insert(name.to_owned(), key.place.line) {
                let message = format!("key `{name}` appears twice, first on line {first}");
                let finding = self
                    .fault(&duplicate_key::RULE, key.place, message)
                    .hint("remove or rename one: some readers take the last, others refuse");
                self.twice.push(finding);
                all.retain(|(key, _)| key.as_str() != Some(name));
            }
            let value = self.node(event, &span)?;
            last = Some(value.place.end);
            all.push((key, value));
        }
    }

    /// Adds what merge keys give to a mapping: what is written out goes before what is merged, and what is
    /// merged first before the rest.
    fn merge(
        &mut self,
        all: &mut Vec<(Node, Node)>,
        seen: &HashMap<String, usize>,
        merges: Vec<(Place, Node)>,
    ) {
        let beside_others = !all.is_empty() || merges.len() > 1;
        for (place, value) in merges {
            let mut added: Vec<(Node, Node)> = Vec::new();
            for (key, value) in merge_sources(&value).into_iter().flatten().flatten() {
                let name = key.as_str().unwrap_or_default();
                let is = |(one, _): &(Node, Node)| one.as_str() == Some(name);
                if !seen.contains_key(name) && !all.iter().any(is) && !added.iter().any(is) {
                    added.push((key.clone(), value.clone()));
                }
            }
            all.extend(added.iter().cloned());
            self.merges.push(Merge {
                place,
                added,
                beside_others,
            });
        }
    }

    fn remember(&mut self, anchor: usize, node: &Node) {
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
    }

    fn fault(&self, rule: &'static Rule, place: Place, message: impl Into<String>) -> Finding {
        Finding::new(rule, self.file, Some(place), message)
    }

    fn too_many(&self, place: Place) -> Finding {
        self.fault(
            &too_many_values::RULE,
            place,
            format!("more than {MAX_NODES} values once aliases are expanded"),
        )
        .hint("an alias of an alias of an alias grows without bound; write the values out")
    }
}

/// The entries that a merge key adds, one list for each mapping; nothing when its value cannot be merged.
fn merge_sources(value: &Node) -> Option<Vec<&[(Node, Node)]>> {
    match &value.content {
        Content::Mapping(entries) => Some(vec![entries]),
        Content::Sequence(items) => items.iter().map(Node::as_mapping).collect(),
        Content::Scalar(..) => None,
    }
}

fn size(node: &Node) -> usize {
    1 + match &node.content {
        Content::Scalar(..) => 0,
        Content::Sequence(items) => items.iter().map(size).sum(),
        Content::Mapping(entries) => entries
            .iter()
            .map(|(key, value)| size(key) + size(value))
            .sum(),
    }
}

fn style_of(style: ScalarStyle) -> Style {
    match style {
        ScalarStyle::Plain => Style::Plain,
        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
        ScalarStyle::Literal => Style::Literal,
        ScalarStyle::Folded => Style::Folded,
    }
}

/// The tag as written, unless it is one of YAML's own types or the non-specific `!`.
fn custom_tag(tag: &granit_parser::Tag) -> Option<String> {
    (tag.is_custom() && !tag.suffix().is_empty() && tag.suffix() != "!").then(|| tag.original())
}

fn place(span: &Span) -> Place {
    let bytes = span.byte_range().unwrap_or_default();
    Place {
        start: bytes.start,
        end: bytes.end,
        line: span.start.line(),
        column: span.start.col() + 1,
    }
}

/// A flow collection ends at its bracket; a block collection with its last child, because
/// the parser reports its end only after the comments and blank lines that follow.
fn collection_place(start: &Span, end: &Span, last_child: Option<usize>) -> Place {
    let start = place(start);
    let end = place(end);
    let closed_by_bracket = end.end > end.start;
    Place {
        end: match last_child {
            Some(last) if !closed_by_bracket => last,
            _ => end.end.max(start.end),
        },
        ..start
    }
}

fn hint_for(info: &str) -> Option<String> {
    let info = info.to_lowercase();
    let hint = if info.contains("tab") {
        "indent with spaces: YAML allows no tab there"
    } else if info.contains("unknown anchor") || info.contains("undefined alias") {
        "quote a value that begins with `*`, or define the anchor before its use"
    } else if info.contains("mapping values are not allowed") || info.contains("simple key") {
        "check the indentation, and quote a value that holds `: ` or ` #`"
    } else if info.contains("quoted") || info.contains("quote") {
        "close the quotation mark that was opened above"
    } else if info.contains("flow") || info.contains("bracket") {
        "close every `[` and `{`, with a comma between the values"
    } else {
        "check the indentation and the quotation marks around this line"
    };
    Some(hint.to_owned())
}

#[cfg(test)]
mod tests;
