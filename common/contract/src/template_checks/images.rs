//! The images that a template starts instances from.

use super::names::sub_names;
use crate::evaluate::function;
use crate::finding::Finding;
use crate::rule;
use crate::template::Template;
use crate::yaml::{Content, Node};

/// Every `ImageId` of EC2 and Auto Scaling resources.
#[must_use]
pub fn image_ids(template: &Template) -> Vec<&Node> {
    let mut found = Vec::new();
    for resource in &template.resources {
        if ["AWS::EC2::", "AWS::AutoScaling::"]
            .iter()
            .any(|service| resource.kind.starts_with(service))
            && let Some(properties) = &resource.properties
        {
            below_key(properties, "ImageId", &mut found);
        }
    }
    found
}

fn below_key<'n>(node: &'n Node, wanted: &str, found: &mut Vec<&'n Node>) {
    match &node.content {
        Content::Scalar(..) => {}
        Content::Sequence(items) => items.iter().for_each(|item| below_key(item, wanted, found)),
        Content::Mapping(entries) => {
            for (key, value) in entries {
                if key.as_str() == Some(wanted) {
                    found.push(value);
                } else {
                    below_key(value, wanted, found);
                }
            }
        }
    }
}

/// Whether a text is an AMI id: `ami-` and 8 or 17 hexadecimal digits.
#[must_use]
pub fn is_image_id(text: &str) -> bool {
    text.strip_prefix("ami-").is_some_and(|digits| {
        matches!(digits.len(), 8 | 17) && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

/// A finding for each image that is written down.
pub(super) fn hard_coded(template: &Template) -> Vec<Finding> {
    image_ids(template)
        .into_iter()
        .filter(|node| node.tag.is_none() && node.as_str().is_some_and(is_image_id))
        .map(|node| {
            let message = format!(
                "ImageId is {}, written down",
                node.as_str().unwrap_or_default()
            );
            Finding::new(
                &rule::HARD_CODED_IMAGE,
                &template.file,
                Some(node.place),
                message,
            )
        })
        .collect()
}

/// Whether a node refers to a parameter or resource, by Ref or in a Fn::Sub, at any depth.
#[must_use]
pub fn refers_to(node: &Node, name: &str) -> bool {
    if let Some((function, argument)) = function(node) {
        let bare = argument.bare();
        let pattern = match bare.as_sequence() {
            Some([pattern, ..]) => pattern.as_str(),
            _ => bare.as_str(),
        };
        match function.as_str() {
            "Ref" => return bare.as_str() == Some(name),
            "Fn::Sub" if sub_names(pattern.unwrap_or_default()).contains(&name) => return true,
            _ => {}
        }
        return refers_below(&bare, name);
    }
    refers_below(node, name)
}

fn refers_below(node: &Node, name: &str) -> bool {
    match &node.content {
        Content::Scalar(..) => false,
        Content::Sequence(items) => items.iter().any(|item| refers_to(item, name)),
        Content::Mapping(entries) => entries.iter().any(|(_, value)| refers_to(value, name)),
    }
}
