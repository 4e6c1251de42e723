//! Findings with the lines that they are about.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::summary::summary;
use crate::check::Report;
use crate::finding::{Finding, Place};
use crate::rule::Severity;

/// The most lines of a value that are shown.
const MAX_LINES: usize = 4;

pub(super) fn render(report: &Report) -> String {
    let renderer = Renderer::plain();
    let mut out = String::new();
    for finding in &report.findings {
        out.push_str(&renderer.render(&[group(report, finding)]));
        out.push_str("\n\n");
    }
    for unread in &report.unread {
        out.push_str(&format!("not checked: {unread}\n"));
    }
    out.push_str(&summary(report));
    out.push('\n');
    out
}

fn group<'a>(report: &'a Report, finding: &'a Finding) -> Group<'a> {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let excerpt = finding.place.zip(report.texts.get(&finding.file));
    let excerpt = excerpt.and_then(|(place, text)| excerpt_of(text, place));
    let group = match excerpt {
        Some(Excerpt { text, line, span }) => level
            .primary_title(finding.message.as_str())
            .id(finding.rule.code)
            .element(
                Snippet::source(text)
                    .line_start(line)
                    .fold(false)
                    .path(finding.file.as_str())
                    .annotation(AnnotationKind::Primary.span(span)),
            ),
        None => {
            let title = match finding.place {
                Some(place) => format!(
                    "{}:{}:{}: {}",
                    finding.file, place.line, place.column, finding.message
                ),
                None => format!("{}: {}", finding.file, finding.message),
            };
            Group::with_title(level.primary_title(title).id(finding.rule.code))
        }
    };
    group
        .element(Level::HELP.message(finding.fix()))
        .element(Level::NOTE.message(format!("{}: {}", finding.rule.name, finding.rule.source)))
}

struct Excerpt<'a> {
    text: &'a str,
    line: usize,
    span: Range<usize>,
}

/// The lines of a place with one before and after, and the place in them.
fn excerpt_of(text: &str, place: Place) -> Option<Excerpt<'_>> {
    let starts: Vec<usize> = std::iter::once(0)
        .chain(text.match_indices('\n').map(|(at, _)| at + 1))
        .collect();
    let at = place.line.checked_sub(1)?;
    let line_start = *starts.get(at)?;
    let line_end = |line: usize| starts.get(line + 1).copied().unwrap_or(text.len());
    let first = text[line_start..line_end(at)].trim_end_matches(['\n', '\r']);
    let column: usize = first
        .chars()
        .take(place.column.saturating_sub(1))
        .map(char::len_utf8)
        .sum();
    let start = line_start + column;
    let end = if place.end > place.start {
        // Of a value of many lines the first ones are enough.
        let most = line_end(at + MAX_LINES - 1);
        (start + (place.end - place.start))
            .min(most)
            .min(text.len())
    } else {
        line_start + first.len()
    };
    let end = text.floor_char_boundary(end.max(start));
    let shown_end_line = starts
        .partition_point(|line| *line < end.max(start + 1))
        .max(1)
        - 1;
    let from = starts.get(at.saturating_sub(1)).copied().unwrap_or(0);
    let to = line_end((shown_end_line + 1).min(starts.len() - 1));
    let text = text.get(from..to)?.trim_end_matches(['\n', '\r']);
    // YAML counts a lone carriage return as the end of a line, so a place may lie behind what is shown here.
    let mut span = (start - from).min(text.len())..(end - from).min(text.len());
    while span.end > span.start && text[..span.end].ends_with(['\n', '\r', ' ']) {
        span.end -= 1;
    }
    Some(Excerpt {
        text,
        line: at.saturating_sub(1) + 1,
        span,
    })
}
