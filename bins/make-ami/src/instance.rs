//! The source instance, before anything is made: which one it is, and whether it can be imaged.

use crate::job::{Job, Regional};
use crate::plan::STOPPED_TAG;
use crate::settings::Named;
use crate::settings::modes::Consistency;
use crate::settings::volumes::VolumeChanges;
use action::failure::Failure;
use action::wait::{self, Look, Pace};
use aws::error::AwsError;
use aws_sdk_ec2::types::{DeviceType, Instance, InstanceLifecycleType, Tag, Volume};
use ec2::{FindError, Selector, State, state, tag};
use std::time::Duration;

/// What the image's making needs of its instance.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Source {
    /// The instance's id.
    pub(crate) id: String,
    /// Whether it runs; otherwise it is stopped.
    pub(crate) running: bool,
    /// Its EBS volumes, which the image must hold.
    pub(crate) volumes: Vec<Disk>,
    /// The id of its root volume.
    pub(crate) root: Option<String>,
    /// The ids of its other EBS volumes, which the image leaves out.
    pub(crate) left_out: Vec<String>,
    /// The run that stopped it and has not started it again.
    pub(crate) stopped_by: Option<String>,
    /// A tag that it has.
    pub(crate) tag: Option<Tag>,
}

/// An EBS volume of the instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Disk {
    pub(crate) id: String,
    /// Its size in GiB.
    pub(crate) gib: u64,
    /// How many snapshots of it EC2 makes at a time.
    pub(crate) concurrent_snapshots: usize,
    /// The ARN of the key that it is encrypted with, if it is.
    pub(crate) kms_key: Option<String>,
}

impl Source {
    /// The volumes' ids.
    pub(crate) fn volume_ids(&self) -> Vec<String> {
        self.volumes.iter().map(|disk| disk.id.clone()).collect()
    }

    /// The volumes' sizes in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        let sizes = self.volumes.iter().map(|disk| disk.gib);
        sizes.sum::<u64>().saturating_mul(crate::cost::GIB)
    }
}

/// How often an instance that is about to settle is looked at.
const PACE: Pace = Pace {
    first: Duration::from_secs(2),
    longest: Duration::from_secs(10),
};

/// Finds the instance, waits until it has settled, and refuses what cannot be imaged.
pub(crate) async fn find(job: &Job, named: &Named) -> Result<Source, Failure> {
    let (instance, id) = found(job, named).await?;
    check_mode(&instance, &id, job.settings.consistency)?;
    warn_of_spot(&instance, &id, job.settings.consistency);
    with_volumes(job, &instance, id).await
}

/// The same for snapshots of its volumes: whether it may be taken down does not matter.
pub(crate) async fn find_volumes(job: &Job, named: &Named) -> Result<Source, Failure> {
    let (instance, id) = found(job, named).await?;
    with_volumes(job, &instance, id).await
}

async fn found(job: &Job, named: &Named) -> Result<(Instance, String), Failure> {
    let instance = one(&job.home, named).await?;
    let id = instance.instance_id().unwrap_or_default().to_owned();
    let instance = settled(job, instance, &id).await?;
    judge(&instance, &id, &job.home.region)?;
    check_volumes(&instance, &id, &job.settings.volumes)?;
    Ok((instance, id))
}

async fn with_volumes(job: &Job, instance: &Instance, id: String) -> Result<Source, Failure> {
    let source = source(job, instance, id).await?;
    if source.volumes.is_empty() {
        return Err(Failure::refused(format!(
            "EC2 shows no EBS volume of instance {} in {}, so it cannot be checked whether its image is complete; nothing was touched",
            source.id, job.home.region
        )));
    }
    Ok(source)
}

/// Finds the instance of a run whose image is made already: whether it could be imaged now is not asked.
pub(crate) async fn locate(job: &Job, named: &Named) -> Result<Source, Failure> {
    let instance = one(&job.home, named).await?;
    let id = instance.instance_id().unwrap_or_default().to_owned();
    source(job, &instance, id).await
}

