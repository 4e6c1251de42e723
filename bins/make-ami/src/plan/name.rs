//! An image's name: its template, and EC2's rule.

use action::codebuild::CodeBuild;
use std::fmt;

/// What a template's placeholders are filled with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parts<'a> {
    /// The instance's id.
    pub(crate) instance: &'a str,
    pub(crate) app: Option<&'a str>,
    /// The build around us.
    pub(crate) build: &'a CodeBuild,
    /// The time as `20261123T093300Z`.
    pub(crate) utc: &'a str,
}

/// What a template may hold.
pub(crate) const PLACEHOLDERS: [&str; 6] = [
    "{instance}",
    "{app}",
    "{utc}",
    "{build}",
    "{commit}",
    "{pipeline}",
];

/// Fills a template in. Where there is no build, pipeline or commit, the word says so.
pub(crate) fn fill(template: &str, parts: &Parts<'_>) -> String {
    // A build id is `project:uuid`; a colon is not allowed in an image's name.
    let id = parts.build.build_id.as_deref().unwrap_or("local");
    let id = id.rsplit(':').next().unwrap_or(id);
    let commit = parts
        .build
        .resolved_source_version
        .as_deref()
        .unwrap_or("none");
    let commit: String = commit
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(12)
        .collect();
    let pipeline = parts.build.pipeline().unwrap_or("none");
    template
        .replace("{instance}", parts.instance)
        .replace("{app}", parts.app.unwrap_or("none"))
        .replace("{utc}", parts.utc)
        .replace("{build}", id)
        .replace("{commit}", &commit)
        .replace("{pipeline}", pipeline)
}

/// Checks a name's template as far as that is possible before it is filled in.
pub(crate) fn check_template(template: &str) -> Result<(), String> {
    let bare = without_placeholders(template).map_err(|fault| format!("{template:?}: {fault}"))?;
    check(&bare)
}

/// The longest description that EC2 takes: 255 characters, said older pages of RegisterImage and CreateImage. Today's
/// say nothing, so that a longer one is refused here; one run with a longer one settles it.
const LONGEST_DESCRIPTION: usize = 255;

/// Checks a description's template as far as that is possible before it is filled in.
pub(crate) fn check_description(template: &str) -> Result<(), String> {
    // Unlike a name it may hold anything, so that its text is not shown.
    let bare = without_placeholders(template).map_err(|fault| fault.to_string())?;
    if bare.chars().any(char::is_control) {
        return Err("it holds a control character".to_owned());
    }
    match bare.chars().count() {
        length if length > LONGEST_DESCRIPTION => Err(format!(
            "{length} characters; EC2 takes {LONGEST_DESCRIPTION}"
        )),
        _ => Ok(()),
    }
}

/// A description filled in, and cut where EC2 ends it.
pub(crate) fn fill_description(template: &str, parts: &Parts<'_>) -> String {
    fill(template, parts)
        .chars()
        .take(LONGEST_DESCRIPTION)
        .collect()
}

/// A template with something short and valid where its placeholders are.
fn without_placeholders(template: &str) -> Result<String, UnknownPlaceholder> {
    let bare = PLACEHOLDERS
        .iter()
        .fold(template.to_owned(), |rest, known| {
            rest.replace(known, "xxx")
        });
    match bare.contains(['{', '}']) {
        true => Err(UnknownPlaceholder),
        false => Ok(bare),
    }
}

/// Braces around something that is no placeholder.
#[derive(Debug)]
struct UnknownPlaceholder;

impl fmt::Display for UnknownPlaceholder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = PLACEHOLDERS.join(", ");
        write!(f, "it has an unknown placeholder; known are {known}")
    }
}

/// EC2's rule: 3 to 128 characters of letters, digits, `( ) [ ] . / - ' @ _` and space
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateImage.html>).
pub(crate) fn check(name: &str) -> Result<(), String> {
    if let Some(bad) = bad_character(name) {
        return Err(format!(
            "{name:?} holds {bad:?}; an image's name has letters, digits, space and ()[]./-'@_"
        ));
    }
    match name.chars().count() {
        3..=128 => Ok(()),
        length => Err(format!(
            "{name:?} has {length} characters; an image's name has 3 to 128"
        )),
    }
}

/// The first character that no image's name may hold.
pub(crate) fn bad_character(text: &str) -> Option<char> {
    text.chars()
        .find(|c| !c.is_ascii_alphanumeric() && !"()[] ./-'@_".contains(*c))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::{Parts, check, check_template, fill};
    use action::codebuild::CodeBuild;

    #[test]
    fn the_default_name_is_valid_in_a_build_and_on_a_laptop() {
        let build = CodeBuild {
            build_id: Some("ami:8f2e9c1a-0000-1111-2222-333344445555".to_owned()),
            initiator: Some("codepipeline/rag-prod".to_owned()),
            resolved_source_version: Some("0123456789abcdef".to_owned()),
            ..CodeBuild::default()
        };
        let parts = Parts {
            instance: "i-0123456789abcdef0",
            app: Some("rag"),
            build: &build,
            utc: "20261123T093300Z",
        };
        let filled = fill("{instance}-{utc}-{build}", &parts);
        assert_eq!(
            filled,
            "i-0123456789abcdef0-20261123T093300Z-8f2e9c1a-0000-1111-2222-333344445555"
        );
        assert_eq!(check(&filled), Ok(()));
        assert_eq!(
            fill("{app}/{pipeline}/{commit}", &parts),
            "rag/rag-prod/0123456789ab"
        );
        let laptop = CodeBuild::default();
        let parts = Parts {
            build: &laptop,
            ..parts
        };
        assert_eq!(
            fill("{build}-{commit}-{pipeline}", &parts),
            "local-none-none"
        );
    }

    #[test]
    fn names_follow_ec2s_rule() {
        for good in ["abc", "a b (1) [2] ./-'@_"] {
            assert_eq!(check(good), Ok(()));
        }
        for bad in ["ab", "a:b", "ümlaut", "a*b", &"x".repeat(129)] {
            assert!(check(bad).is_err(), "{bad}");
        }
        assert!(
            check_template("web-{tuc}")
                .unwrap_err()
                .contains("unknown placeholder")
        );
    }
}
