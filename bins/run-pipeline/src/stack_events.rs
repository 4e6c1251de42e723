//! Events of stacks in words, and which of them is the root cause.

use aws::error::AwsError;
use aws_sdk_cloudformation::types::StackEvent;

use crate::stack_texts;

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
    failed.iter().find(|line| !stack_texts::is_cancelled(line))
}

/// Whether an error of DescribeStacks or DescribeStackEvents says that there is no such stack. They are given its name alone,
/// so that a name of the right form can only be wrong in this way. There is no code of its own for it.
pub(crate) fn is_absent(error: &AwsError) -> bool {
    error.is("ValidationError")
}

/// Whether a text has the form of a stack's name (128 characters at most) or of its ARN.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStack.html>
pub(crate) fn is_stack_name(text: &str) -> bool {
    let is_arn = text.starts_with("arn:") && text.contains(":cloudformation:");
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let starts_well = text.starts_with(|first: char| first.is_ascii_alphabetic());
    is_arn || (text.len() <= 128 && starts_well && text.bytes().all(fits))
}

#[cfg(test)]
mod tests {
    use super::{is_stack_name, root_cause};

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

    #[test]
    fn a_name_has_letters_digits_and_hyphens() {
        let arn = "arn:aws:cloudformation:eu-west-1:111122223333:stack/shop/1";
        for name in ["a", "rag-app-dev", arn] {
            assert!(is_stack_name(name), "{name}");
        }
        for name in ["", "1a", "-a", "rag_app", "a b", &"a".repeat(129)] {
            assert!(!is_stack_name(name), "{name}");
        }
    }
}
