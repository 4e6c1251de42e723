//! Buildspecs that are written inside a template.

use std::collections::BTreeMap;

use super::report::Report;
use crate::finding::Place;

/// Where a buildspec is written inside a template.
pub(super) struct Inline {
    /// The template.
    pub(super) file: String,
    /// The value.
    pub(super) place: Place,
    /// Where its text begins, when its lines are the template's.
    pub(super) lines: Option<Place>,
}

impl Report {
    /// Moves findings in buildspecs that are no files to the template that they are written in.
    pub(super) fn place_inline(&mut self, inline: &BTreeMap<String, Inline>) {
        for finding in &mut self.findings {
            let Some(found) = inline.get(&finding.file) else {
                continue;
            };
            finding.file.clone_from(&found.file);
            finding.place = Some(match (found.lines, finding.place) {
                (Some(first), Some(inner)) if inner.line > 0 => Place {
                    line: first.line + inner.line - 1,
                    column: first.column + inner.column.max(1) - 1,
                    ..Place::default()
                },
                _ => found.place,
            });
        }
    }
}
