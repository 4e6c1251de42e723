//! Waiting for an image, under virtual time.

use crate::INSTANCE;
use crate::inside::Cloud;
use harness::codebuild::{Build, CodeBuild};
use harness::ec2::{Course, Instance, Progress, Volume};
use harness::{Fate, Reply};
use std::time::{Duration, SystemTime};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

fn two_volumes() -> Cloud {
    let data = Volume::new("vol-000000000000da7a0", "/dev/sdf", 800);
    Cloud::with([Instance::running(INSTANCE).volume(data)])
}

#[tokio::test(start_paused = true)]
async fn pending_for_three_hours() {
    let cloud = two_volumes();
    let course = Course::available(3 * HOUR).gap(5 * MINUTE).by_size();
    cloud.world.outcomes([course.progress(Progress::steps(5))]);
    let ended = cloud.run().end().await;
    ended.assert_code(0).assert_said("% of 800 GiB");
    let lag = ended.took.saturating_sub(3 * HOUR);
    assert!(lag <= MINUTE / 2, "{lag:?}: {ended}");
}

#[tokio::test(start_paused = true)]
async fn a_mapping_that_is_not_shown_while_pending_is_no_obstacle() {
    let cloud = two_volumes();
    cloud.world.hide_mapping_while_pending(true);
    cloud.world.outcomes([Course::available(10 * MINUTE)]);
    let ended = cloud.run().end().await;
    // The snapshots are found by what CreateImage writes into their description.
    ended.assert_code(0).assert_said("% of 800 GiB");
    assert_eq!(ended.exports["AMI_SNAPSHOT_IDS"].split(',').count(), 2);
}

#[tokio::test(start_paused = true)]
async fn available_with_a_pending_snapshot_or_without_a_mapping_is_not_believed() {
    let cloud = two_volumes();
    cloud.world.outcomes([Course::available(10 * MINUTE)]);
    let world = cloud.world.clone();
    // Says `available` early, with a snapshot still pending and a mapping that lacks a volume.
    tokio::spawn(async move {
        tokio::time::sleep(2 * MINUTE).await;
        world.change_image("ami-00000000000000001", |image| {
            "available".clone_into(&mut image.state);
            image.devices.pop();
        });
        tokio::time::sleep(2 * MINUTE).await;
        world.change_image("ami-00000000000000001", |image| {
            let snapshot = "snap-00000000000000101".to_owned();
            image
                .devices
                .push(("/dev/sdf".to_owned(), Some(snapshot), 800));
        });
    });
    let ended = cloud.run().end().await;
    ended
        .assert_code(0)
        .assert_said("available, but 1 of 2 volumes are mapped")
        .assert_said("available, but 0 of 2 snapshots are completed")
        .assert_said("available, looking once more");
    assert!(ended.took >= 10 * MINUTE, "{ended}");
}

/// What is available and lacks a volume gets it no more: nobody waits six hours for it.
#[tokio::test(start_paused = true)]
async fn an_image_that_is_available_with_fewer_volumes_ends_in_minutes() {
    let short = |cloud: &Cloud| {
        cloud.world.outcomes([Course::available(10 * MINUTE)]);
        let world = cloud.world.clone();
        tokio::spawn(async move {
            tokio::time::sleep(2 * MINUTE).await;
            world.change_image("ami-00000000000000001", |image| drop(image.devices.pop()));
        });
    };
    let cloud = two_volumes();
    short(&cloud);
    let ended = cloud.run().end().await;
    ended
        .assert_code(1)
        .assert_said("is available but not complete: 1 of 2 volumes are mapped, for 5 min")
        .assert_said("it holds /dev/xvda: snap-00000000000000100 of vol-0123456789abcdef0")
        .assert_said("was a volume detached while the image was made?");
    assert!(ended.took < 17 * MINUTE, "{ended}");
    assert!(cloud.world.images().is_empty());
    assert!(
        cloud.world.snapshots().is_empty(),
        "{:?}",
        cloud.world.snapshots()
    );
    // What cannot be removed of it is listed.
    let cloud = two_volumes();
    short(&cloud);
    cloud
        .world
        .fail_snapshot_deletion("snap-00000000000000100", "missing-permissions");
    let ended = cloud.run().end().await;
    ended
        .assert_code(5)
        .assert_said("remains: snapshot snap-00000000000000100");
    // One that was available before may be in use: it stays, and is listed.
    let cloud = Cloud::new();
    cloud.run().end().await.assert_code(0);
    let id = cloud.world.images()[0].id.clone();
    cloud.world.change_image(&id, |image| {
        for (key, value) in &mut image.tags {
            if key == "make-ami:volumes" {
                "2".clone_into(value);
            }
        }
    });
    let ended = cloud.run().go_on("wait", &id).end().await;
    ended
        .assert_code(5)
        .assert_said("is available but not complete")
        .assert_said(&format!("remains: image {id}"));
    assert!(ended.took < 7 * MINUTE, "{ended}");
    assert_eq!(cloud.image(&id).state, "available");
}

#[tokio::test(start_paused = true)]
async fn an_image_whose_snapshot_ec2_does_not_list_ends_in_minutes() {
    let cloud = Cloud::new();
    cloud.fake.intercept(|request| {
        let by_id =
            request.operation == "DescribeSnapshots" && request.param("SnapshotId.1").is_some();
        match by_id {
            true => Fate::Answered(Reply::error(
                400,
                "InvalidSnapshot.NotFound",
                "no such snapshot",
            )),
            false => Fate::Served,
        }
    });
    let ended = cloud.run().end().await;
    ended
        .assert_code(1)
        .assert_said("is available but not complete: EC2 does not list snap-00000000000000100");
    assert!(ended.took < 10 * MINUTE, "{ended}");
}

