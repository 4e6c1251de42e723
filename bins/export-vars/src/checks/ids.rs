//! Ids of EC2, where a variable's name says that it holds one.

use action::settings::value::is_ec2_id;

/// A kind of id: what it is called in a name, its prefix, and the kind with its article.
struct Kind {
    words: &'static [&'static str],
    prefix: &'static str,
    what: &'static str,
}

const KINDS: [Kind; 7] = [
    kind(&["AMI", "Ami", "IMAGE", "Image"], "ami-", "an AMI"),
    kind(
        &["EC2_INSTANCE", "INSTANCE", "Instance"],
        "i-",
        "an instance",
    ),
    kind(&["VPC", "Vpc"], "vpc-", "a VPC"),
    kind(&["SUBNET", "Subnet"], "subnet-", "a subnet"),
    kind(
        &["SECURITY_GROUP", "SecurityGroup"],
        "sg-",
        "a security group",
    ),
    kind(&["SNAPSHOT", "Snapshot"], "snap-", "a snapshot"),
    kind(&["VOLUME", "Volume"], "vol-", "a volume"),
];

const fn kind(words: &'static [&'static str], prefix: &'static str, what: &'static str) -> Kind {
    Kind {
        words,
        prefix,
        what,
    }
}

/// Whether the value fits a name such as `AMI_ID`, `VPCId`, `TARGET_INSTANCE_ID` or `SUBNET_IDS`. Others
/// have instances, images and subnets too, so a name with more in front (`DB_INSTANCE_ID`) is held to
/// it only when the value starts as such an id does; one that ends in `_AMI_ID` always.
pub(super) fn check(name: &str, value: &str) -> Result<(), String> {
    let Some((stem, many)) = stem(name) else {
        return Ok(());
    };
    let Some((word, kind)) = KINDS.iter().find_map(|kind| {
        let word = kind.words.iter().find(|word| ends_in(stem, word))?;
        Some((*word, kind))
    }) else {
        return Ok(());
    };
    let certain = stem == word || word.eq_ignore_ascii_case("AMI");
    // A list may be written with commas, blanks, or as JSON.
    let part = |c: char| !(c.is_ascii_alphanumeric() || "-_".contains(c));
    let parts = value.split(|c: char| many && part(c));
    let mut parts = parts.filter(|one| !one.is_empty());
    match parts
        .find(|one| !is_ec2_id(one, kind.prefix) && (certain || one.starts_with(kind.prefix)))
    {
        Some(wrong) => Err(format!(
            "{} is not {} id ({} and 8 or 17 hexadecimal digits)",
            shown(wrong, kind.prefix),
            kind.what,
            kind.prefix
        )),
        None => Ok(()),
    }
}

/// What a name has before `_ID` or `Id`, and whether it is one of several.
fn stem(name: &str) -> Option<(&str, bool)> {
    let ends = [("_ID", false), ("Id", false), ("_IDS", true), ("Ids", true)];
    ends.into_iter()
        .find_map(|(end, many)| Some((name.strip_suffix(end)?, many)))
}

/// Whether the last words of a stem are these.
fn ends_in(stem: &str, words: &str) -> bool {
    stem.strip_suffix(words).is_some_and(|before| {
        before.is_empty()
            || before.ends_with('_')
            || before.ends_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
    })
}

/// A malformed id for a message, and only its size when it may be something else, such as a secret.
fn shown(value: &str, prefix: &str) -> String {
    let harmless = value.len() <= 24
        && value.starts_with(prefix)
        && value
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if harmless {
        format!("{value:?}")
    } else {
        format!("a value of {} bytes", value.len())
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn names_by_their_last_words_and_lists() {
        for (name, value, part) in [
            ("AMI_ID", "ami-12", "\"ami-12\" is not an AMI id"),
            ("AMIId", "ami-12", "is not an AMI id"),
            (
                "BASE_AMI_ID",
                "hunter2",
                "a value of 7 bytes is not an AMI id",
            ),
            (
                "TARGET_INSTANCE_ID",
                "i-12",
                "\"i-12\" is not an instance id",
            ),
            ("SUBNET_IDS", "foo", "is not a subnet id"),
            (
                "SUBNET_IDS",
                "subnet-0123abcd,subnet-1",
                "\"subnet-1\" is not",
            ),
            ("PublicSubnetIds", "subnet-1", "\"subnet-1\" is not"),
            ("SecurityGroupId", "x", "is not a security group id"),
        ] {
            let said = check(name, value).err().unwrap_or_default();
            assert!(said.contains(part), "{name}: {said}");
        }
        for (name, value) in [
            ("AMI_ID", "ami-0123456789abcdef0"),
            ("DB_INSTANCE_ID", "my-database"),
            ("DOCKER_IMAGE_ID", "sha256:12"),
            ("SUBNET_IDS", "subnet-0123abcd,subnet-0123abce"),
            ("SUBNET_IDS", "[\"subnet-0123abcd\", \"subnet-0123abce\"]"),
            ("TSUNAMI_ID", "x"),
            ("ID", "x"),
            ("AMI_ID", ""),
        ] {
            assert_eq!(check(name, value), Ok(()), "{name}");
        }
    }
}
