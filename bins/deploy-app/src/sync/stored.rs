//! The manifest of a release as it is kept on the host: a line for each path.

use bundle::manifest::{Kind, Mode};

use super::Tree;

/// The first line of a stored manifest.
const HEADING: &str = "deploy-app manifest 2";

/// The manifest as it is kept on the host: a line for each path.
#[must_use]
pub fn to_text(tree: &Tree) -> String {
    let mut text = format!("{HEADING}\n");
    for (path, kind) in tree {
        let (what, size) = match kind {
            Kind::File { size, sha256, .. } => (sha256.to_string(), *size),
            Kind::Symlink { target } => (escape(target), 0),
            Kind::EmptyDir => ("-".to_owned(), 0),
        };
        let (mode, path) = (kind.git_mode(), escape(path));
        text.push_str(&format!("{mode}\t{what}\t{size}\t{path}\n"));
    }
    text
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

pub(super) fn escape(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('\n', "\\n")
        .replace('\t', "\\t")
        .replace('\r', "\\r")
}

pub(super) fn unescape(text: &str) -> String {
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
