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

/// Where a byte of a text stands.
fn of_offset(text: &str, offset: usize) -> Position {
    let place = place_of_offset(text, offset);
    let first = line(text, place.line - 1);
    position(place.line - 1, units(first, place.column - 1))
}

/// The one range that differs between two texts, and what stands there in the second.
pub(super) fn difference<'a>(before: &str, after: &'a str) -> (Range, &'a str) {
    let same = |(one, other): &(char, char)| one == other;
    let length = |characters: &mut dyn Iterator<Item = (char, char)>| -> usize {
        characters.map(|(one, _)| one.len_utf8()).sum()
    };
    let start = length(&mut before.chars().zip(after.chars()).take_while(same));
    let (rest, new) = (&before[start..], &after[start..]);
    let end = length(&mut rest.chars().rev().zip(new.chars().rev()).take_while(same));
    let range = Range::new(
        of_offset(before, start),
        of_offset(before, before.len() - end),
    );
    (range, &new[..new.len() - end])
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

    #[test]
    fn what_differs_is_one_range() {
        let at = |line, from, to| Range::new(Position::new(line, from), Position::new(line, to));
        let cases = [
            ("a: 𝒳b\n", "a: 𝒳cd\n", at(0, 5, 6), "cd"),
            ("a\nb\n", "a\nx: y\nb\n", at(1, 0, 0), "x: y\n"),
            ("a\r\nbb\r\n", "a\r\nb\r\n", at(1, 1, 2), ""),
            ("same", "same", at(0, 4, 4), ""),
        ];
        for (before, after, range, new) in cases {
            assert_eq!(difference(before, after), (range, new), "{before:?}");
        }
    }
}
