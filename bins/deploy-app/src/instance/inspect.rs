//! What explains an instance: its console, its security groups, its status checks.

use aws::error::AwsError;
use aws_sdk_ec2::types::{InstanceStatusSummary, IpPermission};

use super::Ec2;

impl Ec2 {
    /// What the instance printed on its console. It is kept for an hour or so after a boot.
    ///
    /// # Errors
    /// What the call met.
    pub async fn console(&self, id: &str) -> Result<String, AwsError> {
        let answer = self
            .client
            .get_console_output()
            .instance_id(id)
            .send()
            .await
            .map_err(|error| AwsError::of(&error))?;
        let console = answer
            .output()
            .and_then(|output| aws_smithy_types::base64::decode(output.trim()).ok());
        Ok(String::from_utf8_lossy(&console.unwrap_or_default()).into_owned())
    }

    /// The rules of security groups about what comes in.
    ///
    /// # Errors
    /// What the call met.
    pub async fn rules(&self, groups: &[String]) -> Result<Vec<IpPermission>, AwsError> {
        let answer = self
            .client
            .describe_security_groups()
            .set_group_ids(Some(groups.to_vec()))
            .send()
            .await
            .map_err(|error| AwsError::of(&error))?;
        let groups = answer.security_groups().iter();
        Ok(groups
            .flat_map(|group| group.ip_permissions().to_vec())
            .collect())
    }

    /// The status checks in words, such as `system ok, instance initializing`.
    ///
    /// # Errors
    /// What the call met.
    pub async fn checks(&self, id: &str) -> Result<String, AwsError> {
        let answer = self
            .client
            .describe_instance_status()
            .instance_ids(id)
            .send()
            .await
            .map_err(|error| AwsError::of(&error))?;
        let Some(status) = answer.instance_statuses().first() else {
            return Ok("none yet".to_owned());
        };
        let word = |summary: Option<&InstanceStatusSummary>| {
            summary
                .and_then(|summary| summary.status())
                .map_or("unknown", |status| status.as_str())
                .to_owned()
        };
        Ok(format!(
            "system {}, instance {}",
            word(status.system_status()),
            word(status.instance_status())
        ))
    }
}
