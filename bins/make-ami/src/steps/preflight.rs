//! Asking EC2, by its own DryRun, whether every change that the run would make is permitted.

use super::create::request;
use super::images::{snapshot_ids, tagged};
use super::instance::Source;
use super::publish::copy_request;
use crate::job::{Job, Place};
use crate::plan::{APP_TAG, FROZEN_TAG, Plan, SOURCE_TAG, STOPPED_TAG};
use crate::settings::modes::{Consistency, Retire, SnapshotTags};
use crate::settings::places::Principal;
use action::exit::Exit;
use action::failure::Failure;
use aws::error::AwsError;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::primitives::DateTime;
use aws_sdk_ec2::types::{
    CreateVolumePermission, CreateVolumePermissionModifications, Image, LaunchPermission,
    LaunchPermissionModifications, SnapshotAttributeName, Tag,
};
use aws_smithy_runtime_api::http::Response;
use std::collections::BTreeMap;
use std::fmt;

/// What a dry run found out about one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// EC2 would do it.
    Permitted,
    /// EC2 would not: why.
    Refused(AwsError),
    /// A look that the run needs failed: why.
    Failed(Failure),
    /// It cannot be asked beforehand: why.
    Open(&'static str),
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Answer::Permitted => f.write_str("permitted"),
            Answer::Refused(error) => write!(f, "refused: {error}"),
            Answer::Failed(why) => write!(f, "refused: {}", line(why)),
            Answer::Open(why) => write!(f, "not asked: {why}"),
        }
    }
}

/// One call, and what EC2 says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The IAM action, with the Region where it is not the image's own.
    pub action: String,
    /// The answer.
    pub answer: Answer,
}

impl Finding {
    /// What was found out about `action`.
    #[must_use]
    pub fn new(action: impl Into<String>, answer: Answer) -> Self {
        Self {
            action: action.into(),
            answer,
        }
    }

    /// How the run would end because of it, if it would.
    fn exit(&self) -> Option<Exit> {
        match &self.answer {
            Answer::Refused(error) => Some(error.exit()),
            Answer::Failed(why) => Some(why.exit()),
            Answer::Permitted | Answer::Open(_) => None,
        }
    }
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
    let mut add = |action: &str, answer| findings.push(Finding::new(action, answer));
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
    let quiesces = !adopts && plan.consistency == Consistency::Quiesce;
    if quiesces {
        add("ssm:SendCommand", Answer::Open(NO_DRY_RUN));
        add("ssm:GetCommandInvocation", Answer::Open(NO_DRY_RUN));
    }
    let earlier = earlier_image(job, &job.home, &plan.instance_id).await?;
    if quiesces {
        let image = earlier.as_ref().and_then(|image| image.image_id());
        let answer = tagging(&job.home, image, FROZEN_TAG).await;
        findings.push(Finding::new("ec2:CreateTags on the image, later", answer));
    }
    findings.extend(removal(&job.home, earlier.as_ref()).await);
    findings.extend(later_changes(job, earlier.as_ref(), &plan.tags).await);
    Ok(findings)
}

/// Asks about what follows an image that exists already.
pub async fn check_the_rest(
    job: &Job,
    image: &Image,
    tags: &BTreeMap<String, String>,
) -> Vec<Finding> {
    let mut findings = removal(&job.home, Some(image)).await;
    findings.extend(later_changes(job, Some(image), tags).await);
    findings
}

/// Whether the run could do what it would.
///
/// # Errors
/// Every call that is refused, in one failure; `deed` is what could not be done.
pub fn verdict(deed: &str, findings: &[Finding]) -> Result<(), Failure> {
    let exits: Vec<Exit> = findings.iter().filter_map(Finding::exit).collect();
    if exits.is_empty() {
        return Ok(());
    }
    let other = exits.iter().find(|exit| **exit != Exit::NotPermitted);
    let exit = other.copied().unwrap_or(Exit::NotPermitted);
    let failure = Failure::new(exit, format!("{deed}; nothing was touched"));
    let failure = findings
        .iter()
        .fold(failure, |failure, finding| match &finding.answer {
            Answer::Refused(error) => failure.cause(format!("{}: {error}", finding.action)),
            Answer::Failed(why) => failure.cause(format!("{}: {}", finding.action, line(why))),
            Answer::Permitted | Answer::Open(_) => failure,
        });
    if exit != Exit::NotPermitted {
        return Err(failure);
    }
    Err(failure.hint("allow these actions for the role that runs this; the page of make-ami has the whole policy"))
}

/// Whether an image and its snapshots may be removed.
pub async fn removal(place: &Place, image: Option<&Image>) -> Vec<Finding> {
    let image_id = image.and_then(|image| image.image_id());
    let deregister = match image_id {
        Some(id) => {
            let call = place.ec2.deregister_image().image_id(id);
            of(call.dry_run(true).send().await)
        }
        None => Answer::Open(NO_IMAGE),
    };
    let snapshot = image.and_then(|image| snapshot_ids(image).into_iter().next());
    let delete = match snapshot {
        Some(id) => {
            let call = place.ec2.delete_snapshot().snapshot_id(id);
            in_use(of(call.dry_run(true).send().await))
        }
        None => Answer::Open(NO_IMAGE),
    };
    vec![
        Finding::new("ec2:DeregisterImage", deregister),
        Finding::new("ec2:DeleteSnapshot", delete),
    ]
}

