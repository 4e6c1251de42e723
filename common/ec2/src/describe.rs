use aws::error::AwsError;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{InstanceStatusSummary, IpPermission};

/// What an instance printed on its console. EC2 keeps it for an hour or so after a boot; empty when there is none.
///
/// # Errors
/// What the call met.
pub async fn console(client: &Client, id: &str) -> Result<String, AwsError> {
    let answer = client.get_console_output().instance_id(id).send().await;
    let answer = answer.map_err(|error| AwsError::of(&error))?;
    let console = answer
        .output()
        .and_then(|output| aws_smithy_types::base64::decode(output.trim()).ok());
    Ok(String::from_utf8_lossy(&console.unwrap_or_default()).into_owned())
}

/// The rules of security groups about what comes in.
///
/// # Errors
/// What the call met.
pub async fn inbound_rules(
    client: &Client,
    groups: &[String],
) -> Result<Vec<IpPermission>, AwsError> {
    let call = client.describe_security_groups();
    let answer = call.set_group_ids(Some(groups.to_vec())).send().await;
    let answer = answer.map_err(|error| AwsError::of(&error))?;
    let groups = answer.security_groups().iter();
    Ok(groups
        .flat_map(|group| group.ip_permissions().to_vec())
        .collect())
}

/// The status checks in words, such as `system ok, instance initializing`.
///
/// # Errors
/// What the call met.
pub async fn status_checks(client: &Client, id: &str) -> Result<String, AwsError> {
    let answer = client.describe_instance_status().instance_ids(id).send();
    let answer = answer.await.map_err(|error| AwsError::of(&error))?;
    let Some(status) = answer.instance_statuses().first() else {
        return Ok("none yet".to_owned());
    };
    let word = |summary: Option<&InstanceStatusSummary>| {
        let status = summary.and_then(|summary| summary.status());
        status
            .map_or("unknown", |status| status.as_str())
            .to_owned()
    };
    Ok(format!(
        "system {}, instance {}",
        word(status.system_status()),
        word(status.instance_status())
    ))
}
