//! Tables for people.

use crate::variable::Variable;
use action::export::shape;

/// How many characters of a value are shown.
const WIDEST: usize = 48;

/// Columns aligned by width, the last one ragged; each row on a line.
pub(crate) fn text(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', width - cell.chars().count() + 2));
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// A value as people may see it: between backticks where it is not one plain word, control characters
/// as their pictures, cut where it is long, masked where its name or shape says that it is a secret.
pub(crate) fn shown(name: &str, value: &str) -> String {
    shape::masked(name, value).unwrap_or_else(|| plain(value))
}

/// What stands for a value that is a secret.
pub(crate) fn masked(value: &str) -> String {
    format!("*** ({} bytes)", value.len())
}

/// A value that is known to be no secret, cut where it is long.
pub(crate) fn plain(value: &str) -> String {
    let cut = value.chars().nth(WIDEST).is_some();
    if !cut {
        return whole(value);
    }
    let start: String = value.chars().take(WIDEST).chain(['…']).collect();
    format!("{} ({} bytes)", quoted(&start, is_word(value)), value.len())
}

/// The same, however long it is.
pub(crate) fn whole(value: &str) -> String {
    quoted(value, is_word(value))
}

fn is_word(value: &str) -> bool {
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\'' | '`');
    !value.is_empty() && value.chars().all(plain)
}

fn quoted(text: &str, is_word: bool) -> String {
    let text: String = text.chars().map(picture).collect();
    if is_word { text } else { format!("`{text}`") }
}

/// A name for a message. What is no name, such as a URL that was given without one, may hold a secret
/// and is only described.
pub(crate) fn name(text: &str) -> String {
    const LONGEST: usize = 40;
    let is_like_a_name = text
        .chars()
        .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '*' | '?' | ' '));
    if is_like_a_name && text.len() <= LONGEST && shape::credential(text).is_none() {
        format!("{text:?}")
    } else {
        format!("a name of {} characters", text.chars().count())
    }
}

/// A control character as the picture that Unicode has for it, such as `␊` for a line break.
fn picture(c: char) -> char {
    match u32::from(c) {
        code @ 0..=0x1f => char::from_u32(0x2400 + code).unwrap_or('␦'),
        0x7f => '␡',
        _ if c.is_control() || c == '\u{feff}' => '␦',
        _ => c,
    }
}

/// The variables with their values and places; a value that is a secret is masked.
pub(crate) fn variables(variables: &[Variable], is_secret: impl Fn(&str) -> bool) -> String {
    let heading = ["variable", "value", "from"].map(str::to_owned).to_vec();
    let rows = variables.iter().map(|one| {
        let value = if is_secret(&one.value) {
            masked(&one.value)
        } else {
            shown(&one.name, &one.value)
        };
        vec![one.name.clone(), value, one.place.clone()]
    });
    text(&std::iter::once(heading).chain(rows).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::{shown, text};

    #[test]
    fn columns_line_up() {
        let rows = [
            vec!["a".to_owned(), "x".to_owned()],
            vec!["é1".to_owned(), "y z".to_owned()],
        ];
        assert_eq!(text(&rows), "a   x\né1  y z\n");
    }

    #[test]
    fn values_are_quoted_cut_and_masked() {
        assert_eq!(shown("A", "ami-1"), "ami-1");
        assert_eq!(shown("A", "x y"), "`x y`");
        assert_eq!(shown("A", ""), "``");
        assert_eq!(shown("A", "\"x\"\r\n"), "`\"x\"␍␊`");
        assert_eq!(shown("DB_PASSWORD", "hunter2"), "*** (7 bytes)");
        let long = shown("A", &"x".repeat(100));
        assert!(
            long.ends_with("… (100 bytes)") && long.chars().count() < 64,
            "{long}"
        );
    }
}
