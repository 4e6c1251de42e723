//! The job, in order: look at the instance, adopt or create the image, wait for it, tag its
//! snapshots, export.

pub mod available;
pub mod create;
pub mod instance;

use crate::plan::Plan;
use crate::settings::{Checked, OnTimeout, SnapshotTags};
use crate::undo;
use action::exit::Exit;
use action::export::Exports;
use action::failure::Failure;
use action::program::{Context, Output};
use aws::error::AwsError;
use aws::session::Session;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::Tag;
use std::collections::BTreeMap;

/// An image that is available and whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Its id.
    pub image_id: String,
    /// Its name.
    pub name: String,
    /// Its snapshots, in the order of the block-device mapping.
    pub snapshot_ids: Vec<String>,
}

/// Makes the image.
///
/// # Errors
/// Whatever went wrong, with what remains of it.
pub async fn make(settings: Checked, context: Context) -> Result<Output, Failure> {
    let session = Session::open(&context).await?;
    let ec2 = Client::new(&session.config);
    let now = jiff::Timestamp::now()
        .strftime("%Y%m%dT%H%M%SZ")
        .to_string();
    let plan = Plan::new(&settings, &context.codebuild, &now).map_err(|fault| {
        Failure::refused("AMI_NAME does not give a name that EC2 takes").cause(fault)
    })?;

    let (source, adopted) = in_time(&context, before(&ec2, &session, &plan)).await?;
    if context.dry_run {
        create::check_permission(&ec2, &session, &plan, settings.snapshot_tags).await?;
        let text = match &adopted {
            Some(image) => {
                format!("plan: adopt image {image}, which an earlier try of this run made\n")
            }
            None => plan.text(),
        };
        let mut json = plan.json();
        json["adopt"] = adopted.into();
        context.show_plan(&text, &json)?;
        return Ok(Output::Nothing);
    }

    let image_id = match adopted {
        Some(image_id) => {
            tracing::info!(
                image_id,
                "adopting the image that an earlier try of this run made"
            );
            image_id
        }
        None => create::create(&ec2, &session, &plan, &settings, &context).await?,
    };
    let finished = finish(
        &ec2,
        &session,
        &context,
        &plan,
        &settings,
        &image_id,
        source.volumes,
    )
    .await;
    let verified = match finished {
        Ok(verified) => verified,
        Err(failure) if keeps(&failure, settings.on_timeout) => {
            let resume = "run make-ami again in this build, or with the same AMI_NAME: it adopts the image and waits on";
            return Err(failure
                .remains(format!("image {image_id}, unfinished"), resume)
                .hint("give --timeout more time than the image needs; --on-timeout clean removes it instead"));
        }
        Err(failure) => return Err(undo::image(&ec2, &session, &image_id, failure).await),
    };

    let mut exports = Exports::new();
    let fault = |fault| Failure::failed("cannot export the image").cause(fault);
    exports.add("AMI_ID", &verified.image_id).map_err(fault)?;
    exports.add("AMI_NAME", &verified.name).map_err(fault)?;
    exports
        .add("AMI_SNAPSHOT_IDS", verified.snapshot_ids.join(","))
        .map_err(fault)?;
    Ok(Output::Exports(exports))
}

/// Looks at everything that decides whether an image is made; changes nothing.
async fn before(
    ec2: &Client,
    session: &Session,
    plan: &Plan,
) -> Result<(instance::Source, Option<String>), Failure> {
    let source = instance::look(ec2, session, &plan.instance_id).await?;
    let adopted = create::find(ec2, session, plan).await?;
    if adopted.is_none() {
        create::check_name_is_free(ec2, session, plan).await?;
    }
    Ok((source, adopted))
}

/// Work that changes nothing, and so may be dropped at any point.
async fn in_time<T>(
    context: &Context,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let timed = tokio::time::timeout_at(context.deadline, work);
    match context.interrupt.race(timed).await {
        Ok(Ok(done)) => done,
        Ok(Err(_)) => Err(Failure::new(
            Exit::Deadline,
            "the deadline came before anything was made",
        )
        .hint("give --timeout more, or check AWS_ENDPOINT_URL and the network")),
        Err(signal) => Err(Failure::interrupted(
            signal,
            "stopped before anything was made",
        )),
    }
}

async fn finish(
    ec2: &Client,
    session: &Session,
    context: &Context,
    plan: &Plan,
    settings: &Checked,
    image_id: &str,
    volumes: usize,
) -> Result<Verified, Failure> {
    let verified = available::wait(ec2, session, context, image_id, volumes).await?;
    if settings.snapshot_tags == SnapshotTags::After {
        tag(ec2, session, &verified.snapshot_ids, &plan.tags).await?;
    }
    tracing::info!(image_id, name = verified.name, "image available");
    Ok(verified)
}

/// Whether an unfinished image is worth keeping: its wait ran out of time, or of answers, but
/// nothing says that it is bad.
fn keeps(failure: &Failure, on_timeout: OnTimeout) -> bool {
    match failure.exit() {
        Exit::Deadline => on_timeout == OnTimeout::Keep,
        Exit::Unavailable => true,
        _ => false,
    }
}

async fn tag(
    ec2: &Client,
    session: &Session,
    resources: &[String],
    tags: &BTreeMap<String, String>,
) -> Result<(), Failure> {
    let call = ec2
        .create_tags()
        .set_resources(Some(resources.to_vec()))
        .set_tags(Some(sdk_tags(tags)));
    call.send().await.map(drop).map_err(|error| {
        let deed = format!("cannot tag {} in {}", resources.join(", "), session.region);
        AwsError::of(&error).failure(deed, "ec2:CreateTags")
    })
}

/// Tags as the SDK takes them.
#[must_use]
pub fn sdk_tags(tags: &BTreeMap<String, String>) -> Vec<Tag> {
    tags.iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build())
        .collect()
}
