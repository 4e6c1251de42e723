//! Whether an image may be changed and published as the settings ask.

use crate::cleanup::undo;
use crate::dry_run::carried_out::{Operation, Then};
use crate::dry_run::finding::{Answer, Ended, Finding, NO_DRY_RUN, NO_IMAGE, asked, name_is_ours};
use crate::dry_run::removal::removal;
use crate::dry_run::scanning::scanning;
use crate::image::describe::{snapshot_ids, tag, tagged};
use crate::job::{Job, Regional};
use crate::journal::Journal;
use crate::plan::{APP_TAG, FROZEN_TAG, RUN_TAG, SOURCE_TAG};
use crate::provenance::watermark;
use crate::publish::image_copy::copy_request;
use crate::publish::instance_types::specification;
use crate::retention::usage::resource_types;
use crate::settings::modes::{Consistency, Imds, Protect, Retire, SnapshotTags};
use crate::settings::values::Principal;
use action::export::quote::posix;
use action::failure::{Failure, Remainder, ResourceKind};
use aws_sdk_ec2::primitives::DateTime;
use aws_sdk_ec2::types::{
    CreateVolumePermission, CreateVolumePermissionModifications, Image, LaunchPermission,
    LaunchPermissionModifications, SnapshotAttributeName, Tag,
};
use std::collections::BTreeMap;

/// Changes to an image can only be asked about with an image: an earlier one of ours, since policies
/// look at its tags.
pub(crate) async fn later_changes(
    job: &Job,
    earlier: Option<&Image>,
    tags: &BTreeMap<String, String>,
) -> Result<Vec<Finding>, Ended> {
    let mut findings = Vec::new();
    let publish = &job.settings.publish;
    let quiesces = job.settings.consistency == Consistency::Quiesce;
    let when = job.settings.snapshot_tags;
    if when == SnapshotTags::After || (quiesces && when != SnapshotTags::None) {
        let snapshot = earlier.and_then(|image| snapshot_ids(image).into_iter().next());
        let key = match quiesces {
            true => FROZEN_TAG,
            false => SOURCE_TAG,
        };
        // A snapshot has the tags of its image.
        let before = earlier.and_then(|image| tag(image, key));
        let answer = Box::pin(tagging(&job.home, snapshot.as_deref(), key, before)).await?;
        findings.push(Finding::new("ec2:CreateTags on snapshots", answer));
    }
    findings.extend(Box::pin(scanning(job, earlier)).await?);
    let retire = job.settings.retention.as_ref().map(|one| one.retire);
    let ladder = retire == Some(Retire::Ladder);
    findings.extend(Box::pin(publishing(job, &job.home, earlier, ladder)).await?);
    if publish.encrypt {
        let answer = Box::pin(copying(job, &job.home, tags, earlier)).await?;
        let action = "ec2:CopyImage within the Region, with ec2:CreateTags";
        findings.push(Finding::new(action, answer));
    }
    for region in &publish.copy_to {
        let regional = job.regional(region);
        let mut there = Vec::new();
        let instance = tags.get(SOURCE_TAG).map_or("", String::as_str);
        match earlier_image(job, &regional, instance).await {
            Ok(copy) => {
                there.extend(Box::pin(removal(&regional, copy.as_ref())).await?);
                there.extend(Box::pin(publishing(job, &regional, copy.as_ref(), ladder)).await?);
            }
            Err(failure) => there.push(Finding::new("ec2:DescribeImages", Answer::Failed(failure))),
        }
        let copying = Box::pin(copying(job, &regional, tags, earlier)).await?;
        there.insert(
            0,
            Finding::new("ec2:CopyImage, with ec2:CreateTags", copying),
        );
        for finding in &mut there {
            finding.action.push_str(" in ");
            finding.action.push_str(region);
        }
        findings.extend(there);
    }
    if publish.ssm_parameter.is_some() {
        let answer = Answer::Open(NO_DRY_RUN);
        findings.push(Finding::new("ssm:PutParameter", answer));
    }
    Ok(findings)
}

/// Whether an image may be copied to a Region.
async fn copying(
    job: &Job,
    regional: &Regional,
    tags: &BTreeMap<String, String>,
    image: Option<&Image>,
) -> Result<Answer, Ended> {
    let Some(image) = image else {
        return Ok(Answer::Open(NO_IMAGE));
    };
    let id = image.image_id().unwrap_or_default();
    let name = image.name().unwrap_or_default();
    let call = copy_request(job, regional, tags, id, name);
    let answer = asked(call.dry_run(true).send().await, |reply| {
        let done = format!("it copied image {id} to {}", regional.region);
        match reply.image_id {
            Some(copy) => Operation::new(
                format!("{done}: {copy}"),
                Then::Remove(regional.clone(), copy),
            ),
            None => {
                let run = tags.get(RUN_TAG).map_or("", String::as_str);
                let perhaps = undo::possible_orphan_copy(regional, &Journal::of(run));
                Operation::new(done, Then::Stays(vec![perhaps]))
            }
        }
    })?;
    Ok(name_is_ours(answer))
}

