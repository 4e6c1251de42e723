//! Spot Instances: what is said of them, and what becomes of one that EC2 does not stop.

use crate::INSTANCE;
use crate::inside::{Cloud, Ended};
use harness::Reply;
use harness::ec2::Instance;

fn spot(kind: &str) -> Cloud {
    Cloud::with([Instance::running(INSTANCE).of_spot_request(kind)])
}

async fn stop(cloud: &Cloud) -> Ended {
    cloud.run().set("consistency", "stop").end().await
}

#[tokio::test(start_paused = true)]
async fn a_spot_instance_that_ec2_refuses_to_stop_is_left_as_it_was() {
    let cloud = spot("one-time");
    stop(&cloud)
        .await
        .assert_code(1)
        .assert_said("associated with a one-time Spot Instance request")
        .assert_said("use reboot, no-reboot or quiesce");
    assert_eq!(cloud.instance().state, "running");
    assert!(cloud.instance().tags.is_empty());
    assert!(cloud.world.images().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_persistent_spot_instance_is_stopped_and_started_with_a_warning() {
    let cloud = spot("persistent");
    let ended = stop(&cloud).await;
    ended
        .assert_code(0)
        .assert_said("starts it again only while there is Spot capacity");
    assert_eq!(ended.count("ec2:StopInstances"), 1);
    assert_eq!(cloud.instance().state, "running");
}

/// What the warning is about.
#[tokio::test(start_paused = true)]
async fn a_persistent_spot_instance_without_capacity_is_listed_and_its_image_kept() {
    let cloud = spot("persistent");
    let refusal = "There is no Spot capacity available that matches your request.";
    let refusal = Reply::error(500, "InsufficientInstanceCapacity", refusal);
    cloud.fake.on("ec2:StartInstances", [refusal]);
    let ended = stop(&cloud).await;
    ended.assert_code(5).assert_said(&format!(
        "aws ec2 start-instances --region eu-west-1 --instance-ids {INSTANCE}"
    ));
    assert_eq!(cloud.world.images().len(), 1, "{ended}");
}

#[tokio::test(start_paused = true)]
async fn the_other_modes_bear_every_spot_instance() {
    for mode in ["no-reboot", "reboot"] {
        let cloud = spot("one-time");
        let ended = cloud.run().set("consistency", mode).end().await;
        ended
            .assert_code(0)
            .assert_said("an interruption while it is imaged fails the image");
    }
}
