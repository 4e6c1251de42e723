//! Removing what a run left: its images, its snapshots, an instance that it stopped.

use super::images::{by_id, tag, tagged};
use super::{references, still};
use crate::job::Job;
use crate::plan::{RUN_TAG, STOPPED_TAG};
use crate::settings::places::Target;
use crate::undo::{self, Journal};
use action::exit::Exit;
use action::failure::Failure;
use aws::error::AwsError;
use aws_sdk_ec2::types::{Filter, Image};

/// Removes the images of the target in this Region and those that the settings copy to.
///
/// # Errors
/// An image that is not ours or still in use is refused; what could not be removed is listed.
pub async fn clean(job: &Job, target: &Target) -> Result<(), Failure> {
    let (run, images) = job.in_time(found(job, target)).await?;
    let ids: Vec<String> = images
        .iter()
        .filter_map(|image| image.image_id.clone())
        .collect();
    let used = job.in_time(references::of(&job.home, &ids)).await?;
    if !used.is_empty() {
        let failure = Failure::refused(format!(
            "{target} is still in use in {}; nothing was touched",
            job.home.region
        ));
        let lines = used
            .iter()
            .flat_map(|(id, references)| references.iter().map(move |one| format!("{id}: {one}")));
        return Err(lines.fold(failure, Failure::detail));
    }
    let stopped = job.in_time(stopped_instances(job, &run)).await?;
    let lines = ids
        .iter()
        .map(|id| format!("\n  deregister {id} and delete its snapshots"));
    let starts = stopped
        .iter()
        .map(|id| format!("\n  start instance {id}, which the run stopped"));
    let what: String = lines.chain(starts).collect();
    let text = match what.is_empty() {
        true => format!("plan: nothing is left of {target}\n"),
        false => format!("plan: clean {target} in {}{what}\n", job.home.region),
    };
    let json = serde_json::json!({ "run": run, "deregister": ids, "start": stopped });
    if job.context.dry_run {
        return job.context.show_plan(&text, &json);
    }
    tracing::info!("{}", text.trim_end());
    let mut journal = Journal::of(&run);
    for id in &ids {
        journal.note(&job.home, id);
    }
    for region in &job.settings.publish.copy_to {
        let place = job.place(region);
        for copy in job.in_time(tagged(&place, RUN_TAG, &run)).await? {
            journal.note(&place, copy.image_id().unwrap_or_default());
        }
    }
    let unclean = Failure::failed(format!("{target} is not wholly removed"));
    let mut unclean = undo::all(job, &journal, unclean).await;
    for id in stopped {
        if let Err(failure) = still::start(job, &id).await {
            unclean = unclean.and(failure);
        }
    }
    match unclean.exit() {
        Exit::Remains => Err(unclean),
        _ => Ok(()),
    }
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
            let Some(run) = tag(&image, RUN_TAG).map(str::to_owned) else {
                return Err(Failure::refused(format!(
                    "image {id} in {region} has no tag {RUN_TAG}, so make-ami did not make it; nothing was touched"
                ))
                .hint("aws ec2 deregister-image removes images of other origins"));
            };
            Ok((run, vec![image]))
        }
    }
}

async fn stopped_instances(job: &Job, run: &str) -> Result<Vec<String>, Failure> {
    let filter = Filter::builder()
        .name(format!("tag:{STOPPED_TAG}"))
        .values(run);
    let call = job.home.ec2.describe_instances().filters(filter.build());
    let reply = call.send().await.map_err(|error| {
        let deed = format!("cannot look for instances in {}", job.home.region);
        AwsError::of(&error).failure(deed, "ec2:DescribeInstances")
    })?;
    let instances = reply.reservations().iter().flat_map(|one| one.instances());
    Ok(instances
        .filter(|instance| {
            let state = instance.state().and_then(|state| state.name());
            state.is_some_and(|state| ["stopped", "stopping"].contains(&state.as_str()))
        })
        .filter_map(|instance| instance.instance_id().map(str::to_owned))
        .collect())
}
