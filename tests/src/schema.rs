//! JSON against a JSON schema, and XML read by others than us.
//!
//! The schemas are in `schemas` beside this crate's sources: `sarif-2.1.0.json` is OASIS's, byte for byte as the
//! crate serde-sarif 0.8.0 (MIT) carries it.

use std::path::PathBuf;
use std::process::Command;

use crate::build_folder;

/// Validates every document against the schema, its formats `uri` and `uri-reference` too (RFC 3986).
const VALIDATE: &str = r#"
import json, re, sys
from jsonschema import Draft7Validator, FormatChecker

formats = FormatChecker()
@formats.checks("uri")
@formats.checks("uri-reference")
def is_uri(text):
    return re.fullmatch(r"(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*", text) is not None

schema = json.load(open(sys.argv[1], encoding="utf-8"))
Draft7Validator.check_schema(schema)
validator = Draft7Validator(schema, format_checker=formats)
for path in sys.argv[2:]:
    document = json.load(open(path, encoding="utf-8"))
    print(json.dumps([f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)]))
"#;

/// Prints each element, depth first, as its name and its sorted attributes.
const ELEMENTS: &str = r#"
import json, sys
import xml.etree.ElementTree
for element in xml.etree.ElementTree.parse(sys.argv[1]).iter():
    print(json.dumps([element.tag, element.attrib]))
"#;

/// What python-jsonschema finds wrong with each document by that schema, a path in this repository; `None`, after
/// [`crate::missing()`], without it.
///
/// # Panics
/// When a document is no JSON.
pub fn faults(schema: &str, documents: &[&str]) -> Option<Vec<Vec<String>>> {
    let schema = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(schema);
    let mut arguments = vec![schema];
    let folder = tempfile::tempdir().expect("cannot make a temporary folder");
    for (at, document) in documents.iter().enumerate() {
        let path = folder.path().join(format!("{at}.json"));
        std::fs::write(&path, document).expect("cannot write a document");
        arguments.push(path);
    }
    let lines = python(VALIDATE, &arguments, "python-jsonschema")?;
    let faults = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("a list of texts"));
    Some(faults.collect())
}

/// The elements of an XML document as Python's parser reads it, depth first, each with its attributes; `None`,
/// after [`crate::missing()`], without it.
///
/// # Panics
/// When it is not well-formed.
pub fn elements(document: &str) -> Option<Vec<(String, serde_json::Value)>> {
    let folder = tempfile::tempdir().expect("cannot make a temporary folder");
    let path = folder.path().join("document.xml");
    std::fs::write(&path, document).expect("cannot write a document");
    let lines = python(ELEMENTS, &[path], "python")?;
    let elements = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("a pair"));
    Some(elements.collect())
}

fn python(script: &str, arguments: &[PathBuf], what: &str) -> Option<String> {
    let python = build_folder().join("venv/bin/python");
    if !python.is_file() {
        crate::missing(what);
        return None;
    }
    let output = Command::new(&python)
        .args(["-c", script])
        .args(arguments)
        .output()
        .expect("cannot run python");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what} failed: {said}");
    Some(String::from_utf8(output.stdout).expect("python prints UTF-8"))
}

/// Holds requests and answers against the model of a service that botocore carries: types, members, lengths, ranges,
/// patterns and words, all of them, which botocore itself leaves to the service.
const AGAINST_MODEL: &str = r#"
import json, re, sys
from botocore.session import Session

model = Session().get_service_model(sys.argv[1])

def look(shape, value, place):
    limits = shape.metadata
    if shape.type_name == "structure":
        if not isinstance(value, dict):
            yield f"{place}: no structure"
            return
        for name in shape.required_members:
            if name not in value:
                yield f"{place}: {name} is missing"
        for name, one in value.items():
            if name not in shape.members:
                yield f"{place}: there is no {name}"
            else:
                yield from look(shape.members[name], one, f"{place}.{name}")
    elif shape.type_name == "map":
        for name, one in value.items():
            yield from look(shape.key, name, f"{place} key {name}")
            yield from look(shape.value, one, f"{place}.{name}")
    elif shape.type_name == "list":
        size = len(value)
        if not limits.get("min", 0) <= size <= limits.get("max", size):
            yield f"{place}: {size} elements"
        for at, one in enumerate(value):
            yield from look(shape.member, one, f"{place}[{at}]")
    elif shape.type_name == "string":
        if not isinstance(value, str):
            yield f"{place}: no text"
            return
        size = len(value)
        if not limits.get("min", 0) <= size <= limits.get("max", size):
            yield f"{place}: {size} characters"
        if "pattern" in limits and not re.fullmatch(limits["pattern"], value):
            yield f"{place}: does not match {limits['pattern']}"
        if shape.enum and value not in shape.enum:
            yield f"{place}: is none of {shape.enum}"
    elif shape.type_name in ("integer", "long"):
        if not isinstance(value, int) or not limits.get("min", value) <= value <= limits.get("max", value):
            yield f"{place}: {value}"

for line in open(sys.argv[2], encoding="utf-8"):
    operation, side, value = json.loads(line)
    shape = model.operation_model(operation)
    shape = shape.input_shape if side == "request" else shape.output_shape
    if shape is not None:
        for fault in look(shape, value, operation):
            print(fault)
"#;

/// What botocore's model of a service says against messages: an operation, `request` or `answer`, and the JSON. `None`, after
/// [`crate::missing()`], without botocore.
///
/// # Panics
/// When the messages cannot be written down.
pub fn against_model(
    service: &str,
    messages: &[(&str, &str, serde_json::Value)],
) -> Option<Vec<String>> {
    let folder = tempfile::tempdir().expect("cannot make a temporary folder");
    let path = folder.path().join("messages");
    let lines = messages.iter();
    let lines: String = lines
        .map(|message| serde_json::json!(message).to_string() + "\n")
        .collect();
    std::fs::write(&path, lines).expect("cannot write the messages");
    let said = python(AGAINST_MODEL, &[PathBuf::from(service), path], "botocore")?;
    Some(said.lines().map(str::to_owned).collect())
}
