//! Which names an entry may have, and which two names are one on another machine.

pub mod bytes;

use std::collections::HashMap;

use thiserror::Error;

/// How strict names are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Names {
    /// Names that mean the same on Linux, macOS and Windows: what an archive needs.
    #[default]
    Portable,
    /// Any UTF-8 name a Unix host can hold, save control characters: backslashes, colons and names
    /// that differ in case only are fine.
    Unix,
    /// Any name a Unix host can hold, of any bytes, written as [`bytes`] does.
    Bytes,
}

/// Why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NameFault {
    /// The name has no characters, or a component of it has none (`a//b`, `a/`).
    #[error("has an empty component")]
    Empty,
    /// The name starts with `/`.
    #[error("is absolute")]
    Absolute,
    /// A component is `.` or `..`.
    #[error("has a `.` or `..` component")]
    Dots,
    /// The name has a character below U+0020 or U+007F.
    #[error("has a control character")]
    Control,
    /// The name has a backslash, which some unpackers take for a folder separator.
    #[error("has a backslash, which some unpackers read as a folder separator")]
    Backslash,
    /// The name starts with a drive letter (`C:`).
    #[error("starts with a drive letter")]
    Drive,
}

/// Checks one entry name: relative, `/` between components, nothing that climbs.
///
/// # Errors
/// The first [`NameFault`] found.
pub fn check(name: &str, names: Names) -> Result<(), NameFault> {
    if name.starts_with('/') {
        return Err(NameFault::Absolute);
    }
    if names != Names::Bytes && name.chars().any(char::is_control) {
        return Err(NameFault::Control);
    }
    for component in name.split('/') {
        match component {
            "" => return Err(NameFault::Empty),
            "." | ".." => return Err(NameFault::Dots),
            _ => {}
        }
    }
    if names == Names::Portable {
        if name.contains('\\') {
            return Err(NameFault::Backslash);
        }
        if let [letter, b':', ..] = name.as_bytes()
            && letter.is_ascii_alphabetic()
        {
            return Err(NameFault::Drive);
        }
    }
    Ok(())
}

/// Whether a link at `name` with text `target` stays inside the root, judged by the text alone.
///
/// Every step must stay inside, so `a/../../root/b` is outside even where it leads back in.
#[must_use]
pub fn link_stays_inside(name: &str, target: &str) -> bool {
    if target.is_empty() || target.starts_with('/') {
        return false;
    }
    let mut depth = name.split('/').count() - 1;
    for component in target.split('/') {
        match component {
            "" | "." => {}
            ".." => match depth.checked_sub(1) {
                Some(up) => depth = up,
                None => return false,
            },
            _ => depth += 1,
        }
    }
    true
}

/// Remembers spellings, to find names that are one name where case does not count.
#[derive(Debug, Default)]
pub struct Spellings {
    seen: HashMap<String, String>,
}

impl Spellings {
    /// Remembers `name` and each folder above it; gives the earlier spelling when one differs only in case.
    pub fn clash(&mut self, name: &str) -> Option<String> {
        let ends = name
            .match_indices('/')
            .map(|(at, _)| at)
            .chain(std::iter::once(name.len()));
        for end in ends {
            let spelling = &name[..end];
            let folded = spelling.to_lowercase();
            match self.seen.get(&folded) {
                Some(earlier) if earlier != spelling => return Some(earlier.clone()),
                Some(_) => {}
                None => {
                    self.seen.insert(folded, spelling.to_owned());
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_climb_or_confuse_are_refused() {
        let refused = [
            ("", NameFault::Empty),
            ("/etc/passwd", NameFault::Absolute),
            ("a//b", NameFault::Empty),
            ("a/", NameFault::Empty),
            ("../a", NameFault::Dots),
            ("a/../b", NameFault::Dots),
            ("./a", NameFault::Dots),
            ("a\nb", NameFault::Control),
            ("a\\b", NameFault::Backslash),
            ("C:/a", NameFault::Drive),
            ("c:a", NameFault::Drive),
        ];
        for (name, fault) in refused {
            assert_eq!(check(name, Names::Portable), Err(fault), "{name:?}");
        }
        for name in ["a", "a/b.c", "ü/ö", "..a", "a..", "ab:c", " "] {
            assert_eq!(check(name, Names::Portable), Ok(()), "{name:?}");
        }
        assert_eq!(check("dev-\\x2d.mount", Names::Unix), Ok(()));
        assert_eq!(check("a/../b", Names::Unix), Err(NameFault::Dots));
    }

    #[test]
    fn links_are_followed_by_their_text() {
        for (name, target, inside) in [
            ("a", "b", true),
            ("a/b", "../c", true),
            ("a/b", "../../c", false),
            ("a", "../c", false),
            ("a/b", "../../a/c", false),
            ("a", "/etc", false),
            ("a", "", false),
            ("a/b/c", ".././../d/./e", true),
        ] {
            assert_eq!(
                link_stays_inside(name, target),
                inside,
                "{name} -> {target}"
            );
        }
    }

    #[test]
    fn folders_clash_as_files_do() {
        let mut spellings = Spellings::default();
        assert_eq!(spellings.clash("App/x"), None);
        assert_eq!(spellings.clash("App/y"), None);
        assert_eq!(spellings.clash("app/z"), Some("App".to_owned()));
        assert_eq!(spellings.clash("App/X"), Some("App/x".to_owned()));
    }
}
