//! Who refers to an image: DescribeImageReferences and launch templates.

use super::filters::Filters;
use super::{ACCOUNT, Answer, State, missing};
use crate::ec2::{LaunchTemplate, xml};
use crate::fake_aws::{Reply, Request};

const LAUNCH_TEMPLATE: &str = "ec2:LaunchTemplate";

/// How many versions of a launch template are looked at: ten unless the option says otherwise
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ResourceTypeOption.html>).
fn version_depth(request: &Request) -> usize {
    let types = (1..).map_while(|n| {
        let kind = request.param(&format!("ResourceType.{n}.ResourceType"))?;
        Some((n, kind))
    });
    let depth = types
        .filter(|(_, kind)| *kind == LAUNCH_TEMPLATE)
        .find_map(|(n, _)| {
            let option = format!("ResourceType.{n}.ResourceTypeOption.1");
            let name = request.param(&format!("{option}.OptionName"))?;
            let value = request.param(&format!("{option}.OptionValue.1"))?;
            (name == "version-depth").then(|| value.parse().expect("a number"))
        });
    depth.unwrap_or(10)
}

impl State {
    pub(super) fn describe_image_references(&mut self, request: &Request) -> Answer {
        let ids = request.list("ImageId");
        if !(1..=10).contains(&ids.len()) {
            let message = format!("{} image IDs were given; 1 to 10 are allowed.", ids.len());
            return Err(Reply::error(400, "InvalidParameterValue", message));
        }
        for id in &ids {
            self.image(id)?;
        }
        let types: Vec<&str> = (1..)
            .map_while(|n| request.param(&format!("ResourceType.{n}.ResourceType")))
            .collect();
        let takes_all = request.flag("IncludeAllResourceTypes");
        if !takes_all && types.is_empty() {
            return Err(missing("ResourceTypes or IncludeAllResourceTypes"));
        }
        let wanted = |(image, kind, _): &(String, String, String)| {
            ids.contains(image) && (takes_all || types.contains(&kind.as_str()))
        };
        let named = self.here.references.iter().cloned();
        let found = named.chain(self.template_references(version_depth(request)));
        let found: Vec<_> = found.filter(wanted).collect();
        let (found, next) = self.page(request, found);
        Ok(xml::with_next_page(
            xml::describe_image_references(&found),
            next.as_deref(),
        ))
    }

    /// The images that the last `depth` versions of each launch template name.
    fn template_references(&self, depth: usize) -> Vec<(String, String, String)> {
        let mut found = Vec::new();
        for template in &self.here.templates {
            let (region, id) = (&self.name, &template.id);
            let arn = format!("arn:aws:ec2:{region}:{ACCOUNT}:launch-template/{id}");
            for image in template.versions.iter().rev().take(depth).flatten() {
                let reference = (image.clone(), LAUNCH_TEMPLATE.to_owned(), arn.clone());
                if !found.contains(&reference) {
                    found.push(reference);
                }
            }
        }
        found
    }

    pub(super) fn describe_launch_templates(&mut self, request: &Request) -> Answer {
        let ids = request.list("LaunchTemplateId");
        let names = request.list("LaunchTemplateName");
        for id in &ids {
            self.refuse_no_template(|template| template.id == *id, id)?;
        }
        let wanted = |template: &&LaunchTemplate| {
            (ids.is_empty() || ids.contains(&template.id))
                && (names.is_empty() || names.contains(&template.name))
        };
        let found = self.here.templates.iter().filter(wanted);
        let found: Vec<_> = found.cloned().collect();
        let (found, next) = self.page(request, found);
        Ok(xml::with_next_page(
            xml::describe_launch_templates(&found),
            next.as_deref(),
        ))
    }

    /// Without a template only `$Latest` and `$Default` may be asked for, of all templates
    /// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeLaunchTemplateVersions.html>).
    pub(super) fn describe_launch_template_versions(&mut self, request: &Request) -> Answer {
        let versions = request.list("LaunchTemplateVersion");
        let id = request.param("LaunchTemplateId");
        let name = request.param("LaunchTemplateName");
        let is_of_one = id.is_some() || name.is_some();
        let is_of_all = |version: &String| version == "$Latest" || version == "$Default";
        if !is_of_one && (versions.is_empty() || !versions.iter().all(is_of_all)) {
            return Err(missing("LaunchTemplateId or LaunchTemplateName"));
        }
        let is_asked = |template: &LaunchTemplate| {
            id.is_none_or(|id| template.id == id) && name.is_none_or(|name| template.name == name)
        };
        if is_of_one {
            self.refuse_no_template(is_asked, id.or(name).unwrap_or(""))?;
        }
        let filters = Filters::of(request);
        let mut found = Vec::new();
        for template in &self.here.templates {
            if !is_asked(template) {
                continue;
            }
            for (number, image) in (1..).zip(&template.versions) {
                let is_wanted = versions.is_empty()
                    || versions.iter().any(|version| match version.as_str() {
                        "$Latest" => number == template.latest(),
                        "$Default" => number == template.default,
                        exact => exact == number.to_string(),
                    });
                if is_wanted
                    && filters.accept(&[], |filter| {
                        Some(match filter {
                            "image-id" => image.iter().cloned().collect(),
                            "is-default-version" => {
                                vec![(number == template.default).to_string()]
                            }
                            _ => return None,
                        })
                    })?
                {
                    found.push((template.clone(), number));
                }
            }
        }
        let (found, next) = self.page(request, found);
        Ok(xml::with_next_page(
            xml::describe_launch_template_versions(&found),
            next.as_deref(),
        ))
    }

    fn refuse_no_template(
        &self,
        is_it: impl Fn(&LaunchTemplate) -> bool,
        name: &str,
    ) -> Result<(), Reply> {
        if self.here.templates.iter().any(is_it) {
            return Ok(());
        }
        let message =
            format!("The specified launch template, with template ID {name}, does not exist.");
        Err(Reply::error(
            400,
            "InvalidLaunchTemplateId.NotFound",
            message,
        ))
    }
}
