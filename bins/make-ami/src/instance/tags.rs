//! Tags of an instance.

use aws_sdk_ec2::types::Instance;

/// The value of an instance's tag.
pub(crate) fn tag<'a>(instance: &'a Instance, key: &str) -> Option<&'a str> {
    let tags = instance.tags().iter();
    tags.filter(|tag| tag.key() == Some(key))
        .find_map(|tag| tag.value())
}
