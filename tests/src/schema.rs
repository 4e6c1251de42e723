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
