//! `docker run --env-file`, and CodeBuild's local agent.
//!
//! Source: docker's own reader, <https://github.com/docker/cli/blob/master/pkg/kvfile/kvfile.go>;
//! the tests run the real client.

use super::reading::{BYTE_ORDER_MARK, Host, Reading, Statement};

/// The longest line that docker's reader takes, in bytes; it fails on a longer one.
pub const MAX_LINE_BYTES: usize = 65_535;

/// Reads `text` as docker does: everything after the first `=` is the value, quotes included.
#[must_use]
pub fn read(text: &str, host: Host<'_>) -> Vec<Statement> {
    let lines = text.split('\n').enumerate();
    lines
        .filter_map(|(index, line)| {
            let (name, reading) = statement(line, index == 0, host)?;
            Some(Statement {
                line: index + 1,
                name,
                reading,
            })
        })
        .collect()
}

fn statement(line: &str, first: bool, host: Host<'_>) -> Option<(String, Reading)> {
    let too_long = line.len() > MAX_LINE_BYTES;
    let line = line.strip_suffix('\r').unwrap_or(line);
    let line = if first {
        line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line)
    } else {
        line
    };
    let line = line.trim_start();
    if too_long {
        return Some((String::new(), Reading::Refused("the line is too long")));
    }
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let (name, value) = match line.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (line, None),
    };
    let reading = match value {
        _ if name.is_empty() => Reading::Refused("no variable name before `=`"),
        _ if name.contains([' ', '\t']) => Reading::Refused("white space in the name"),
        Some(value) => Reading::Value(value.to_owned()),
        None => Reading::Inherited(host(name)),
    };
    Some((name.to_owned(), reading))
}

/// Reads `text` as the README of CodeBuild's local agent says (`codebuild_build.sh -e`): `VAR=VAL`
/// lines, blank lines and `#` lines ignored, quotes part of the value. The agent's source is closed:
/// what it does beyond that is unproven; running it with `-e` on the line in question settles it.
/// <https://github.com/aws/aws-codebuild-docker-images/blob/master/local_builds/README.md>
#[must_use]
pub fn read_as_codebuild(text: &str) -> Vec<Statement> {
    let mut statements = read(text, &|_| None);
    for one in &mut statements {
        if matches!(one.reading, Reading::Inherited(_)) {
            one.reading = Reading::Refused("not documented: each line is VAR=VAL");
        }
    }
    statements
}
