//! References to images and launch templates in EC2's answers.

use std::fmt::Write as _;

use super::{answer, element, optional};
use crate::ec2::LaunchTemplate;
use crate::ec2::time::LONG_AGO;

/// DescribeImageReferences' answer: image, resource type and ARN of each.
pub(in crate::ec2) fn describe_image_references(references: &[(String, String, String)]) -> String {
    let mut items = String::new();
    for (image, kind, arn) in references {
        let _ = writeln!(
            items,
            "<item>{}{}{}</item>",
            element("imageId", image),
            element("resourceType", kind),
            element("arn", arn)
        );
    }
    answer(
        "DescribeImageReferences",
        &format!("<imageReferenceSet>\n{items}</imageReferenceSet>\n"),
    )
}

/// DescribeLaunchTemplates' answer.
pub(in crate::ec2) fn describe_launch_templates(templates: &[LaunchTemplate]) -> String {
    let mut items = String::new();
    for template in templates {
        let _ = writeln!(
            items,
            "<item>\n{}{}<createTime>{LONG_AGO}</createTime>\n{}{}</item>",
            element("launchTemplateId", &template.id),
            element("launchTemplateName", &template.name),
            element("defaultVersionNumber", &template.default.to_string()),
            element("latestVersionNumber", &template.latest().to_string())
        );
    }
    answer(
        "DescribeLaunchTemplates",
        &format!("<launchTemplates>\n{items}</launchTemplates>\n"),
    )
}

/// DescribeLaunchTemplateVersions' answer: templates and numbers of their versions.
pub(in crate::ec2) fn describe_launch_template_versions(
    versions: &[(LaunchTemplate, u32)],
) -> String {
    let mut items = String::new();
    for (template, number) in versions {
        let image = usize::try_from(*number)
            .ok()
            .and_then(|number| template.versions.get(number - 1)?.as_ref());
        let _ = writeln!(
            items,
            "<item>\n{}{}{}<createTime>{LONG_AGO}</createTime>\n\
             <defaultVersion>{}</defaultVersion>\n\
             <launchTemplateData>\n{}<instanceType>t3.large</instanceType>\n</launchTemplateData>\n</item>",
            element("launchTemplateId", &template.id),
            element("launchTemplateName", &template.name),
            element("versionNumber", &number.to_string()),
            *number == template.default,
            optional("imageId", image)
        );
    }
    answer(
        "DescribeLaunchTemplateVersions",
        &format!("<launchTemplateVersionSet>\n{items}</launchTemplateVersionSet>\n"),
    )
}
