//! The exit codes, in one table, the same for every program.

use std::process::ExitCode;

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Exit {
    /// The job is done, or there was nothing to do.
    Done,
    /// The action failed and nothing of it remains.
    Failed,
    /// Refused before anything was touched: usage, settings, a precondition.
    Refused,
    /// AWS or the host did not permit a call.
    NotPermitted,
    /// A service was unavailable, or throttled beyond patience.
    Unavailable,
    /// Failed, and something remains; it is listed with the command that removes or resumes it.
    Remains,
    /// The deadline was reached; the command that resumes is printed.
    Deadline,
    /// Lost to a concurrent change: a lock is held, an object changed.
    Lost,
    /// SIGINT arrived and the program cleaned up.
    Interrupted,
    /// SIGTERM arrived and the program cleaned up.
    Terminated,
}

/// Every exit there is, in the order of the codes.
pub const ALL: [Exit; 10] = [
    Exit::Done,
    Exit::Failed,
    Exit::Refused,
    Exit::NotPermitted,
    Exit::Unavailable,
    Exit::Remains,
    Exit::Deadline,
    Exit::Lost,
    Exit::Interrupted,
    Exit::Terminated,
];

impl Exit {
    /// The process's exit status.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Refused => 2,
            Exit::NotPermitted => 3,
            Exit::Unavailable => 4,
            Exit::Remains => 5,
            Exit::Deadline => 6,
            Exit::Lost => 7,
            Exit::Interrupted => 130,
            Exit::Terminated => 143,
        }
    }

    /// What the code means, for the documentation.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Exit::Done => "success, also where there was nothing to do",
            Exit::Failed => "the action failed and left nothing behind",
            Exit::Refused => "refused before anything was touched (usage, settings, precondition)",
            Exit::NotPermitted => "not permitted",
            Exit::Unavailable => "service unavailable, or throttled until the deadline",
            Exit::Remains => {
                "failed and something remains: it is listed, with the command that removes or resumes it"
            }
            Exit::Deadline => "deadline reached, resumable: the command that resumes is printed",
            Exit::Lost => "lost to a concurrent change (lock held, object changed)",
            Exit::Interrupted => "interrupted (SIGINT), after cleaning up",
            Exit::Terminated => "terminated (SIGTERM), after cleaning up",
        }
    }

    /// The failure type that a CodePipeline job worker reports for it; nothing for success.
    ///
    /// The types are those of `PutJobFailureResult`:
    /// <https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_FailureDetails.html>.
    #[must_use]
    pub fn failure_type(self) -> Option<&'static str> {
        match self {
            Exit::Done => None,
            Exit::Refused => Some("ConfigurationError"),
            Exit::NotPermitted => Some("PermissionError"),
            Exit::Unavailable => Some("SystemUnavailable"),
            Exit::Lost => Some("RevisionOutOfSync"),
            Exit::Failed
            | Exit::Remains
            | Exit::Deadline
            | Exit::Interrupted
            | Exit::Terminated => Some("JobFailed"),
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::ALL;

    #[test]
    fn codes_are_unique_and_only_success_has_no_failure_type() {
        let mut codes: Vec<u8> = ALL.iter().map(|exit| exit.code()).collect();
        codes.dedup();
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 7, 130, 143]);
        for exit in ALL {
            assert_eq!(exit.failure_type().is_none(), exit.code() == 0);
        }
    }
}
