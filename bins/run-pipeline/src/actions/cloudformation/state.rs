//! What a stack's state means: what may be done to it, whether a deployment is over, what ends what is left.

/// What is to be done with a stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    CreateOrUpdate,
    Delete,
    /// Execute the change set of that name.
    Execute(String),
}

/// What an operation does to a stack in a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Move {
    Create,
    Update,
    Delete,
    Execute {
        /// Whether the stack does not exist yet, but for its change sets.
        is_creation: bool,
    },
    /// There is nothing to do.
    Nothing,
    /// Somebody must end by hand what is there.
    Stuck,
    /// Somebody else works on it.
    Busy,
}

impl Move {
    /// In words, while it goes on.
    pub(super) fn going(self) -> &'static str {
        match self {
            Self::Create => "creating",
            Self::Delete => "deleting",
            Self::Execute { .. } => "executing a change set of",
            _ => "updating",
        }
    }

    /// The state of the stack right after the call was taken.
    pub(super) fn first_state(self) -> &'static str {
        match self {
            Self::Create | Self::Execute { is_creation: true } => "CREATE_IN_PROGRESS",
            Self::Delete => "DELETE_IN_PROGRESS",
            _ => "UPDATE_IN_PROGRESS",
        }
    }

    /// Whether the stack was there before, with outputs of its own.
    pub(super) fn is_update(self) -> bool {
        matches!(self, Self::Update | Self::Execute { is_creation: false })
    }

    /// Whether a state ends it, and how.
    pub(super) fn verdict(self, status: &str) -> Option<bool> {
        match (self, status) {
            (Self::Delete, "DELETE_COMPLETE") => Some(true),
            (Self::Delete, "DELETE_FAILED") => Some(false),
            // A state of before.
            (Self::Delete, _) => None,
            _ => verdict(status),
        }
    }
}

/// Whether REPLACE_ON_FAILURE deletes a stack before it creates it. Source: CodePipeline user guide, "CloudFormation
/// deploy action reference".
pub(super) fn is_replaced(status: &str) -> bool {
    matches!(
        status,
        "ROLLBACK_COMPLETE"
            | "ROLLBACK_FAILED"
            | "CREATE_FAILED"
            | "DELETE_FAILED"
            | "UPDATE_ROLLBACK_FAILED"
    )
}

/// What a kind of operation does to a stack in a state; without one there is no stack.
pub(super) fn move_of(kind: &Kind, status: Option<&str>) -> Move {
    let Some(status) = status else {
        return match kind {
            Kind::CreateOrUpdate => Move::Create,
            Kind::Delete => Move::Nothing,
            Kind::Execute(_) => Move::Stuck,
        };
    };
    match (kind, status) {
        (Kind::CreateOrUpdate, _) => next_move(Some(status)),
        (Kind::Delete, "DELETE_COMPLETE") => Move::Nothing,
        (Kind::Delete, "REVIEW_IN_PROGRESS") => Move::Delete,
        (Kind::Execute(_), "REVIEW_IN_PROGRESS") => Move::Execute { is_creation: true },
        (_, status) if status.ends_with("_IN_PROGRESS") => Move::Busy,
        (Kind::Delete, _) => Move::Delete,
        (Kind::Execute(_), _) => match next_move(Some(status)) {
            Move::Update => Move::Execute { is_creation: false },
            other => other,
        },
    }
}

pub(super) fn next_move(status: Option<&str>) -> Move {
    match status {
        None | Some("DELETE_COMPLETE") => Move::Create,
        // An update of these is refused by CloudFormation; CREATE_UPDATE does not recreate.
        Some(
            "ROLLBACK_COMPLETE"
            | "ROLLBACK_FAILED"
            | "CREATE_FAILED"
            | "DELETE_FAILED"
            | "REVIEW_IN_PROGRESS"
            | "UPDATE_ROLLBACK_FAILED",
        ) => Move::Stuck,
        Some(status) if status.ends_with("_IN_PROGRESS") => Move::Busy,
        Some(_) => Move::Update,
    }
}

/// Whether a state ends a deployment, and how.
fn verdict(status: &str) -> Option<bool> {
    match status {
        "CREATE_COMPLETE" | "UPDATE_COMPLETE" => Some(true),
        status if status.ends_with("_IN_PROGRESS") => None,
        _ => Some(false),
    }
}

