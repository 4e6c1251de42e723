//! Asking EC2, by its own DryRun, whether every change that the run would make is permitted.
//!
//! An endpoint that carries a dry run out ends the asking at once. It is found out by a call that changes nothing
//! where that can be had: a resource gets a tag that it has already.

use super::carried_out::{self, Deed, Then};
use super::create::{is_worthless, request};
use super::images::{named, run, snapshot_ids, tag, tagged};
use super::instance::{Source, writable};
use super::publish::copy_request;
use crate::job::{Job, Place};
use crate::plan::{APP_TAG, FROZEN_TAG, Plan, RUN_TAG, SOURCE_TAG, STOPPED_TAG};
use crate::settings::modes::{Consistency, Retire, SnapshotTags};
use crate::settings::places::Principal;
use crate::undo;
use action::exit::Exit;
use action::export::quote::posix;
use action::failure::{Failure, Remainder, ResourceKind};
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

/// Why the asking ended early.
#[derive(Debug)]
pub enum Ended {
    /// A look failed.
    Failed(Failure),
    /// The endpoint did what it was only asked about.
    CarriedOut(Box<Deed>),
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        Ended::Failed(failure)
    }
}

/// Asks about every call that the run would make; about none that makes an image where one is adopted.
///
/// # Errors
/// A look that failed, or an endpoint that carries dry runs out.
pub async fn check(
    job: &Job,
    plan: &Plan,
    source: &Source,
    adopts: bool,
) -> Result<Vec<Finding>, Ended> {
    let mut findings = Vec::new();
    if !adopts {
        Box::pin(honest(&job.home, &source.id, source.tag.as_ref())).await?;
        let answer = Box::pin(creating(job, plan)).await?;
        findings.push(Finding::new("ec2:CreateImage, with ec2:CreateTags", answer));
    }
    if !adopts && plan.consistency == Consistency::Stop && source.running {
        findings.extend(Box::pin(stopping(job, plan, source)).await?);
    }
    let quiesces = !adopts && plan.consistency == Consistency::Quiesce;
    if quiesces {
        for action in ["ssm:SendCommand", "ssm:GetCommandInvocation"] {
            findings.push(Finding::new(action, Answer::Open(NO_DRY_RUN)));
        }
    }
    let earlier = earlier_image(job, &job.home, &plan.instance_id).await?;
    if quiesces {
        let image = earlier.as_ref();
        let before = image.and_then(|image| tag(image, FROZEN_TAG));
        let image = image.and_then(|image| image.image_id());
        let answer = Box::pin(tagging(&job.home, image, FROZEN_TAG, before)).await?;
        findings.push(Finding::new("ec2:CreateTags on the image, later", answer));
    }
    findings.extend(Box::pin(removal(&job.home, earlier.as_ref())).await?);
    findings.extend(Box::pin(later_changes(job, earlier.as_ref(), &plan.tags)).await?);
    Ok(findings)
}

/// Whether the image may be made.
async fn creating(job: &Job, plan: &Plan) -> Result<Answer, Ended> {
    let (instance, region) = (&plan.instance_id, &job.home.region);
    let made = |id: Option<String>| {
        let words = |image: &str| {
            let mut done = format!("it made {image} of {instance} in {region}");
            if plan.consistency == Consistency::Reboot {
                done.push_str(", and may have rebooted the instance");
            }
            done
        };
        match id {
            Some(id) => Deed::new(
                words(&format!("image {id}")),
                Then::Remove(job.home.clone(), id),
            ),
            None => {
                let perhaps = undo::perhaps(&job.home, &undo::Journal::of(&plan.run));
                Deed::new(words("an image without an id"), Then::Stays(vec![perhaps]))
            }
        }
    };
    let reply = request(job, plan).dry_run(true).send().await;
    let answer = asked(reply, |reply| made(reply.image_id))?;
    if matches!(&answer, Answer::Refused(error) if error.is("InvalidAMIName.Duplicate")) {
        // The name was free before, but for an unusable image of this run: a lost reply was asked for again.
        let holders = named(&job.home, &plan.name).await?;
        let is_new = |image: &&Image| run(image) == Some(&plan.run) && !is_worthless(image);
        if let Some(image) = holders.into_iter().find(|image| is_new(&image)) {
            return Err(Ended::CarriedOut(Box::new(made(image.image_id))));
        }
    }
    Ok(name_is_ours(answer))
}

