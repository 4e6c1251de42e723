//! `make-ami`: an image of an instance; what it makes are the image and its snapshot.

use harness::Program;
use harness::xml::{all, one};

use super::{Job, World, instance, unless_is};

/// The instance runs; with `stop` it is stopped for the image, and must run again afterwards.
pub(super) fn prepare<'a>(way: &str, world: &'a World<'a>) -> Option<Job<'a>> {
    let World { server, name, .. } = *world;
    let instance = instance(server, name);
    let found = server.query("ec2", "DescribeInstances", &[("InstanceId.1", &instance)]);
    let volume = one(&found, "volumeId").to_owned();
    let mut program = Program::of_workspace("make-ami")?
        .env("INSTANCE_ID", &instance)
        .env("AMI_NAME", name)
        // moto knows no tags of snapshots in CreateImage.
        .env("MAKE_AMI_SNAPSHOT_TAGS", "after");
    if way == "stop" {
        program = program.env("MAKE_AMI_CONSISTENCY", "stop");
    }
    let images = move || {
        let filter = [("Filter.1.Name", "name"), ("Filter.1.Value.1", name)];
        let images = server.query("ec2", "DescribeImages", &filter);
        all(&images, "imageId").into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let is_stopped = way == "stop";
    let state = move || {
        let found = server.query("ec2", "DescribeInstances", &[("InstanceId.1", &instance)]);
        one(one(&found, "instanceState"), "name").to_owned()
    };
    Some(Job {
        program,
        wrong: Box::new(move |exports| {
            let newest = images().pop().unwrap_or_default();
            unless_is(exports, "AMI_ID", &newest).or_else(|| unless_is(exports, "AMI_NAME", name))
        }),
        made: Box::new(move || {
            let filter = [("Filter.1.Name", "volume-id"), ("Filter.1.Value.1", volume.as_str())];
            let snapshots = server.query("ec2", "DescribeSnapshots", &filter);
            let snapshots = all(&snapshots, "snapshotId").into_iter().map(str::to_owned);
            let mut made: Vec<String> = images().into_iter().chain(snapshots).collect();
            // An instance that was left stopped is left over too.
            if is_stopped && !["running", "pending"].contains(&state().as_str()) {
                made.push(one(&server.query("ec2", "DescribeVolumes", &[("VolumeId.1", &volume)]), "instanceId").to_owned());
            }
            made
        }),
    })
}
