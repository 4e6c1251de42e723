//! Patterns of names: `*` is any text, `?` one character.

/// Whether `text` is a pattern rather than a name.
pub(crate) fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?'])
}

/// Whether the whole of `name` matches.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    // Where the last `*` stood, and where in the name it ends for now.
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == '?' || *c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, end)) => {
                    star = Some((at, end + 1));
                    p = at + 1;
                    n = end + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

/// Whether any of the patterns matches.
pub(crate) fn any(patterns: &[String], name: &str) -> bool {
    patterns.iter().any(|pattern| matches(pattern, name))
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn stars_and_question_marks() {
        for (pattern, name, wanted) in [
            ("APP_*", "APP_TAG", true),
            ("APP_*", "APP_", true),
            ("APP_*", "XAPP_TAG", false),
            ("*_ID", "AMI_ID", true),
            ("*_ID", "AMI_IDS", false),
            ("A?I", "AMI", true),
            ("A?I", "AI", false),
            ("*", "", true),
            ("*A*B*", "xxAxAyB", true),
            ("", "A", false),
            ("AMI_ID", "AMI_ID", true),
        ] {
            assert_eq!(matches(pattern, name), wanted, "{pattern} {name}");
        }
    }
}