/// Whether the instance may be stopped for its image, and started again.
async fn stopping(job: &Job, plan: &Plan, source: &Source) -> Result<Vec<Finding>, Ended> {
    let (ec2, id, region) = (&job.home.ec2, &source.id, &job.home.region);
    let before = source.stopped_by.clone();
    let retag = || Then::Retag {
        place: job.home.clone(),
        id: id.clone(),
        key: STOPPED_TAG.to_owned(),
        before: before.clone(),
    };
    let tag = Tag::builder().key(STOPPED_TAG).value(&plan.run).build();
    let mark = ec2.create_tags().resources(id).tags(tag);
    let done = format!("it tagged instance {id} in {region} with {STOPPED_TAG}");
    let mark = asked(mark.dry_run(true).send().await, |_| {
        Deed::new(done, retag())
    })?;
    let stop = ec2.stop_instances().instance_ids(id);
    let done = format!("it stopped instance {id} in {region}");
    let stop = asked(stop.dry_run(true).send().await, |_| {
        Deed::new(done, Then::Start(id.clone()))
    })?;
    let unmark = ec2.delete_tags().resources(id);
    let unmark = unmark.tags(Tag::builder().key(STOPPED_TAG).build());
    let done = format!("it removed the tag {STOPPED_TAG} of instance {id} in {region}");
    let unmark = asked(unmark.dry_run(true).send().await, |_| match before {
        Some(_) => Deed::new(done, retag()),
        None => Deed::new(done, Then::Nothing),
    })?;
    let start = ec2.start_instances().instance_ids(id);
    let done = format!("it started instance {id} in {region}, which ran already");
    let start = asked(start.dry_run(true).send().await, |_| {
        Deed::new(done, Then::Nothing)
    })?;
    Ok(vec![
        Finding::new("ec2:CreateTags on the instance", mark),
        Finding::new("ec2:StopInstances", stop),
        Finding::new("ec2:DeleteTags on the instance", unmark),
        Finding::new("ec2:StartInstances", start),
    ])
}

