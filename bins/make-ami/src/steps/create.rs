//! Creating the image once, although `CreateImage` has no client token.
//!
//! The SDK's own retry is off for the call. Whenever its outcome is not known, or the name turns out
//! to be taken, the image with this run's tag is looked for and adopted
//! (<https://github.com/hashicorp/packer/issues/11165>).

use super::sdk_tags;
use crate::plan::{Plan, RUN_TAG};
use crate::settings::{Checked, Consistency, SnapshotTags};
use action::exit::Exit;
use action::failure::Failure;
use action::program::Context;
use aws::error::{AwsError, Kind};
use aws::session::Session;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::config::retry::RetryConfig;
use aws_sdk_ec2::operation::create_image::builders::CreateImageFluentBuilder;
use aws_sdk_ec2::types::{Filter, Image, ImageState, ResourceType, TagSpecification};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// The first pause after a throttled or lost call; doubled each time up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How often an unavailable service is asked before the run gives up; throttling is waited out.
const TRIES: u32 = 6;
/// How often an image whose name is known to be taken is looked for.
const LOOKS: u32 = 8;

async fn describe(ec2: &Client, session: &Session, filter: Filter) -> Result<Vec<Image>, Failure> {
    // A disabled image still owns its name, and is hidden unless asked for.
    let call = ec2
        .describe_images()
        .owners("self")
        .include_disabled(true)
        .include_deprecated(true)
        .filters(filter);
    let reply = call.send().await.map_err(|error| {
        let deed = format!("cannot look for images in {}", session.region);
        AwsError::of(&error).failure(deed, "ec2:DescribeImages")
    })?;
    Ok(reply.images.unwrap_or_default())
}

fn filter(name: &str, value: &str) -> Filter {
    Filter::builder().name(name).values(value).build()
}

/// The image that an earlier try of this run made, if it is still good.
///
/// # Errors
/// When the call fails.
pub async fn find(ec2: &Client, session: &Session, plan: &Plan) -> Result<Option<String>, Failure> {
    let images = describe(ec2, session, filter(&format!("tag:{RUN_TAG}"), &plan.run)).await?;
    let good = images.into_iter().find(|image| {
        // The source is told for CreateImage's images only; where it is, it must be the same.
        let same_source = image
            .source_instance_id()
            .is_none_or(|source| source == plan.instance_id);
        let usable = matches!(
            image.state(),
            Some(ImageState::Available | ImageState::Pending)
        );
        same_source && usable
    });
    Ok(good.and_then(|image| image.image_id))
}

/// Refuses a name that another image has.
///
/// # Errors
/// The refusal, or the call's failure.
pub async fn check_name_is_free(
    ec2: &Client,
    session: &Session,
    plan: &Plan,
) -> Result<(), Failure> {
    let images = describe(ec2, session, filter("name", &plan.name)).await?;
    let Some(holder) = images.first() else {
        return Ok(());
    };
    let id = holder.image_id().unwrap_or("an image");
    let state = holder
        .state()
        .map_or("in an unknown state", ImageState::as_str);
    Err(Failure::refused(format!(
        "the name {:?} is taken in {} by {id} ({state}), which is not of this run; nothing was touched",
        plan.name, session.region
    ))
    .hint("choose another AMI_NAME; {utc} and {build} in it make it unique"))
}

fn request(ec2: &Client, plan: &Plan, snapshot_tags: SnapshotTags) -> CreateImageFluentBuilder {
    let tagged = |kind| {
        TagSpecification::builder()
            .resource_type(kind)
            .set_tags(Some(sdk_tags(&plan.tags)))
            .build()
    };
    let request = ec2
        .create_image()
        .instance_id(&plan.instance_id)
        .name(&plan.name)
        .no_reboot(plan.consistency == Consistency::NoReboot)
        .tag_specifications(tagged(ResourceType::Image));
    match snapshot_tags {
        SnapshotTags::AtCreate => request.tag_specifications(tagged(ResourceType::Snapshot)),
        SnapshotTags::After | SnapshotTags::None => request,
    }
}

/// Asks EC2 whether the image could be made, without making it.
///
/// # Errors
/// When it could not.
pub async fn check_permission(
    ec2: &Client,
    session: &Session,
    plan: &Plan,
    snapshot_tags: SnapshotTags,
) -> Result<(), Failure> {
    // Success is the error `DryRunOperation`.
    let Err(error) = request(ec2, plan, snapshot_tags).dry_run(true).send().await else {
        return Ok(());
    };
    let error = AwsError::of(&error);
    if error.is("DryRunOperation") {
        return Ok(());
    }
    let deed = format!(
        "an image of {} in {} could not be made",
        plan.instance_id, session.region
    );
    Err(error.failure(deed, "ec2:CreateImage and ec2:CreateTags"))
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
        Kind::Unavailable | Kind::Lost | Kind::Nonsense if tries < TRIES => Next::Again,
        _ => Next::GiveUp,
    }
}

