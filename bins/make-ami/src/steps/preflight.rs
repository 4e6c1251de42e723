//! Asking EC2, by its own DryRun, whether every change that the run would make is permitted.

use super::create::request;
use super::images::{snapshot_ids, tagged};
use super::instance::Source;
use crate::job::Job;
use crate::plan::{APP_TAG, Plan, SOURCE_TAG, STOPPED_TAG};
use crate::settings::modes::{Consistency, Retire, SnapshotTags};
use crate::settings::places::Principal;
use action::exit::Exit;
use action::failure::Failure;
use aws::error::{AwsError, Kind};
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::primitives::DateTime;
use aws_sdk_ec2::types::{
    CreateVolumePermission, CreateVolumePermissionModifications, Image, LaunchPermission,
    LaunchPermissionModifications, SnapshotAttributeName, Tag,
};
use aws_smithy_runtime_api::http::Response;

/// What a dry run found out about one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// EC2 would do it.
    Permitted,
    /// EC2 would not: why.
    Refused(AwsError),
    /// It cannot be asked beforehand: why.
    Open(&'static str),
}

/// One call, and what EC2 says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The IAM action.
    pub action: &'static str,
    /// The answer.
    pub answer: Answer,
}

const NO_IMAGE: &str = "there is no image of this instance or application yet to ask with";
const NO_DRY_RUN: &str = "the service has no dry run";

/// Asks about every call that the run would make; about none that makes an image where one is adopted.
///
/// # Errors
/// A look that failed.
pub async fn check(
    job: &Job,
    plan: &Plan,
    source: &Source,
    adopts: bool,
) -> Result<Vec<Finding>, Failure> {
    let mut findings = Vec::new();
    let mut add = |action, answer| findings.push(Finding { action, answer });
    if !adopts {
        let create = request(job, plan).dry_run(true).send().await;
        let answer = name_is_ours(of(create));
        add("ec2:CreateImage, with ec2:CreateTags", answer);
    }
    if !adopts && plan.consistency == Consistency::Stop && source.running {
        let tag = Tag::builder().key(STOPPED_TAG).value(&plan.run).build();
        let tags = job.home.ec2.create_tags().resources(&source.id).tags(tag);
        add(
            "ec2:CreateTags on the instance",
            of(tags.dry_run(true).send().await),
        );
        let stop = job.home.ec2.stop_instances().instance_ids(&source.id);
        add("ec2:StopInstances", of(stop.dry_run(true).send().await));
        let unmark = job.home.ec2.delete_tags().resources(&source.id);
        let unmark = unmark.tags(Tag::builder().key(STOPPED_TAG).build());
        add(
            "ec2:DeleteTags on the instance",
            of(unmark.dry_run(true).send().await),
        );
        let start = job.home.ec2.start_instances().instance_ids(&source.id);
        add("ec2:StartInstances", of(start.dry_run(true).send().await));
    }
    if !adopts && plan.consistency == Consistency::Quiesce {
        add("ssm:SendCommand", Answer::Open(NO_DRY_RUN));
    }
    let earlier = earlier_image(job, plan).await?;
    later_changes(job, earlier.as_ref(), &mut findings).await;
    Ok(findings)
}

/// Whether the run could do what it would.
///
/// # Errors
/// Every call that is refused, in one failure.
pub fn verdict(job: &Job, plan: &Plan, findings: &[Finding]) -> Result<(), Failure> {
    let refused: Vec<&Finding> = findings
        .iter()
        .filter(|finding| matches!(finding.answer, Answer::Refused(_)))
        .collect();
    if refused.is_empty() {
        return Ok(());
    }
    let not_permitted = |finding: &&Finding| matches!(&finding.answer, Answer::Refused(error) if error.kind == Kind::NotPermitted);
    let exit = match refused.iter().find(|finding| !not_permitted(finding)) {
        Some(Finding {
            answer: Answer::Refused(error),
            ..
        }) => error.exit(),
        _ => Exit::NotPermitted,
    };
    let deed = format!(
        "an image of {} in {} could not be made; nothing was touched",
        plan.instance_id, job.home.region
    );
    let failure = Failure::new(exit, deed);
    let failure = refused
        .into_iter()
        .fold(failure, |failure, finding| match &finding.answer {
            Answer::Refused(error) => failure.cause(format!("{}: {error}", finding.action)),
            _ => failure,
        });
    if exit != Exit::NotPermitted {
        return Err(failure);
    }
    Err(failure.hint("allow these actions for the role that runs this; the page of make-ami has the whole policy"))
}

