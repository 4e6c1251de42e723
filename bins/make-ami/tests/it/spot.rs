//! Spot Instances: which modes they bear, and what is said before anything is changed.

use crate::INSTANCE;
use crate::inside::{Cloud, Ended};
use harness::Reply;
use harness::ec2::{Instance, SpotRequest};

const ASK: &str = "ec2:DescribeSpotInstanceRequests";

fn spot(kind: &str) -> Cloud {
    Cloud::with([Instance::running(INSTANCE).of_spot_request(kind)])
}

async fn stop(cloud: &Cloud) -> Ended {
    cloud.run().set("consistency", "stop").end().await
}

/// It was found out when StopInstances was asked, with a tag on the instance by then.
#[tokio::test(start_paused = true)]
async fn a_one_time_spot_instance_is_refused_before_anything_is_changed() {
    let cloud = spot("one-time");
    let ended = stop(&cloud).await;
    ended
        .assert_code(2)
        .assert_said(&format!(
            "Spot Instance {INSTANCE} in eu-west-1 cannot be stopped"
        ))
        .assert_said("its Spot request sir-0123456789abcdef0 is one-time")
        .assert_said("nothing was touched")
        .assert_said("use reboot, no-reboot or quiesce");
    assert!(!ended.changed_anything(), "{ended}");
    assert_eq!(cloud.instance().state, "running");
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_refuses_it_too() {
    let cloud = spot("one-time");
    let run = cloud.run().dry_run().set("consistency", "stop");
    run.end().await.assert_code(2).assert_said("is one-time");
}

/// Other ways in which EC2 does not stop one, though its request is persistent.
#[tokio::test(start_paused = true)]
async fn neither_a_fleet_nor_a_group_nor_a_cancelled_request_lets_it_be_stopped() {
    type Change = fn(&mut Instance);
    fn request(instance: &mut Instance) -> &mut SpotRequest {
        instance.spot.as_mut().unwrap()
    }
    let cases: [(Change, &str); 4] = [
        (
            |instance| {
                let key = "aws:ec2:fleet-id".to_owned();
                instance.tags.push((key, "fleet-0123".to_owned()));
            },
            "it is of fleet fleet-0123",
        ),
        (
            |instance| request(instance).launch_group = Some("web".to_owned()),
            "is of launch group web",
        ),
        (
            |instance| request(instance).state = "cancelled".to_owned(),
            "is cancelled",
        ),
        (
            |instance| instance.spot = None,
            "EC2 lists no Spot request of it",
        ),
    ];
    for (change, why) in cases {
        let cloud = spot("persistent");
        cloud.world.change_instance(INSTANCE, change);
        let ended = stop(&cloud).await;
        ended.assert_code(2).assert_said(why);
        assert!(!ended.changed_anything(), "{ended}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_persistent_spot_instance_is_stopped_and_started_with_a_warning() {
    let cloud = spot("persistent");
    let ended = stop(&cloud).await;
    ended
        .assert_code(0)
        .assert_said("EC2 starts it again only while there is Spot capacity");
    assert_eq!(ended.count(ASK), 1);
    assert_eq!(ended.count("ec2:StopInstances"), 1);
    assert_eq!(cloud.instance().state, "running");
    assert_eq!(cloud.instance().spot.unwrap().state, "active");
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

/// The request is of no interest where nothing is stopped, and a role need not be allowed to see it.
#[tokio::test(start_paused = true)]
async fn its_request_is_looked_at_only_where_it_is_to_be_stopped() {
    for mode in ["no-reboot", "reboot", "quiesce"] {
        let cloud = spot("one-time");
        let run = cloud.run().set("consistency", mode);
        let run = match mode {
            "quiesce" => run.set("quiesce_containers", "db"),
            _ => run,
        };
        let ended = run.end().await;
        ended
            .assert_code(0)
            .assert_said("an interruption while it is imaged fails the image");
        assert_eq!(ended.count(ASK), 0, "{ended}");
    }
    // An instance on demand has none, and one that stands still already is not stopped.
    let stopped = Instance::stopped(INSTANCE).of_spot_request("persistent");
    for instance in [Instance::running(INSTANCE), stopped] {
        let cloud = Cloud::with([instance]);
        let ended = stop(&cloud).await;
        ended.assert_code(0);
        assert_eq!(ended.count(ASK), 0, "{ended}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_role_that_may_not_look_at_it_is_told_what_to_allow() {
    let cloud = spot("persistent");
    cloud.fake.on(ASK, [Reply::unauthorized()]);
    let ended = stop(&cloud).await;
    ended
        .assert_code(3)
        .assert_said(&format!("allow {ASK} for the role"));
    assert!(!ended.changed_anything(), "{ended}");
}

/// What the look cannot know, EC2 says when it is asked to stop the instance.
#[tokio::test(start_paused = true)]
async fn a_spot_instance_that_ec2_refuses_to_stop_all_the_same_is_left_as_it_was() {
    let cloud = spot("persistent");
    let refusal = "You can't stop the Spot Instance for another reason";
    let refusal = Reply::error(400, "UnsupportedOperation", refusal);
    cloud.fake.on("ec2:StopInstances", [refusal]);
    let ended = stop(&cloud).await;
    ended
        .assert_code(1)
        .assert_said("for another reason")
        .assert_said("use reboot, no-reboot or quiesce");
    assert_eq!(cloud.instance().state, "running");
    assert!(cloud.instance().tags.is_empty());
    assert!(cloud.world.images().is_empty());
}
