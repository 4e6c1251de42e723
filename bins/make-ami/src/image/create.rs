//! Creating the image once, although `CreateImage` has no client token.
//!
//! The SDK's own retry is off for the call. Whenever its outcome is not known, or the name turns out
//! to be taken, the image with this run's tag is looked for and adopted
//! (<https://github.com/hashicorp/packer/issues/11165>).

use crate::consistency::frozen_tag::is_unverified_quiesce;
use crate::image::describe;
use crate::image::mapping::mappings;
use crate::image::passing_limits::is_passing_limit;
use crate::image::tags::sdk_tags;
use crate::instance::Source;
use crate::job::{Job, Regional};
use crate::journal::Journal;
use crate::plan::{APP_TAG, FIRST_TAG, Plan, RUN_TAG, SOURCE_TAG};
use crate::settings::modes::{Consistency, SnapshotTags};
use action::exit::Exit;
use action::failure::Failure;
use aws::error::{AwsError, Kind};
use aws_sdk_ec2::config::retry::RetryConfig;
use aws_sdk_ec2::operation::create_image::builders::CreateImageFluentBuilder;
use aws_sdk_ec2::types::{Image, ImageState, ResourceType, TagSpecification};
use std::time::Duration;
use tokio::time::Instant;

/// The first pause after a throttled or lost call; doubled each time up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How often an unavailable service is asked before the run gives up; throttling is waited out.
const TRIES: u32 = 6;
/// How long EC2 may take for the image's id, or for the look after a lost one, when the deadline is near.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// How often an image whose name is known to be taken is looked for.
const LOOKS: u32 = 8;

/// The plan of a run that an earlier version of this program began goes on under the key that it gave: where an
/// image of the same application has it, or it marks the instance.
pub(crate) async fn as_it_began(job: &Job, plan: Plan, source: &Source) -> Result<Plan, Failure> {
    let Some(former) = plan.former_run.clone() else {
        return Ok(plan);
    };
    if !describe::tagged(&job.home, RUN_TAG, &plan.run)
        .await?
        .is_empty()
    {
        return Ok(plan);
    }
    let app = plan.tags.get(APP_TAG).map(String::as_str);
    let earlier = describe::tagged(&job.home, RUN_TAG, &former).await?;
    let is_ours = |image: &Image| describe::tag(image, APP_TAG) == app;
    Ok(
        match source.stopped_by.as_deref() == Some(&former) || earlier.iter().any(is_ours) {
            true => plan.under(former),
            false => plan,
        },
    )
}

/// The image that an earlier try of this run made, if it is still good. One that EC2 knows to be of the instance
/// comes first.
pub(crate) async fn find(job: &Job, plan: &Plan) -> Result<Option<Image>, Failure> {
    let mut found = describe::tagged(&job.home, RUN_TAG, &plan.run).await?;
    found.retain(|image| is_good(image) && is_of(image, plan));
    // An encrypted copy is what the run is for. Another copy within the Region may have taken the tags along, and
    // has no source instance.
    let is_first = |image: &Image| describe::tag(image, FIRST_TAG).is_some();
    found.sort_by_key(|image| {
        let is_other_copy = image.source_instance_id().is_none() && plan.first_name.is_none();
        (is_first(image), is_other_copy)
    });
    Ok(found.into_iter().next())
}

/// Whether an image with the run's key is of its instance and application, as far as EC2 and the tags tell.
fn is_of(image: &Image, plan: &Plan) -> bool {
    // The source is told for CreateImage's images only; where it is, it must be the same.
    let mut sources = [image.source_instance_id(), describe::tag(image, SOURCE_TAG)].into_iter();
    sources.all(|source| source.is_none_or(|source| source == plan.instance_id))
        && describe::tag(image, APP_TAG) == plan.tags.get(APP_TAG).map(String::as_str)
}

/// Whether an image is available or on the way to it.
pub(crate) fn is_good(image: &Image) -> bool {
    matches!(
        image.state(),
        Some(ImageState::Available | ImageState::Pending | ImageState::Transient)
    )
}

/// Whether an image of this run is worth nothing to anybody. One that was taken out of use is not.
pub(crate) fn is_worthless(image: &Image) -> bool {
    let has_failed = matches!(
        image.state(),
        Some(ImageState::Failed | ImageState::Error | ImageState::Invalid)
    );
    has_failed || (is_good(image) && is_unverified_quiesce(image))
}

