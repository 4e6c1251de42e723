//! The IAM policy that the program needs, for its page.

use action::program::Permission;
use serde_json::{Value, json};

/// On what each action can be allowed; the others know no resources.
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html>
const RESOURCES: [(&str, &str); 2] = [
    (
        "cloudformation:DescribeStacks",
        "arn:aws:cloudformation:*:*:stack/*",
    ),
    ("ssm:GetParameters", "arn:aws:ssm:*:*:parameter/*"),
];

/// The policy with everything; a statement for each source and sink, so that one can be left out.
pub(crate) fn policy(permissions: &[Permission]) -> Value {
    let statements = permissions.iter().map(|needed| {
        let resource = RESOURCES
            .iter()
            .find(|(action, _)| *action == needed.action);
        json!({
            "Effect": "Allow",
            "Action": needed.action,
            "Resource": resource.map_or("*", |(_, resource)| resource),
        })
    });
    json!({ "Version": "2012-10-17", "Statement": statements.collect::<Vec<_>>() })
}