/// The number of its volumes is what an image is held to, so that nothing may be missing there.
#[tokio::test(start_paused = true)]
async fn a_volume_that_ec2_tells_nothing_of_ends_the_run_before_anything_is_made() {
    let cloud = two_volumes();
    cloud.fake.on(
        "ec2:DescribeVolumes",
        [Reply::xml(
            "<DescribeVolumesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><volumeSet><item>\
             <volumeId>vol-0123456789abcdef0</volumeId><size>8</size></item></volumeSet></DescribeVolumesResponse>",
        )],
    );
    let ended = cloud.run().end().await;
    ended
        .assert_code(1)
        .assert_said("EC2 says nothing about vol-000000000000da7a0");
    assert!(!ended.changed_anything(), "{ended}");
    let cloud = Cloud::new();
    cloud
        .world
        .change_instance(INSTANCE, |instance| instance.volumes.clear());
    let ended = cloud.run().end().await;
    ended
        .assert_code(2)
        .assert_said("EC2 shows no EBS volume of instance");
    assert!(!ended.changed_anything(), "{ended}");
}

#[tokio::test(start_paused = true)]
async fn a_failed_snapshot_ends_the_wait_with_its_message() {
    let cloud = Cloud::new();
    let course = Course::never(MINUTE).snapshot_error("Given key ID is not accessible");
    cloud.world.outcomes([course]);
    let ended = cloud.run().end().await;
    ended
        .assert_code(1)
        .assert_said("snapshot snap-00000000000000100 of image ami-00000000000000001")
        .assert_said("Given key ID is not accessible");
    assert!(ended.took < 2 * MINUTE, "{ended}");
    assert!(cloud.world.images().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_down_for_long_is_waited_out() {
    let cloud = Cloud::new();
    cloud.world.outcomes([Course::available(HOUR)]);
    // From the second minute to the twentieth nothing of EC2 answers.
    cloud.fake.intercept(|request| {
        let out = 2 * MINUTE..20 * MINUTE;
        match out.contains(&request.when) {
            true => Fate::Answered(Reply::error(503, "Unavailable", "unavailable")),
            false => Fate::Served,
        }
    });
    let ended = cloud.run().end().await;
    ended
        .assert_code(0)
        .assert_said("EC2 does not answer: Unavailable: unavailable");
}

#[tokio::test(start_paused = true)]
async fn the_builds_own_limit_ends_the_wait_in_time_and_says_how_to_resume() {
    let cloud = Cloud::new();
    cloud.world.outcomes([Course::available(2 * HOUR)]);
    let began = SystemTime::now() - 10 * MINUTE;
    CodeBuild::with([Build::running("web:1", began)]).serve(&cloud.fake);
    let ended = cloud.run().in_build("web:1").end().await;
    ended
        .assert_code(6)
        .assert_said("this run stops 2 min 0 s before")
        .assert_said("make-ami wait --image ami-00000000000000001");
    // An hour is CodeBuild's default; ten minutes are gone.
    let (early, late) = (47 * MINUTE, 49 * MINUTE);
    assert!(early < ended.took && ended.took < late, "{ended}");
    // The next build goes on with it.
    CodeBuild::with([
        Build::running("web:2", SystemTime::now() + 50 * MINUTE).timeout_in_minutes(Some(480))
    ])
    .serve(&cloud.fake);
    let next = cloud.run().in_build("web:2");
    let next = next.set("image", "ami-00000000000000001").end().await;
    next.assert_code(0);
}

#[tokio::test(start_paused = true)]
async fn a_build_that_codebuild_does_not_know_or_tell_of_has_the_timeout_alone() {
    for refusal in [None, Some(Reply::unauthorized()), Some(Reply::hang(HOUR))] {
        let cloud = Cloud::new();
        cloud.world.outcomes([Course::available(2 * HOUR)]);
        if let Some(refusal) = refusal.clone() {
            cloud.fake.on("codebuild:BatchGetBuilds", [refusal]);
        }
        let ended = cloud.run().in_build("web:1").end().await;
        ended.assert_code(0);
        let says = ended.said.contains("--timeout alone counts");
        assert_eq!(says, refusal.is_some(), "{ended}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_timeout_shorter_than_the_builds_limit_wins() {
    let cloud = Cloud::new();
    cloud.world.outcomes([Course::never(HOUR)]);
    CodeBuild::with([Build::running("web:1", SystemTime::now())]).serve(&cloud.fake);
    let ended = cloud
        .run()
        .in_build("web:1")
        .timeout(5 * MINUTE)
        .end()
        .await;
    ended.assert_code(6).refute_said("the build ends at");
    assert!(ended.took < 6 * MINUTE, "{ended}");
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_settles_is_waited_for_packer_9579() {
    let cloud = Cloud::new();
    cloud.world.change_instance(INSTANCE, |instance| {
        "pending".clone_into(&mut instance.state);
    });
    let world = cloud.world.clone();
    tokio::spawn(async move {
        tokio::time::sleep(5 * MINUTE).await;
        world.change_instance(INSTANCE, |one| "running".clone_into(&mut one.state));
    });
    let ended = cloud.run().end().await;
    ended.assert_code(0).assert_said(
        "waiting for instance i-0123456789abcdef0 in eu-west-1 to settle: it is pending",
    );
}
