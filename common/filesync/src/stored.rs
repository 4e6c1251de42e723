//! The manifest of a release as it is kept on the host: a line for each path.

use std::borrow::Cow;
use std::fmt::Write as _;

use bundle::digest::Digest;
use bundle::manifest::{Kind, Mode};

use crate::tree::Tree;

/// The first line of a stored manifest.
const HEADING: &str = "deploy-app manifest 2";

/// The manifest as it is kept on the host: a line for each path.
#[must_use]
pub fn to_text(tree: &Tree) -> String {
    // As much as a line has beside its path.
    let mut text = String::with_capacity(tree.keys().map(|path| path.len() + 90).sum());
    text.push_str(HEADING);
    text.push('\n');
    for (path, kind) in tree {
        text.push_str(kind.git_mode());
        // Writing to a string does not fail.
        let _ = match kind {
            Kind::File { size, sha256, .. } => write!(text, "\t{sha256}\t{size}\t"),
            Kind::Symlink { target } => write!(text, "\t{}\t0\t", escape(target)),
            Kind::EmptyDir => write!(text, "\t-\t0\t"),
        };
        text.push_str(&escape(path));
        text.push('\n');
    }
    text
}

/// The digest of a tree: of its manifest as it is kept on the host.
#[must_use]
pub fn digest(tree: &Tree) -> Digest {
    Digest::of(to_text(tree).as_bytes())
}

/// Reads [`to_text`]; nothing when it is not such a text, which means that nothing is known.
#[must_use]
pub fn from_text(text: &str) -> Option<Tree> {
    let mut lines = text.lines();
    if lines.next()? != HEADING {
        return None;
    }
    lines
        .map(|line| {
            let mut fields = line.splitn(4, '\t');
            let (mode, what, size, path) = (
                fields.next()?,
                fields.next()?,
                fields.next()?,
                fields.next()?,
            );
            let file = |mode| {
                Some(Kind::File {
                    mode,
                    size: size.parse().ok()?,
                    sha256: what.parse().ok()?,
                })
            };
            let kind = match mode {
                "100644" => file(Mode::Plain)?,
                "100755" => file(Mode::Executable)?,
                "100600" => file(Mode::Private)?,
                "100700" => file(Mode::PrivateExecutable)?,
                "120000" => Kind::Symlink {
                    target: unescape(what),
                },
                "040000" => Kind::EmptyDir,
                _ => return None,
            };
            Some((unescape(path), kind))
        })
        .collect()
}

pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    if !text
        .bytes()
        .any(|byte| matches!(byte, b'\\' | b'\n' | b'\t' | b'\r'))
    {
        return Cow::Borrowed(text);
    }
    let escaped = text.replace('\\', "\\\\");
    let escaped = escaped.replace('\n', "\\n").replace('\t', "\\t");
    Cow::Owned(escaped.replace('\r', "\\r"))
}

pub(crate) fn unescape(text: &str) -> String {
    if !text.contains('\\') {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, c == '\\') {
            (_, true) => match chars.next() {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some('r') => out.push('\r'),
                Some(other) => out.push(other),
                None => {}
            },
            (c, false) => out.push(c),
        }
    }
    out
}
