//! The flags of `cfn-signal`.

use std::path::PathBuf;
use std::str::FromStr;

use action::settings::Settings;
use action::settings::faults::Faults;
use action::settings::given::Given;
use action::settings::guarded::Guarded;
use action::settings::secret::Secret;
use action::settings::value::RegionName;
use aws_smithy_types::base64;
use http_probe::HttpUrl;
use serde::Deserialize;

use crate::settings::{LogicalId, StackName, StackResource};

/// The settings as declared.
#[derive(Debug, clap::Args, Deserialize, Default)]
#[serde(default)]
pub struct Raw {
    /// The presigned address of a WaitConditionHandle, also in Base64; instead of --stack and --resource
    #[arg(value_name = "URL", help_heading = "What is signalled")]
    handle: Given<Guarded<Handle>>,
    /// The stack, by name or ARN
    #[arg(long, value_name = "NAME", help_heading = "What is signalled")]
    stack: Given<StackName>,
    /// The logical id of the resource that waits
    #[arg(long, value_name = "LOGICAL-ID", help_heading = "What is signalled")]
    resource: Given<LogicalId>,
    /// true signals SUCCESS, false FAILURE
    #[arg(
        short,
        long,
        value_name = "true|false",
        default_value = "true",
        help_heading = "The signal"
    )]
    success: Given<Success>,
    /// The exit code of a command: anything but 0 signals FAILURE
    #[arg(
        short,
        long,
        value_name = "CODE",
        allow_negative_numbers = true,
        help_heading = "The signal"
    )]
    exit_code: Given<i64>,
    /// A unique id of the signal; unset: the id of this instance, elsewhere the name of this host
    #[arg(short, long, value_name = "ID", help_heading = "The signal")]
    id: Given<String>,
    /// Why, for a wait condition
    #[arg(short, long, value_name = "TEXT", help_heading = "The signal")]
    reason: Given<String>,
    /// Data for a wait condition; the template reads it as the attribute Data
    #[arg(short, long, value_name = "TEXT", help_heading = "The signal")]
    data: Given<Guarded<Text>>,
    /// The stack's region; unset: that of the environment, the profile or this instance
    #[arg(long, value_name = "REGION", help_heading = "AWS")]
    region: Given<RegionName>,
    /// The endpoint of CloudFormation
    #[arg(long, value_name = "URL", help_heading = "AWS")]
    url: Given<Guarded<HttpUrl>>,
    /// An access key; unset: the credentials of the environment, the profile or this instance
    #[arg(long, value_name = "ID", help_heading = "AWS")]
    access_key: Given<Guarded<Text>>,
    /// The secret of the access key
    #[arg(long, value_name = "SECRET", help_heading = "AWS")]
    secret_key: Given<Guarded<Text>>,
    /// A file with the lines AWSAccessKeyId=… and AWSSecretKey=…
    #[arg(short = 'f', long, value_name = "FILE", help_heading = "AWS")]
    credential_file: Given<PathBuf>,
    /// The role of this instance; accepted and not needed, for an instance has one role only
    #[arg(long, value_name = "NAME", help_heading = "AWS")]
    role: Given<String>,
    /// A proxy for http:// addresses, as host:port or an address
    #[arg(long, value_name = "PROXY", help_heading = "AWS")]
    http_proxy: Given<Guarded<Text>>,
    /// A proxy for https:// addresses, as host:port or an address
    #[arg(long, value_name = "PROXY", help_heading = "AWS")]
    https_proxy: Given<Guarded<Text>>,
}

/// The settings after checking.
#[derive(Debug)]
pub struct Checked {
    pub(super) target: Target,
    pub(super) succeeded: bool,
    pub(super) id: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) data: Option<String>,
    pub(super) region: Option<String>,
    pub(super) endpoint: Option<String>,
    pub(super) keys: Option<Keys>,
    /// Variables of proxies, with their addresses.
    pub(super) proxies: Vec<(&'static str, String)>,
}

/// Who is told.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// The handle of a wait condition.
    Handle(HttpUrl),
    /// A resource of a stack.
    Resource(StackResource),
}

/// Credentials of the command line.
#[derive(Debug)]
pub(super) enum Keys {
    Pair { id: String, secret: Secret },
    File(PathBuf),
}

impl Settings for Raw {
    type Checked = Checked;

    fn runs_in_builds() -> bool {
        false
    }

