//! The small EC2, asked over HTTP.

use harness::FakeAws;
use harness::ec2::{Ec2World, Image, Instance, Outcome};

use crate::client::ec2;

const INSTANCE: &str = "i-0123456789abcdef0";

fn served(instance: Instance) -> (FakeAws, Ec2World) {
    let (fake, world) = (FakeAws::start(), Ec2World::with([instance]));
    world.serve(&fake);
    (fake, world)
}

fn body(fake: &FakeAws, form: &str) -> String {
    ec2(fake, form).unwrap().body
}

fn create(fake: &FakeAws) -> String {
    let tags = "TagSpecification.1.ResourceType=snapshot&TagSpecification.1.Tag.1.Key=run&TagSpecification.1.Tag.1.Value=7";
    body(
        fake,
        &format!("Action=CreateImage&InstanceId={INSTANCE}&Name=web-42&{tags}"),
    )
}

#[test]
fn an_image_is_pending_then_available_and_its_snapshots_are_completed() {
    let (fake, world) = served(Instance::running(INSTANCE));
    world.outcomes([Outcome::Available { after_polls: 2 }]);
    assert!(create(&fake).contains("<imageId>ami-00000000000000001</imageId>"));
    let states = [(); 3].map(|()| {
        let answer = body(
            &fake,
            "Action=DescribeImages&ImageId.1=ami-00000000000000001",
        );
        let (_, rest) = answer.split_once("<imageState>").unwrap();
        rest.split_once('<').unwrap().0.to_owned()
    });
    assert_eq!(states, ["pending", "pending", "available"]);
    let snapshots = body(
        &fake,
        "Action=DescribeSnapshots&Filter.1.Name=tag:run&Filter.1.Value.1=7",
    );
    assert!(
        snapshots.contains("<status>completed</status>") && snapshots.contains("<progress>100%")
    );
    fake.assert_all_scripted();
}

#[test]
fn an_image_can_fail_with_a_reason_or_be_invisible_at_first() {
    let (fake, world) = served(Instance::running(INSTANCE));
    let (code, message) = ("Client.InstanceTerminated".to_owned(), "gone".to_owned());
    world.outcomes([Outcome::Failed {
        after_polls: 0,
        code,
        message,
    }]);
    world.hide_new_images(1);
    create(&fake);
    let ask = "Action=DescribeImages&ImageId.1=ami-00000000000000001";
    assert!(body(&fake, ask).contains("InvalidAMIID.NotFound"));
    let failed = body(&fake, ask);
    assert!(
        failed.contains("<imageState>failed</imageState>"),
        "{failed}"
    );
    assert!(
        failed.contains("<code>Client.InstanceTerminated</code>"),
        "{failed}"
    );
}

#[test]
fn names_are_unique_and_dry_runs_change_nothing() {
    let (fake, world) = served(Instance::running(INSTANCE));
    let dry = body(
        &fake,
        &format!("Action=CreateImage&InstanceId={INSTANCE}&Name=web-42&DryRun=true"),
    );
    assert!(dry.contains("DryRunOperation") && world.images().is_empty());
    create(&fake);
    assert!(create(&fake).contains("already in use by AMI ami-00000000000000001"));
    assert!(
        body(
            &fake,
            "Action=CreateImage&InstanceId=i-0fffffffffffffff0&Name=abc"
        )
        .contains("InvalidInstanceID.NotFound")
    );
}

#[test]
fn deregistering_may_take_the_snapshots_along() {
    let (fake, world) = served(Instance::running(INSTANCE));
    world.add_image(Image::available("ami-1", "old-1").tag("keep", "no"));
    world.add_image(Image::available("ami-2", "old-2"));
    let found = body(
        &fake,
        "Action=DescribeImages&Filter.1.Name=name&Filter.1.Value.1=old-*&Filter.2.Name=tag-key&Filter.2.Value.1=keep",
    );
    assert!(found.contains("ami-1") && !found.contains("ami-2"));
    assert!(
        body(&fake, "Action=DeleteSnapshot&SnapshotId=snap-1").contains("InvalidSnapshot.InUse")
    );
    body(&fake, "Action=DeregisterImage&ImageId=ami-1");
    assert_eq!(world.snapshots().len(), 2);
    body(&fake, "Action=DeleteSnapshot&SnapshotId=snap-1");
    body(
        &fake,
        "Action=DeregisterImage&ImageId=ami-2&DeleteAssociatedSnapshots=true",
    );
    assert!(world.images().is_empty() && world.snapshots().is_empty());
}

#[test]
fn an_instance_starts_in_its_own_time() {
    let (fake, world) = served(Instance::stopped(INSTANCE));
    world.slow_starts(1);
    assert!(body(&fake, "Action=DescribeInstances").contains("<name>stopped</name>"));
    let started = body(
        &fake,
        &format!("Action=StartInstances&InstanceId.1={INSTANCE}"),
    );
    assert!(started.contains("<name>pending</name>"), "{started}");
    assert!(body(&fake, "Action=DescribeInstances").contains("<name>pending</name>"));
    let running = body(&fake, "Action=DescribeInstances");
    assert!(
        running.contains("<ipAddress>203.0.113.10</ipAddress>"),
        "{running}"
    );
}