/// Asks about what follows an image that exists already.
///
/// # Errors
/// An endpoint that carries dry runs out.
pub async fn check_the_rest(
    job: &Job,
    image: &Image,
    tags: &BTreeMap<String, String>,
) -> Result<Vec<Finding>, Ended> {
    let mut findings = Box::pin(removal(&job.home, Some(image))).await?;
    findings.extend(Box::pin(later_changes(job, Some(image), tags)).await?);
    Ok(findings)
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
///
/// # Errors
/// An endpoint that carries dry runs out.
pub async fn removal(place: &Place, image: Option<&Image>) -> Result<Vec<Finding>, Ended> {
    let mut findings = Vec::new();
    let mut add = |action: &str, answer| findings.push(Finding::new(action, answer));
    let Some((image, id)) = image.and_then(|image| Some((image, image.image_id()?))) else {
        add("ec2:DeregisterImage", Answer::Open(NO_IMAGE));
        add("ec2:DeleteSnapshot", Answer::Open(NO_IMAGE));
        return Ok(findings);
    };
    let region = &place.region;
    // What is gone comes back from nobody, so the endpoint must not be of that kind.
    Box::pin(honest(place, id, writable(image.tags()))).await?;
    let call = place.ec2.deregister_image().image_id(id);
    let answer = asked(call.dry_run(true).send().await, |_| {
        let left = snapshot_ids(image).into_iter().map(|snapshot| {
            Remainder::new(
                place.resource(ResourceKind::Snapshot, &snapshot),
                format!("snapshot {snapshot} in {region}, of image {id}, which is gone; `aws ec2 register-image` makes an image of it"),
                undo::delete_snapshot_command(place, &snapshot),
            )
        });
        let done = format!("it deregistered image {id} in {region}, which cannot be taken back");
        Deed::new(done, Then::Stays(left.collect()))
    })?;
    add("ec2:DeregisterImage", answer);
    let answer = match snapshot_ids(image).into_iter().next() {
        Some(snapshot) => {
            let call = place.ec2.delete_snapshot().snapshot_id(&snapshot);
            let done =
                format!("it deleted snapshot {snapshot} in {region}, which cannot be taken back");
            in_use(asked(call.dry_run(true).send().await, |_| {
                Deed::new(done, Then::Stays(Vec::new()))
            })?)
        }
        None => Answer::Open(NO_IMAGE),
    };
    add("ec2:DeleteSnapshot", answer);
    Ok(findings)
}

/// Finds out whether the endpoint carries dry runs out, by one that would change nothing: the resource gets a tag
/// that it has. Whether that is permitted does not matter.
async fn honest(place: &Place, id: &str, tag: Option<&Tag>) -> Result<(), Ended> {
    let Some(tag) = tag else { return Ok(()) };
    let key = tag.key().unwrap_or_default();
    let done = format!(
        "it gave {id} in {} the tag {key}, which it had already",
        place.region
    );
    let call = place.ec2.create_tags().resources(id).tags(tag.clone());
    let reply = call.dry_run(true).send().await;
    asked(reply, |_| Deed::new(done, Then::Nothing)).map(drop)
}

/// Changes to an image can only be asked about with an image: an earlier one of ours, since policies
/// look at its tags.
async fn later_changes(
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
    let retire = job.settings.retention.as_ref().map(|one| one.retire);
    let ladder = retire == Some(Retire::Ladder);
    findings.extend(Box::pin(publishing(job, &job.home, earlier, ladder)).await?);
    for region in &publish.copy_to {
        let place = job.place(region);
        let mut there = Vec::new();
        let instance = tags.get(SOURCE_TAG).map_or("", String::as_str);
        match earlier_image(job, &place, instance).await {
            Ok(copy) => {
                there.extend(Box::pin(removal(&place, copy.as_ref())).await?);
                there.extend(Box::pin(publishing(job, &place, copy.as_ref(), ladder)).await?);
            }
            Err(failure) => there.push(Finding::new("ec2:DescribeImages", Answer::Failed(failure))),
        }
        let copying = Box::pin(copying(job, &place, tags, earlier)).await?;
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
    place: &Place,
    tags: &BTreeMap<String, String>,
    image: Option<&Image>,
) -> Result<Answer, Ended> {
    let Some(image) = image else {
        return Ok(Answer::Open(NO_IMAGE));
    };
    let id = image.image_id().unwrap_or_default();
    let name = image.name().unwrap_or_default();
    let call = copy_request(job, place, tags, id, name);
    let answer = asked(call.dry_run(true).send().await, |reply| {
        let done = format!("it copied image {id} to {}", place.region);
        match reply.image_id {
            Some(copy) => Deed::new(format!("{done}: {copy}"), Then::Remove(place.clone(), copy)),
            None => {
                let run = tags.get(RUN_TAG).map_or("", String::as_str);
                let perhaps = undo::perhaps_copy(place, &undo::Journal::of(run));
                Deed::new(done, Then::Stays(vec![perhaps]))
            }
        }
    })?;
    Ok(name_is_ours(answer))
}

/// Whether an image of this Region may be deprecated, shared and disabled, as far as the settings ask for it.
async fn publishing(
    job: &Job,
    place: &Place,
    image: Option<&Image>,
    ladder: bool,
) -> Result<Vec<Finding>, Ended> {
    let mut findings = Vec::new();
    let mut add = |action: &str, answer| findings.push(Finding::new(action, answer));
    let (ec2, region) = (&place.ec2, &place.region);
    let publish = &job.settings.publish;
    let id = image.and_then(|image| image.image_id());
    let of_image = |id: &str, what: &str, command: String| {
        Then::Stays(vec![Remainder::new(
            place.resource(ResourceKind::Image, id),
            format!("image {id} in {region}, {what}"),
            format!("aws ec2 {command} --region {region} --image-id {id}"),
        )])
    };
    if publish.deprecate_after.is_some() || ladder {
        let at = DateTime::from_secs(job.clock.now().as_second() + 3_600);
        let answer = match id {
            Some(id) => {
                let call = ec2.enable_image_deprecation().image_id(id).deprecate_at(at);
                asked(call.dry_run(true).send().await, |_| {
                    let command = "disable-image-deprecation".to_owned();
                    let then = of_image(id, "which is deprecated in an hour", command);
                    Deed::new(format!("it deprecated image {id} in {region}"), then)
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
                    Deed::new(format!("it disabled image {id} in {region}"), then)
                })?
            }
            None => Answer::Open(NO_IMAGE),
        };
        add("ec2:DisableImage", answer);
    }
    if publish.share_with.is_empty() {
        return Ok(findings);
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
                    .snapshot_id(&id)
                    .attribute(SnapshotAttributeName::CreateVolumePermission)
                    .create_volume_permission(added);
                asked(call.dry_run(true).send().await, |_| {
                    let done = format!("it shared snapshot {id} in {region} with its own account");
                    let left = Remainder::new(
                        place.resource(ResourceKind::Snapshot, &id),
                        format!("snapshot {id} in {region}, shared with its own account {owner}"),
                        format!(
                            "aws ec2 modify-snapshot-attribute --region {region} --snapshot-id {id} --attribute createVolumePermission --operation-type remove --user-ids {owner}"
                        ),
                    );
                    Deed::new(done, Then::Stays(vec![left]))
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
                Deed::new(done, of_image(id, &what, command))
            })?
        }
        _ => Answer::Open(NO_IMAGE),
    };
    add("ec2:ModifyImageAttribute", answer);
    Ok(findings)
}

/// Whether an image or a snapshot may be given a tag: the value that it has, where it has one.
async fn tagging(
    place: &Place,
    resource: Option<&str>,
    key: &str,
    before: Option<&str>,
) -> Result<Answer, Ended> {
    let Some(id) = resource else {
        return Ok(Answer::Open(NO_IMAGE));
    };
    let tag = Tag::builder().key(key).value(before.unwrap_or("0")).build();
    let call = place.ec2.create_tags().resources(id).tags(tag);
    asked(call.dry_run(true).send().await, |_| {
        let done = format!("it tagged {id} in {} with {key}", place.region);
        let then = Then::Retag {
            place: place.clone(),
            id: id.to_owned(),
            key: key.to_owned(),
            before: before.map(str::to_owned),
        };
        Deed::new(done, then)
    })
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

/// What EC2 says. Permission is the error `DryRunOperation`; success means that the call was carried out, which
/// `done` puts in words.
fn asked<T, E>(
    reply: Result<T, SdkError<E, Response>>,
    done: impl FnOnce(T) -> Deed,
) -> Result<Answer, Ended>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match reply {
        Ok(reply) => Err(Ended::CarriedOut(Box::new(done(reply)))),
        Err(error) => {
            let error = AwsError::of(&error);
            Ok(match error.is("DryRunOperation") {
                true => Answer::Permitted,
                false => Answer::Refused(error),
            })
        }
    }
}

/// Waits for the answers as long as there is time. What an endpoint has carried out is taken back then, whatever
/// the time.
///
/// # Errors
/// A look that failed, the deadline, a signal, or an endpoint that carries dry runs out.
pub async fn answers(
    job: &Job,
    asking: impl Future<Output = Result<Vec<Finding>, Ended>>,
) -> Result<Vec<Finding>, Failure> {
    // Boxed, as the parts are: each call's future is large, and all of them together fill a stack.
    let asking = Box::pin(asking);
    let asking = async {
        match asking.await {
            Ok(findings) => Ok(Ok(findings)),
            Err(Ended::CarriedOut(deed)) => Ok(Err(deed)),
            Err(Ended::Failed(failure)) => Err(failure),
        }
    };
    match job.in_time(asking).await? {
        Ok(findings) => Ok(findings),
        Err(deed) => Err(Box::pin(carried_out::end(job, *deed)).await),
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
