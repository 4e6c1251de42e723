//! P404, replace-on-failure.

use crate::finding::Finding;
use crate::model::evaluate::is_unknown;
use crate::model::pipeline::Action;
use crate::rule::{Example, Rule, Severity, source};

/// REPLACE_ON_FAILURE deletes a stack that failed, with its data; AWS means it for tests.
pub static RULE: Rule = Rule {
    code: "P404",
    name: "replace-on-failure",
    severity: Severity::Warning,
    summary: "REPLACE_ON_FAILURE deletes a stack that failed, with its data; AWS means it for tests.",
    fix: "use CREATE_UPDATE",
    source: source::CFN_ACTION,
    example: Example::Change {
        file: "pipeline.yml",
        at: "ActionMode: CREATE_UPDATE",
        failing: "ActionMode: REPLACE_ON_FAILURE",
        passing: "ActionMode: CREATE_UPDATE",
    },
};

/// The finding of an action of CloudFormation.
pub(crate) fn check(file: &str, action: &Action) -> Option<Finding> {
    let stack = action.setting("StackName").unwrap_or_default();
    let is_spared = [action.name.as_str(), stack].into_iter().any(is_for_tests);
    if action.setting("ActionMode") != Some("REPLACE_ON_FAILURE") || is_spared || is_unknown(stack)
    {
        return None;
    }
    let place = action.place_of("ActionMode");
    let message = format!("{} deletes the stack when it failed", action.name);
    Some(Finding::new(&RULE, file, Some(place), message))
}

/// Whether a name says by one of its words that it is for tests: `app-test`, `TestStack`, not `latest`.
fn is_for_tests(name: &str) -> bool {
    let mut words = vec![String::new()];
    let mut after_lower = false;
    for c in name.chars() {
        if !c.is_ascii_alphabetic() || c.is_ascii_uppercase() && after_lower {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c.is_ascii_alphabetic()) {
            word.push(c.to_ascii_lowercase());
        }
        after_lower = c.is_ascii_lowercase();
    }
    words
        .iter()
        .any(|word| matches!(word.as_str(), "test" | "tests" | "testing"))
}

#[cfg(test)]
mod tests {
    use super::is_for_tests;

    #[test]
    fn a_name_is_for_tests_by_a_whole_word() {
        for name in [
            "test",
            "app-test",
            "test_1",
            "TestStack",
            "RunTests",
            "app-TEST-2",
        ] {
            assert!(is_for_tests(name), "{name}");
        }
        for name in ["latest", "contest-prod", "Attestation", "app", ""] {
            assert!(!is_for_tests(name), "{name}");
        }
    }
}
