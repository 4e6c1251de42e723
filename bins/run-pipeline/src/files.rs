//! The files below a folder: which are looked at, and as what.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use action::failure::Failure;
use contract::check::File;
use contract::pipeline::PIPELINE_TYPE;
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
    let key = |line: &str| {
        let word = line
            .trim_start_matches([' ', '\t', '{'])
            .trim_start_matches('"');
        let end = word.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))?;
        Some(word[..end].to_owned())
    };
    let is_json = text.trim_start().starts_with('{');
    let lines = text
        .lines()
        .filter(|line| is_json || !line.starts_with([' ', '\t', '#']));
    let keys: BTreeSet<String> = lines.filter_map(key).collect();
    let has = |key: &str| keys.contains(key);
    if has("AWSTemplateFormatVersion") || has("Resources") {
        Some(Kind::Template)
    } else if has("version") && (has("phases") || has("batch") || has("env")) {
        Some(Kind::Buildspec)
    } else {
        None
    }
}

/// Whether a text holds a pipeline, as a template or as get-pipeline tells it.
pub(crate) fn has_pipeline(text: &str) -> bool {
    text.contains(PIPELINE_TYPE)
        || (text.contains("\"stages\"") && text.contains("\"actionTypeId\""))
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
            ("", None),
        ] {
            assert_eq!(kind(text), wanted, "{text}");
        }
    }
}
