//! What proves where an image comes from: watermarks, ancestors, a statement.

use crate::plan::name::bad_character;
use crate::settings::values::Target;
use action::settings::value::names;
use std::fmt;
use std::str::FromStr;

/// A watermark: its name, with the account that attached it where that is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watermark {
    /// 12 digits.
    pub account: Option<String>,
    /// What its owner calls it.
    pub name: String,
}

impl FromStr for Watermark {
    type Err = String;

    /// EC2's rule for its name is the one for an image's
    /// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AttachImageWatermark.html>).
    fn from_str(text: &str) -> Result<Self, String> {
        let (account, name) = match text.split_once(':') {
            Some((account, name)) => (Some(account), name),
            None => (None, text),
        };
        let is_account = |text: &str| text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
        if let Some(account) = account.filter(|account| !is_account(account)) {
            return Err(format!("{account:?} is no account id (12 digits)"));
        }
        let length = name.chars().count();
        if !(3..=128).contains(&length) || bad_character(name).is_some() {
            return Err(format!(
                "{name:?} is not the name of a watermark: 3 to 128 letters, digits, spaces and ()[]./-'@_"
            ));
        }
        Ok(Self {
            account: account.map(str::to_owned),
            name: name.to_owned(),
        })
    }
}

impl fmt::Display for Watermark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.account {
            Some(account) => write!(f, "{account}:{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// A list of watermarks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Watermarks(pub Vec<Watermark>);

/// An image has no more of them
/// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ami-watermark.html>).
pub(crate) const MOST_WATERMARKS: usize = 5;

impl FromStr for Watermarks {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut watermarks: Vec<Watermark> = Vec::new();
        for one in names(text) {
            let watermark = one.parse()?;
            if watermarks.contains(&watermark) {
                return Err(format!("{watermark} is named twice"));
            }
            watermarks.push(watermark);
        }
        if watermarks.len() > MOST_WATERMARKS {
            return Err(format!(
                "{} are named; an image has at most {MOST_WATERMARKS}",
                watermarks.len()
            ));
        }
        Ok(Self(watermarks))
    }
}

/// What an image must descend from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ancestor {
    /// This image.
    Image(String),
    /// An image of this provider, by its alias.
    Owner(String),
}

/// The aliases that EC2 gives to providers
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ImageAncestryEntry.html>).
const OWNERS: [&str; 3] = ["amazon", "aws-marketplace", "aws-backup-vault"];

impl FromStr for Ancestor {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if OWNERS.contains(&text) {
            return Ok(Self::Owner(text.to_owned()));
        }
        match text.parse() {
            Ok(Target::Image(id)) => Ok(Self::Image(id)),
            _ => Err(format!(
                "{text:?} is neither an image id (ami- and 8 or 17 hexadecimal digits) nor one of {}",
                OWNERS.join(", ")
            )),
        }
    }
}

impl fmt::Display for Ancestor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image(id) => f.write_str(id),
            Self::Owner(alias) => write!(f, "an image of {alias}"),
        }
    }
}

/// A list of ancestors.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Ancestors(pub Vec<Ancestor>);

impl FromStr for Ancestors {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let ancestors = names(text).map(str::parse);
        ancestors.collect::<Result<_, _>>().map(Self)
    }
}

/// The digest of a template, as package-template exports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TemplateDigest(pub String);

impl FromStr for TemplateDigest {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_digest = text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
        match is_digest {
            true => Ok(Self(text.to_ascii_lowercase())),
            false => Err(format!("{text:?} is not 64 hexadecimal digits")),
        }
    }
}

/// The id of a release, as deploy-app exports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReleaseId(pub String);

impl FromStr for ReleaseId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        match text.len() <= 128 && text.chars().all(is_allowed) {
            true => Ok(Self(text.to_owned())),
            false => Err(format!(
                "{text:?} is not a release's id (letters, digits, ._-; at most 128)"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Ancestor, Ancestors, ReleaseId, TemplateDigest, Watermarks};

    #[test]
    fn good_values_are_read() {
        let watermarks: Watermarks = "approved, 123456789012:web (1)".parse().unwrap_or_default();
        assert_eq!(watermarks.0.len(), 2);
        assert_eq!(watermarks.0[1].to_string(), "123456789012:web (1)");
        let ancestors: Ancestors = "ami-0123456789abcdef0,amazon".parse().unwrap_or_default();
        assert_eq!(ancestors.0[1], Ancestor::Owner("amazon".to_owned()));
    }

    #[test]
    fn bad_values_say_what_is_wrong() {
        for (text, part) in [
            ("ab", "3"),
            ("a,b;c", "3"),
            ("1234:approved", "account id"),
            ("approved,approved", "named twice"),
            ("one,two,three,four,five,six,", "6 are named"),
        ] {
            let said = text.parse::<Watermarks>().err().unwrap_or_default();
            assert!(said.contains(part), "{text}: {said}");
        }
        for bad in ["ami-1", "self", "123456789012"] {
            let said = bad.parse::<Ancestors>().err().unwrap_or_default();
            assert!(said.contains("neither an image id"), "{bad}: {said}");
        }
        assert!("0123".parse::<TemplateDigest>().is_err());
        assert!("#{Build.RELEASE_ID}".parse::<ReleaseId>().is_err());
    }
}
