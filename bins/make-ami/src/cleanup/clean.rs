//! Removing what a run left: its images, its snapshots, an instance that it stopped.

use crate::cleanup::undo;
use crate::consistency::stop;
use crate::dry_run::finding::{self, Ended, Finding};
use crate::dry_run::{preflight, removal};
use crate::image::describe::{self, by_id, tagged};
use crate::job::{Job, Regional};
use crate::journal::{Journal, Made};
use crate::plan::{RUN_TAG, STOPPED_TAG};
use crate::retention::retire::protection;
use crate::retention::{recycle_bin, references};
use crate::settings::values::Target;
use crate::warm;
use action::exit::Exit;
use action::failure::Failure;
use aws::error::AwsError;
use aws_sdk_ec2::types::Image;
use std::collections::BTreeMap;

/// Removes the images of the target in this Region and those that the settings copy to.
pub(crate) async fn clean(job: &Job, target: &Target) -> Result<(), Failure> {
    let (run, images) = job.in_time(found(job, target)).await?;
    let mut journal = Journal::of(&run);
    let mut protections = Vec::new();
    for image in images {
        protections.extend(unprotect(&job.home, &image));
        journal.note(&job.home, image.image_id().unwrap_or_default());
    }
    for region in &job.settings.publish.copy_to {
        let regional = job.regional(region);
        for copy in job.in_time(tagged(&regional, RUN_TAG, &run)).await? {
            protections.extend(unprotect(&regional, &copy));
            journal.note(&regional, copy.image_id().unwrap_or_default());
        }
    }
    refuse_protected(target, protections)?;
    job.in_time(refuse_used(job, target, &journal.made)).await?;
    let marked = job.in_time(marked_instances(job, &run)).await?;
    let lines = journal.made.iter().map(
        |Made {
             regional, image_id, ..
         }| {
            let region = &regional.region;
            format!("\n  deregister {image_id} in {region} and delete its snapshots")
        },
    );
    let starts = marked
        .iter()
        .map(|id| format!("\n  start instance {id}, which the run stopped"));
    let warm = job.in_time(warm_snapshots(job, &run)).await?;
    let deletes = warm
        .iter()
        .map(|id| format!("\n  delete snapshot {id} of the run's warm start"));
    let what: String = lines.chain(deletes).chain(starts).collect();
    let text = match what.is_empty() {
        true => {
            format!("plan: no image, no warm start and no stopped instance is left of {target}\n")
        }
        false => format!("plan: clean {target}{what}\n"),
    };
    let ids: Vec<&String> = journal.made.iter().map(|made| &made.image_id).collect();
    let mut json =
        serde_json::json!({ "run": run, "deregister": ids, "delete": warm, "start": marked });
    if job.context.dry_run {
        let findings = preflight::answers(job, permissions(job, &journal)).await?;
        let text = format!("{text}{}", finding::text(&findings));
        json["permissions"] = finding::json(&findings);
        job.context.show_plan(&text, &json)?;
        return finding::verdict(&format!("{target} could not be removed"), &findings);
    }
    tracing::info!("{}", text.trim_end());
    let unclean = Failure::failed(format!("{target} is not wholly removed"));
    let mut unclean = undo::all(job, &journal, unclean).await;
    for id in marked {
        if let Err(failure) = stop::start(job, &id).await {
            unclean = unclean.and(failure);
        }
    }
    if unclean.exit() == Exit::Remains {
        return Err(unclean);
    }
    tell_restorable(job, &journal).await;
    Ok(())
}

/// Says what of it is in the Recycle Bin, whose storage is billed on.
async fn tell_restorable(job: &Job, journal: &Journal) {
    let mut gone: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for made in &journal.made {
        let images = gone.entry(&made.regional.region).or_default();
        images.push(made.image_id.clone());
    }
    for (region, images) in gone {
        recycle_bin::restorable(&job.regional(region), &images).await;
    }
}

/// The command that ends an image's deregistration protection, where that is on.
fn unprotect(regional: &Regional, image: &Image) -> Option<String> {
    protection(image)?;
    let (region, id) = (&regional.region, image.image_id().unwrap_or_default());
    Some(format!(
        "aws ec2 disable-image-deregistration-protection --region {region} --image-id {id}"
    ))
}

