//! Tags as a user writes them: `KEY=VALUE`, one a line or separated by commas, or a JSON object where a value has a comma.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// The tags that one instance must have, all of them: at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceTags(pub BTreeMap<String, String>);

impl FromStr for InstanceTags {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let tags = tags(text)?;
        match tags.keys().find(|key| key.is_empty()) {
            Some(_) => Err(format!("{text:?} has a tag without a key")),
            None if tags.is_empty() => {
                Err("no tag is named; write KEY=VALUE, such as Name=web".to_owned())
            }
            None => Ok(Self(tags)),
        }
    }
}

impl fmt::Display for InstanceTags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs: Vec<String> = self.0.iter().map(|(k, v)| format!("{k}={v}")).collect();
        let noun = if pairs.len() == 1 { "tag" } else { "tags" };
        write!(f, "the {noun} {}", pairs.join(", "))
    }
}

/// Tags by key.
///
/// # Errors
/// When a part has no `=`, a key comes twice, or the JSON is not an object of texts.
pub fn tags(text: &str) -> Result<BTreeMap<String, String>, String> {
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(text)
            .map_err(|error| format!("not a JSON object of strings ({error})"));
    }
    let mut tags = BTreeMap::new();
    let parts = text.split([',', '\n', '\0']).map(str::trim);
    for part in parts.filter(|part| !part.is_empty()) {
        let Some((key, value)) = part.split_once('=') else {
            return Err(format!(
                "{part:?} is not KEY=VALUE; a value with a comma is written as JSON, such as {{\"KEY\":\"a,b\"}}"
            ));
        };
        let key = key.trim();
        if tags
            .insert(key.to_owned(), value.trim().to_owned())
            .is_some()
        {
            return Err(format!("the tag {key} is given twice"));
        }
    }
    Ok(tags)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::{InstanceTags, tags};

    #[test]
    fn tags_come_as_lines_as_flags_with_commas_or_as_json() {
        let json = tags(r#"{"app":"rag","stage":"dev"}"#).unwrap();
        for text in [
            "app=rag, stage = dev,",
            "app=rag\n\nstage=dev\n",
            "app=rag\0stage=dev",
        ] {
            assert_eq!(tags(text).unwrap(), json, "{text:?}");
        }
        assert_eq!(tags("a=b=c").unwrap()["a"], "b=c");
        assert_eq!(tags(r#"{"a":"b,c"}"#).unwrap()["a"], "b,c");
    }

    #[test]
    fn what_is_not_a_tag_is_refused() {
        for (text, part) in [
            ("app", "is not KEY=VALUE"),
            ("app=a,b", "written as JSON"),
            ("a=1\na=2", "the tag a is given twice"),
            ("{\"a\":1}", "not a JSON object of strings"),
        ] {
            let fault = tags(text).unwrap_err();
            assert!(fault.contains(part), "{text}: {fault}");
        }
    }

    #[test]
    fn an_instance_is_named_by_at_least_one_tag_and_those_of_aws_count() {
        let one: InstanceTags = "aws:autoscaling:groupName=web".parse().unwrap();
        assert_eq!(one.to_string(), "the tag aws:autoscaling:groupName=web");
        let two: InstanceTags = "b=2\na=1".parse().unwrap();
        assert_eq!(two.to_string(), "the tags a=1, b=2");
        assert!(" , ".parse::<InstanceTags>().is_err());
        assert!("=x".parse::<InstanceTags>().is_err());
    }
}