/// The subcommand of `aws cloudformation` that ends what a deployment has left in this state; none where
/// nothing of it is left. `cancel-update-stack` is taken in `UPDATE_IN_PROGRESS` only
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CancelUpdateStack.html>).
pub(super) fn way_out(status: &str) -> Option<&'static str> {
    match status {
        "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "UPDATE_ROLLBACK_COMPLETE" | "DELETE_COMPLETE" => {
            None
        }
        "UPDATE_IN_PROGRESS" => Some("cancel-update-stack"),
        "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS" => Some("wait stack-update-complete"),
        "UPDATE_ROLLBACK_IN_PROGRESS" | "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS" => {
            Some("wait stack-rollback-complete")
        }
        "UPDATE_ROLLBACK_FAILED" => Some("continue-update-rollback"),
        "UPDATE_FAILED" => Some("rollback-stack"),
        "DELETE_IN_PROGRESS" => Some("wait stack-delete-complete"),
        // A stack that is being created, was not created, or cannot be deleted.
        _ => Some("delete-stack"),
    }
}

/// What to know before that subcommand, where it has a trap.
pub(super) fn advice(status: &str) -> Option<&'static str> {
    // <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ContinueUpdateRollback.html>
    (status == "UPDATE_ROLLBACK_FAILED").then_some(
        "mend what the events name, then continue. `--force-rollback` skips every resource that is UPDATE_FAILED, instead of \
         `--resources-to-skip` with their names: what is skipped is no longer as the template says, and must be made so \
         before the next update",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_decides_what_is_done() {
        for (status, expected) in [
            (None, Move::Create),
            (Some("CREATE_COMPLETE"), Move::Update),
            (Some("UPDATE_COMPLETE"), Move::Update),
            (Some("UPDATE_ROLLBACK_COMPLETE"), Move::Update),
            (Some("UPDATE_ROLLBACK_FAILED"), Move::Stuck),
            (Some("ROLLBACK_COMPLETE"), Move::Stuck),
            (Some("REVIEW_IN_PROGRESS"), Move::Stuck),
            (Some("UPDATE_IN_PROGRESS"), Move::Busy),
            (Some("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"), Move::Busy),
        ] {
            assert_eq!(next_move(status), expected, "{status:?}");
        }
    }

    #[test]
    fn each_kind_of_operation_has_its_own_states() {
        let execute = Kind::Execute("c".to_owned());
        for (kind, status, expected) in [
            (&Kind::Delete, None, Move::Nothing),
            (&Kind::Delete, Some("ROLLBACK_COMPLETE"), Move::Delete),
            (&Kind::Delete, Some("REVIEW_IN_PROGRESS"), Move::Delete),
            (&Kind::Delete, Some("UPDATE_IN_PROGRESS"), Move::Busy),
            (&execute, None, Move::Stuck),
            (
                &execute,
                Some("REVIEW_IN_PROGRESS"),
                Move::Execute { is_creation: true },
            ),
            (
                &execute,
                Some("UPDATE_COMPLETE"),
                Move::Execute { is_creation: false },
            ),
            (&execute, Some("ROLLBACK_COMPLETE"), Move::Stuck),
        ] {
            assert_eq!(move_of(kind, status), expected, "{kind:?} {status:?}");
        }
        assert_eq!(Move::Delete.verdict("UPDATE_COMPLETE"), None);
        assert_eq!(Move::Delete.verdict("DELETE_FAILED"), Some(false));
        assert_eq!(Move::Update.verdict("DELETE_COMPLETE"), Some(false));
        assert!(is_replaced("ROLLBACK_COMPLETE") && !is_replaced("UPDATE_ROLLBACK_COMPLETE"));
    }

    #[test]
    fn only_two_states_are_success() {
        assert_eq!(verdict("CREATE_COMPLETE"), Some(true));
        assert_eq!(verdict("UPDATE_COMPLETE"), Some(true));
        for going in [
            "CREATE_IN_PROGRESS",
            "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
            "UPDATE_ROLLBACK_IN_PROGRESS",
        ] {
            assert_eq!(verdict(going), None);
        }
        for bad in [
            "ROLLBACK_COMPLETE",
            "UPDATE_ROLLBACK_COMPLETE",
            "CREATE_FAILED",
            "DELETE_COMPLETE",
        ] {
            assert_eq!(verdict(bad), Some(false));
        }
    }

    #[test]
    fn the_advice_fits_the_state() {
        for (status, command) in [
            ("CREATE_IN_PROGRESS", Some("delete-stack")),
            ("ROLLBACK_IN_PROGRESS", Some("delete-stack")),
            ("ROLLBACK_COMPLETE", Some("delete-stack")),
            ("UPDATE_IN_PROGRESS", Some("cancel-update-stack")),
            ("UPDATE_ROLLBACK_COMPLETE", None),
            ("UPDATE_ROLLBACK_FAILED", Some("continue-update-rollback")),
        ] {
            assert_eq!(way_out(status), command, "{status}");
        }
        // What cannot be cancelled any more is waited for.
        for late in [
            "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
            "UPDATE_ROLLBACK_IN_PROGRESS",
        ] {
            let command = way_out(late);
            assert!(
                command.is_some_and(|command| command.starts_with("wait ")),
                "{late}: {command:?}"
            );
        }
    }
}
