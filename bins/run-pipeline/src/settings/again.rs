//! What of an earlier run is done again.

use std::path::PathBuf;
use std::str::FromStr;

use action::settings::faults::Faults;

/// A retry or a roll-back, and where earlier runs are kept.
#[derive(Debug, Clone, Default)]
pub(crate) struct Again {
    /// Where runs are kept, absolute.
    pub(crate) history: Option<PathBuf>,
    pub(crate) what: What,
}

/// What is done again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum What {
    /// Nothing: the pipeline runs from its start.
    #[default]
    Nothing,
    /// The failed stage of a run, and what comes after it.
    Retry {
        /// Its id; that of the newest run otherwise.
        run: Option<String>,
        mode: RetryMode,
    },
    /// A stage, with what an earlier run had.
    Rollback {
        stage: String,
        /// Its id; that of the newest run in which the stage succeeded otherwise.
        run: Option<String>,
    },
}

/// What of the failed stage runs again, in CodePipeline's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum RetryMode {
    #[default]
    FailedActions,
    AllActions,
}

impl FromStr for RetryMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "FAILED_ACTIONS" => Ok(Self::FailedActions),
            "ALL_ACTIONS" => Ok(Self::AllActions),
            other => Err(format!(
                "{other:?} is neither FAILED_ACTIONS nor ALL_ACTIONS"
            )),
        }
    }
}

/// The word for the newest run.
const LATEST: &str = "latest";

impl Again {
    /// Puts the settings together and names those that exclude each other.
    pub(crate) fn new(
        history: Option<PathBuf>,
        retry: Option<String>,
        mode: RetryMode,
        rollback: Option<String>,
        rollback_to: Option<String>,
        is_part: bool,
        faults: &mut Faults,
    ) -> Self {
        let named = |run: Option<String>| run.filter(|run| run != LATEST);
        let what = match (retry, rollback) {
            (None, None) => {
                if rollback_to.is_some() {
                    faults.of("rollback_to", "only a roll-back has a target (--rollback)");
                }
                What::Nothing
            }
            (Some(_), Some(_)) => {
                faults.of("retry", "a run is a retry or a roll-back, not both");
                What::Nothing
            }
            (Some(run), None) => What::Retry {
                run: named(Some(run)),
                mode,
            },
            (None, Some(stage)) => What::Rollback {
                stage,
                run: named(rollback_to),
            },
        };
        if what != What::Nothing {
            let field = match what {
                What::Retry { .. } => "retry",
                _ => "rollback",
            };
            if history.is_none() {
                faults.of(field, "earlier runs are not known (--history-dir)");
            }
            if is_part {
                faults.of(
                    field,
                    "it decides what runs: --from, --until and --only cannot be used with it",
                );
            }
        }
        Self { history, what }
    }
}