async fn source(job: &Job, instance: &Instance, id: String) -> Result<Source, Failure> {
    let (left_out, mapped): (Vec<_>, Vec<_>) = attached(instance)
        .into_iter()
        .partition(|(device, _)| job.settings.volumes.leaves_out(device));
    let root = instance.root_device_name().unwrap_or_default();
    let root = mapped.iter().find(|(device, _)| device == root);
    let root = root.map(|(_, id)| id.clone());
    let ids = |volumes: Vec<(String, String)>| volumes.into_iter().map(|(_, id)| id).collect();
    Ok(Source {
        running: state(instance) == State::Running,
        volumes: volumes(&job.home, ids(mapped), &id).await?,
        root,
        left_out: ids(left_out),
        stopped_by: tag(instance, STOPPED_TAG).map(str::to_owned),
        tag: writable(instance.tags()).cloned(),
        id,
    })
}

/// The first of these tags that anybody but AWS may write.
pub(crate) fn writable(tags: &[Tag]) -> Option<&Tag> {
    tags.iter()
        .find(|tag| tag.key().is_some_and(|key| !key.starts_with("aws:")))
}

/// The one instance that the settings name.
async fn one(regional: &Regional, named: &Named) -> Result<Instance, Failure> {
    let region = &regional.region;
    let selector = match named {
        Named::Id(id) => Selector::Id(id.clone()),
        Named::Tags(tags) => Selector::Tags(tags.0.clone().into_iter().collect()),
        Named::Stack(resource) => Selector::Stack {
            stack: resource.stack.clone(),
            logical_id: resource.logical_id.clone(),
        },
    };
    ec2::find(&regional.ec2, &selector)
        .await
        .map_err(|error| not_found(region, &selector, error))
}

/// Why there is not exactly one instance, in words.
pub(crate) fn not_found(region: &str, selector: &Selector, error: FindError) -> Failure {
    let absent = || {
        Failure::refused(format!("no instance {selector} in {region}; nothing was touched")).hint(
            "check the setting, AWS_REGION and the account of the credentials: an instance of another account looks absent",
        )
    };
    match error {
        FindError::Absent(None) => absent(),
        FindError::Absent(Some(error)) => absent().cause(error),
        FindError::Several(found) => {
            let ids: Vec<_> = found.iter().filter_map(|one| one.instance_id()).collect();
            Failure::refused(format!(
                "{} instances {selector} in {region}, and exactly one can be meant; nothing was touched",
                found.len()
            ))
            .detail(ids.join(", "))
            .hint("add a tag that only one of them has, or give INSTANCE_ID")
        }
        FindError::Aws(error) => {
            let operation = format!("cannot look up instance {selector} in {region}");
            error.failure(operation, "ec2:DescribeInstances")
        }
    }
}

/// Waits while the instance starts or stops; EC2 refuses to image it until then
/// (<https://github.com/hashicorp/packer/issues/9579>).
async fn settled(job: &Job, instance: Instance, id: &str) -> Result<Instance, Failure> {
    if !state(&instance).is_settling() || job.context.dry_run {
        return Ok(instance);
    }
    let what = format!("instance {id} in {} to settle", job.home.region);
    let named = Named::Id(id.to_owned());
    let look = async || {
        let instance = one(&job.home, &named).await?;
        let state = state(&instance);
        Ok(match state.is_settling() {
            true => Look::NotYet(format!("it is {state}")),
            false => Look::There(instance),
        })
    };
    let (deadline, interrupt) = (job.context.deadline, &job.context.interrupt);
    let waited = wait::until(&what, deadline, interrupt, PACE, look).await;
    waited.map_err(|ended| ended.into_failure(&what))
}