/// Refuses when an image is under deregistration protection: somebody turned that on so that it stays.
fn refuse_protected(target: &Target, commands: Vec<String>) -> Result<(), Failure> {
    if commands.is_empty() {
        return Ok(());
    }
    let failure = Failure::refused(format!(
        "{target} is under deregistration protection; nothing was touched"
    ))
    .hint("turn it off first; with a cooldown it ends 24 hours after that");
    Err(commands.into_iter().fold(failure, Failure::detail))
}

/// Asks whether the images may be removed.
async fn permissions(job: &Job, journal: &Journal) -> Result<Vec<Finding>, Ended> {
    let mut findings = Vec::new();
    for Made {
        regional, image_id, ..
    } in &journal.made
    {
        let image = by_id(regional, image_id).await?;
        for mut finding in removal::removal(regional, image.as_ref()).await? {
            if regional.region != job.home.region {
                finding.action.push_str(&format!(" in {}", regional.region));
            }
            findings.push(finding);
        }
    }
    Ok(findings)
}

/// Refuses when anything still names one of the images, in whatever Region.
async fn refuse_used(job: &Job, target: &Target, made: &[Made]) -> Result<(), Failure> {
    let mut lines = Vec::new();
    let regions = job.settings.publish.copy_to.iter();
    for region in [&job.home.region].into_iter().chain(regions) {
        let ids: Vec<String> = made
            .iter()
            .filter(|made| made.regional.region == *region)
            .map(|made| made.image_id.clone())
            .collect();
        let regional = job.regional(region);
        let found = references::of(&regional, &ids).await?;
        // What is gone needs no look; of another image that EC2 tells nothing about, nobody may conclude anything.
        let mut unknown = found.unknown.values();
        if let Some(error) = unknown.find(|error| !error.is("InvalidAMIID.NotFound")) {
            let action = "ec2:DescribeImageReferences";
            return Err(references::failure(&regional, error, action));
        }
        for (id, references) in found.of {
            lines.extend(
                references
                    .iter()
                    .map(|one| format!("{id} in {region}: {one}")),
            );
        }
    }
    if lines.is_empty() {
        return Ok(());
    }
    let failure = Failure::refused(format!("{target} is still in use; nothing was touched"));
    Err(lines.into_iter().fold(failure, Failure::detail))
}

/// The run, and its images.
async fn found(job: &Job, target: &Target) -> Result<(String, Vec<Image>), Failure> {
    let region = &job.home.region;
    match target {
        Target::Run(run) => Ok((run.clone(), tagged(&job.home, RUN_TAG, run).await?)),
        Target::Image(id) => {
            let Some(image) = by_id(&job.home, id).await? else {
                return Err(Failure::refused(format!(
                    "image {id} in {region} does not exist; nothing was touched"
                )));
            };
            let Some(run) = describe::run(&image).map(str::to_owned) else {
                return Err(Failure::refused(format!(
                    "image {id} in {region} has no tag {RUN_TAG}, so make-ami did not make it; nothing was touched"
                ))
                .hint("aws ec2 deregister-image removes images of other origins"));
            };
            // What the run made besides would be swept too, so that it must be looked at as well.
            let mut images = tagged(&job.home, RUN_TAG, &run).await?;
            if images.iter().all(|known| known.image_id() != Some(id)) {
                images.push(image);
            }
            Ok((run, images))
        }
    }
}

/// The snapshots of the run's warm start.
async fn warm_snapshots(job: &Job, run: &str) -> Result<Vec<String>, Failure> {
    let all = warm::snapshots::all(&job.home).await?;
    let own = warm::snapshots::of_run(&all, run);
    Ok(own
        .filter_map(|one| one.snapshot_id().map(str::to_owned))
        .collect())
}

/// The instances that carry the run's mark: stopped by it, or about to be when it was killed.
async fn marked_instances(job: &Job, run: &str) -> Result<Vec<String>, Failure> {
    let filter = ec2::equals(&format!("tag:{STOPPED_TAG}"), run);
    let call = job.home.ec2.describe_instances().filters(filter);
    let reply = call.send().await.map_err(|error| {
        let operation = format!("cannot look for instances in {}", job.home.region);
        AwsError::of(&error).failure(operation, "ec2:DescribeInstances")
    })?;
    let instances = reply.reservations().iter().flat_map(|one| one.instances());
    Ok(instances
        .filter(|instance| ec2::tag(instance, STOPPED_TAG) == Some(run))
        .filter(|instance| !ec2::state(instance).is_final())
        .filter_map(|instance| instance.instance_id().map(str::to_owned))
        .collect())
}
