//! Types of settings that several programs have.

use std::str::FromStr;
use std::time::Duration;

/// A switch: `yes`, `true` or `1`; `no`, `false` or `0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Switch(pub bool);

impl FromStr for Switch {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "1" | "true" | "yes" => Ok(Switch(true)),
            "0" | "false" | "no" => Ok(Switch(false)),
            _ => Err(format!(
                "{text:?} is not a switch; use yes or no (true, false, 1 and 0 mean the same)"
            )),
        }
    }
}

/// A duration in human units: `90s`, `20m`, `6h`, `1h 30m`. Never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeout(pub Duration);

impl FromStr for Timeout {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match humantime::parse_duration(text) {
            Ok(Duration::ZERO) => {
                Err("zero is not a duration here; write one such as 90s, 20m or 6h".to_owned())
            }
            Ok(duration) => Ok(Timeout(duration)),
            Err(_) => Err(format!(
                "{text:?} is not a duration; write one such as 90s, 20m or 6h"
            )),
        }
    }
}

/// The name of an S3 bucket, as far as a request can be made with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketName(pub String);

impl FromStr for BucketName {
    type Err = String;

    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>
    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(rest) = text.strip_prefix("s3://") {
            let name = rest.split('/').next().unwrap_or(rest);
            return Err(format!("{text:?} is a URL; give the bucket's name, {name}"));
        }
        let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
        if (3..=63).contains(&text.len()) && text.chars().all(fine) {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!(
                "{text:?} is not a bucket name (3 to 63 lower-case letters, digits, - and .)"
            ))
        }
    }
}

/// A whole number of at least one, and at most `MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count<const MAX: u32 = { u32::MAX }>(pub u32);

impl<const MAX: u32> Count<MAX> {
    /// The same for what is counted in memory.
    #[must_use]
    pub fn size(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl<const MAX: u32> FromStr for Count<MAX> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(count) if (1..=MAX).contains(&count) => Ok(Count(count)),
            _ => Err(format!("{text:?} is not a number from 1 to {MAX}")),
        }
    }
}

/// A list: one element a line in a variable, or a flag given several times. Blank elements are dropped.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lines(pub Vec<String>);

/// The elements of a list of names or ids, none of which can have a comma in it: as [`Lines`], and commas separate too.
pub fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', '\n', '\0'])
        .map(str::trim)
        .filter(|name| !name.is_empty())
}

/// A list of [`names`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Names(pub Vec<String>);

impl FromStr for Names {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Names(names(text).map(str::to_owned).collect()))
    }
}

/// Arguments exactly as they were given, white space, line breaks and all. A variable holds one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Arguments(pub Vec<String>);

impl FromStr for Arguments {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Arguments(text.split('\0').map(str::to_owned).collect()))
    }
}

impl FromStr for Lines {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Lines(
            text.split(['\n', '\0'])
                .map(str::trim)
                .filter(|line| !line.is_empty())
                .map(str::to_owned)
                .collect(),
        ))
    }
}

/// An EC2 instance id: `i-` and 8 or 17 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceId(pub String);

impl FromStr for InstanceId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if is_ec2_id(text, "i-") {
            Ok(InstanceId(text.to_owned()))
        } else {
            Err(format!(
                "{text:?} is not an instance id (i- and 8 or 17 hexadecimal digits)"
            ))
        }
    }
}

/// The name of an AWS region: a label of a host name, for that is where it ends up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegionName(pub String);

impl FromStr for RegionName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_label = (1..=63).contains(&text.len())
            && !text.starts_with('-')
            && !text.ends_with('-')
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        is_label
            .then(|| RegionName(text.to_owned()))
            .ok_or_else(|| format!("{text:?} is not the name of a region, such as eu-west-1"))
    }
}

/// Whether `text` is `prefix` and 8 or 17 lower-case hexadecimal digits, the two forms of an EC2 id:
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/resource-ids.html>.
#[must_use]
pub fn is_ec2_id(text: &str, prefix: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|digits| {
        matches!(digits.len(), 8 | 17)
            && digits
                .bytes()
                .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    })
}

#[cfg(test)]
mod tests {
    use super::{Arguments, Count, Lines, Names, RegionName, Switch, Timeout, is_ec2_id};
    use std::time::Duration;

    #[test]
    fn switches_read_six_words() {
        for (text, want) in [
            ("1", true),
            ("YES", true),
            ("true", true),
            ("0", false),
            ("no", false),
            ("False", false),
        ] {
            assert_eq!(text.parse(), Ok(Switch(want)));
        }
        assert!("on".parse::<Switch>().is_err());
    }

    #[test]
    fn timeouts_have_units() {
        assert_eq!("6h".parse(), Ok(Timeout(Duration::from_secs(21_600))));
        assert_eq!("1h 30m".parse(), Ok(Timeout(Duration::from_secs(5_400))));
        for bad in ["6", "0s", "soon", "-1h"] {
            assert!(bad.parse::<Timeout>().is_err(), "{bad}");
        }
    }

    #[test]
    fn counts_say_what_was_given_and_what_is_taken() {
        assert_eq!("3".parse(), Ok(Count::<5>(3)));
        for bad in ["0", "6", "-1", "three", "1.5", " 1", "4294967296"] {
            assert_eq!(
                bad.parse::<Count<5>>(),
                Err(format!("{bad:?} is not a number from 1 to 5"))
            );
        }
        assert_eq!(
            "4294967295".parse::<Count>().map(Count::size),
            Ok(4_294_967_295)
        );
        assert!("4294967296".parse::<Count>().is_err());
    }

    #[test]
    fn nothing_inside_an_argument_can_look_like_a_second_one() {
        let one = "NOTE=hello\nAMI_ID=ami-evil";
        assert_eq!(one.parse(), Ok(Arguments(vec![one.to_owned()])));
        assert_eq!(
            "A=1\0B=2".parse(),
            Ok(Arguments(vec!["A=1".to_owned(), "B=2".to_owned()]))
        );
    }

    #[test]
    fn lists_drop_blanks() {
        assert_eq!(
            " a \n\n b".parse(),
            Ok(Lines(vec!["a".to_owned(), "b".to_owned()]))
        );
    }

    #[test]
    fn names_are_lines_or_separated_by_commas() {
        let want = Ok(Names(vec!["a".to_owned(), "b".to_owned()]));
        for text in ["a,b", "a\nb\n", "a\0b", " a, ,\n b"] {
            assert_eq!(text.parse(), want, "{text:?}");
        }
    }

    #[test]
    fn regions_are_labels() {
        for good in ["eu-west-1", "us-gov-west-1", "aws-global"] {
            assert_eq!(good.parse(), Ok(RegionName(good.to_owned())));
        }
        for bad in [
            "",
            "eu west 1",
            "eu-west-1\n",
            "-eu",
            "eu.west",
            &"x".repeat(64),
        ] {
            assert!(bad.parse::<RegionName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn ids_have_two_lengths() {
        assert!(is_ec2_id("ami-0123abcd", "ami-"));
        assert!(is_ec2_id("ami-0123456789abcdef0", "ami-"));
        for bad in ["ami-12", "ami-0123ABCD", "i-0123abcd", "ami-0123abcg"] {
            assert!(!is_ec2_id(bad, "ami-"), "{bad}");
        }
    }
}
