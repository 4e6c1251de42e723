//! The small EC2 by the clock, and what its resources tell.

use std::time::Duration;

use aws_sdk_ec2::primitives::DateTime;
use aws_sdk_ec2::types::{Filter, Image, ImageState, Snapshot, SnapshotState};
use harness::FakeAws;
use harness::ec2::{Course, Ec2World, Instance, Outcome, Progress, Volume};
use tokio::time::{Instant, sleep};

use crate::sdk;

const INSTANCE: &str = "i-0123456789abcdef0";
const KEY: &str = "arn:aws:kms:eu-west-1:123456789012:key/1";
const MINUTE: Duration = Duration::from_secs(60);

/// A world whose clock is tokio's, with an instance of two volumes.
fn world() -> (FakeAws, Ec2World, aws_sdk_ec2::Client) {
    let fake = FakeAws::offline();
    let data = Volume::new("vol-data", "/dev/sdf", 80)
        .encrypted(KEY)
        .written(7);
    let world = Ec2World::with([Instance::running(INSTANCE).volume(data)]);
    world.serve(&fake);
    let started = Instant::now();
    world.clock(move || started.elapsed());
    let client = sdk::ec2(&fake);
    (fake, world, client)
}

async fn create(client: &aws_sdk_ec2::Client) -> String {
    let create = client.create_image().instance_id(INSTANCE).name("web-42");
    create
        .no_reboot(true)
        .send()
        .await
        .unwrap()
        .image_id
        .unwrap()
}

async fn look(client: &aws_sdk_ec2::Client, id: &str) -> (Image, Vec<Snapshot>) {
    let images = client.describe_images().image_ids(id).send().await.unwrap();
    let snapshots = client.describe_snapshots().owner_ids("self");
    (
        images.images()[0].clone(),
        snapshots.send().await.unwrap().snapshots().to_vec(),
    )
}

#[tokio::test(start_paused = true)]
async fn snapshots_get_on_by_the_clock_and_the_image_turns_after_them() {
    let (fake, world, client) = world();
    let course = Course::available(180 * MINUTE).gap(10 * MINUTE);
    world.outcomes([course.progress(Progress::steps(5))]);
    let id = create(&client).await;
    sleep(60 * MINUTE).await;
    let (image, snapshots) = look(&client, &id).await;
    assert_eq!(image.state(), Some(&ImageState::Pending));
    // 60 of 170 minutes, in steps of five percent.
    assert_eq!(snapshots[0].progress(), Some("35%"));
    assert_eq!(snapshots[0].full_snapshot_size_in_bytes(), None);
    sleep(115 * MINUTE).await;
    let (image, snapshots) = look(&client, &id).await;
    assert_eq!(image.state(), Some(&ImageState::Pending));
    assert_eq!(snapshots[1].state(), Some(&SnapshotState::Completed));
    assert_eq!(snapshots[1].full_snapshot_size_in_bytes(), Some(7));
    let begun = DateTime::from(world.now() - 175 * MINUTE).secs();
    assert_eq!(snapshots[1].start_time().unwrap().secs(), begun);
    assert_eq!(
        snapshots[1].completion_time().unwrap().secs(),
        begun + 170 * 60
    );
    sleep(5 * MINUTE).await;
    let (image, _) = look(&client, &id).await;
    assert_eq!(image.state(), Some(&ImageState::Available));
    assert_eq!(image.source_instance_id(), Some(INSTANCE));
    let mappings = image.block_device_mappings();
    assert_eq!(mappings[1].ebs().unwrap().encrypted(), Some(true));
    fake.assert_all_scripted();
}

#[tokio::test(start_paused = true)]
async fn a_course_may_end_otherwise_and_a_stalled_one_never() {
    let (_fake, world, client) = world();
    world.outcomes([
        Course::failed(MINUTE, "Server.InternalError", "internal").snapshot_error("no key"),
        Course::becomes(MINUTE, "invalid"),
        Course::vanishes(MINUTE),
        Course::never(MINUTE),
    ]);
    let mut ids = Vec::new();
    for n in 0..4 {
        let create = client.create_image().instance_id(INSTANCE);
        let made = create.name(format!("web-{n}")).send().await.unwrap();
        ids.push(made.image_id.unwrap());
    }
    sleep(30 * MINUTE).await;
    let (failed, snapshots) = look(&client, &ids[0]).await;
    assert_eq!(failed.state(), Some(&ImageState::Failed));
    assert_eq!(
        failed.state_reason().unwrap().code(),
        Some("Server.InternalError")
    );
    assert_eq!(snapshots[0].state(), Some(&SnapshotState::Error));
    assert_eq!(snapshots[0].state_message(), Some("no key"));
    let (invalid, _) = look(&client, &ids[1]).await;
    assert_eq!(invalid.state(), Some(&ImageState::Invalid));
    let gone = client.describe_images().image_ids(&ids[2]).send().await;
    assert_eq!(sdk::code(gone), "InvalidAMIID.NotFound");
    let (never, snapshots) = look(&client, &ids[3]).await;
    assert_eq!(never.state(), Some(&ImageState::Pending));
    assert_eq!(snapshots.last().unwrap().progress(), Some("99%"));
}