/// Changes to an image can only be asked about with an image: an earlier one of ours, since policies
/// look at its tags.
async fn later_changes(job: &Job, earlier: Option<&Image>, findings: &mut Vec<Finding>) {
    let mut add = |action, answer| findings.push(Finding { action, answer });
    let ec2 = &job.home.ec2;
    let publish = &job.settings.publish;
    let id = earlier.and_then(|image| image.image_id());
    add(
        "ec2:DeregisterImage",
        match id {
            Some(id) => of(ec2
                .deregister_image()
                .image_id(id)
                .dry_run(true)
                .send()
                .await),
            None => Answer::Open(NO_IMAGE),
        },
    );
    let snapshot = earlier.and_then(|image| snapshot_ids(image).into_iter().next());
    add(
        "ec2:DeleteSnapshot",
        match &snapshot {
            Some(id) => in_use(of(ec2
                .delete_snapshot()
                .snapshot_id(id)
                .dry_run(true)
                .send()
                .await)),
            None => Answer::Open(NO_IMAGE),
        },
    );
    if job.settings.snapshot_tags == SnapshotTags::After {
        let tag = Tag::builder().key(SOURCE_TAG).value("dry-run").build();
        add(
            "ec2:CreateTags on snapshots",
            match &snapshot {
                Some(id) => of(ec2
                    .create_tags()
                    .resources(id)
                    .tags(tag)
                    .dry_run(true)
                    .send()
                    .await),
                None => Answer::Open(NO_IMAGE),
            },
        );
    }
    let retire = job.settings.retention.as_ref().map(|one| one.retire);
    if publish.deprecate_after.is_some() || retire == Some(Retire::Ladder) {
        let at = DateTime::from_secs(job.clock.now().as_second() + 3_600);
        add(
            "ec2:EnableImageDeprecation",
            match id {
                Some(id) => {
                    let call = ec2.enable_image_deprecation().image_id(id).deprecate_at(at);
                    of(call.dry_run(true).send().await)
                }
                None => Answer::Open(NO_IMAGE),
            },
        );
    }
    if retire == Some(Retire::Ladder) {
        add(
            "ec2:DisableImage",
            match id {
                Some(id) => of(ec2.disable_image().image_id(id).dry_run(true).send().await),
                None => Answer::Open(NO_IMAGE),
            },
        );
    }
    if !publish.share_with.is_empty() {
        // The account itself: a permission that it has anyway.
        let owner = earlier.and_then(|image| image.owner_id());
        let has_accounts = publish
            .share_with
            .iter()
            .any(|whom| matches!(whom, Principal::Account(_)));
        if has_accounts {
            add(
                "ec2:ModifySnapshotAttribute",
                match (&snapshot, owner) {
                    (Some(id), Some(owner)) => {
                        let permission = CreateVolumePermission::builder().user_id(owner).build();
                        let added = CreateVolumePermissionModifications::builder()
                            .add(permission)
                            .build();
                        let call = ec2
                            .modify_snapshot_attribute()
                            .snapshot_id(id)
                            .attribute(SnapshotAttributeName::CreateVolumePermission)
                            .create_volume_permission(added);
                        of(call.dry_run(true).send().await)
                    }
                    _ => Answer::Open(NO_IMAGE),
                },
            );
        }
        add(
            "ec2:ModifyImageAttribute",
            match (id, owner) {
                (Some(id), Some(owner)) => {
                    let permission = LaunchPermission::builder().user_id(owner).build();
                    let added = LaunchPermissionModifications::builder()
                        .add(permission)
                        .build();
                    let call = ec2.modify_image_attribute().image_id(id);
                    of(call.launch_permission(added).dry_run(true).send().await)
                }
                _ => Answer::Open(NO_IMAGE),
            },
        );
    }
    if let (Some(region), Some(image)) = (publish.copy_to.first(), earlier) {
        let call = job
            .place(region)
            .ec2
            .copy_image()
            .source_region(&job.home.region)
            .source_image_id(image.image_id().unwrap_or_default())
            .name(image.name().unwrap_or_default())
            .dry_run(true);
        add("ec2:CopyImage", of(call.send().await));
    }
    if publish.ssm_parameter.is_some() {
        add("ssm:PutParameter", Answer::Open(NO_DRY_RUN));
    }
}

/// An earlier image of the application, or of the instance.
async fn earlier_image(job: &Job, plan: &Plan) -> Result<Option<Image>, Failure> {
    let images = match &job.settings.app {
        Some(app) => tagged(&job.home, APP_TAG, app).await?,
        None => tagged(&job.home, SOURCE_TAG, &plan.instance_id).await?,
    };
    Ok(images.into_iter().next())
}

/// Success is the error `DryRunOperation`.
fn of<T, E>(reply: Result<T, SdkError<E, Response>>) -> Answer
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match reply {
        Ok(_) => Answer::Permitted,
        Err(error) => {
            let error = AwsError::of(&error);
            if error.is("DryRunOperation") {
                Answer::Permitted
            } else {
                Answer::Refused(error)
            }
        }
    }
}

/// Whose name it is was looked at before: one that is taken here is of an unusable image of this very
/// run, which goes first.
fn name_is_ours(answer: Answer) -> Answer {
    match answer {
        Answer::Refused(error) if error.is("InvalidAMIName.Duplicate") => Answer::Permitted,
        answer => answer,
    }
}

/// The snapshot that is asked with belongs to an image; that alone is no refusal.
fn in_use(answer: Answer) -> Answer {
    match answer {
        Answer::Refused(error) if error.is("InvalidSnapshot.InUse") => Answer::Permitted,
        answer => answer,
    }
}

/// The findings for people.
#[must_use]
pub fn text(findings: &[Finding]) -> String {
    let lines = findings.iter().map(|finding| {
        let answer = match &finding.answer {
            Answer::Permitted => "permitted".to_owned(),
            Answer::Refused(error) => format!("refused: {error}"),
            Answer::Open(why) => format!("not asked: {why}"),
        };
        format!("\n  {}: {answer}", finding.action)
    });
    format!("permissions:{}\n", lines.collect::<String>())
}
