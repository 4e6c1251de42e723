//! Ignores that stand beside the code: `# pipeline-actions: ignore[P203] reason`.

use granit_parser::{Event, Parser, ScalarStyle};

use super::ignore::{Ignore, named, without_reason};
use crate::finding::{Finding, Place, did_you_mean};
use crate::model::yaml;
use crate::rules::ignore_not_understood;

/// What every such comment begins with.
const PREFIX: &str = "pipeline-actions:";

/// The ignores of a text, and the lines that they are about.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) comments: Vec<Comment>,
    pub(super) faults: Vec<Finding>,
    blocks: Vec<Block>,
}

/// An ignore in a comment.
#[derive(Debug)]
pub(super) struct Comment {
    /// The line that it is about.
    line: usize,
    /// Whether it stands before everything else in the file.
    at_head: bool,
    pub(super) ignore: Ignore,
}

/// A block scalar: the line of its `|` and those of its text.
#[derive(Debug)]
struct Block {
    header: usize,
    first: usize,
    last: usize,
}

impl Comment {
    /// Whether the comment is about a finding with that place.
    pub(super) fn covers(&self, read: &Read, place: Option<Place>) -> bool {
        let line = place.map_or(0, |place| place.line);
        if line == 0 {
            return self.at_head;
        }
        // In the text of a block no comment can stand, so one beside its `|` counts.
        let header = read
            .blocks
            .iter()
            .find(|block| (block.first..=block.last).contains(&line))
            .map(|block| block.header);
        self.line == line || header == Some(self.line)
    }
}

/// The ignores in the comments of a text, those in the scripts of its block scalars too.
pub(super) fn read(file: &str, text: &str) -> Read {
    let mut read = Read::default();
    if !text.contains(PREFIX) {
        return read;
    }
    let lines = Lines::of(text);
    let mut options = yaml::options();
    options.set_emit_comments(true);
    // A text that is broken has its ignores up to there.
    let events = Parser::new_from_str_with_options(text, options).map_while(Result::ok);
    for (event, span) in events {
        let range = span.byte_range().unwrap_or_default();
        match event {
            Event::Comment(..) => read.comment(file, &lines, range.start),
            Event::Scalar(_, ScalarStyle::Literal | ScalarStyle::Folded, ..) => {
                let before = text.get(..range.start).unwrap_or_default().trim_end();
                let block = Block {
                    header: lines.line_of(before.len().saturating_sub(1)),
                    first: lines.line_of(range.start),
                    last: lines.line_of(range.end.saturating_sub(1)),
                };
                for line in block.first..=block.last {
                    let start = lines.starts[line - 1];
                    let content = lines.line(line);
                    let marks = content.match_indices('#').map(|(at, _)| at);
                    let comment = marks.into_iter().find(|at| {
                        let before = content[..*at].chars().next_back();
                        before.is_none_or(char::is_whitespace)
                            && content[at + 1..].trim_start().starts_with(PREFIX)
                    });
                    if let Some(at) = comment {
                        read.comment(file, &lines, start + at);
                    }
                }
                read.blocks.push(block);
            }
            _ => {}
        }
    }
    read
}

impl Read {
    /// Reads the comment that begins at that byte.
    fn comment(&mut self, file: &str, lines: &Lines<'_>, start: usize) {
        let line = lines.line_of(start);
        let line_start = lines.starts[line - 1];
        let content = lines.line(line);
        let own = &content[start - line_start..];
        let Some(rest) = own[1..].trim_start().strip_prefix(PREFIX) else {
            return;
        };
        let rest = rest.trim();
        let (word, list) = match rest.find(['[', ' ']) {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        // Any other comment that begins with the project's name.
        let is_ignore = word == "ignore" || list.starts_with('[');
        if !is_ignore {
            return;
        }
        let place = |part: &str| {
            // Every part is a piece of the text.
            let at = part.as_ptr() as usize - lines.text.as_ptr() as usize;
            Place {
                start: at,
                end: at + part.len(),
                line,
                column: lines.text[line_start..at].chars().count() + 1,
            }
        };
        let closed = list.strip_prefix('[').and_then(|list| list.split_once(']'));
        let (Some((codes, reason)), "ignore") = (closed, word) else {
            let message = "this ignore is not understood";
            let hint = did_you_mean(word, ["ignore"]).filter(|_| word != "ignore");
            let hint = hint.unwrap_or_else(|| "write `ignore[CODE] reason`".to_owned());
            let place = Some(place(own.trim_end()));
            self.faults
                .push(Finding::new(&ignore_not_understood::RULE, file, place, message).hint(hint));
            return;
        };
        let mut rules = Vec::new();
        for code in codes.split(',').map(str::trim) {
            match named(file, code, place(code)) {
                Ok(rule) => rules.push((rule, place(code))),
                Err(finding) => self.faults.push(finding),
            }
        }
        let reason = reason.trim().trim_start_matches([':', '-']).trim_start();
        if reason.is_empty() {
            self.faults
                .push(without_reason(file, place(own.trim_end()), &rules));
            return;
        }
        let own_line = content[..start - line_start].trim().is_empty();
        let is_bare = |line: &usize| {
            let content = lines.line(*line).trim_start();
            content.is_empty() || content.starts_with('#')
        };
        let about = if own_line {
            (line + 1..=lines.starts.len()).find(|one| !is_bare(one))
        } else {
            Some(line)
        };
        self.comments.push(Comment {
            line: about.unwrap_or(line),
            at_head: own_line && (1..line).all(|one| is_bare(&one)),
            ignore: Ignore {
                rules,
                reason: reason.to_owned(),
            },
        });
    }
}

/// The lines of a text, counted from 1 as YAML counts them: `\n`, `\r\n` and a lone `\r` end one.
struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    fn of(text: &'t str) -> Self {
        let bytes = text.as_bytes();
        let ends = bytes.iter().enumerate().filter(|(at, byte)| {
            **byte == b'\n' || (**byte == b'\r' && bytes.get(at + 1) != Some(&b'\n'))
        });
        let starts = std::iter::once(0).chain(ends.map(|(at, _)| at + 1));
        Self {
            text,
            starts: starts.collect(),
        }
    }

    fn line_of(&self, at: usize) -> usize {
        self.starts.partition_point(|start| *start <= at)
    }

    fn line(&self, line: usize) -> &'t str {
        let end = self.starts.get(line).copied().unwrap_or(self.text.len());
        self.text[self.starts[line - 1]..end].trim_end_matches(['\n', '\r'])
    }
}
