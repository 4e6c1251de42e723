//! What is reported to CodePipeline of a job, within its limits.

use action::export::MAX_TOTAL_BYTES;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The longest message of a failure, in characters:
/// <https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_FailureDetails.html>.
const MESSAGE: usize = 5000;
/// The longest summary, in characters:
/// <https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_ExecutionDetails.html>.
const SUMMARY: usize = 2048;
/// The longest external execution id, in characters; of the same page.
const EXTERNAL_ID: usize = 1500;

/// The result of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Report {
    /// What names the work outside of CodePipeline, such as an image's id.
    pub(crate) external_id: String,
    pub(crate) result: Outcome,
}

/// How a job ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    /// The action is done.
    Succeeded {
        summary: String,
        variables: BTreeMap<String, String>,
    },
    /// The job is done, the action goes on in another one.
    Continues { summary: String, token: String },
    /// The action failed.
    Failed { kind: String, message: String },
}

impl Report {
    pub(crate) fn succeeded(
        external_id: &str,
        summary: &str,
        variables: BTreeMap<String, String>,
    ) -> Self {
        Self {
            external_id: cut(external_id, EXTERNAL_ID),
            result: Outcome::Succeeded {
                summary: cut(summary, SUMMARY),
                variables,
            },
        }
    }

    pub(crate) fn continues(external_id: &str, summary: &str, token: String) -> Self {
        Self {
            external_id: cut(external_id, EXTERNAL_ID),
            result: Outcome::Continues {
                summary: cut(summary, SUMMARY),
                token,
            },
        }
    }

    pub(crate) fn failed(external_id: &str, kind: &str, message: &str) -> Self {
        Self {
            external_id: cut(external_id, EXTERNAL_ID),
            result: Outcome::Failed {
                kind: kind.to_owned(),
                message: cut_front(message, MESSAGE),
            },
        }
    }
}

/// Why variables cannot be the outputs of an action.
///
/// # Errors
/// The reason, without a value.
pub(crate) fn check_variables(variables: &BTreeMap<String, String>) -> Result<(), String> {
    // <https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_PutJobSuccessResult.html>
    let fits = |name: &str| {
        !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"@-_".contains(&byte))
    };
    if let Some(name) = variables.keys().find(|name| !fits(name)) {
        return Err(format!(
            "CodePipeline takes no output variable named {name:?}"
        ));
    }
    let size = |(name, value): (&String, &String)| name.len() + value.len();
    let total: usize = variables.iter().map(size).sum();
    let largest = variables.iter().max_by_key(|(_, value)| value.len());
    match largest {
        Some((name, value)) if total > MAX_TOTAL_BYTES => Err(format!(
            "{} output variables have {total} bytes; CodePipeline allows {MAX_TOTAL_BYTES} (largest: {name}, {} bytes)",
            variables.len(),
            value.len()
        )),
        _ => Ok(()),
    }
}

/// The first characters, and never nothing: CodePipeline refuses an empty text.
fn cut(text: &str, longest: usize) -> String {
    let text = text.trim();
    match text.chars().count() {
        0 => "-".to_owned(),
        n if n <= longest => text.to_owned(),
        _ => text.chars().take(longest - 1).chain(['…']).collect(),
    }
}

/// The last characters: the end of a log says why.
fn cut_front(text: &str, longest: usize) -> String {
    let text = text.trim();
    let length = text.chars().count();
    match length {
        0 => "the program printed nothing".to_owned(),
        n if n <= longest => text.to_owned(),
        n => ['…']
            .into_iter()
            .chain(text.chars().skip(n - (longest - 1)))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::{Outcome, Report, check_variables, cut, cut_front};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn variables(pairs: &[(&str, usize)]) -> BTreeMap<String, String> {
        let pairs = pairs.iter();
        pairs
            .map(|(name, length)| ((*name).to_owned(), "x".repeat(*length)))
            .collect()
    }

    #[test]
    fn variables_that_do_not_fit_are_named() {
        assert_eq!(check_variables(&variables(&[("AMI_ID", 21)])), Ok(()));
        let fault = check_variables(&variables(&[("A.B", 1)])).unwrap_err();
        assert!(fault.contains("\"A.B\""), "{fault}");
        let fault = check_variables(&variables(&[("LOG", 122_880)])).unwrap_err();
        assert!(fault.contains("largest: LOG, 122880 bytes"), "{fault}");
        let many: Vec<String> = (0..20_000).map(|n| format!("VARIABLE_{n}")).collect();
        let many: Vec<_> = many.iter().map(|name| (name.as_str(), 1)).collect();
        let fault = check_variables(&variables(&many)).unwrap_err();
        assert!(fault.contains("20000 output variables"), "{fault}");
    }

    proptest! {
        #[test]
        fn texts_fit_and_are_never_empty(text in "\\PC{0,40}", longest in 30_usize..40) {
            for shown in [cut(&text, longest), cut_front(&text, longest)] {
                prop_assert!((1..=longest).contains(&shown.chars().count()));
            }
        }
    }

    #[test]
    fn of_a_long_log_the_end_is_told() {
        let log = "x".repeat(6000) + "the reason";
        let Outcome::Failed { message, .. } = Report::failed("j", "JobFailed", &log).result else {
            panic!("it failed")
        };
        assert!(message.ends_with("the reason") && message.chars().count() == 5000);
    }
}
