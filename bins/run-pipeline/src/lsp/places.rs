//! Places as the protocol counts them: from 0, columns in UTF-16 code units.

use contract::finding::Place;
use contract::yaml::place_of_offset;
use lsp_types::{Position, Range};

/// Lines as the protocol and YAML count them: `\n`, `\r\n` and a lone `\r` end one.
fn line(text: &str, number: usize) -> &str {
    let mut rest = text;
    for _ in 0..number {
        let Some(at) = rest.find(['\n', '\r']) else {
            return "";
        };
        let end = if rest[at..].starts_with("\r\n") { 2 } else { 1 };
        rest = &rest[at + end..];
    }
    &rest[..rest.find(['\n', '\r']).unwrap_or(rest.len())]
}

fn units(text: &str, characters: usize) -> usize {
    text.chars().take(characters).map(char::len_utf16).sum()
}

fn position(line: usize, character: usize) -> Position {
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Position::new(number(line), number(character))
}

/// Where a finding stands: the whole first line where nothing more is known.
pub(super) fn range(text: &str, place: Option<Place>) -> Range {
    let place = place.filter(|place| place.line > 0);
    let Some(place) = place else {
        return Range::default();
    };
    let first = line(text, place.line - 1);
    let start = position(place.line - 1, units(first, place.column.saturating_sub(1)));
    let end = if place.end > place.start {
        let end = place_of_offset(text, place.end.min(text.len()));
        let last = line(text, end.line - 1);
        position(end.line - 1, units(last, end.column - 1))
    } else {
        position(place.line - 1, units(first, usize::MAX))
    };
    Range::new(start, end.max(start))
}

/// The text of a line up to a position.
pub(super) fn before(text: &str, at: Position) -> &str {
    let line = line(text, at.line as usize);
    let mut left = at.character as usize;
    let mut end = 0;
    for character in line.chars() {
        if left < character.len_utf16() {
            break;
        }
        left -= character.len_utf16();
        end += character.len_utf8();
    }
    &line[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_utf_16() {
        let text = "a: 1\r\n𝒳ä: \"#{x}\"\r\n";
        let start = text.find('"').unwrap_or_default();
        let place = Place {
            end: start + 6,
            ..place_of_offset(text, start)
        };
        let found = range(text, Some(place));
        assert_eq!(found, Range::new(Position::new(1, 5), Position::new(1, 11)));
        assert_eq!(before(text, found.start), "𝒳ä: ");
        assert_eq!(before(text, Position::new(1, 99)), "𝒳ä: \"#{x}\"");
        assert_eq!(before(text, Position::new(9, 0)), "");
        let whole = range(
            text,
            Some(Place {
                line: 2,
                column: 1,
                ..Place::default()
            }),
        );
        assert_eq!(whole, Range::new(Position::new(1, 0), Position::new(1, 11)));
        assert_eq!(range(text, None), Range::default());
    }
}
