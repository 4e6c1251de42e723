//! Events of stacks in words, and which of them is the root cause.

use aws::error::AwsError;
use aws_sdk_cloudformation::types::StackEvent;

/// An event in one line, and whether something failed.
pub(crate) fn line(event: &StackEvent) -> (String, bool) {
    let status = event.resource_status().map_or("?", |one| one.as_str());
    let reason = event
        .resource_status_reason()
        .filter(|reason| !reason.is_empty())
        .map_or_else(String::new, |reason| format!(": {reason}"));
    let line = format!(
        "{status} {} ({}){reason}",
        event.logical_resource_id().unwrap_or("?"),
        event.resource_type().unwrap_or("?"),
    );
    (line, status.ends_with("_FAILED"))
}

/// What failed by itself first: everything else was cancelled because of it, or is the stack.
pub(crate) fn root_cause(failed: &[String]) -> Option<&String> {
    let cancelled = |line: &&String| !line.to_lowercase().contains("cancelled");
    failed.iter().find(cancelled)
}

/// Whether an error says that there is no such stack; CloudFormation has no code for that.
pub(crate) fn is_absent(error: &AwsError) -> bool {
    error.is("ValidationError") && error.to_string().contains("does not exist")
}

#[cfg(test)]
mod tests {
    use super::root_cause;

    #[test]
    fn the_root_cause_is_what_failed_by_itself_first() {
        let failed = [
            "CREATE_FAILED A (X): Resource creation cancelled",
            "CREATE_FAILED B (X): no such key",
            "CREATE_FAILED C (X): Resource creation Cancelled",
        ];
        let failed = failed.map(str::to_owned);
        assert_eq!(root_cause(&failed), Some(&failed[1]));
        assert_eq!(root_cause(&failed[..1]), None);
    }
}
