//! Whether an image may be removed.

use crate::cleanup::undo;
use crate::dry_run::carried_out::{Operation, Then};
use crate::dry_run::finding::{Answer, Ended, Finding, NO_IMAGE, asked};
use crate::image::describe::snapshot_ids;
use crate::instance::writable;
use crate::job::Regional;
use action::failure::{Remainder, ResourceKind};
use aws_sdk_ec2::types::{Image, Tag};

/// Whether an image and its snapshots may be removed.
pub(crate) async fn removal(
    regional: &Regional,
    image: Option<&Image>,
) -> Result<Vec<Finding>, Ended> {
    let mut findings = Vec::new();
    let mut add = |action: &str, answer| findings.push(Finding::new(action, answer));
    let Some((image, id)) = image.and_then(|image| Some((image, image.image_id()?))) else {
        add("ec2:DeregisterImage", Answer::Open(NO_IMAGE));
        add("ec2:DeleteSnapshot", Answer::Open(NO_IMAGE));
        return Ok(findings);
    };
    let region = &regional.region;
    // What is gone comes back from nobody, so the endpoint must not be of that kind.
    Box::pin(honest(regional, id, writable(image.tags()))).await?;
    let call = regional.ec2.deregister_image().image_id(id);
    let answer = asked(call.dry_run(true).send().await, |_| {
        let left = snapshot_ids(image).into_iter().map(|snapshot| {
            Remainder::new(
                regional.resource(ResourceKind::Snapshot, &snapshot),
                format!("snapshot {snapshot} in {region}, of image {id}, which is gone; `aws ec2 register-image` makes an image of it"),
                undo::delete_snapshot_command(regional, &snapshot),
            )
        });
        let done = format!("it deregistered image {id} in {region}, which cannot be taken back");
        Operation::new(done, Then::Stays(left.collect()))
    })?;
    add("ec2:DeregisterImage", answer);
    let answer = match snapshot_ids(image).into_iter().next() {
        Some(snapshot) => {
            let call = regional.ec2.delete_snapshot().snapshot_id(&snapshot);
            let done =
                format!("it deleted snapshot {snapshot} in {region}, which cannot be taken back");
            in_use(asked(call.dry_run(true).send().await, |_| {
                Operation::new(done, Then::Stays(Vec::new()))
            })?)
        }
        None => Answer::Open(NO_IMAGE),
    };
    add("ec2:DeleteSnapshot", answer);
    Ok(findings)
}

/// Finds out whether the endpoint carries dry runs out, by one that would change nothing: the resource gets a tag
/// that it has. Whether that is permitted does not matter.
pub(crate) async fn honest(regional: &Regional, id: &str, tag: Option<&Tag>) -> Result<(), Ended> {
    let Some(tag) = tag else { return Ok(()) };
    let key = tag.key().unwrap_or_default();
    let done = format!(
        "it gave {id} in {} the tag {key}, which it had already",
        regional.region
    );
    let call = regional.ec2.create_tags().resources(id).tags(tag.clone());
    let reply = call.dry_run(true).send().await;
    asked(reply, |_| Operation::new(done, Then::Nothing)).map(drop)
}

/// The snapshot that is asked with belongs to an image; that alone is no refusal.
fn in_use(answer: Answer) -> Answer {
    match answer {
        Answer::Refused(error) if error.is("InvalidSnapshot.InUse") => Answer::Permitted,
        answer => answer,
    }
}