/// Whether an image of this Region may be deprecated, shared and disabled, as far as the settings ask for it.
async fn publishing(
    job: &Job,
    regional: &Regional,
    image: Option<&Image>,
    ladder: bool,
) -> Result<Vec<Finding>, Ended> {
    let mut findings = Vec::new();
    let mut add = |action: &str, answer| findings.push(Finding::new(action, answer));
    let (ec2, region) = (&regional.ec2, &regional.region);
    let publish = &job.settings.publish;
    let id = image.and_then(|image| image.image_id());
    let of_image = |id: &str, what: &str, command: String| {
        Then::Stays(vec![Remainder::new(
            regional.resource(ResourceKind::Image, id),
            format!("image {id} in {region}, {what}"),
            format!("aws ec2 {command} --region {region} --image-id {id}"),
        )])
    };
    if !job.settings.provenance.watermarks.is_empty() {
        let answer = match image {
            Some(image) => Box::pin(watermarking(job, regional, image)).await?,
            None => Answer::Open(NO_IMAGE),
        };
        add("ec2:AttachImageWatermark", answer);
    }
    if let Some(types) = specification(job) {
        let answer = match id {
            Some(id) => {
                let call = ec2.replace_image_instance_type_specification();
                let call = call.image_id(id).instance_type_specification(types);
                asked(call.dry_run(true).send().await, |_| {
                    let command = "replace-image-instance-type-specification".to_owned();
                    let then = of_image(id, "which is restricted to instance types", command);
                    Operation::new(format!("it restricted image {id} in {region}"), then)
                })?
            }
            None => Answer::Open(NO_IMAGE),
        };
        add("ec2:ReplaceImageInstanceTypeSpecification", answer);
    }
    if publish.protect != Protect::No {
        let answer = match id {
            Some(id) => {
                let call = ec2.enable_image_deregistration_protection().image_id(id);
                asked(call.dry_run(true).send().await, |_| {
                    let command = "disable-image-deregistration-protection".to_owned();
                    let then = of_image(id, "which is under deregistration protection", command);
                    Operation::new(format!("it protected image {id} in {region}"), then)
                })?
            }
            None => Answer::Open(NO_IMAGE),
        };
        add("ec2:EnableImageDeregistrationProtection", answer);
    }
    let retention = job.settings.retention.as_ref();
    if retention.is_some_and(|one| one.unused_for.is_some()) {
        let answer = match id {
            Some(id) => {
                let call = ec2.create_image_usage_report().image_id(id);
                let call = call.set_resource_types(Some(resource_types()));
                asked(call.dry_run(true).send().await, |_| {
                    let done = format!(
                        "it began a usage report of image {id} in {region}, which EC2 removes after 30 days"
                    );
                    Operation::new(done, Then::Nothing)
                })?
            }
            None => Answer::Open(NO_IMAGE),
        };
        add("ec2:CreateImageUsageReport", answer);
    }
    if publish.deprecate_after.is_some() || ladder {
        let at = DateTime::from_secs(job.clock.now().as_second() + 3_600);
        let answer = match id {
            Some(id) => {
                let call = ec2.enable_image_deprecation().image_id(id).deprecate_at(at);
                asked(call.dry_run(true).send().await, |_| {
                    let command = "disable-image-deprecation".to_owned();
                    let then = of_image(id, "which is deprecated in an hour", command);
                    Operation::new(format!("it deprecated image {id} in {region}"), then)
                })?
            }
            None => Answer::Open(NO_IMAGE),
        };
        add("ec2:EnableImageDeprecation", answer);
    }
    if ladder {
        let answer = match id {
            Some(id) => {
                let call = ec2.disable_image().image_id(id);
                asked(call.dry_run(true).send().await, |_| {
                    let then = of_image(id, "which is disabled", "enable-image".to_owned());
                    Operation::new(format!("it disabled image {id} in {region}"), then)
                })?
            }
            None => Answer::Open(NO_IMAGE),
        };
        add("ec2:DisableImage", answer);
    }
    if publish.share_with.is_empty() && publish.imds == Imds::AsIs {
        return Ok(findings);
    }
    // Requiring IMDSv2 needs the same permission, and could not be taken back where an endpoint carries it out.
    // The account itself: a permission that it has anyway.
    let owner = image.and_then(|image| image.owner_id());
    let has_accounts = publish
        .share_with
        .iter()
        .any(|whom| matches!(whom, Principal::Account(_)));
    if has_accounts {
        let snapshot = image.and_then(|image| snapshot_ids(image).into_iter().next());
        let answer = match (snapshot, owner) {
            (Some(id), Some(owner)) => {
                let permission = CreateVolumePermission::builder().user_id(owner).build();
                let added = CreateVolumePermissionModifications::builder()
                    .add(permission)
                    .build();
                let call = ec2
                    .modify_snapshot_attribute()
                    .snapshot_id(&id)
                    .attribute(SnapshotAttributeName::CreateVolumePermission)
                    .create_volume_permission(added);
                asked(call.dry_run(true).send().await, |_| {
                    let done = format!("it shared snapshot {id} in {region} with its own account");
                    let left = Remainder::new(
                        regional.resource(ResourceKind::Snapshot, &id),
                        format!("snapshot {id} in {region}, shared with its own account {owner}"),
                        format!(
                            "aws ec2 modify-snapshot-attribute --region {region} --snapshot-id {id} --attribute createVolumePermission --operation-type remove --user-ids {owner}"
                        ),
                    );
                    Operation::new(done, Then::Stays(vec![left]))
                })?
            }
            _ => Answer::Open(NO_IMAGE),
        };
        add("ec2:ModifySnapshotAttribute", answer);
    }
    let answer = match (id, owner) {
        (Some(id), Some(owner)) => {
            let permission = LaunchPermission::builder().user_id(owner).build();
            let added = LaunchPermissionModifications::builder()
                .add(permission)
                .build();
            let call = ec2.modify_image_attribute().image_id(id);
            let call = call.launch_permission(added);
            asked(call.dry_run(true).send().await, |_| {
                let removed = posix(&format!("Remove=[{{UserId={owner}}}]"));
                let command = format!("modify-image-attribute --launch-permission {removed}");
                let what = format!("shared with its own account {owner}");
                let done = format!("it shared image {id} in {region} with its own account");
                Operation::new(done, of_image(id, &what, command))
            })?
        }
        _ => Answer::Open(NO_IMAGE),
    };
    add("ec2:ModifyImageAttribute", answer);
    Ok(findings)
}