#[tokio::test(start_paused = true)]
async fn smaller_snapshots_may_be_completed_earlier() {
    let (_fake, world, client) = world();
    world.outcomes([Course::available(100 * MINUTE).by_size()]);
    let id = create(&client).await;
    sleep(20 * MINUTE).await;
    let (_, snapshots) = look(&client, &id).await;
    let progress: Vec<_> = snapshots.iter().map(|found| found.progress()).collect();
    assert_eq!(progress, [Some("100%"), Some("20%")]);
}

#[tokio::test(start_paused = true)]
async fn a_pending_image_may_be_invisible_and_without_mapping() {
    let (_fake, world, client) = world();
    world.outcomes([Outcome::Available { after_polls: 1 }]);
    world.hide_new_images(1);
    world.hide_mapping_while_pending(true);
    let id = create(&client).await;
    let absent = client.describe_images().image_ids(&id).send().await;
    assert_eq!(sdk::code(absent), "InvalidAMIID.NotFound");
    let (pending, _) = look(&client, &id).await;
    assert!(
        pending.block_device_mappings().iter().all(|mapping| mapping
            .ebs()
            .unwrap()
            .snapshot_id()
            .is_none())
    );
    let (available, _) = look(&client, &id).await;
    let mappings = available.block_device_mappings();
    assert!(mappings[1].ebs().unwrap().snapshot_id().is_some());
}

#[tokio::test(start_paused = true)]
async fn an_instance_tells_what_a_guard_asks_and_stops_in_its_own_time() {
    let (_fake, world, client) = world();
    world.change_instance(INSTANCE, |instance| {
        instance.lifecycle = Some("spot".to_owned());
        instance.hibernation = true;
        *instance = instance.clone().in_group("web").of_stack("app", "Host");
    });
    world.add_instance(Instance::running("i-0fffffffffffffff0"));
    world.slow_stops(2);
    let in_stack = || {
        let filters = [
            ("tag:aws:cloudformation:stack-name", "app"),
            ("tag:aws:cloudformation:logical-id", "Host"),
        ]
        .map(|(name, value)| Filter::builder().name(name).values(value).build());
        let find = client
            .describe_instances()
            .set_filters(Some(filters.into()));
        async { find.send().await.unwrap().reservations()[0].instances()[0].clone() }
    };
    let found = in_stack().await;
    assert_eq!(found.instance_lifecycle().unwrap().as_str(), "spot");
    assert_eq!(
        found.hibernation_options().unwrap().configured(),
        Some(true)
    );
    let stop = client.stop_instances().instance_ids(INSTANCE);
    stop.send().await.unwrap();
    let mut states = Vec::new();
    for _ in 0..3 {
        let found = in_stack().await;
        states.push(found.state().unwrap().name().unwrap().to_string());
    }
    assert_eq!(states, ["stopping", "stopping", "stopped"]);
    let stopped = in_stack().await;
    assert!(
        stopped
            .state_transition_reason()
            .unwrap()
            .starts_with("User initiated (")
    );
    let by_instance = Filter::builder()
        .name("attachment.instance-id")
        .values(INSTANCE);
    let volumes = client.describe_volumes().filters(by_instance.build());
    let volumes = volumes.send().await.unwrap();
    let data = &volumes.volumes()[1];
    assert_eq!((data.size(), data.kms_key_id()), (Some(80), Some(KEY)));
    assert_eq!(data.attachments()[0].instance_id(), Some(INSTANCE));
    assert_eq!(
        client
            .describe_volumes()
            .volume_ids("vol-data")
            .send()
            .await
            .unwrap()
            .volumes()
            .len(),
        1
    );
}

#[tokio::test(start_paused = true)]
async fn answers_come_in_pages() {
    let (_fake, world, client) = world();
    for n in 0..5 {
        world.add_image(harness::ec2::Image::available(
            &format!("ami-{n}"),
            &format!("old-{n}"),
        ));
    }
    world.page_size(2);
    let first = client.describe_images().send().await.unwrap();
    assert_eq!(first.images().len(), 2);
    let mut pages = client.describe_images().into_paginator().items().send();
    let mut ids = Vec::new();
    while let Some(image) = pages.next().await {
        ids.push(image.unwrap().image_id.unwrap());
    }
    assert_eq!(ids, ["ami-0", "ami-1", "ami-2", "ami-3", "ami-4"]);
}
