//! Asking EC2, by its own DryRun, whether every change that the run would make is permitted.
//!
//! An endpoint that carries a dry run out ends the asking at once. It is found out by a call that changes nothing
//! where that can be had: a resource gets a tag that it has already.

use crate::dry_run::carried_out;
use crate::dry_run::finding::{Answer, Ended, Finding, NO_DRY_RUN};
use crate::dry_run::image_changes::{creating, stopping};
use crate::dry_run::later_changes::{earlier_image, later_changes, tagging};
use crate::dry_run::removal::{honest, removal};
use crate::image::describe::tag;
use crate::instance::Source;
use crate::job::Job;
use crate::plan::{FROZEN_TAG, Plan};
use crate::settings::modes::Consistency;
use action::failure::Failure;
use aws_sdk_ec2::types::Image;
use std::collections::BTreeMap;

/// Asks about every call that the run would make; about none that makes an image where one is adopted.
pub(crate) async fn check(
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
pub(crate) async fn check_the_rest(
    job: &Job,
    image: &Image,
    tags: &BTreeMap<String, String>,
) -> Result<Vec<Finding>, Ended> {
    let mut findings = Box::pin(removal(&job.home, Some(image))).await?;
    findings.extend(Box::pin(later_changes(job, Some(image), tags)).await?);
    Ok(findings)
}

/// Waits for the answers as long as there is time. What an endpoint has carried out is taken back then, whatever
/// the time.
pub(crate) async fn answers(
    job: &Job,
    asking: impl Future<Output = Result<Vec<Finding>, Ended>>,
) -> Result<Vec<Finding>, Failure> {
    // Boxed, as the parts are: each call's future is large, and all of them together fill a stack.
    let asking = Box::pin(asking);
    let asking = async {
        match asking.await {
            Ok(findings) => Ok(Ok(findings)),
            Err(Ended::CarriedOut(operation)) => Ok(Err(operation)),
            Err(Ended::Failed(failure)) => Err(failure),
        }
    };
    match job.in_time(asking).await? {
        Ok(findings) => Ok(findings),
        Err(operation) => Err(Box::pin(carried_out::end(job, *operation)).await),
    }
}