fn judge(instance: &Instance, id: &str, region: &str) -> Result<(), Failure> {
    let state = state(instance);
    if state.is_final() || state == State::Unknown {
        let failure = Failure::refused(format!(
            "instance {id} in {region} is {state}; only a running or stopped one can be imaged"
        ));
        return Err(
            match instance.state_reason().and_then(|reason| reason.message()) {
                Some(reason) => failure.cause(reason),
                None => failure,
            },
        );
    }
    if instance.root_device_type() == Some(&DeviceType::InstanceStore) {
        return Err(Failure::refused(format!(
            "instance {id} in {region} has no EBS root volume; CreateImage needs one"
        )));
    }
    let reason = instance.state_reason().and_then(|reason| reason.code());
    if reason.is_some_and(|code| code.contains("Hibernate")) {
        return Err(Failure::refused(format!(
            "instance {id} in {region} is hibernated: its memory is on its volume and its file systems are not whole"
        ))
        .hint("start it, stop it without hibernating, and run again"));
    }
    Ok(())
}

/// Refuses modes that this instance would not survive, and says what is odd.
fn check_mode(instance: &Instance, id: &str, mode: Consistency) -> Result<(), Failure> {
    // Auto Scaling tags its instances: https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-tagging.html
    if let Some(group) = tag(instance, "aws:autoscaling:groupName")
        && mode.takes_it_down()
    {
        return Err(Failure::refused(format!(
            "instance {id} is of Auto Scaling group {group}, which replaces it as soon as it is down for a {mode} image; nothing was touched"
        ))
        .hint("use no-reboot or quiesce; on standby it would still be the group's: detach it first (aws autoscaling detach-instances) where it must stand still"));
    }
    let runs = state(instance) == State::Running;
    if mode == Consistency::Quiesce && !runs {
        return Err(Failure::refused(format!(
            "instance {id} does not run, so there is nothing to quiesce; nothing was touched"
        ))
        .hint("a stopped instance is still by itself: use no-reboot"));
    }
    if mode == Consistency::NoReboot && runs {
        tracing::warn!(
            "no-reboot: the image is as after a power cut; what {id} has not written to its volumes will be missing"
        );
    }
    Ok(())
}

/// Says what is odd about a Spot Instance. Whether EC2 stops one it says when it is asked to.
fn warn_of_spot(instance: &Instance, id: &str, mode: Consistency) {
    if instance.instance_lifecycle() != Some(&InstanceLifecycleType::Spot) {
        return;
    }
    tracing::warn!(
        "instance {id} is a Spot Instance: an interruption while it is imaged fails the image"
    );
    if mode == Consistency::Stop && state(instance) == State::Running {
        tracing::warn!(
            "{id} is a Spot Instance: EC2 stops only those of persistent requests, and starts it again only while there is Spot capacity"
        );
    }
}

/// The devices of the instance's EBS volumes, and their ids.
fn attached(instance: &Instance) -> Vec<(String, String)> {
    let mapped = instance.block_device_mappings().iter();
    mapped
        .filter_map(|mapping| {
            let volume = mapping.ebs()?.volume_id()?.to_owned();
            let device = mapping.device_name().unwrap_or_default().to_owned();
            Some((device, volume))
        })
        .collect()
}

/// Refuses changes to volumes that the instance does not have, and an image without its root volume.
fn check_volumes(instance: &Instance, id: &str, changes: &VolumeChanges) -> Result<(), Failure> {
    let attached = attached(instance);
    let has = |device: &str| attached.iter().any(|(known, _)| known == device);
    if let Some(device) = changes.0.keys().find(|device| !has(device)) {
        let known: Vec<&str> = attached.iter().map(|(known, _)| known.as_str()).collect();
        return Err(Failure::refused(format!(
            "MAKE_AMI_VOLUME names {device}, and instance {id} has no EBS volume there; nothing was touched"
        ))
        .hint(format!("its devices are {}", known.join(", "))));
    }
    let root = instance.root_device_name().unwrap_or_default();
    if changes.leaves_out(root) {
        return Err(Failure::refused(format!(
            "MAKE_AMI_VOLUME leaves out {root}, the root volume of instance {id}: an image without it starts nowhere; nothing was touched"
        )));
    }
    Ok(())
}

