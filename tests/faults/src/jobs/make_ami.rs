//! `make-ami`: an image of an instance; what it makes is the image, with its snapshot.

use harness::Program;
use harness::server::Server;
use harness::xml::{all, one};

use super::{Job, World, instance, runs, unless_is};

/// The instance runs; with `stop` it is stopped for the image, and must run again afterwards.
pub(super) fn prepare<'a>(way: &str, world: &'a World<'a>) -> Option<Job<'a>> {
    let World { server, name, .. } = *world;
    let instance = instance(server, name);
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
        all(&images, "imageId")
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let stops = way == "stop";
    Some(Job {
        program,
        wrong: Box::new(move |exports| {
            let newest = images().pop().unwrap_or_default();
            unless_is(exports, "AMI_ID", &newest).or_else(|| unless_is(exports, "AMI_NAME", name))
        }),
        made: Box::new(move || {
            let mut made = images();
            // An instance that was left stopped is left over too.
            if stops && !runs(server, &instance) {
                made.push(instance.clone());
            }
            made
        }),
    })
}

/// Snapshots that moto made for images which are gone.
pub(super) fn orphans(server: &Server) -> Vec<String> {
    let images = server.query("ec2", "DescribeImages", &[]);
    let images = all(&images, "imageId");
    let snapshots = server.query("ec2", "DescribeSnapshots", &[]);
    let snapshots = snapshots.split("<snapshotId>").skip(1).filter(|snapshot| {
        let made_for = one(snapshot, "description").rsplit(' ').next();
        made_for.is_some_and(|image| image.starts_with("ami-") && !images.contains(&image))
    });
    let ids = snapshots.filter_map(|snapshot| snapshot.split('<').next());
    ids.map(str::to_owned).collect()
}
