//! Copies in other regions, sharing, deprecation.

use std::time::Duration;

use aws_sdk_ec2::primitives::DateTime;
use aws_sdk_ec2::types::{
    CreateVolumePermission, CreateVolumePermissionModifications, ImageState, LaunchPermission,
    LaunchPermissionModifications, ResourceType, Tag, TagSpecification,
};
use harness::FakeAws;
use harness::ec2::{Course, Ec2World, Image, Snapshot};
use tokio::time::{Instant, sleep};

use crate::{client, sdk};

const KEY: &str = "arn:aws:kms:eu-central-1:123456789012:key/2";

/// A world with one image in eu-west-1.
fn world() -> (FakeAws, Ec2World) {
    let (fake, world) = (FakeAws::offline(), Ec2World::new());
    world.serve(&fake);
    let image = Image::available("ami-00000000000000aaa", "web-42");
    world.add_image(image.tag("app", "web").tag("aws:x", "y"));
    (fake, world)
}

#[tokio::test(start_paused = true)]
async fn a_copy_is_made_in_the_region_that_is_asked_once_for_a_token() {
    let (fake, world) = world();
    let started = Instant::now();
    world.clock(move || started.elapsed());
    world.copy_outcomes([Course::available(Duration::from_secs(600))]);
    let frankfurt = aws_sdk_ec2::Client::new(&sdk::config(&fake, "eu-central-1"));
    let tags = TagSpecification::builder()
        .resource_type(ResourceType::Snapshot)
        .tags(Tag::builder().key("run").value("7").build());
    let copy = frankfurt
        .copy_image()
        .source_region("eu-west-1")
        .source_image_id("ami-00000000000000aaa")
        .name("web-42")
        .client_token("once")
        .copy_image_tags(true)
        .encrypted(true)
        .kms_key_id(KEY)
        .tag_specifications(tags.build());
    let first = copy.clone().send().await.unwrap().image_id.unwrap();
    let second = copy.clone().send().await.unwrap().image_id.unwrap();
    assert_eq!(first, second);
    let other = copy.clone().name("web-43").send().await;
    assert_eq!(sdk::code(other), "IdempotentParameterMismatch");
    let again = copy.client_token("twice").send().await;
    assert_eq!(sdk::code(again), "InvalidAMIName.Duplicate");

    assert_eq!(world.images().len(), 1);
    let copied = &world.images_in("eu-central-1")[0];
    assert_eq!(copied.tags, [("app".to_owned(), "web".to_owned())]);
    assert_eq!(
        copied.source_image,
        Some(("eu-west-1".to_owned(), "ami-00000000000000aaa".to_owned()))
    );
    let snapshot = &world.snapshots_in("eu-central-1")[0];
    assert_eq!(snapshot.kms_key.as_deref(), Some(KEY));
    assert_eq!(snapshot.tags, [("run".to_owned(), "7".to_owned())]);

    let at_home = sdk::ec2(&fake).describe_images().image_ids(&first);
    assert_eq!(sdk::code(at_home.send().await), "InvalidAMIID.NotFound");
    let state = || async {
        let found = frankfurt.describe_images().image_ids(&first).send().await;
        found.unwrap().images()[0].state().cloned()
    };
    sleep(Duration::from_secs(599)).await;
    assert_eq!(state().await, Some(ImageState::Pending));
    sleep(Duration::from_secs(1)).await;
    assert_eq!(state().await, Some(ImageState::Available));
    assert_eq!(world.snapshots_in("eu-central-1")[0].state, "completed");
}

#[tokio::test]
async fn only_an_available_image_is_copied() {
    let (fake, world) = world();
    world.change_image("ami-00000000000000aaa", |image| {
        image.state = "pending".to_owned();
    });
    let copy = sdk::ec2(&fake).copy_image().name("web-43");
    let copy = copy.source_region("eu-west-1");
    let pending = copy.clone().source_image_id("ami-00000000000000aaa");
    assert_eq!(sdk::code(pending.send().await), "InvalidAMIID.Unavailable");
    let absent = copy
        .source_region("eu-west-3")
        .source_image_id("ami-0000000000000beef");
    assert_eq!(sdk::code(absent.send().await), "InvalidAMIID.NotFound");
}

#[tokio::test]
async fn images_and_snapshots_are_shared_but_not_with_the_default_key() {
    let (fake, world) = world();
    let (ec2, organisation) = (sdk::ec2(&fake), "arn:aws:organizations::1:organization/o-1");
    world.aws_managed_key(KEY);
    world.add_snapshot(Snapshot::completed("snap-dead").encrypted(KEY));
    let permissions = LaunchPermissionModifications::builder()
        .add(LaunchPermission::builder().user_id("210987654321").build())
        .add(
            LaunchPermission::builder()
                .organization_arn(organisation)
                .build(),
        );
    let share = ec2.modify_image_attribute();
    let share = share.image_id("ami-00000000000000aaa");
    let share = share.launch_permission(permissions.build());
    share.send().await.unwrap();
    assert_eq!(
        world.images()[0].shared_with,
        ["210987654321", organisation]
    );
    let permission = CreateVolumePermission::builder().user_id("210987654321");
    let permissions = CreateVolumePermissionModifications::builder().add(permission.build());
    let share = |id: &str| {
        let share = ec2.modify_snapshot_attribute().snapshot_id(id);
        share
            .create_volume_permission(permissions.clone().build())
            .send()
    };
    share("snap-00000000000000aaa").await.unwrap();
    assert_eq!(world.snapshots()[0].shared_with, ["210987654321"]);
    assert_eq!(sdk::code(share("snap-dead").await), "OperationNotPermitted");
}

