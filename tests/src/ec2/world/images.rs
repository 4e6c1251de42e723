//! Images: looking at them, deprecating, disabling and sharing them.

use super::filters::Filters;
use super::{Answer, State, missing, no_image, refuse_dry_run};
use crate::ec2::time::{TEN_YEARS, iso, minute};
use crate::ec2::{Image, xml};
use crate::fake_aws::{Reply, Request};

impl State {
    pub(super) fn describe_images(&mut self, request: &Request) -> Answer {
        let ids = request.list("ImageId");
        for id in &ids {
            if !id.starts_with("ami-") {
                let message = format!("Invalid id: \"{id}\" (expecting \"ami-...\")");
                return Err(Reply::error(400, "InvalidAMIID.Malformed", message));
            }
        }
        let owners = request.list("Owner");
        let filters = Filters::of(request);
        let mut seen = Vec::new();
        for image in &self.here.images {
            if (ids.is_empty() || ids.contains(&image.id))
                && (image.state != "disabled" || request.flag("IncludeDisabled"))
                && self.is_owned(&image.owner, &owners)
                && filters.accept(&image.tags, |filter| values(image, filter))?
            {
                seen.push(image.id.clone());
            }
        }
        let (seen, next) = self.page(request, seen);
        let shown: Vec<String> = seen.into_iter().filter(|id| self.advance(id)).collect();
        if let Some(id) = ids.iter().find(|id| !shown.contains(id)) {
            return Err(no_image(id));
        }
        let now = self.rules.now();
        let mut found = Vec::new();
        for image in &self.here.images {
            if !shown.contains(&image.id) {
                continue;
            }
            let mut image = image.clone();
            image.scans = image.scan_shown(now).cloned().into_iter().collect();
            if self.rules.hides_mapping && image.state == "pending" {
                for (_, snapshot, _) in &mut image.devices {
                    *snapshot = None;
                }
            }
            found.push(image);
        }
        Ok(xml::with_next_page(
            xml::images(&found, &self.here.snapshots),
            next.as_deref(),
        ))
    }

    /// Whether a resource of `owner` is one of those asked for.
    pub(super) fn is_owned(&self, owner: &str, asked: &[String]) -> bool {
        asked.is_empty()
            || asked
                .iter()
                .any(|asked| asked == owner || (asked == "self" && owner == super::ACCOUNT))
    }

    pub(super) fn enable_image_deprecation(&mut self, request: &Request) -> Answer {
        let id = request.param("ImageId").ok_or_else(|| missing("ImageId"))?;
        self.image(id)?;
        let asked = request.param("DeprecateAt").unwrap_or("");
        let now = self.rules.now();
        let time = minute(asked)
            .filter(|time| *time + std::time::Duration::from_secs(60) > now)
            .filter(|time| *time <= now + TEN_YEARS)
            .ok_or_else(|| {
                let message = format!("Value ({asked}) for parameter DeprecateAt is invalid.");
                Reply::error(400, "InvalidParameterValue", message)
            })?;
        refuse_dry_run(request)?;
        self.image(id)?.deprecation = Some(iso(time));
        Ok(xml::done("EnableImageDeprecation"))
    }

    pub(super) fn replace_image_instance_type_specification(
        &mut self,
        request: &Request,
    ) -> Answer {
        let id = request.param("ImageId").ok_or_else(|| missing("ImageId"))?;
        let types = request.list("InstanceTypeSpecification.SupportedInstanceType");
        if types.len() > 100 || types.iter().any(|one| one.contains("**") || one.len() > 24) {
            // Which code EC2 gives is unproven.
            let message = "Value for parameter InstanceTypeSpecification is invalid.";
            return Err(Reply::error(400, "InvalidParameterValue", message));
        }
        self.refuse_unavailable(id)?;
        refuse_dry_run(request)?;
        self.image(id)?.instance_types = types;
        Ok(xml::done("ReplaceImageInstanceTypeSpecification"))
    }

