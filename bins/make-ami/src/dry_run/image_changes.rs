//! Whether the image may be made, and its instance stopped for it.

use crate::cleanup::undo;
use crate::dry_run::carried_out::{Operation, Then};
use crate::dry_run::finding::{Answer, Ended, Finding, asked, name_is_ours};
use crate::image::create::{is_worthless, request};
use crate::image::describe::{named, run};
use crate::instance::Source;
use crate::job::Job;
use crate::journal::Journal;
use crate::plan::{Plan, STOPPED_TAG};
use crate::settings::modes::Consistency;
use aws_sdk_ec2::types::{Image, Tag};

/// Whether the image may be made.
pub(crate) async fn creating(job: &Job, plan: &Plan) -> Result<Answer, Ended> {
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
            Some(id) => Operation::new(
                words(&format!("image {id}")),
                Then::Remove(job.home.clone(), id),
            ),
            None => {
                let perhaps = undo::possible_orphan_image(&job.home, &Journal::of(&plan.run));
                Operation::new(words("an image without an id"), Then::Stays(vec![perhaps]))
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
pub(crate) async fn stopping(
    job: &Job,
    plan: &Plan,
    source: &Source,
) -> Result<Vec<Finding>, Ended> {
    let (ec2, id, region) = (&job.home.ec2, &source.id, &job.home.region);
    let before = source.stopped_by.clone();
    let retag = || Then::Retag {
        regional: job.home.clone(),
        id: id.clone(),
        key: STOPPED_TAG.to_owned(),
        before: before.clone(),
    };
    let tag = Tag::builder().key(STOPPED_TAG).value(&plan.run).build();
    let mark = ec2.create_tags().resources(id).tags(tag);
    let done = format!("it tagged instance {id} in {region} with {STOPPED_TAG}");
    let mark = asked(mark.dry_run(true).send().await, |_| {
        Operation::new(done, retag())
    })?;
    let stop = ec2.stop_instances().instance_ids(id);
    let done = format!("it stopped instance {id} in {region}");
    let stop = asked(stop.dry_run(true).send().await, |_| {
        Operation::new(done, Then::Start(id.clone()))
    })?;
    let unmark = ec2.delete_tags().resources(id);
    let unmark = unmark.tags(Tag::builder().key(STOPPED_TAG).build());
    let done = format!("it removed the tag {STOPPED_TAG} of instance {id} in {region}");
    let unmark = asked(unmark.dry_run(true).send().await, |_| match before {
        Some(_) => Operation::new(done, retag()),
        None => Operation::new(done, Then::Nothing),
    })?;
    let start = ec2.start_instances().instance_ids(id);
    let done = format!("it started instance {id} in {region}, which ran already");
    let start = asked(start.dry_run(true).send().await, |_| {
        Operation::new(done, Then::Nothing)
    })?;
    Ok(vec![
        Finding::new("ec2:CreateTags on the instance", mark),
        Finding::new("ec2:StopInstances", stop),
        Finding::new("ec2:DeleteTags on the instance", unmark),
        Finding::new("ec2:StartInstances", start),
    ])
}