async fn volumes(regional: &Regional, ids: Vec<String>, id: &str) -> Result<Vec<Disk>, Failure> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let call = regional.ec2.describe_volumes();
    let call = call.set_volume_ids(Some(ids.clone()));
    let reply = call.send().await.map_err(|error| {
        let operation = format!("cannot look up the volumes of {id} in {}", regional.region);
        AwsError::of(&error).failure(operation, "ec2:DescribeVolumes")
    })?;
    let told = |id: &&String| {
        let mut volumes = reply.volumes().iter();
        volumes.any(|volume| volume.volume_id() == Some(id.as_str()))
    };
    // The image must hold each of them: one that is left out here would be missed by nobody.
    if let Some(untold) = ids.iter().find(|id| !told(id)) {
        return Err(Failure::failed(format!(
            "cannot look up the volumes of {id} in {}: EC2 says nothing about {untold}",
            regional.region
        )));
    }
    Ok(reply.volumes().iter().map(disk).collect())
}

fn disk(volume: &Volume) -> Disk {
    let kind = volume.volume_type().map_or("", |kind| kind.as_str());
    Disk {
        id: volume.volume_id().unwrap_or_default().to_owned(),
        gib: volume
            .size()
            .and_then(|gib| u64::try_from(gib).ok())
            .unwrap_or_default(),
        // https://repost.aws/knowledge-center/ebs-snapshot-stuck: pending ones per volume.
        concurrent_snapshots: if ["st1", "sc1"].contains(&kind) { 1 } else { 5 },
        kms_key: volume
            .encrypted()
            .unwrap_or_default()
            .then(|| volume.kms_key_id().unwrap_or("alias/aws/ebs").to_owned()),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::{check_mode, judge};
    use crate::settings::modes::Consistency;
    use aws_sdk_ec2::types::{Instance, InstanceState, InstanceStateName, StateReason, Tag};

    fn instance(state: InstanceStateName, reason: &str) -> Instance {
        Instance::builder()
            .state(InstanceState::builder().name(state).build())
            .state_reason(StateReason::builder().code(reason).message(reason).build())
            .build()
    }

    #[test]
    fn only_running_and_stopped_instances_are_imaged() {
        let reason = "Client.UserInitiatedShutdown";
        for state in [InstanceStateName::Running, InstanceStateName::Stopped] {
            assert!(judge(&instance(state, reason), "i-1", "eu-west-1").is_ok());
        }
        let gone = instance(InstanceStateName::Terminated, reason);
        let failure = judge(&gone, "i-1", "eu-west-1").unwrap_err();
        assert_eq!(failure.exit().code(), 2);
        assert!(failure.to_string().contains("is terminated"), "{failure}");
        assert!(failure.to_string().contains(reason), "{failure}");
    }

    #[test]
    fn a_hibernated_instance_is_not_whole() {
        let asleep = instance(InstanceStateName::Stopped, "Client.UserInitiatedHibernate");
        let failure = judge(&asleep, "i-1", "eu-west-1").unwrap_err();
        assert!(failure.to_string().contains("is hibernated"), "{failure}");
    }

    #[test]
    fn an_instance_of_a_group_is_not_taken_down() {
        let member = Instance::builder()
            .state(
                InstanceState::builder()
                    .name(InstanceStateName::Running)
                    .build(),
            )
            .tags(
                Tag::builder()
                    .key("aws:autoscaling:groupName")
                    .value("web")
                    .build(),
            )
            .build();
        for (mode, is_fine) in [
            (Consistency::NoReboot, true),
            (Consistency::Quiesce, true),
            (Consistency::Reboot, false),
            (Consistency::Stop, false),
        ] {
            assert_eq!(check_mode(&member, "i-1", mode).is_ok(), is_fine, "{mode}");
        }
    }
}
