//! Asking EC2, by its own DryRun, whether every change that the run would make is permitted.
//!
//! An endpoint that carries a dry run out ends the asking at once. It is found out by a call that changes nothing
//! where that can be had: a resource gets a tag that it has already.

mod changes;
mod making;

use super::carried_out::{self, Deed, Then};
use super::images::{snapshot_ids, tag, tagged};
use super::instance::{Source, writable};
use crate::job::{Job, Place};
use crate::plan::{APP_TAG, FROZEN_TAG, Plan, SOURCE_TAG};
use crate::settings::modes::Consistency;
use crate::undo;
use action::exit::Exit;
use action::failure::{Failure, Remainder, ResourceKind};
use aws::error::AwsError;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::types::{Image, Tag};
use aws_smithy_runtime_api::http::Response;
use changes::{later_changes, tagging};
use making::{creating, stopping};
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
