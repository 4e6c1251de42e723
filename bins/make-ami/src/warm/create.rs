//! Making the snapshots once, although CreateSnapshots has no client token: what carries the run's key is looked for first.

use crate::cleanup::undo;
use crate::consistency::snapshot_rate_limit;
use crate::dry_run::carried_out::{Operation, Then};
use crate::dry_run::finding::{self, Ended, Finding, asked};
use crate::dry_run::preflight;
use crate::dry_run::removal::honest;
use crate::image::create::{find, is_throttle};
use crate::image::passing_limits::is_passing_limit;
use crate::image::tags::sdk_tags;
use crate::instance::Source;
use crate::job::Job;
use crate::plan::{CONSISTENCY_TAG, Plan, VOLUMES_TAG, WARM_TAG};
use crate::warm::forecast::most_saved;
use crate::warm::snapshots::{all, has_failed, of_run, possible};
use action::exit::Exit;
use action::export::quote::posix;
use action::failure::Failure;
use action::program::Output;
use action::wait::humane;
use aws::error::{AwsError, Kind};
use aws_sdk_ec2::config::retry::RetryConfig;
use aws_sdk_ec2::operation::create_snapshots::builders::CreateSnapshotsFluentBuilder;
use aws_sdk_ec2::types::{InstanceSpecification, ResourceType, Snapshot, TagSpecification};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// The first pause after a call that came to nothing; doubled each time up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How often an unavailable service is asked before the run gives up.
const TRIES: u32 = 6;
const LOST: &str = "a reply of CreateSnapshots was lost";
/// How long EC2 may take for the ids when the deadline is near.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Snapshots the volumes that the run's image will hold, unless that was done.
pub(crate) async fn warm(job: &Job, plan: &Plan, source: &Source) -> Result<Output, Failure> {
    let (run, id) = (&plan.run, &source.id);
    if let Some(image) = job.in_time(find(job, plan)).await? {
        let image = image.image_id().unwrap_or_default().to_owned();
        tracing::info!("{image} of this run is there already: nothing is left to warm up");
        return Ok(Output::Nothing);
    }
    let own = job.in_time(own(job, run)).await?;
    let covered = covered(&own);
    let to_do = missing(source, &covered);
    let earlier = job.in_time(snapshot_rate_limit::snapshots(job, source));
    let forecast = most_saved(&source.volume_ids(), &earlier.await?);
    let foretold = words(forecast);
    if job.context.dry_run {
        return show_plan(job, plan, source, &to_do, forecast).await;
    }
    tracing::info!("warm start of {id}: {foretold}");
    for (snapshot, volume) in &covered {
        tracing::info!("adopting {snapshot} of {volume}, which an earlier try of this run made");
    }
    if to_do.is_empty() {
        return Ok(Output::Nothing);
    }
    remove_failed(job, &own).await?;
    snapshot_rate_limit::wait(job, source).await?;
    let made = create(job, plan, source, &to_do, forecast).await?;
    for (snapshot, volume) in made {
        tracing::info!("warm start: {snapshot} of {volume} is under way");
    }
    tracing::info!(
        "the run that makes the image deletes them; without it: make-ami clean --image {}",
        posix(run)
    );
    Ok(Output::Nothing)
}

/// The run's own snapshots.
async fn own(job: &Job, run: &str) -> Result<Vec<Snapshot>, Failure> {
    let all = all(&job.home).await?;
    Ok(of_run(&all, run).cloned().collect())
}

/// Those that are good, with their volumes.
fn covered(own: &[Snapshot]) -> BTreeMap<String, String> {
    let good = own.iter().filter(|snapshot| !has_failed(snapshot));
    good.filter_map(|one| Some((one.snapshot_id()?.to_owned(), one.volume_id()?.to_owned())))
        .collect()
}

/// The volumes that have no snapshot yet.
fn missing(source: &Source, covered: &BTreeMap<String, String>) -> Vec<String> {
    let is_covered = |volume: &String| covered.values().any(|one| one == volume);
    let volumes = source.volume_ids().into_iter();
    volumes.filter(|volume| !is_covered(volume)).collect()
}

