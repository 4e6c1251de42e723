//! T301, hard-coded-image.

use crate::finding::Finding;
use crate::model::images::{image_ids, is_image_id};
use crate::model::template::Template;
use crate::rule::{Example, Rule, Severity};

/// ImageId is a literal AMI id: it exists in one region only, and no pipeline can replace it.
pub static RULE: Rule = Rule {
    code: "T301",
    name: "hard-coded-image",
    severity: Severity::Warning,
    summary: "ImageId is a literal AMI id: it exists in one region only, and no pipeline can replace it.",
    fix: "declare a parameter of type AWS::EC2::Image::Id and write `ImageId: !Ref` with its name",
    source: "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/AMIs.html",
    example: Example::Change {
        file: "app.yml",
        at: "        ImageId: !Ref AMIId",
        failing: "        ImageId: ami-0123456789abcdef0",
        passing: "        ImageId: !Ref AMIId",
    },
};

pub(super) fn check(template: &Template) -> Vec<Finding> {
    image_ids(template)
        .into_iter()
        .filter(|node| node.tag.is_none() && node.as_str().is_some_and(is_image_id))
        .map(|node| {
            let message = format!(
                "ImageId is {}, written down",
                node.as_str().unwrap_or_default()
            );
            Finding::new(&RULE, &template.file, Some(node.place), message)
        })
        .collect()
}
