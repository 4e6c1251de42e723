//! The images that a template starts instances from.

use crate::model::template::Template;
use crate::model::yaml::{Content, Node};

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