/// Changes to an image can only be asked about with an image: an earlier one of ours, since policies
/// look at its tags.
async fn later_changes(
    job: &Job,
    earlier: Option<&Image>,
    tags: &BTreeMap<String, String>,
) -> Vec<Finding> {
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
        let answer = tagging(&job.home, snapshot.as_deref(), key).await;
        findings.push(Finding::new("ec2:CreateTags on snapshots", answer));
    }
    let retire = job.settings.retention.as_ref().map(|one| one.retire);
    let ladder = retire == Some(Retire::Ladder);
    findings.extend(publishing(job, &job.home, earlier, ladder).await);
    for region in &publish.copy_to {
        let place = job.place(region);
        let copy = match earlier {
            Some(image) => {
                let id = image.image_id().unwrap_or_default();
                let name = image.name().unwrap_or_default();
                let call = copy_request(job, &place, tags, id, name);
                name_is_ours(of(call.dry_run(true).send().await))
            }
            None => Answer::Open(NO_IMAGE),
        };
        let mut there = vec![Finding::new("ec2:CopyImage, with ec2:CreateTags", copy)];
        let instance = tags.get(SOURCE_TAG).map_or("", String::as_str);
        match earlier_image(job, &place, instance).await {
            Ok(earlier) => {
                there.extend(removal(&place, earlier.as_ref()).await);
                there.extend(publishing(job, &place, earlier.as_ref(), ladder).await);
            }
            Err(failure) => there.push(Finding::new("ec2:DescribeImages", Answer::Failed(failure))),
        }
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
    findings
}

/// Whether an image of this Region may be deprecated, shared and disabled, as far as the settings ask for it.
async fn publishing(job: &Job, place: &Place, image: Option<&Image>, ladder: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut add = |action: &str, answer| findings.push(Finding::new(action, answer));
    let ec2 = &place.ec2;
    let publish = &job.settings.publish;
    let id = image.and_then(|image| image.image_id());
    if publish.deprecate_after.is_some() || ladder {
        let at = DateTime::from_secs(job.clock.now().as_second() + 3_600);
        let answer = match id {
            Some(id) => {
                let call = ec2.enable_image_deprecation().image_id(id).deprecate_at(at);
                of(call.dry_run(true).send().await)
            }
            None => Answer::Open(NO_IMAGE),
        };
        add("ec2:EnableImageDeprecation", answer);
    }
    if ladder {
        let answer = match id {
            Some(id) => of(ec2.disable_image().image_id(id).dry_run(true).send().await),
            None => Answer::Open(NO_IMAGE),
        };
        add("ec2:DisableImage", answer);
    }
    if publish.share_with.is_empty() {
        return findings;
    }
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
                    .snapshot_id(id)
                    .attribute(SnapshotAttributeName::CreateVolumePermission)
                    .create_volume_permission(added);
                of(call.dry_run(true).send().await)
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
            of(call.launch_permission(added).dry_run(true).send().await)
        }
        _ => Answer::Open(NO_IMAGE),
    };
    add("ec2:ModifyImageAttribute", answer);
    findings
}

/// Whether an image or a snapshot may be given a tag.
async fn tagging(place: &Place, resource: Option<&str>, key: &str) -> Answer {
    let Some(id) = resource else {
        return Answer::Open(NO_IMAGE);
    };
    let tag = Tag::builder().key(key).value("0").build();
    let call = place.ec2.create_tags().resources(id).tags(tag);
    of(call.dry_run(true).send().await)
}

/// An earlier image of the application, or of the instance.
async fn earlier_image(job: &Job, place: &Place, instance: &str) -> Result<Option<Image>, Failure> {
    let images = match &job.settings.app {
        Some(app) => tagged(place, APP_TAG, app).await?,
        None => tagged(place, SOURCE_TAG, instance).await?,
    };
    Ok(images.into_iter().next())
}

/// A failure in a line.
fn line(failure: &Failure) -> String {
    let mut text = failure.deed().to_owned();
    for cause in failure.causes() {
        text.push_str(": ");
        text.push_str(cause);
    }
    text
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

/// The findings for machines: action and answer of each.
#[must_use]
pub fn json(findings: &[Finding]) -> serde_json::Value {
    let each = findings.iter().map(|finding| {
        serde_json::json!({ "action": finding.action, "answer": finding.answer.to_string() })
    });
    each.collect()
}

/// The findings for people.
#[must_use]
pub fn text(findings: &[Finding]) -> String {
    let lines = findings
        .iter()
        .map(|finding| format!("\n  {}: {}", finding.action, finding.answer));
    format!("permissions:{}\n", lines.collect::<String>())
}
