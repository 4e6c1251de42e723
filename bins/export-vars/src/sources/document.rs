//! Values out of JSON and YAML files. Both are read by the reader that keeps places, and a scalar is
//! taken as it is written: a version `1.10` stays `1.10`. JSON that is no YAML, for it may hold some
//! characters as they are that YAML forbids, is read by a JSON reader.

use crate::settings::place::{Manifest, Pointer};
use crate::variable::{Found, Variable, whole};
use contract::finding::{Place, did_you_mean};
use contract::yaml::{self, Content, Node, Style};
use serde_json::Value;
use std::fs;
use std::path::Path;

/// What stands at a pointer: one value, or every value of an object.
pub(crate) fn at_pointer(source: &Pointer) -> Found {
    let one = |fault: String| vec![fault];
    let bytes = fs::read(&source.file)
        .map_err(|error| one(format!("cannot read {}: {error}", source.file.display())))?;
    let root = parse(&source.file, &bytes).map_err(one)?;
    let place = format!("{}#{}", source.file.display(), source.pointer);
    let node = follow(&root, &source.pointer).map_err(|fault| one(format!("{place}: {fault}")))?;
    match &source.name {
        Some(name) => Ok(vec![variable(name, node, &place).map_err(one)?]),
        None => members(node, &place),
    }
}

/// Every value of the object that a file holds.
pub(crate) fn object(path: &Path, bytes: &[u8]) -> Found {
    let root = parse(path, bytes).map_err(|fault| vec![fault])?;
    members(&root, &path.display().to_string())
}

/// What a manifest gives: the value at its pointer, or the scalars of the object there. Lists, objects
/// and nulls beside them are left out, and named in the log.
pub(crate) fn scalars(path: &Path, bytes: &[u8], source: &Manifest) -> Found {
    let one = |fault: String| vec![fault];
    let root = parse(path, bytes).map_err(one)?;
    let place = match source.pointer.as_str() {
        "" => path.display().to_string(),
        pointer => format!("{}#{pointer}", path.display()),
    };
    let node = follow(&root, &source.pointer).map_err(|fault| one(format!("{place}: {fault}")))?;
    if let Some(name) = &source.name {
        return Ok(vec![variable(name, node, &place).map_err(one)?]);
    }
    let is_scalar = |node: &Node| matches!(node.content, Content::Scalar(..)) && !node.is_null();
    let entries = node.as_mapping().unwrap_or_default();
    let left: Vec<&str> = entries
        .iter()
        .filter(|(_, value)| !is_scalar(value))
        .filter_map(|(key, _)| key.as_str())
        .collect();
    if left.len() == entries.len() && !entries.is_empty() {
        return Err(one(format!(
            "{place} holds only lists, objects and nulls; point at a value, as in NAME={}#/{}",
            path.display(),
            left.join("/… or #/")
        )));
    }
    if !left.is_empty() {
        tracing::info!(
            "{place}: left out {} (lists, objects and nulls; #/POINTER takes a value in one)",
            left.join(", ")
        );
    }
    let mut kept = node.clone();
    if let Content::Mapping(entries) = &mut kept.content {
        entries.retain(|(_, value)| is_scalar(value));
    }
    members(&kept, &place)
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Node, String> {
    yaml::parse_bytes(&path.display().to_string(), bytes).or_else(|finding| {
        let json = serde_json::from_slice(bytes).ok();
        json.as_ref()
            .and_then(node_of)
            .ok_or_else(|| finding.to_string())
    })
}

/// JSON as a tree without places; nothing when it holds a number that may not stay as it is written.
fn node_of(json: &Value) -> Option<Node> {
    let scalar = |text: String, style| Content::Scalar(text, style);
    let content = match json {
        Value::Null => scalar(String::new(), Style::Plain),
        Value::Bool(value) => scalar(value.to_string(), Style::Plain),
        Value::Number(number) if number.is_f64() => return None,
        Value::Number(number) => scalar(number.to_string(), Style::Plain),
        Value::String(text) => scalar(text.clone(), Style::Quoted),
        Value::Array(items) => Content::Sequence(items.iter().map(node_of).collect::<Option<_>>()?),
        Value::Object(members) => {
            let entry = |(key, value)| Some((Node::text(key, Place::default()), node_of(value)?));
            Content::Mapping(members.iter().map(entry).collect::<Option<_>>()?)
        }
    };
    Some(Node {
        content,
        tag: None,
        place: Place::default(),
    })
}

fn members(node: &Node, place: &str) -> Found {
    let Some(entries) = node.as_mapping() else {
        return Err(vec![format!(
            "{place} is {}, not an object; give it a name, as in NAME={place}",
            node.kind()
        )]);
    };
    whole(entries.iter().map(|(key, value)| {
        let name = key.as_str().unwrap_or_default();
        variable(name, value, &format!("{place}/{name}"))
    }))
}

fn variable(name: &str, node: &Node, place: &str) -> Result<Variable, String> {
    let place = match node.place.line {
        0 => place.to_owned(),
        line => format!("{place} (line {line})"),
    };
    if let Some(tag) = &node.tag {
        return Err(format!(
            "{place} is a {tag}, which this program does not resolve"
        ));
    }
    match &node.content {
        _ if node.is_null() => Err(format!("{place} is null")),
        Content::Scalar(text, _) => Ok(Variable {
            name: name.to_owned(),
            value: text.clone(),
            place,
            passed_on: false,
        }),
        Content::Sequence(_) | Content::Mapping(_) => Err(format!(
            "{place} is a list or an object; point at one of its values"
        )),
    }
}

/// RFC 6901: <https://www.rfc-editor.org/rfc/rfc6901>.
fn follow<'a>(root: &'a Node, pointer: &str) -> Result<&'a Node, String> {
    let mut node = root;
    for token in pointer.split('/').skip(1) {
        let key = token.replace("~1", "/").replace("~0", "~");
        let next = match &node.content {
            Content::Mapping(_) => node.get(&key),
            Content::Sequence(items) => index(&key).and_then(|index| items.get(index)),
            Content::Scalar(..) => None,
        };
        node = next.ok_or_else(|| {
            let keys = node.as_mapping().unwrap_or_default().iter();
            let hint = did_you_mean(&key, keys.filter_map(|(key, _)| key.as_str()));
            let hint = hint.map_or_else(String::new, |hint| format!(" ({hint})"));
            format!("there is nothing at this pointer: no {key:?}{hint}")
        })?;
    }
    Ok(node)
}

/// An index without leading zeros.
fn index(text: &str) -> Option<usize> {
    let canonical = text == "0" || !text.starts_with(['0', '+']);
    canonical.then(|| text.parse().ok()).flatten()
}