/// Whether an image may be given a watermark: the first one that it lacks.
async fn watermarking(job: &Job, regional: &Regional, image: &Image) -> Result<Answer, Ended> {
    let Some((name, key)) = watermark::lacking(job, image).next() else {
        return Ok(Answer::Open("the earlier image has the watermark already"));
    };
    let (id, region) = (image.image_id().unwrap_or_default(), &regional.region);
    let call = regional.ec2.attach_image_watermark().image_id(id);
    let call = call.watermark_name(name).dry_run(true);
    asked(call.send().await, |_| {
        let left = Remainder::new(
            regional.resource(ResourceKind::Image, id),
            format!("image {id} in {region}, with watermark {key}"),
            format!(
                "aws ec2 detach-image-watermark --region {region} --image-id {id} --watermark-key {}",
                posix(&key)
            ),
        );
        let done = format!("it attached watermark {key} to image {id} in {region}");
        Operation::new(done, Then::Stays(vec![left]))
    })
}

/// Whether an image or a snapshot may be given a tag: the value that it has, where it has one.
pub(crate) async fn tagging(
    regional: &Regional,
    resource: Option<&str>,
    key: &str,
    before: Option<&str>,
) -> Result<Answer, Ended> {
    let Some(id) = resource else {
        return Ok(Answer::Open(NO_IMAGE));
    };
    let tag = Tag::builder().key(key).value(before.unwrap_or("0")).build();
    let call = regional.ec2.create_tags().resources(id).tags(tag);
    asked(call.dry_run(true).send().await, |_| {
        let done = format!("it tagged {id} in {} with {key}", regional.region);
        let then = Then::Retag {
            regional: regional.clone(),
            id: id.to_owned(),
            key: key.to_owned(),
            before: before.map(str::to_owned),
        };
        Operation::new(done, then)
    })
}

/// An earlier image of the application, or of the instance.
pub(crate) async fn earlier_image(
    job: &Job,
    regional: &Regional,
    instance: &str,
) -> Result<Option<Image>, Failure> {
    let images = match &job.settings.app {
        Some(app) => tagged(regional, APP_TAG, app).await?,
        None => tagged(regional, SOURCE_TAG, instance).await?,
    };
    Ok(images.into_iter().next())
}
