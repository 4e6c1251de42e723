//! `AllowedPattern`: a regular expression of Java's, which must match the whole value.
//!
//! Java's expressions are read by another engine here. Where the two differ, nothing is known; what is left is
//! the same in both, which `tests/pattern.rs` proves beside a real Java.
//!
//! Source: CloudFormation template reference, "Parameters": "the pattern must match the entire parameter value
//! provided", and for a CommaDelimitedList "each value in the list".

use regex_automata::meta::Regex;
use regex_automata::util::syntax;

/// The largest compiled pattern, in bytes; what is larger is not known.
const SIZE_LIMIT: usize = 1024 * 1024;

/// Whether a pattern matches the whole of a text. Nothing when that is not known: the pattern holds what Java
/// reads in a way of its own, or the text holds line ends or more than ASCII, which the two count differently.
#[must_use]
pub fn matches(pattern: &str, text: &str) -> Option<bool> {
    if !is_printable(text) || !is_common(pattern) {
        return None;
    }
    Regex::builder()
        .configure(
            Regex::config()
                .utf8_empty(false)
                .nfa_size_limit(Some(SIZE_LIMIT))
                .onepass_size_limit(Some(SIZE_LIMIT)),
        )
        .syntax(syntax::Config::new().unicode(false).utf8(false))
        .build(&format!(r"\A(?:{pattern})\z"))
        .ok()
        .map(|regex| regex.is_match(text))
}

fn is_printable(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

/// Whether a pattern is made only of what means the same to Java and to the engine here: characters, escapes of
/// punctuation, `\d`, `\w`, `\s` and their opposites, plain classes, groups without a name or a look around, and
/// quantifiers that give back. Left out are, among others, possessive quantifiers, classes within classes, `&&`,
/// `\Q…\E`, `\p{…}`, back references and flags.
fn is_common(pattern: &str) -> bool {
    let Some(mut rest) = is_printable(pattern).then_some(pattern.as_bytes()) else {
        return false;
    };
    let mut open = 0_usize;
    // Whether a quantifier may follow.
    let mut repeatable = false;
    while let Some((&first, after)) = rest.split_first() {
        let (next, is_atom) = match first {
            b'\\' => (escape(after), true),
            b'[' => (class(after), true),
            b'(' => {
                open += 1;
                let plain = after
                    .strip_prefix(b"?:")
                    .or_else(|| (!after.starts_with(b"?")).then_some(after));
                (plain, false)
            }
            b')' if open > 0 => {
                open -= 1;
                (Some(after), true)
            }
            b'*' | b'+' | b'?' if repeatable => (repetition(after), false),
            b'{' if repeatable => (counted(after).and_then(repetition), false),
            b')' | b'*' | b'+' | b'?' | b'{' | b']' | b'}' => (None, false),
            b'|' | b'^' | b'$' => (Some(after), false),
            _ => (Some(after), true),
        };
        let Some(next) = next else { return false };
        (rest, repeatable) = (next, is_atom);
    }
    open == 0
}

/// What follows an escape, whose backslash is read.
fn escape(rest: &[u8]) -> Option<&[u8]> {
    let (&first, after) = rest.split_first()?;
    match first {
        b'd' | b'D' | b'w' | b'W' | b's' | b'S' | b't' | b'n' | b'r' | b'f' => Some(after),
        b'x' => {
            let (digits, after) = after.split_at_checked(2)?;
            // Beyond ASCII one of the two means a byte.
            (digits.iter().all(u8::is_ascii_hexdigit) && digits[0] < b'8').then_some(after)
        }
        b'<' | b'>' => None,
        _ if first.is_ascii_punctuation() => Some(after),
        _ => None,
    }
}

/// What follows a class, whose `[` is read.
fn class(rest: &[u8]) -> Option<&[u8]> {
    let mut rest = rest.strip_prefix(b"^").unwrap_or(rest);
    if rest.starts_with(b"]") {
        return None;
    }
    loop {
        let (&first, after) = rest.split_first()?;
        rest = match first {
            b']' => return Some(after),
            b'[' => return None,
            b'&' | b'-' | b'~' if after.first() == Some(&first) => return None,
            b'\\' => escape(after)?,
            _ => after,
        };
    }
}

/// What follows `{n}`, `{n,}` or `{n,m}`, whose `{` is read.
fn counted(rest: &[u8]) -> Option<&[u8]> {
    let end = rest.iter().position(|byte| *byte == b'}')?;
    let (inner, after) = (&rest[..end], &rest[end + 1..]);
    let mut parts = inner.splitn(2, |byte| *byte == b',');
    let is_number = |part: &[u8]| part.iter().all(u8::is_ascii_digit);
    let least = parts
        .next()
        .filter(|part| !part.is_empty() && is_number(part));
    (least.is_some() && parts.next().is_none_or(is_number)).then_some(after)
}

/// What follows a quantifier; nothing when it is a possessive one.
fn repetition(rest: &[u8]) -> Option<&[u8]> {
    match rest.first() {
        Some(b'+') => None,
        Some(b'?') => rest.get(1..),
        _ => Some(rest),
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_pattern_matches_the_whole_value() {
        for (pattern, fits, does_not) in [
            ("[a-zA-Z][a-zA-Z0-9]*", "Admin1", "1Admin"),
            ("dev|prod", "prod", "prod2"),
            ("^$|^[a-z]+$", "", "A"),
            (
                r"(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})/(\d{1,2})",
                "10.0.0.0/16",
                "10.0.0/16",
            ),
            (
                "^arn:aws[a-z-]*:acm:[a-z0-9-]+:[0-9]{12}:certificate/.+$",
                "arn:aws-cn:acm:cn-north-1:111122223333:certificate/x",
                "",
            ),
            (r"[\x20-\x7E]*", "any of it", "\u{7f}"),
            (r"[\w+=,.@\-]+", "a-b@c", "a b"),
            (
                "(?:ami|snap)-[0-9a-f]{8,17}?",
                "ami-0123456789abcdef0",
                "ami-1",
            ),
            (
                "^(?:[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])$",
                "my-bucket",
                "My-bucket",
            ),
            ("a.c", "abc", "ac"),
        ] {
            assert_eq!(matches(pattern, fits), Some(true), "{pattern}");
            let other = matches(pattern, does_not);
            assert!(matches!(other, Some(false) | None), "{pattern}");
            assert!(does_not == "\u{7f}" || other == Some(false), "{pattern}");
        }
    }

    #[test]
    fn what_java_reads_in_its_own_way_is_not_known() {
        for pattern in [
            "a++",
            "a{1,2}+",
            "a**",
            "[a[bc]]",
            "[a-z&&[^b]]",
            "[]a]",
            "[a--b]",
            r"\Qa.b\E",
            r"\p{Alpha}+",
            r"(a)\1",
            "(?=a)a",
            "(?!a).*",
            "(?i)a",
            "(?<name>a)",
            r"\ba\b",
            r"\h",
            r"\u0041",
            r"\x{41}",
            r"\xe9",
            r"\<",
            "a)|(b",
            "a{,3}",
            "{a}",
            "}",
            "*a",
            "[a",
            "é",
            r"[\w-.]",
            "(a{1000}){1000}",
        ] {
            assert_eq!(matches(pattern, "a"), None, "{pattern}");
        }
        for text in ["a\n", "a\r", "é", "a\tb"] {
            assert_eq!(matches(".*", text), None, "{text:?}");
        }
    }
}