#[tokio::test]
async fn an_image_is_deprecated_to_the_minute_and_disabled_images_hide() {
    let (fake, world) = world();
    let ec2 = sdk::ec2(&fake);
    let deprecate = |seconds: i64| {
        let now = DateTime::from(world.now()).secs();
        let time = DateTime::from_secs(now - now % 60 + seconds);
        let deprecate = ec2.enable_image_deprecation();
        deprecate
            .image_id("ami-00000000000000aaa")
            .deprecate_at(time)
            .send()
    };
    deprecate(7 * 86_400 + 29).await.unwrap();
    let images = ec2.describe_images().send().await.unwrap();
    let shown = images.images()[0].deprecation_time().unwrap().to_owned();
    assert!(shown.ends_with(":00.000Z"), "{shown}");
    assert_eq!(world.images()[0].deprecation, Some(shown));
    assert_eq!(sdk::code(deprecate(-3600).await), "InvalidParameterValue");
    assert_eq!(
        sdk::code(deprecate(11 * 366 * 86_400).await),
        "InvalidParameterValue"
    );
    let disable = ec2.disable_image().image_id("ami-00000000000000aaa");
    disable.send().await.unwrap();
    assert!(
        ec2.describe_images()
            .send()
            .await
            .unwrap()
            .images()
            .is_empty()
    );
    let all = ec2.describe_images().include_disabled(true).send().await;
    assert_eq!(
        all.unwrap().images()[0].state(),
        Some(&ImageState::Disabled)
    );
}

#[test]
fn a_dry_run_of_anything_changes_nothing() {
    let (fake, world) = (FakeAws::start(), Ec2World::new());
    world.serve(&fake);
    let instance = "i-0123456789abcdef0";
    world.add_instance(harness::ec2::Instance::running(instance));
    world.add_image(Image::available("ami-00000000000000aaa", "web-42"));
    world.add_snapshot(Snapshot::completed("snap-alone"));
    let before = format!("{:?}{:?}", world.images(), world.snapshots());
    let image = "ImageId=ami-00000000000000aaa";
    for form in [
        format!("Action=CreateImage&InstanceId={instance}&Name=web-43"),
        "Action=CopyImage&SourceRegion=eu-west-1&SourceImageId=ami-00000000000000aaa&Name=c-1"
            .to_owned(),
        format!("Action=StopInstances&InstanceId.1={instance}"),
        format!("Action=StartInstances&InstanceId.1={instance}"),
        format!("Action=EnableImageDeprecation&{image}&DeprecateAt=2030-01-01T00:00:00Z"),
        format!("Action=DisableImage&{image}"),
        format!("Action=ModifyImageAttribute&{image}&LaunchPermission.Add.1.UserId=1"),
        "Action=ModifySnapshotAttribute&SnapshotId=snap-alone&CreateVolumePermission.Add.1.UserId=1"
            .to_owned(),
        "Action=CreateTags&ResourceId.1=snap-alone&Tag.1.Key=a&Tag.1.Value=b".to_owned(),
        "Action=DeleteTags&ResourceId.1=snap-alone&Tag.1.Key=a".to_owned(),
        format!("Action=DeregisterImage&{image}&DeleteAssociatedSnapshots=true"),
        "Action=DeleteSnapshot&SnapshotId=snap-alone".to_owned(),
    ] {
        let answer = client::ec2(&fake, &format!("{form}&DryRun=true")).unwrap();
        assert_eq!(answer.status, 412, "{form}: {}", answer.body);
        assert!(answer.body.contains("DryRunOperation"), "{}", answer.body);
    }
    assert_eq!(
        before,
        format!("{:?}{:?}", world.images(), world.snapshots())
    );
    assert_eq!(world.instances()[0].state, "running");
}

#[test]
fn a_filter_that_the_fake_does_not_know_is_an_error_and_no_answer() {
    let (fake, world) = (FakeAws::start(), Ec2World::new());
    world.serve(&fake);
    world.add_snapshot(Snapshot::completed("snap-1"));
    let asked = "Action=DescribeSnapshots&Filter.1.Name=colour&Filter.1.Value.1=red";
    let answer = client::ec2(&fake, asked).unwrap();
    assert_eq!(answer.status, 501);
    assert!(answer.body.contains("colour"), "{}", answer.body);
}
