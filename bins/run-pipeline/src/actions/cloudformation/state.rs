//! What a stack's state means: what may be done to it, whether a deployment is over, what ends what is left.

/// What CREATE_UPDATE does to a stack in a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Move {
    Create,
    Update,
    /// Somebody must end by hand what is there.
    Stuck,
    /// Somebody else works on it.
    Busy,
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
pub(super) fn verdict(status: &str) -> Option<bool> {
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
