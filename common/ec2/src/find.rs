use std::fmt;

use aws::error::AwsError;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{Filter, Instance};

use crate::instance::tag;

/// CloudFormation tags what it makes with its place:
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-resource-tags.html>.
const STACK_TAG: &str = "aws:cloudformation:stack-name";
const LOGICAL_ID_TAG: &str = "aws:cloudformation:logical-id";

/// Which instance is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// The one with this id, in whatever state.
    Id(String),
    /// The one that has all of these tags and is not on its way out.
    Tags(Vec<(String, String)>),
    /// The one that a stack made, unless it is on its way out.
    Stack {
        /// The stack's name.
        stack: String,
        /// The resource's logical id in it.
        logical_id: String,
    },
}

/// As in `no instance …`.
impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => f.write_str(id),
            Self::Tags(tags) => {
                let words: Vec<String> = tags
                    .iter()
                    .map(|(key, value)| format!("{key}={value}"))
                    .collect();
                let noun = if tags.len() == 1 { "tag" } else { "tags" };
                write!(f, "with the {noun} {}", words.join(", "))
            }
            Self::Stack { stack, logical_id } => write!(f, "{logical_id} of stack {stack}"),
        }
    }
}

impl Selector {
    /// Whether an instance is meant, whatever the endpoint makes of ids and filters.
    fn selects(&self, instance: &Instance) -> bool {
        let has = |key: &str, value: &str| tag(instance, key) == Some(value);
        match self {
            Self::Id(id) => instance.instance_id() == Some(id.as_str()),
            Self::Tags(tags) => tags.iter().all(|(key, value)| has(key, value)),
            Self::Stack { stack, logical_id } => {
                has(STACK_TAG, stack) && has(LOGICAL_ID_TAG, logical_id)
            }
        }
    }

    fn filters(&self) -> Vec<Filter> {
        let mut filters = match self {
            Self::Id(_) => return Vec::new(),
            Self::Tags(tags) => tags
                .iter()
                .map(|(key, value)| equals(&format!("tag:{key}"), value))
                .collect(),
            Self::Stack { stack, logical_id } => vec![
                equals(&format!("tag:{STACK_TAG}"), stack),
                equals(&format!("tag:{LOGICAL_ID_TAG}"), logical_id),
            ],
        };
        // A terminated instance keeps its tags for an hour.
        let states = ["pending", "running", "stopping", "stopped"].map(str::to_owned);
        let alive = Filter::builder().name("instance-state-name");
        filters.push(alive.set_values(Some(states.to_vec())).build());
        filters
    }
}

/// Why there is not exactly one instance.
#[derive(Debug)]
pub enum FindError {
    /// There is none, with what EC2 said when it was asked for an id.
    Absent(Option<AwsError>),
    /// There are several, at least two.
    Several(Vec<Instance>),
    /// The call of `ec2:DescribeInstances` failed.
    Aws(AwsError),
}

/// Looks for the one instance that is meant.
///
/// # Errors
/// [`FindError`].
pub async fn find(client: &Client, selector: &Selector) -> Result<Instance, FindError> {
    let call = client.describe_instances();
    let call = match selector {
        Selector::Id(id) => call.instance_ids(id),
        _ => call.set_filters(Some(selector.filters())),
    };
    let mut pages = call.into_paginator().send();
    let mut found = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| {
            let error = AwsError::of(&error);
            let is_absent = ["InvalidInstanceID.NotFound", "InvalidInstanceID.Malformed"];
            match is_absent.iter().any(|code| error.is(code)) {
                true => FindError::Absent(Some(error)),
                false => FindError::Aws(error),
            }
        })?;
        let instances = page
            .reservations
            .unwrap_or_default()
            .into_iter()
            .flat_map(|reservation| reservation.instances.unwrap_or_default());
        found.extend(instances.filter(|instance| selector.selects(instance)));
    }
    match (found.pop(), found.is_empty()) {
        (None, _) => Err(FindError::Absent(None)),
        (Some(one), true) => Ok(one),
        (Some(last), false) => {
            found.push(last);
            Err(FindError::Several(found))
        }
    }
}

/// A filter for exactly this value: `*` and `?` stand for more otherwise.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html>
#[must_use]
pub fn equals(name: &str, value: &str) -> Filter {
    let literal = value
        .replace('\\', r"\\")
        .replace('*', r"\*")
        .replace('?', r"\?");
    Filter::builder().name(name).values(literal).build()
}

#[cfg(test)]
mod tests {
    use super::{Selector, equals};
    use aws_sdk_ec2::types::{Instance, Tag};

    fn tagged(tags: &[(&str, &str)]) -> Instance {
        let tags = tags
            .iter()
            .map(|(key, value)| Tag::builder().key(*key).value(*value).build());
        Instance::builder()
            .instance_id("i-1")
            .set_tags(Some(tags.collect()))
            .build()
    }

    #[test]
    fn filters_take_values_as_they_are_written() {
        assert_eq!(equals("tag:Name", r"a*b?c\").values(), [r"a\*b\?c\\"]);
    }

    #[test]
    fn only_what_was_meant_is_selected() {
        let tags = |tags: &[(&str, &str)]| {
            let owned = tags
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
            Selector::Tags(owned.collect())
        };
        let both = tags(&[("Name", "web"), ("Env", "dev")]);
        assert_eq!(both.to_string(), "with the tags Name=web, Env=dev");
        assert!(both.selects(&tagged(&[("Env", "dev"), ("Name", "web"), ("x", "y")])));
        assert!(!both.selects(&tagged(&[("Name", "web"), ("Env", "prod")])));
        assert!(Selector::Id("i-1".to_owned()).selects(&tagged(&[])));
        assert!(!Selector::Id("i-2".to_owned()).selects(&tagged(&[])));
        let stack = Selector::Stack {
            stack: "app".to_owned(),
            logical_id: "Web".to_owned(),
        };
        let of_stack = |id| {
            tagged(&[
                ("aws:cloudformation:stack-name", "app"),
                ("aws:cloudformation:logical-id", id),
            ])
        };
        assert!(stack.selects(&of_stack("Web")));
        assert!(!stack.selects(&of_stack("Db")));
        assert_eq!(
            tags(&[("Name", "web")]).to_string(),
            "with the tag Name=web"
        );
    }
}
