//! What `signal-health` is told.

use std::fmt;
use std::str::FromStr;

use action::settings::Settings;
use action::settings::faults::Faults;
use action::settings::given::Given;
use action::settings::guarded::Guarded;
use action::settings::value::{Count, InstanceId};
use http_probe::{Headers, HttpUrl, Probe, Scheme, Statuses, Trust};
use serde::Deserialize;

/// The settings as declared.
#[derive(Debug, clap::Args, Deserialize, Default)]
#[serde(default)]
pub struct Raw {
    /// The stack that waits, by name or ARN
    #[arg(long, value_name = "NAME", help_heading = "What is signalled")]
    stack: Given<StackName>,
    /// The logical id of the resource that waits: the group with the creation or update policy
    #[arg(long, value_name = "LOGICAL-ID", help_heading = "What is signalled")]
    resource: Given<LogicalId>,
    /// The name of the launch lifecycle hook that this instance waits for; its Auto Scaling group is looked up
    #[arg(long, value_name = "NAME", help_heading = "What is signalled")]
    lifecycle_hook: Given<HookName>,
    /// The URL that must answer, http:// or https://; it is requested from this instance
    #[arg(
        long,
        value_name = "URL",
        default_value = "http://127.0.0.1:8001/collection",
        help_heading = "Health"
    )]
    url: Given<Guarded<HttpUrl>>,
    /// The HTTP statuses of a good answer, such as 200,204,301-399; redirects are not followed
    #[arg(
        long,
        value_name = "LIST",
        default_value = "200",
        help_heading = "Health"
    )]
    status: Given<Statuses>,
    /// A header of the request, such as `Host: app.example.com`
    #[arg(long, value_name = "HEADER", action = clap::ArgAction::Append, help_heading = "Health")]
    header: Given<Guarded<Headers>>,
    /// Text that a good answer contains
    #[arg(long, value_name = "TEXT", help_heading = "Health")]
    body: Given<String>,
    /// For https://: a PEM file with the authorities or the server's own certificate; none: any certificate is accepted; unset: the system's authorities
    #[arg(long, value_name = "FILE", help_heading = "Health")]
    ca: Given<String>,
    /// How many good answers in a row are needed
    #[arg(long, value_name = "N", default_value = "3", help_heading = "Health")]
    count: Given<Count<100>>,
    /// The instance to signal for; unset: the one this runs on, as its metadata service says
    #[arg(long, value_name = "i-…", help_heading = "What is signalled")]
    instance_id: Given<InstanceId>,
}

/// The settings after checking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The resource of a stack that waits for a signal. There is this, a hook, or both.
    pub resource: Option<StackResource>,
    /// The name of the lifecycle hook that waits.
    pub hook: Option<String>,
    /// What must answer, and how.
    pub probe: Probe,
    /// How many times in a row, at least once.
    pub count: u32,
    /// The instance, when it was named.
    pub instance: Option<String>,
}

/// A resource of a stack, as SignalResource names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackResource {
    /// The stack, by name or ARN.
    pub stack: String,
    /// The logical id in it.
    pub logical_id: String,
}

impl fmt::Display for StackResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of the stack {}", self.logical_id, self.stack)
    }
}

impl Settings for Raw {
    type Checked = Checked;

    fn runs_in_builds() -> bool {
        false
    }

    fn secrets() -> &'static [&'static str] {
        &["url", "header"]
    }

    fn check(self, faults: &mut Faults) -> Option<Checked> {
        let hook_alone = !matches!(self.lifecycle_hook, Given::Unset)
            && matches!(self.stack, Given::Unset)
            && matches!(self.resource, Given::Unset);
        let hook = faults.optional("lifecycle_hook", self.lifecycle_hook);
        let resource = if hook_alone {
            None
        } else {
            let stack = faults.required("stack", self.stack);
            let logical_id = faults.required("resource", self.resource);
            stack.zip(logical_id)
        };
        let url = faults.required("url", self.url).map(Guarded::reveal);
        let statuses = faults.required("status", self.status);
        let headers = faults.optional("header", self.header);
        let body = faults.optional("body", self.body);
        let ca = faults.optional("ca", self.ca);
        let trust = ca.and_then(|ca| {
            let trust = Trust::from_setting(&ca);
            trust.map_err(|fault| faults.of("ca", fault)).ok()
        });
        if trust.is_some() && url.as_ref().is_some_and(|url| url.scheme == Scheme::Http) {
            faults.of("ca", "is for an https:// address");
        }
        let count = faults.required("count", self.count);
        let instance = faults.optional("instance_id", self.instance_id);
        Some(Checked {
            resource: resource.map(|(stack, logical_id)| StackResource {
                stack: stack.0,
                logical_id: logical_id.0,
            }),
            hook: hook.map(|name| name.0),
            probe: Probe {
                url: url?,
                headers: headers.map(Guarded::reveal).unwrap_or_default().0,
                statuses: statuses?,
                body,
                trust: trust.unwrap_or_default(),
            },
            count: count?.0,
            instance: instance.map(|id| id.0),
        })
    }
}

/// A stack's name (128 characters at most) or its ARN.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_SignalResource.html>
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StackName(pub(crate) String);

impl FromStr for StackName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let arn = text.starts_with("arn:") && text.contains(":cloudformation:");
        let name = text.len() <= 128
            && text.starts_with(|first: char| first.is_ascii_alphabetic())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if arn || name {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!(
                "{text:?} is neither a stack's name (a letter, then letters, digits and -) nor its ARN"
            ))
        }
    }
}

/// A logical id: letters and digits.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/resources-section-structure.html>
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogicalId(pub(crate) String);

impl FromStr for LogicalId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!(
                "{text:?} is not a logical id (letters and digits), as in AutoScalingGroup"
            ))
        }
    }
}

/// The name of a lifecycle hook.
/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_PutLifecycleHook.html>
#[derive(Debug, Clone, PartialEq, Eq)]
struct HookName(String);

impl FromStr for HookName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_/".contains(&byte);
        if text.len() <= 255 && text.bytes().all(fits) {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!(
                "{text:?} is not the name of a lifecycle hook (at most 255 letters, digits, -, _ and /)"
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::{Count, LogicalId, StackName};

    #[test]
    fn stacks_have_names_or_arns() {
        let arn = "arn:aws:cloudformation:eu-west-1:123456789012:stack/rag-app-dev/0a1b";
        for good in ["rag-app-dev", arn] {
            assert_eq!(good.parse(), Ok(StackName(good.to_owned())));
        }
        for bad in ["1st", "rag_app", "arn:aws:s3:::bucket", &"x".repeat(129)] {
            assert!(bad.parse::<StackName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn ids_and_counts_are_checked() {
        assert!("AutoScalingGroup".parse::<LogicalId>().is_ok());
        assert!("Auto.Scaling".parse::<LogicalId>().is_err());
        assert_eq!("3".parse(), Ok(Count::<100>(3)));
        for bad in ["0", "-1", "101", "three"] {
            assert!(bad.parse::<Count<100>>().is_err(), "{bad}");
        }
    }
}
