//! Tags as a user writes them.

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
        let tags = pairs(text)?;
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

/// The tags that an instance must have to be the one: not empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagExpression(pub BTreeMap<String, String>);

impl FromStr for TagExpression {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let tags = pairs(text)?;
        match tags.keys().find(|key| key.is_empty()) {
            Some(_) => Err(format!("{text:?} has a tag without a key")),
            None if tags.is_empty() => Err("no tag is named; write key=value".to_owned()),
            None => Ok(TagExpression(tags)),
        }
    }
}

/// `k=v,k=v`, or a JSON object of texts.
fn pairs(text: &str) -> Result<BTreeMap<String, String>, String> {
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(text)
            .map_err(|error| format!("not a JSON object of texts ({error})"));
    }
    text.split(',')
        .map(str::trim)
        .filter(|pair| !pair.is_empty())
        .map(|pair| match pair.split_once('=') {
            Some((key, value)) => Ok((key.trim().to_owned(), value.trim().to_owned())),
            None => Err(format!(
                "{pair:?} has no `=`; write k=v,k=v or a JSON object"
            )),
        })
        .collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::{TagExpression, Tags};

    #[test]
    fn tags_come_as_pairs_or_json() {
        let pairs: Tags = "app=rag, stage = dev,".parse().unwrap();
        assert_eq!(
            r#"{"app":"rag","stage":"dev"}"#.parse::<Tags>().unwrap(),
            pairs
        );
        assert_eq!("a=b=c".parse::<Tags>().unwrap().0["a"], "b=c");
    }

    #[test]
    fn bad_tags_are_named() {
        let many: String = (0..41).map(|n| format!("k{n}=v,")).collect();
        for (text, part) in [
            ("app", "has no `=`"),
            ("aws:x=1", "reserved"),
            ("make-ami:run=1", "reserved"),
            ("{\"a\":1}", "not a JSON object of texts"),
            ("=x", "1 to 128 characters"),
            (&many, "41 tags"),
        ] {
            let said = text.parse::<Tags>().unwrap_err();
            assert!(said.contains(part), "{text}: {said}");
        }
    }

    #[test]
    fn an_expression_names_at_least_one_tag_and_may_name_those_of_aws() {
        let found: TagExpression = "aws:autoscaling:groupName=web".parse().unwrap();
        assert_eq!(found.0["aws:autoscaling:groupName"], "web");
        assert!(" , ".parse::<TagExpression>().is_err());
        assert!("=x".parse::<TagExpression>().is_err());
    }
}