fn words(forecast: Option<Duration>) -> String {
    match forecast {
        Some(most) => format!(
            "the volumes' last snapshots took up to {}, and it saves at most that (a guess: EBS promises no rate)",
            humane(most)
        ),
        None => "no earlier snapshot of the volumes tells what it will save".to_owned(),
    }
}

/// What failed in an earlier try counts against EC2's limit of snapshots under way.
async fn remove_failed(job: &Job, own: &[Snapshot]) -> Result<(), Failure> {
    for snapshot in own.iter().filter(|snapshot| has_failed(snapshot)) {
        let id = snapshot.snapshot_id().unwrap_or_default();
        tracing::info!("deleting {id}, which an earlier try of this run left failed");
        if let Some(left) = undo::delete_snapshot(&job.home, id).await {
            let failure = Failure::failed(format!("cannot delete snapshot {id} of an earlier try"));
            return Err(failure.leaving(left));
        }
    }
    Ok(())
}

/// The request that snapshots these volumes of the instance.
fn request(
    job: &Job,
    plan: &Plan,
    source: &Source,
    volumes: &[String],
    forecast: Option<Duration>,
) -> CreateSnapshotsFluentBuilder {
    let mut tags = plan.tags.clone();
    // They say what an image is.
    tags.remove(CONSISTENCY_TAG);
    tags.remove(VOLUMES_TAG);
    let foretold = forecast.map_or("unknown".to_owned(), |most| most.as_secs().to_string());
    tags.insert(WARM_TAG.to_owned(), foretold);
    let tags = TagSpecification::builder()
        .resource_type(ResourceType::Snapshot)
        .set_tags(Some(sdk_tags(&tags)));
    let attached = source
        .volume_ids()
        .into_iter()
        .chain(source.left_out.clone());
    let others = attached.filter(|volume| !volumes.contains(volume));
    let (root, data): (Vec<String>, Vec<String>) =
        others.partition(|volume| Some(volume) == source.root.as_ref());
    let which = InstanceSpecification::builder()
        .instance_id(&source.id)
        .exclude_boot_volume(!root.is_empty())
        .set_exclude_data_volume_ids((!data.is_empty()).then_some(data));
    let call = job.home.ec2.create_snapshots();
    call.description(format!("Warm start of {} by make-ami", source.id))
        .instance_specification(which.build())
        .tag_specifications(tags.build())
}