    /// Disabling takes the launch permissions away
    /// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/disable-an-ami.html>).
    pub(super) fn disable_image(&mut self, request: &Request) -> Answer {
        let id = request.param("ImageId").ok_or_else(|| missing("ImageId"))?;
        self.refuse_unavailable(id)?;
        refuse_dry_run(request)?;
        let image = self.image(id)?;
        "disabled".clone_into(&mut image.state);
        image.shared_with.clear();
        Ok(xml::done("DisableImage"))
    }

    pub(super) fn describe_image_attribute(&mut self, request: &Request) -> Answer {
        let id = request.param("ImageId").ok_or_else(|| missing("ImageId"))?;
        if request.param("Attribute") != Some("launchPermission") {
            let message = "the fake EC2 knows no attribute but launchPermission; teach it";
            return Err(Reply::error(501, "NotScripted", message));
        }
        let shared_with = self.image(id)?.shared_with.clone();
        Ok(xml::launch_permissions(id, &shared_with))
    }

    pub(super) fn modify_image_attribute(&mut self, request: &Request) -> Answer {
        let id = request.param("ImageId").ok_or_else(|| missing("ImageId"))?;
        if let Some(version) = request.param("ImdsSupport.Value") {
            if version != "v2.0" {
                // Which code EC2 gives is unproven.
                let message = format!("Value ({version}) for parameter imdsSupport is invalid.");
                return Err(Reply::error(400, "InvalidParameterValue", message));
            }
            let version = version.to_owned();
            self.refuse_unavailable(id)?;
            refuse_dry_run(request)?;
            self.image(id)?.imds = Some(version);
            return Ok(xml::done("ModifyImageAttribute"));
        }
        let kinds = ["UserId", "OrganizationArn", "OrganizationalUnitArn"];
        let added = permissions(request, "LaunchPermission.Add", &kinds);
        let removed = permissions(request, "LaunchPermission.Remove", &kinds);
        if added.is_empty() && removed.is_empty() {
            let message =
                "the fake EC2 knows no attribute but LaunchPermission and ImdsSupport; teach it";
            return Err(Reply::error(501, "NotScripted", message));
        }
        self.refuse_unavailable(id)?;
        refuse_dry_run(request)?;
        change_permissions(&mut self.image(id)?.shared_with, added, &removed);
        Ok(xml::done("ModifyImageAttribute"))
    }

    /// Refuses what can only be done with an available image.
    pub(super) fn refuse_unavailable(&mut self, id: &str) -> Result<(), Reply> {
        let state = &self.image(id)?.state;
        if state != "available" {
            // https://github.com/hashicorp/packer/issues/12162
            let message = format!("The image ID '{id}' is {state}");
            return Err(Reply::error(400, "InvalidAMIID.Unavailable", message));
        }
        Ok(())
    }
}

fn values(image: &Image, filter: &str) -> Option<Vec<String>> {
    Some(match filter {
        "image-id" => vec![image.id.clone()],
        "name" => vec![image.name.clone()],
        "state" => vec![image.state.clone()],
        "owner-id" => vec![image.owner.clone()],
        "source-instance-id" => image.source_instance.iter().cloned().collect(),
        "source-image-id" => image
            .source_image
            .iter()
            .map(|(_, id)| id.clone())
            .collect(),
        "source-image-region" => {
            let region = image.source_image.iter();
            region.map(|(region, _)| region.clone()).collect()
        }
        "block-device-mapping.snapshot-id" => image.snapshots(),
        _ => return None,
    })
}

/// The values under `prefix.N.KIND` of every kind.
pub(super) fn permissions(request: &Request, prefix: &str, kinds: &[&str]) -> Vec<String> {
    (1..)
        .map_while(|n| {
            let value = |kind: &&str| request.param(&format!("{prefix}.{n}.{kind}"));
            kinds.iter().find_map(value)
        })
        .map(str::to_owned)
        .collect()
}

/// Adds to and removes from a list of permissions; one that is there already is not an error.
pub(super) fn change_permissions(
    permissions: &mut Vec<String>,
    added: Vec<String>,
    removed: &[String],
) {
    permissions.retain(|held| !removed.contains(held));
    for new in added {
        if !permissions.contains(&new) {
            permissions.push(new);
        }
    }
}
