//! The files below a folder: which are looked at, and as what.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use action::failure::Failure;
use contract::check::File;
use contract::pipeline::PIPELINE_TYPE;
use contract::yaml::{self, Node};
use ignore::WalkBuilder;

/// Texts by the name that their files are shown with, in place of what is in the files.
pub(crate) type Texts = BTreeMap<String, String>;

/// A template may have 1,000,000 bytes; what is larger is no file of ours.
const MAX_BYTES: u64 = 1_000_000;
/// How deep below the folder files are looked for.
const MAX_DEPTH: usize = 16;

/// What a file that stands alone is checked as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Template,
    Buildspec,
}

/// By the keys at the top of the file.
pub(crate) fn kind(text: &str) -> Option<Kind> {
    let is_json = text.trim_start().starts_with('{');
    // Of JSON the lines do not show what is at the top.
    let root = is_json.then(|| yaml::read("", text).ok()).flatten();
    let keys = match &root {
        Some(document) => keys(&document.root),
        None => keys_by_line(text, is_json),
    };
    let has = |key: &str| keys.contains(key);
    if has("AWSTemplateFormatVersion") || has("Resources") {
        Some(Kind::Template)
    } else if has("version") && (has("phases") || has("batch") || has("env")) {
        Some(Kind::Buildspec)
    } else {
        None
    }
}

/// The keys of a mapping; Resources that are no mapping are those of something else.
fn keys(root: &Node) -> BTreeSet<String> {
    let entries = root.as_mapping().unwrap_or_default().iter();
    entries
        .filter_map(|(key, value)| Some((key.as_str()?, value)))
        .filter(|(key, value)| *key != "Resources" || value.as_mapping().is_some())
        .map(|(key, _)| key.to_owned())
        .collect()
}

/// The words at the beginnings of lines that may be keys at the top.
fn keys_by_line(text: &str, is_json: bool) -> BTreeSet<String> {
    let key = |line: &str| {
        let word = line
            .trim_start_matches([' ', '\t', '{'])
            .trim_start_matches('"');
        let end = word.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))?;
        Some(word[..end].to_owned())
    };
    let lines = text
        .lines()
        .filter(|line| is_json || !line.starts_with([' ', '\t', '#']));
    lines.filter_map(key).collect()
}

/// Whether a text holds a pipeline, as a template or as get-pipeline tells it.
pub(crate) fn has_pipeline(text: &str) -> bool {
    let told = || match yaml::read("", text) {
        Ok(document) => ["pipeline", "stages"]
            .iter()
            .any(|key| document.root.get(key).is_some()),
        Err(_) => true,
    };
    (text.contains(PIPELINE_TYPE) && kind(text) == Some(Kind::Template))
        || (text.contains("\"stages\"") && text.contains("\"actionTypeId\"") && told())
}

/// The files with a pipeline below a folder.
pub(crate) fn definitions(root: &Path) -> BTreeSet<PathBuf> {
    let has = |path: &PathBuf| std::fs::read_to_string(path).is_ok_and(|text| has_pipeline(&text));
    below(root).filter(has).collect()
}

/// The files below a folder that may be ours, without what git ignores.
pub(crate) fn below(root: &Path) -> impl Iterator<Item = PathBuf> {
    let walk = WalkBuilder::new(root)
        .max_depth(Some(MAX_DEPTH))
        .max_filesize(Some(MAX_BYTES))
        .build();
    walk.filter_map(Result::ok)
        .map(ignore::DirEntry::into_path)
        .filter(|path| {
            let end = path.extension().and_then(|end| end.to_str());
            end.is_some_and(|end| ["yml", "yaml", "json", "template"].contains(&end))
        })
}

/// Reads a file that must be there.
pub(crate) fn read_file(file: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(file)
        .map_err(|error| Failure::refused(format!("cannot read {}", file.display())).cause(error))
}

/// A file as the editor has it, or as it is.
pub(crate) fn read(path: &Path, shown: &str, texts: &Texts) -> Option<File> {
    let bytes = match texts.get(shown) {
        Some(text) => text.clone().into_bytes(),
        None => std::fs::read(path).ok()?,
    };
    Some(File {
        shown: shown.to_owned(),
        bytes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_by_its_keys() {
        for (text, wanted) in [
            ("# a\nResources:\n  A: {}\n", Some(Kind::Template)),
            ("{\n  \"Resources\": {}\n}", Some(Kind::Template)),
            (
                "{\"AWSTemplateFormatVersion\": \"2010-09-09\"}",
                Some(Kind::Template),
            ),
            (
                "version: 0.2\nphases:\n  build: {}\n",
                Some(Kind::Buildspec),
            ),
            ("version: 3\nservices: {}\n", None),
            ("a:\n  Resources: {}\n", None),
            ("{\"a\": {\n\"Resources\": {}}}", None),
            ("{\"Resources\": \"https://example.com\"}", None),
            // package.json has a version, and anything below.
            (
                "{\n\"version\": \"1.0.0\",\n\"x\": {\n\"env\": {}\n}\n}",
                None,
            ),
            (
                "{\n\"version\": 0.2,\n\"phases\": {}\n}",
                Some(Kind::Buildspec),
            ),
            // While it is typed.
            ("{\n\"Resources\": {\n", Some(Kind::Template)),
            ("", None),
        ] {
            assert_eq!(kind(text), wanted, "{text}");
        }
    }

    #[test]
    fn a_list_of_types_is_no_pipeline() {
        let kind = "AWS::CodePipeline::Pipeline";
        assert!(!has_pipeline(&format!("types:\n  - {kind}\n")));
        let item = format!("{{\"version\": \"1.3\", \"resourceType\": \"{kind}\"}}");
        assert!(!has_pipeline(&item));
        // As AWS Config records one.
        let item = "{\"configuration\": {\"stages\": [{\"actions\": [{\"actionTypeId\": {}}]}]}}";
        assert!(!has_pipeline(item));
        let template = format!("Resources:\n  P: {{Type: {kind}}}\n");
        assert!(has_pipeline(&template));
        assert!(has_pipeline(
            "{\"pipeline\": {\"stages\": [{\"actions\": [{\"actionTypeId\": {}}]}]}}"
        ));
    }
}