    fn check(self, faults: &mut Faults) -> Option<Checked> {
        let by_resource =
            !matches!(self.stack, Given::Unset) || !matches!(self.resource, Given::Unset);
        let has_handle = !matches!(self.handle, Given::Unset);
        let handle = faults.optional("handle", self.handle).map(Guarded::reveal);
        let target = match (has_handle, by_resource) {
            (true, true) => {
                faults.of(
                    "handle",
                    "is instead of --stack and --resource, not beside them",
                );
                None
            }
            (true, false) => handle.map(|handle| Target::Handle(handle.0)),
            (false, false) => {
                faults.add("no target is given: give --stack and --resource, or the address of a wait condition handle");
                None
            }
            (false, true) => {
                let stack = faults.required("stack", self.stack);
                let logical_id = faults.required("resource", self.resource);
                stack.zip(logical_id).map(|(stack, logical_id)| {
                    Target::Resource(StackResource {
                        stack: stack.0,
                        logical_id: logical_id.0,
                    })
                })
            }
        };
        let success = faults.required("success", self.success);
        let exit_code = faults.optional("exit_code", self.exit_code);
        let id = faults.optional("id", self.id);
        let reason = faults.optional("reason", self.reason);
        let data = faults.optional("data", self.data);
        let region = faults.optional("region", self.region);
        let url = faults.optional("url", self.url);
        let access_key = faults.optional("access_key", self.access_key);
        let secret_key = faults.optional("secret_key", self.secret_key);
        let file = faults.optional("credential_file", self.credential_file);
        faults.optional("role", self.role);
        let http_proxy = faults.optional("http_proxy", self.http_proxy);
        let https_proxy = faults.optional("https_proxy", self.https_proxy);
        let keys = match (access_key, secret_key, file) {
            (None, None, file) => file.map(Keys::File),
            (Some(id), Some(secret), None) => Some(Keys::Pair {
                id: id.reveal().0,
                secret: Secret::from(secret.reveal().0),
            }),
            (_, _, Some(_)) => {
                faults.of(
                    "credential_file",
                    "is instead of --access-key and --secret-key",
                );
                None
            }
            (None, Some(_), None) | (Some(_), None, None) => {
                faults.of(
                    "access_key",
                    "and --secret-key are given together or not at all",
                );
                None
            }
        };
        let proxy = |name, given: Option<Guarded<Text>>| {
            given.map(|address| (name, as_address(address.reveal().0)))
        };
        Some(Checked {
            target: target?,
            succeeded: success?.0 && exit_code.is_none_or(|code| code == 0),
            id,
            reason,
            data: data.map(|data| data.reveal().0),
            region: region.map(|region| region.0),
            endpoint: url.map(|url| url.reveal().to_string()),
            keys,
            proxies: proxy("http_proxy", http_proxy)
                .into_iter()
                .chain(proxy("https_proxy", https_proxy))
                .collect(),
        })
    }
}

/// `host:port` is an address without its scheme.
fn as_address(proxy: String) -> String {
    match proxy.contains("://") {
        true => proxy,
        false => format!("http://{proxy}"),
    }
}

/// Text that is not printed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Text(String);

impl FromStr for Text {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

/// `true` or `false`, and no other word for them: so says the original.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Success(bool);

impl FromStr for Success {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "true" => Ok(Self(true)),
            "false" => Ok(Self(false)),
            _ => Err(format!("{text:?} is neither true nor false")),
        }
    }
}

/// The address of a handle. User data sometimes has it in Base64.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Handle(HttpUrl);

impl FromStr for Handle {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        if text.contains("://") {
            return text.parse().map(Self);
        }
        let decoded = base64::decode(text).ok();
        let decoded = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
        let url = decoded.and_then(|text| text.trim().parse().ok());
        url.map(Self)
            .ok_or("not the address of a wait condition handle, neither plain nor in Base64")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::{Handle, Raw, Target};
    use action::settings::faults::Faults;
    use action::settings::{Settings as _, over_defaults};

    fn succeeded(fields: &[(&str, &str)]) -> bool {
        let given = [("stack", "s"), ("resource", "R")];
        let fields = given.iter().chain(fields);
        let fields = fields.map(|(field, text)| ((*field).to_owned(), (*text).to_owned()));
        let mut faults = Faults::for_tests();
        let checked = over_defaults::<Raw>(fields).unwrap().check(&mut faults);
        assert!(faults.is_empty(), "{:?}", faults.messages());
        checked.unwrap().succeeded
    }

    /// As aws-cfn-bootstrap 1.4-31 decides: an exit code other than 0 is a failure; 0 leaves it to --success.
    #[test]
    fn exit_code_and_success_decide_as_in_the_original() {
        for (fields, expected) in [
            (&[][..], true),
            (&[("success", "false")], false),
            (&[("exit_code", "0")], true),
            (&[("exit_code", "3")], false),
            (&[("exit_code", "-1")], false),
            (&[("exit_code", "3"), ("success", "true")], false),
            (&[("exit_code", "0"), ("success", "false")], false),
        ] {
            assert_eq!(succeeded(fields), expected, "{fields:?}");
        }
    }

    #[test]
    fn a_handle_is_an_address_plain_or_in_base64() {
        let plain: Handle = "https://b.s3.amazonaws.com/h?Signature=x".parse().unwrap();
        let encoded = aws_smithy_types::base64::encode("https://b.s3.amazonaws.com/h?Signature=x");
        assert_eq!(encoded.parse(), Ok(plain));
        assert!("WaitHandle".parse::<Handle>().is_err());
    }

    #[test]
    fn one_of_the_two_is_told() {
        let check = |fields: &[(&str, &str)]| {
            let fields = fields
                .iter()
                .map(|(f, t)| ((*f).to_owned(), (*t).to_owned()));
            let mut faults = Faults::for_tests();
            let checked = over_defaults::<Raw>(fields).unwrap().check(&mut faults);
            checked
                .filter(|_| faults.is_empty())
                .map(|checked| checked.target)
        };
        let url = ("handle", "https://b.example/h");
        assert!(matches!(check(&[url]), Some(Target::Handle(_))));
        assert_eq!(check(&[url, ("stack", "s"), ("resource", "R")]), None);
        assert_eq!(check(&[]), None);
        assert_eq!(check(&[("resource", "R")]), None);
    }
}
