//! What CloudFormation says in words alone.
//!
//! There is no code, type or state for these, so the text decides. Each is what the tools of AWS compare with, too:
//! `changeSetHasNoChanges` and `isCancellationEvent` of <https://github.com/aws/aws-cdk-cli/tree/7ff50e7>
//! (packages/@aws-cdk/toolkit-lib), `create_and_wait_for_changeset` of <https://github.com/aws/aws-cli/tree/v2>
//! (awscli/customizations/cloudformation/deployer.py).

/// UpdateStack with nothing to update; a change set of a template with a transform.
const NO_UPDATES: &str = "No updates are to be performed";

/// A change set without changes.
const NO_CHANGES: &str = "didn't contain changes";

/// A resource that was given up because another one had failed. Some services write it with a capital letter.
const CANCELLED: &str = "cancelled";

/// Whether an error of UpdateStack says that there is nothing to do.
pub(crate) fn is_no_update(message: &str) -> bool {
    message.contains(NO_UPDATES)
}

/// Whether a change set failed only because nothing would change.
pub(crate) fn is_empty_change_set(reason: &str) -> bool {
    reason.contains(NO_CHANGES) || reason.contains(NO_UPDATES)
}

/// Whether a resource did not fail by itself.
pub(crate) fn is_cancelled(reason: &str) -> bool {
    reason.to_lowercase().contains(CANCELLED)
}

#[cfg(test)]
mod tests {
    use super::{is_cancelled, is_empty_change_set, is_no_update};

    #[test]
    fn the_texts_are_those_of_aws() {
        assert!(is_no_update("No updates are to be performed."));
        assert!(!is_no_update(
            "Stack:arn is in UPDATE_IN_PROGRESS state and can not be updated."
        ));
        for reason in [
            "The submitted information didn't contain changes. Submit different information to create a change set.",
            "No updates are to be performed.",
        ] {
            assert!(is_empty_change_set(reason), "{reason}");
        }
        assert!(!is_empty_change_set(
            "The following hook(s)/validation failed: [AWS::EarlyValidation::ResourceExistenceCheck]."
        ));
        assert!(is_cancelled("Resource creation cancelled"));
        assert!(is_cancelled("Resource creation Cancelled"));
        assert!(!is_cancelled("no such key"));
    }
}
