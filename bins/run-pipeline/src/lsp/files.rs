//! The files of a workspace: which are looked at, and as what.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use contract::check::File;
use contract::pipeline::PIPELINE_TYPE;
use ignore::WalkBuilder;
use lsp_types::{InitializeParams, Uri};

use crate::check::Texts;

/// A template may have 1,000,000 bytes; what is larger is no file of ours.
const MAX_BYTES: u64 = 1_000_000;
/// How deep below the workspace's folder pipelines are looked for.
const MAX_DEPTH: usize = 8;

/// What a file that stands alone is checked as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Template,
    Buildspec,
}

/// By the keys at the top of the file.
pub(super) fn kind(text: &str) -> Option<Kind> {
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
pub(super) fn has_pipeline(text: &str) -> bool {
    text.contains(PIPELINE_TYPE)
        || (text.contains("\"stages\"") && text.contains("\"actionTypeId\""))
}

/// The files with a pipeline in a workspace, without what git ignores.
pub(super) fn definitions(root: &Path) -> BTreeSet<PathBuf> {
    let walk = WalkBuilder::new(root)
        .max_depth(Some(MAX_DEPTH))
        .max_filesize(Some(MAX_BYTES))
        .build();
    walk.filter_map(Result::ok)
        .map(ignore::DirEntry::into_path)
        .filter(|path| {
            let end = path.extension().and_then(|end| end.to_str());
            end.is_some_and(|end| ["yml", "yaml", "json", "template"].contains(&end))
                && std::fs::read_to_string(path).is_ok_and(|text| has_pipeline(&text))
        })
        .collect()
}

/// A file as the editor has it, or as it is.
pub(super) fn read(path: &Path, shown: &str, texts: &Texts) -> Option<File> {
    let bytes = match texts.get(shown) {
        Some(text) => text.clone().into_bytes(),
        None => std::fs::read(path).ok()?,
    };
    Some(File {
        shown: shown.to_owned(),
        bytes,
    })
}

/// The folder that the editor works in.
pub(super) fn root(params: &InitializeParams) -> Option<PathBuf> {
    let folders = params.workspace_folders.as_ref();
    let first = folders.and_then(|all| all.first()).map(|one| &one.uri);
    #[allow(deprecated, reason = "older editors know nothing else")]
    let root = first.or(params.root_uri.as_ref())?;
    path(root)?.canonicalize().ok()
}

/// The path of a `file:` URI.
pub(super) fn path(uri: &Uri) -> Option<PathBuf> {
    let rest = uri.as_str().strip_prefix("file://")?;
    let encoded = &rest[rest.find('/')?..];
    let bytes = encoded.as_bytes();
    let mut path = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = encoded.get(at + 1..at + 3);
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) if bytes[at] == b'%' => {
                path.push(byte);
                at += 3;
            }
            _ => {
                path.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(path).ok().map(PathBuf::from)
}

/// The `file:` URI of an absolute path (RFC 8089, RFC 3986).
pub(super) fn uri(path: &Path) -> Option<Uri> {
    let mut uri = String::from("file://");
    for byte in path.to_str()?.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    Uri::from_str(&uri).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_comes_back_from_its_uri() {
        for text in ["/a/b.yml", "/a b/größe [1]%20#?.yml"] {
            let path = PathBuf::from(text);
            assert_eq!(uri(&path).and_then(|uri| super::path(&uri)), Some(path));
        }
        let other = Uri::from_str("untitled:Untitled-1").ok();
        assert_eq!(other.and_then(|uri| path(&uri)), None);
    }

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
