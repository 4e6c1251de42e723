//! Where an image goes, who may use it, and what it costs there.

use action::settings::value::{is_ec2_id, names};
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// A CloudFormation stack and the logical id of an instance in it, `STACK/LogicalId`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackResource {
    /// The stack's name.
    pub stack: String,
    /// The logical id.
    pub logical_id: String,
}

impl FromStr for StackResource {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('/') {
            Some((stack, logical_id))
                if !stack.is_empty()
                    && !logical_id.is_empty()
                    && logical_id.bytes().all(|byte| byte.is_ascii_alphanumeric()) =>
            {
                Ok(Self {
                    stack: stack.to_owned(),
                    logical_id: logical_id.to_owned(),
                })
            }
            _ => Err(format!("{text:?} is not STACK/LogicalId")),
        }
    }
}

/// An image, or the run that made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// An image's id.
    Image(String),
    /// The value of an image's tag `make-ami:run`.
    Run(String),
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if is_ec2_id(text, "ami-") {
            Ok(Target::Image(text.to_owned()))
        } else if text.starts_with("ami-") {
            Err(format!(
                "{text:?} is not an image id (ami- and 8 or 17 hexadecimal digits)"
            ))
        } else if text.contains(['*', '?', '\\']) {
            // A filter's value knows wildcards; a run key never holds one.
            Err(format!(
                "{text:?} is not a run key: *, ? and \\ would match those of other runs"
            ))
        } else {
            Ok(Target::Run(text.to_owned()))
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Image(id) => write!(f, "image {id}"),
            Target::Run(run) => write!(f, "run {run}"),
        }
    }
}

/// Regions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Regions(pub Vec<String>);

impl FromStr for Regions {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut regions: Vec<String> = Vec::new();
        for region in names(text) {
            if !is_region(region) {
                return Err(format!(
                    "{region:?} is not a region; write such as us-east-1,eu-west-1"
                ));
            }
            if regions.iter().any(|known| known == region) {
                return Err(format!("{region} is named twice"));
            }
            regions.push(region.to_owned());
        }
        Ok(Regions(regions))
    }
}

/// Instance types: names, or patterns with `*`. EC2's rules are those of
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_InstanceTypeSpecificationRequest.html>.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct InstanceTypes(pub Vec<String>);

/// EC2 takes so many entries, each of so many characters.
const MOST_TYPES: usize = 100;
const LONGEST_TYPE: usize = 24;

impl FromStr for InstanceTypes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut types: Vec<String> = Vec::new();
        for one in names(text) {
            let is_allowed = |c: char| c.is_ascii_alphanumeric() || "_.*-".contains(c);
            if one.len() > LONGEST_TYPE || !one.chars().all(is_allowed) {
                return Err(format!(
                    "{one:?} is not an instance type or a pattern of some; write such as g5.xlarge,g6.*"
                ));
            }
            if one.contains("**") {
                return Err(format!("{one:?} holds `**`, which EC2 refuses"));
            }
            if types.iter().any(|known| known == one) {
                return Err(format!("{one} is named twice"));
            }
            types.push(one.to_owned());
        }
        if types.len() > MOST_TYPES {
            return Err(format!("{} are named; EC2 takes {MOST_TYPES}", types.len()));
        }
        Ok(InstanceTypes(types))
    }
}

/// `us-east-1`, `ap-southeast-3`, `us-gov-west-1`: words of letters, then a number.
fn is_region(text: &str) -> bool {
    let mut parts: Vec<&str> = text.split('-').collect();
    let number = parts.pop().unwrap_or_default();
    parts.len() >= 2
        && !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && parts
            .iter()
            .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase()))
}

/// Whom an image is shared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// An account id of 12 digits.
    Account(String),
    /// The ARN of an organization.
    Organization(String),
    /// The ARN of an organizational unit.
    OrganizationalUnit(String),
}

impl FromStr for Principal {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(Principal::Account(text.to_owned()));
        }
        let resource = text
            .strip_prefix("arn:")
            .and_then(|arn| arn.split_once(":organizations::"))
            .and_then(|(_, rest)| rest.split_once(':'));
        match resource {
            Some((_, resource)) if resource.starts_with("organization/o-") => {
                Ok(Principal::Organization(text.to_owned()))
            }
            Some((_, resource)) if resource.starts_with("ou/o-") => {
                Ok(Principal::OrganizationalUnit(text.to_owned()))
            }
            _ => Err(format!(
                "{text:?} is neither an account id (12 digits) nor the ARN of an organization or organizational unit"
            )),
        }
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Principal::Account(id) => write!(f, "account {id}"),
            Principal::Organization(arn) | Principal::OrganizationalUnit(arn) => f.write_str(arn),
        }
    }
}

/// Whom an image is shared with, all of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Principals(pub Vec<Principal>);