/// Makes them; gives their ids and volumes.
async fn create(
    job: &Job,
    plan: &Plan,
    source: &Source,
    volumes: &[String],
    forecast: Option<Duration>,
) -> Result<BTreeMap<String, String>, Failure> {
    let operation = format!(
        "cannot make snapshots of {} in {}",
        source.id, job.home.region
    );
    let mut pause = FIRST_PAUSE;
    let mut last: Option<AwsError> = None;
    let mut uncertain = false;
    let give_up = |failure: Failure, uncertain: bool| match uncertain {
        true => undo::with_remains_exit(failure.leaving(possible(&job.home, &plan.run, LOST))),
        false => failure,
    };
    for tries in 1.. {
        let ended = ended(job, &operation);
        if let Some(failure) = ended {
            let failure = match last {
                Some(error) => failure.cause(format!("the last error of CreateSnapshots: {error}")),
                None => failure,
            };
            return Err(give_up(failure, uncertain));
        }
        let call = request(job, plan, source, volumes, forecast);
        let once = aws_sdk_ec2::config::Config::builder().retry_config(RetryConfig::disabled());
        // Not raced against signals, and given its time: ids that are on their way must be seen.
        job.give_time(ANSWER_WITHIN);
        let error = match call.customize().config_override(once).send().await {
            Ok(reply) => {
                let made = reply.snapshots().iter();
                let made = made.filter_map(|one| {
                    Some((one.snapshot_id()?.to_owned(), one.volume_id()?.to_owned()))
                });
                return Ok(made.collect());
            }
            Err(error) => AwsError::of(&error),
        };
        // Where no answer of EC2's own came back, they may have been made all the same.
        uncertain |= error.code.is_none() || (error.status >= Some(500) && !is_throttle(&error));
        let passes = is_passing_limit(&error) || is_throttle(&error);
        let may_pass = matches!(error.kind, Kind::Unavailable | Kind::Lost | Kind::Nonsense);
        let goes_on = passes || uncertain || (may_pass && tries < TRIES);
        if !goes_on {
            return Err(error.failure(&operation, "ec2:CreateSnapshots and ec2:CreateTags"));
        }
        tracing::warn!("{operation}, looking what is there: {error}");
        job.pause(pause).await;
        if uncertain {
            job.give_time(ANSWER_WITHIN);
            match own(job, &plan.run).await {
                Ok(own) if missing(source, &covered(&own)).is_empty() => {
                    tracing::info!("found the snapshots that an earlier try made");
                    return Ok(covered(&own));
                }
                Ok(_) => {}
                Err(failure) => return Err(give_up(failure, uncertain)),
            }
        }
        if !passes && tries >= TRIES {
            let failure = error.failure(&operation, "ec2:CreateSnapshots and ec2:CreateTags");
            return Err(give_up(failure, uncertain));
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
        last = Some(error);
    }
    Err(Failure::failed(operation))
}

/// Why no call may begin any more, if so.
fn ended(job: &Job, operation: &str) -> Option<Failure> {
    if let Some(signal) = job.context.interrupt.pending() {
        return Some(Failure::interrupted(signal, operation));
    }
    (Instant::now() >= job.context.deadline).then(|| {
        Failure::new(Exit::Deadline, format!("{operation}: the deadline passed"))
            .hint("nothing depends on a warm start: the image is made without it, and takes longer")
    })
}

/// Prints what would be made; fails where EC2 would refuse it.
async fn show_plan(
    job: &Job,
    plan: &Plan,
    source: &Source,
    volumes: &[String],
    forecast: Option<Duration>,
) -> Result<Output, Failure> {
    let asking = permissions(job, plan, source, volumes, forecast);
    let findings = preflight::answers(job, asking).await?;
    let lines: String = match volumes.is_empty() {
        true => "  nothing: an earlier try of this run made them\n".to_owned(),
        false => volumes
            .iter()
            .map(|volume| format!("  snapshot {volume}\n"))
            .collect(),
    };
    let text = format!(
        "plan: warm start of {} for run {}\n{lines}  {}\n{}",
        source.id,
        plan.run,
        words(forecast),
        finding::text(&findings)
    );
    let json = serde_json::json!({
        "instance_id": source.id,
        "run": plan.run,
        "snapshot": volumes,
        "saves_at_most_seconds": forecast.map(|most| most.as_secs()),
        "permissions": finding::json(&findings),
    });
    job.context.show_plan(&text, &json)?;
    let operation = format!("the volumes of {} could not be snapshotted", source.id);
    finding::verdict(&operation, &findings)?;
    Ok(Output::Nothing)
}

async fn permissions(
    job: &Job,
    plan: &Plan,
    source: &Source,
    volumes: &[String],
    forecast: Option<Duration>,
) -> Result<Vec<Finding>, Ended> {
    if volumes.is_empty() {
        return Ok(Vec::new());
    }
    Box::pin(honest(&job.home, &source.id, source.tag.as_ref())).await?;
    let call = request(job, plan, source, volumes, forecast).dry_run(true);
    let answer = asked(call.send().await, |reply| {
        let made = reply.snapshots().iter();
        let made = made.filter_map(|one| one.snapshot_id().map(str::to_owned));
        let done = format!("it made snapshots of {}", source.id);
        Operation::new(done, Then::Delete(job.home.clone(), made.collect()))
    })?;
    let action = "ec2:CreateSnapshots, with ec2:CreateTags";
    Ok(vec![Finding::new(action, answer)])
}