fn is_throttle(error: &AwsError) -> bool {
    let code = error.code.as_deref().unwrap_or_default();
    code == "RequestLimitExceeded" || code.contains("Throttl")
}

/// Creates the image and gives its id.
///
/// # Errors
/// When it cannot be made, and that nothing of it remains is known; or, where a lost reply leaves
/// it open whether there is one, with the command that finds it.
pub async fn create(
    ec2: &Client,
    session: &Session,
    plan: &Plan,
    settings: &Checked,
    context: &Context,
) -> Result<String, Failure> {
    let (instance, region) = (&plan.instance_id, &session.region);
    let deed = format!(
        "cannot create image {:?} of {instance} in {region}",
        plan.name
    );
    tracing::info!(name = plan.name, consistency = %plan.consistency, "creating an image of {instance}");
    let mut pause = FIRST_PAUSE;
    let mut uncertain = false;
    for tries in 1.. {
        if let Some(signal) = context.interrupt.pending() {
            return Err(unsure(uncertain, plan, Failure::interrupted(signal, &deed)));
        }
        let call = request(ec2, plan, settings.snapshot_tags)
            .customize()
            .config_override(
                aws_sdk_ec2::config::Config::builder().retry_config(RetryConfig::disabled()),
            );
        // Not raced against signals: an id that is on its way must be seen.
        let error = match call.send().await {
            Ok(reply) => match reply.image_id {
                Some(image_id) => {
                    tracing::info!(image_id, "image requested");
                    return Ok(image_id);
                }
                None => {
                    return Err(unsure(
                        true,
                        plan,
                        Failure::failed(deed).cause("the reply holds no image id"),
                    ));
                }
            },
            Err(error) => AwsError::of(&error),
        };
        // Where no answer of EC2's own came back, the image may have been made all the same.
        uncertain |= error.code.is_none() || (error.status >= Some(500) && !is_throttle(&error));
        let step = next(&error, tries);
        tracing::warn!("{deed}: {error}");
        let looks = match step {
            // The name is taken, by nobody else if an earlier try of ours may have got through.
            Next::Adopt if uncertain => LOOKS,
            _ if uncertain => 1,
            _ => 0,
        };
        match find_patiently(ec2, session, plan, context, looks, pause).await {
            Ok(Some(image_id)) => {
                tracing::info!(image_id, "found the image of the lost reply");
                return Ok(image_id);
            }
            Ok(None) if looks == 0 && matches!(step, Next::Again) => {
                interruptible_sleep(context, pause).await
            }
            Ok(None) => {}
            Err(failure) => return Err(unsure(uncertain, plan, failure)),
        }
        let failure = error.failure(&deed, "ec2:CreateImage and ec2:CreateTags");
        match step {
            Next::Again if Instant::now() < context.deadline => {
                pause = (pause * 2).min(LONGEST_PAUSE)
            }
            Next::Again => {
                let late = failure
                    .with_exit(Exit::Deadline)
                    .hint("run it again: it looks for this run's image first");
                return Err(unsure(uncertain, plan, late));
            }
            Next::Adopt if !uncertain => {
                return Err(failure.with_exit(Exit::Lost).hint(
                    "another image took the name in the last seconds; running again says which",
                ));
            }
            Next::Adopt | Next::GiveUp => return Err(unsure(uncertain, plan, failure)),
        }
    }
    Err(Failure::failed(deed))
}

/// Looks for this run's image up to `looks` times: a fresh one may not be listed at once.
async fn find_patiently(
    ec2: &Client,
    session: &Session,
    plan: &Plan,
    context: &Context,
    looks: u32,
    pause: Duration,
) -> Result<Option<String>, Failure> {
    for _ in 0..looks {
        interruptible_sleep(context, pause).await;
        if let Some(image_id) = find(ec2, session, plan).await? {
            return Ok(Some(image_id));
        }
    }
    Ok(None)
}

async fn interruptible_sleep(context: &Context, pause: Duration) {
    let rest = context
        .deadline
        .saturating_duration_since(Instant::now())
        .min(pause);
    // The loop itself looks at the signal.
    let _woken_by_a_signal = context.interrupt.race(sleep(rest)).await;
}

/// Says where to look when it is not known whether an image was made.
fn unsure(uncertain: bool, plan: &Plan, failure: Failure) -> Failure {
    if !uncertain {
        return failure;
    }
    failure.remains(
        "perhaps an image: a reply of CreateImage was lost",
        format!(
            "aws ec2 describe-images --owners self --filters 'Name=tag:{RUN_TAG},Values={}'",
            plan.run
        ),
    )
}
