//! POSIX shell quoting.

/// Writes `value` as one word that every POSIX shell reads back byte for byte, through `eval` and
/// through `.` alike: in single quotes, each single quote written `'\''`.
///
/// A NUL cannot be carried; [`super::value::check`] refuses it before.
#[must_use]
pub fn posix(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::posix;
    use proptest::prelude::*;

    /// What a shell does with single quotes and backslash-quote, and nothing else.
    fn unquote(word: &str) -> Option<String> {
        let mut value = String::new();
        let mut rest = word;
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix(r"\'") {
                value.push('\'');
                rest = after;
            } else {
                let (inside, after) = rest.strip_prefix('\'')?.split_once('\'')?;
                value.push_str(inside);
                rest = after;
            }
        }
        Some(value)
    }

    #[test]
    fn known_vectors() {
        assert_eq!(posix(""), "''");
        assert_eq!(posix("a b"), "'a b'");
        assert_eq!(posix("it's"), r"'it'\''s'");
        assert_eq!(posix("$(x)`y`\"\n"), "'$(x)`y`\"\n'");
    }

    proptest! {
        #[test]
        fn reads_back(value in "[^\0]*") {
            prop_assert_eq!(unquote(&posix(&value)), Some(value));
        }
    }
}
