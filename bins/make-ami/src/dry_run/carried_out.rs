//! What becomes of a dry run where the endpoint does what it was only asked about: EC2 answers a DryRun with an
//! error, always, and some that speak its language carry the call out.

use crate::cleanup::undo;
use crate::consistency::stop;
use crate::image::tags::sdk_tags;
use crate::job::{Job, Regional};
use action::failure::{Failure, Remainder, ResourceKind};
use aws::error::AwsError;
use aws_sdk_ec2::types::Tag;
use std::collections::BTreeMap;

/// What an endpoint did.
#[derive(Debug)]
pub(crate) struct Operation {
    /// In words, such as "it stopped instance i-…".
    done: String,
    then: Then,
}

/// How it is taken back.
#[derive(Debug)]
pub(crate) enum Then {
    /// Nothing is other than before.
    Nothing,
    /// The image goes, with its snapshots.
    Remove(Regional, String),
    /// The snapshots go.
    Delete(Regional, Vec<String>),
    /// The tag of a resource goes, or has its value from before again.
    Retag {
        /// Where the resource is.
        regional: Regional,
        id: String,
        /// The tag's key.
        key: String,
        /// Its value from before.
        before: Option<String>,
    },
    /// The instance is started again.
    Start(String),
    /// It cannot be taken back safely, or not by what this program may call: this is listed.
    Stays(Vec<Remainder>),
}

impl Operation {
    /// `done` was done.
    pub(crate) fn new(done: impl Into<String>, then: Then) -> Self {
        Self {
            done: done.into(),
            then,
        }
    }
}

/// Takes it back as far as that is safe, and gives the failure that ends the dry run: what was done, and what
/// remains of it.
pub(crate) async fn end(job: &Job, operation: Operation) -> Failure {
    job.give_time_to_undo();
    let Operation { done, then } = operation;
    let failure = Failure::failed(format!("this endpoint carries dry runs out: {done}")).hint(
        "AWS never carries a DryRun out: check AWS_ENDPOINT_URL; nothing more was asked, for --dry-run cannot know here what is permitted",
    );
    tracing::warn!("this endpoint carries dry runs out: {done}");
    match then {
        Then::Nothing => failure.detail("nothing was changed"),
        Then::Stays(left) => left.into_iter().fold(failure, Failure::leaving),
        Then::Remove(regional, image_id) => {
            let left = undo::remove(&regional, &image_id).await;
            match left.is_empty() {
                true => failure.detail("the image is removed again, with its snapshots"),
                false => left.into_iter().fold(failure, Failure::leaving),
            }
        }
        Then::Delete(regional, ids) => {
            let mut left = Vec::new();
            for id in &ids {
                left.extend(undo::delete_snapshot(&regional, id).await);
            }
            match left.is_empty() {
                true => failure.detail("the snapshots are deleted again"),
                false => left.into_iter().fold(failure, Failure::leaving),
            }
        }
        Then::Start(id) => match stop::start(job, &id).await {
            Ok(()) => failure.detail("the instance was started again, and runs"),
            Err(worse) => failure.and(worse),
        },
        Then::Retag {
            regional,
            id,
            key,
            before,
        } => match retag(&regional, &id, &key, before.as_deref()).await {
            Ok(()) => failure.detail("the tag is as it was before"),
            Err(error) => {
                failure.leaving(tag_left(&regional, &id, &key, before.as_deref(), &error))
            }
        },
    }
}

async fn retag(
    regional: &Regional,
    id: &str,
    key: &str,
    before: Option<&str>,
) -> Result<(), AwsError> {
    match before {
        Some(value) => {
            let tags = BTreeMap::from([(key.to_owned(), value.to_owned())]);
            let call = regional.ec2.create_tags().resources(id);
            let tagged = call.set_tags(Some(sdk_tags(&tags))).send().await;
            tagged.map(drop).map_err(|error| AwsError::of(&error))
        }
        None => {
            let tag = Tag::builder().key(key).build();
            let call = regional.ec2.delete_tags().resources(id).tags(tag);
            let untagged = call.send().await;
            untagged.map(drop).map_err(|error| AwsError::of(&error))
        }
    }
}

fn tag_left(
    regional: &Regional,
    id: &str,
    key: &str,
    before: Option<&str>,
    error: &AwsError,
) -> Remainder {
    let region = &regional.region;
    let command = match before {
        Some(value) => format!(
            "create-tags --region {region} --resources {id} --tags 'Key={key},Value={value}'"
        ),
        None => format!("delete-tags --region {region} --resources {id} --tags Key={key}"),
    };
    Remainder::new(
        regional.resource(ResourceKind::Tag, &format!("{id}/{key}")),
        format!("the tag {key} of {id} in {region} ({error})"),
        format!("aws ec2 {command}"),
    )
}