/// Refuses a name that another image has; one of this very run that will be removed is no obstacle.
pub(crate) async fn check_name_is_free(job: &Job, plan: &Plan) -> Result<(), Failure> {
    let holders = describe::named(&job.home, &plan.name).await?;
    let in_the_way = |image: &&Image| is_foreign(image, &plan.run) || !is_worthless(image);
    match holders.iter().find(in_the_way) {
        Some(holder) => Err(name_is_taken(&job.home, &plan.name, &plan.run, holder)),
        None => Ok(()),
    }
}

/// The refusal of a name that an image of a Region has.
pub(crate) fn name_is_taken(regional: &Regional, name: &str, run: &str, by: &Image) -> Failure {
    let whose = match is_foreign(by, run) {
        true => "which is not of this run",
        false => "which this run made and someone took out of use",
    };
    Failure::refused(format!(
        "the name {name:?} is taken in {} by {}, {whose}; nothing was touched",
        regional.region,
        words(by)
    ))
    .hint("choose another AMI_NAME; {utc} and {build} in it make it unique")
}

/// Whether an image is not of this run.
pub(crate) fn is_foreign(image: &Image, run: &str) -> bool {
    describe::tag(image, RUN_TAG) != Some(run)
}

/// `ami-1 (disabled)`.
fn words(image: &Image) -> String {
    let id = image.image_id().unwrap_or("an image");
    let state = image.state();
    let state = state.map_or("in an unknown state", ImageState::as_str);
    format!("{id} ({state})")
}

/// The request that makes the image.
pub(crate) fn request(job: &Job, plan: &Plan) -> CreateImageFluentBuilder {
    let tagged = |kind| {
        TagSpecification::builder()
            .resource_type(kind)
            .set_tags(Some(sdk_tags(&plan.tags)))
            .build()
    };
    let request = job
        .home
        .ec2
        .create_image()
        .instance_id(&plan.instance_id)
        .name(plan.created_name())
        .set_description(plan.description.clone())
        .set_block_device_mappings(mappings(&job.settings.volumes))
        // Only `reboot` leaves it to EC2; the other modes have made the instance still, or not, themselves.
        .no_reboot(plan.consistency != Consistency::Reboot)
        .tag_specifications(tagged(ResourceType::Image));
    match job.settings.snapshot_tags {
        SnapshotTags::AtCreate => request.tag_specifications(tagged(ResourceType::Snapshot)),
        SnapshotTags::After | SnapshotTags::None => request,
    }
}

enum Next {
    Adopt,
    Again,
    GiveUp,
}

fn next(error: &AwsError, tries: u32) -> Next {
    match error.kind {
        _ if error.is("InvalidAMIName.Duplicate") => Next::Adopt,
        Kind::Unavailable if error.status == Some(503) || is_throttle(error) => Next::Again,
        _ if is_passing_limit(error) => Next::Again,
        Kind::Unavailable | Kind::Lost | Kind::Nonsense if tries < TRIES => Next::Again,
        _ => Next::GiveUp,
    }
}

/// Whether EC2 answers less for a while.
pub(crate) fn is_throttle(error: &AwsError) -> bool {
    let code = error.code.as_deref().unwrap_or_default();
    code == "RequestLimitExceeded" || code.contains("Throttl")
}

/// Creates the image and gives its id; notes in the journal whether a reply was lost on the way.
pub(crate) async fn create(
    job: &Job,
    plan: &Plan,
    journal: &mut Journal,
) -> Result<String, Failure> {
    let image_id = try_to_create(job, plan, &mut journal.lost_reply).await?;
    journal.note(&job.home, &image_id);
    Ok(image_id)
}