impl FromStr for Principals {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        names(text)
            .map(str::parse)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

/// Mount points; never `/` or `/boot`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Mounts(pub Vec<String>);

impl FromStr for Mounts {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // `/.`, `//boot` and `/./boot/` are other words for what is never frozen.
        let mounts: Vec<String> = names(text)
            .map(|mount| Path::new(mount).components().collect::<PathBuf>())
            .map(|path| path.to_string_lossy().into_owned())
            .collect();
        for mount in &mounts {
            if mount == "/" || mount == "/boot" || mount.starts_with("/boot/") {
                return Err(format!(
                    "{mount} is never frozen: everything on the instance, the thaw too, would stand still"
                ));
            }
            if !mount.starts_with('/') || mount.split('/').any(|part| part == "..") {
                return Err(format!("{mount:?} is not an absolute path"));
            }
        }
        Ok(Mounts(mounts))
    }
}

/// Names of containers, as Docker allows them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Containers(pub Vec<String>);

impl FromStr for Containers {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let containers: Vec<String> = names(text).map(str::to_owned).collect();
        for name in &containers {
            let is_fine = name.starts_with(|c: char| c.is_ascii_alphanumeric())
                && name
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c));
            if !is_fine {
                return Err(format!("{name:?} is not a container's name"));
            }
        }
        Ok(Containers(containers))
    }
}

/// A price in millionths of a US dollar per GB and month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price(pub u64);

impl FromStr for Price {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} is not a price; write US dollars per GB-month such as 0.05");
        let (whole, part) = text.split_once('.').unwrap_or((text, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || whole.len() > 6 || part.len() > 6 || !digits(whole) || !digits(part)
        {
            return Err(bad());
        }
        let micros: u64 = format!("{whole}{part:0<6}").parse().map_err(|_| bad())?;
        Ok(Price(micros))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::{Containers, Mounts, Price, Principals, Regions, StackResource, Target};
    use action::settings::value::Count;

    #[test]
    fn good_values_are_read() {
        assert_eq!("0.05".parse(), Ok(Price(50_000)));
        assert_eq!("1".parse(), Ok(Price(1_000_000)));
        assert_eq!(
            "us-east-1, us-gov-west-1".parse::<Regions>().unwrap().0,
            ["us-east-1", "us-gov-west-1"]
        );
        assert_eq!(
            "111122223333,arn:aws:organizations::111122223333:organization/o-abc1,arn:aws-cn:organizations::111122223333:ou/o-abc1/ou-x"
                .parse::<Principals>()
                .unwrap()
                .0
                .len(),
            3
        );
        assert_eq!(
            "/data/, //srv/./x".parse::<Mounts>().unwrap().0,
            ["/data", "/srv/x"]
        );
        assert_eq!(
            "rag-build/Instance".parse::<StackResource>().unwrap().stack,
            "rag-build"
        );
        assert_eq!(
            "web:1/i-1/x".parse::<Target>().unwrap(),
            Target::Run("web:1/i-1/x".to_owned())
        );
    }

    #[test]
    fn bad_values_say_what_is_wrong() {
        let said = |result: Result<(), String>| result.unwrap_err();
        for (said, part) in [
            (
                said("5c".parse::<Price>().map(drop)),
                "US dollars per GB-month",
            ),
            (
                said("-1".parse::<Price>().map(drop)),
                "US dollars per GB-month",
            ),
            (
                said("us-east".parse::<Regions>().map(drop)),
                "is not a region",
            ),
            (
                said("us-east-1,us-east-1".parse::<Regions>().map(drop)),
                "named twice",
            ),
            (
                said("12345".parse::<Principals>().map(drop)),
                "neither an account id",
            ),
            (said("/".parse::<Mounts>().map(drop)), "never frozen"),
            (said("/.".parse::<Mounts>().map(drop)), "never frozen"),
            (said("//boot".parse::<Mounts>().map(drop)), "never frozen"),
            (said("/./boot/".parse::<Mounts>().map(drop)), "never frozen"),
            (
                said("/boot/efi".parse::<Mounts>().map(drop)),
                "never frozen",
            ),
            (
                said("data".parse::<Mounts>().map(drop)),
                "not an absolute path",
            ),
            (
                said("/data/../".parse::<Mounts>().map(drop)),
                "not an absolute path",
            ),
            (
                said("a;b".parse::<Containers>().map(drop)),
                "not a container's name",
            ),
            (
                said("0".parse::<Count>().map(drop)),
                "\"0\" is not a number from 1 to 4294967295",
            ),
            (
                said("ami-12".parse::<Target>().map(drop)),
                "is not an image id",
            ),
            (
                said("*".parse::<Target>().map(drop)),
                "would match those of other runs",
            ),
            (
                said("stack".parse::<StackResource>().map(drop)),
                "is not STACK/LogicalId",
            ),
        ] {
            assert!(said.contains(part), "{said}");
        }
    }
}
