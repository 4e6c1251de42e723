//! The tags that an image and its snapshots get.

use action::settings::tags;
use std::collections::BTreeMap;
use std::str::FromStr;

/// Tags, by key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tags(pub BTreeMap<String, String>);

/// AWS's bounds for a tag: <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html>.
const MAX_KEY_CHARS: usize = 128;
const MAX_VALUE_CHARS: usize = 256;
/// A resource holds 50 tags; ours need up to ten of them.
const MAX_TAGS: usize = 40;

impl FromStr for Tags {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let tags = tags::tags(text)?;
        if tags.len() > MAX_TAGS {
            return Err(format!(
                "{} tags; a resource holds 50, of which {MAX_TAGS} are yours",
                tags.len()
            ));
        }
        for (key, value) in &tags {
            if key.is_empty() || key.chars().count() > MAX_KEY_CHARS {
                return Err(format!(
                    "tag key {key:?}: 1 to {MAX_KEY_CHARS} characters are allowed"
                ));
            }
            if key.starts_with("aws:") || key.starts_with("make-ami:") {
                return Err(format!("tag key {key:?}: this prefix is reserved"));
            }
            if value.chars().count() > MAX_VALUE_CHARS {
                return Err(format!(
                    "tag {key}: the value has more than {MAX_VALUE_CHARS} characters"
                ));
            }
        }
        Ok(Tags(tags))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::Tags;

    #[test]
    fn bad_tags_are_named() {
        let many: String = (0..41).map(|n| format!("k{n}=v,")).collect();
        for (text, part) in [
            ("app", "is not KEY=VALUE"),
            ("aws:x=1", "reserved"),
            ("make-ami:run=1", "reserved"),
            ("=x", "1 to 128 characters"),
            (&many, "41 tags"),
        ] {
            let said = text.parse::<Tags>().unwrap_err();
            assert!(said.contains(part), "{text}: {said}");
        }
    }
}