async fn try_to_create(job: &Job, plan: &Plan, uncertain: &mut bool) -> Result<String, Failure> {
    let (instance, region) = (&plan.instance_id, &job.home.region);
    let context = &job.context;
    let operation = format!(
        "cannot create image {:?} of {instance} in {region}",
        plan.name
    );
    tracing::info!(name = plan.name, consistency = %plan.consistency, "creating an image of {instance}");
    let mut pause = FIRST_PAUSE;
    let mut last = None;
    for tries in 1.. {
        if let Some(signal) = context.interrupt.pending() {
            return Err(after(last, Failure::interrupted(signal, &operation)));
        }
        if Instant::now() >= context.deadline {
            let late = Failure::new(Exit::Deadline, format!("{operation}: the deadline passed"));
            return Err(after(last, late));
        }
        let call = request(job, plan).customize().config_override(
            aws_sdk_ec2::config::Config::builder().retry_config(RetryConfig::disabled()),
        );
        // Not raced against signals, and given its time: an id that is on its way must be seen.
        job.give_time(ANSWER_WITHIN);
        let error = match call.send().await {
            Ok(reply) => match reply.image_id {
                Some(image_id) => {
                    tracing::info!(image_id, "image requested");
                    return Ok(image_id);
                }
                None => {
                    *uncertain = true;
                    return Err(Failure::failed(operation).cause("the reply holds no image id"));
                }
            },
            Err(error) => AwsError::of(&error),
        };
        // Where no answer of EC2's own came back, the image may have been made all the same.
        *uncertain |= error.code.is_none() || (error.status >= Some(500) && !is_throttle(&error));
        let step = next(&error, tries);
        match step {
            Next::Again => tracing::warn!("{operation}, trying again: {error}"),
            Next::Adopt | Next::GiveUp => tracing::warn!("{operation}: {error}"),
        }
        job.give_time(ANSWER_WITHIN);
        let looked = match step {
            Next::Adopt => find_by_name(job, plan, &operation, pause, uncertain).await,
            Next::Again => find_patiently(job, plan, 1, pause).await,
            Next::GiveUp if *uncertain => find_patiently(job, plan, 1, pause).await,
            Next::GiveUp => Ok(None),
        };
        match looked {
            Ok(Some(image_id)) => {
                tracing::info!(image_id, "found the image that an earlier try made");
                *uncertain = false;
                return Ok(image_id);
            }
            Err(failure) if failure.exit() == Exit::Lost => return Err(failure),
            Ok(None) => {}
            Err(failure) if *uncertain => return Err(after(Some(error), failure)),
            // It is known that there is none; the look was only for safety.
            Err(failure) => tracing::warn!("{failure}"),
        }
        let failure = error.failure(&operation, "ec2:CreateImage and ec2:CreateTags");
        match step {
            Next::Again => {
                pause = (pause * 2).min(LONGEST_PAUSE);
                last = Some(error);
            }
            Next::Adopt if !*uncertain => {
                return Err(failure.with_exit(Exit::Lost).hint(
                    "another image has the name and is not listed; running again says which",
                ));
            }
            Next::Adopt | Next::GiveUp => return Err(failure),
        }
    }
    Err(Failure::failed(operation))
}

/// A failure with what the last CreateImage before it met.
fn after(last: Option<AwsError>, failure: Failure) -> Failure {
    match last {
        Some(error) => failure.cause(format!("the last error of CreateImage: {error}")),
        None => failure,
    }
}

/// Looks for who took the name: an image of this run that was not listed before, or somebody else's.
async fn find_by_name(
    job: &Job,
    plan: &Plan,
    operation: &str,
    pause: Duration,
    uncertain: &mut bool,
) -> Result<Option<String>, Failure> {
    for _ in 0..LOOKS {
        if let Some(image_id) = find_patiently(job, plan, 1, pause).await? {
            return Ok(Some(image_id));
        }
        if job.context.interrupt.pending().is_some() {
            break;
        }
        let holders = describe::named(&job.home, plan.created_name()).await?;
        if let Some(holder) = holders.iter().find(|image| is_foreign(image, &plan.run)) {
            // Two images never share a name, so there is none of ours.
            *uncertain = false;
            let lost = format!(
                "{operation}: the name was taken by {} meanwhile",
                words(holder)
            );
            return Err(Failure::new(Exit::Lost, lost)
                .hint("choose another AMI_NAME; {utc} and {build} in it make it unique"));
        }
    }
    Ok(None)
}

/// Looks for this run's image up to `looks` times: a fresh one may not be listed at once.
pub(crate) async fn find_patiently(
    job: &Job,
    plan: &Plan,
    looks: u32,
    pause: Duration,
) -> Result<Option<String>, Failure> {
    for _ in 0..looks {
        job.pause(pause).await;
        if job.context.interrupt.pending().is_some() {
            break;
        }
        if let Some(image) = find(job, plan).await? {
            return Ok(image.image_id);
        }
    }
    Ok(None)
}
