//! The parameter that names the newest image.

use super::PUBLISHING;
use crate::inside::{Cloud, Event};
use harness::ssm::ImageCheck;

/// An account whose parameter names an older image.
fn with_parameter() -> Cloud {
    let cloud = Cloud::new();
    cloud.ssm.add_parameter(
        "/web/ami",
        "String",
        "aws:ec2:image",
        "ami-0aaaaaaaaaaaaaaaa",
    );
    cloud
}

#[tokio::test(start_paused = true)]
async fn the_parameter_is_written_last_typed_as_an_image_and_read_back() {
    let cloud = with_parameter();
    cloud.ssm.image_check(ImageCheck::PassesAfter(3));
    let ended = cloud.run().all(PUBLISHING).end().await;
    ended.assert_code(0).assert_said("parameter /web/ami holds");
    let parameter = cloud.ssm.parameter("/web/ami").unwrap();
    assert_eq!(parameter.value, ended.ami());
    assert_eq!(parameter.data_type, "aws:ec2:image");
    let changes: Vec<&String> = ended
        .calls
        .iter()
        .filter(|call| !call.contains(":Describe") && !call.contains(":Get"))
        .collect();
    assert_eq!(*changes.last().unwrap(), "ssm:PutParameter", "{ended}");
}

#[tokio::test(start_paused = true)]
async fn a_parameter_that_does_not_take_the_image_is_no_success() {
    let cloud = with_parameter();
    cloud.ssm.image_check(ImageCheck::Fails);
    let ended = cloud.run().set("ssm_parameter", "/web/ami").end().await;
    ended
        .assert_code(5)
        .assert_said("parameter /web/ami in eu-west-1 did not take ami-00000000000000001")
        .assert_said("it holds \"ami-0aaaaaaaaaaaaaaaa\"");
    assert!(ended.exports.is_empty());
    assert_eq!(cloud.world.images().len(), 1);
}

/// From the write on, somebody may launch what the parameter names.
#[tokio::test(start_paused = true)]
async fn an_image_that_a_parameter_names_is_not_taken_back_by_a_signal() {
    for operation in ["ssm:PutParameter", "ssm:GetParameter"] {
        let cloud = Cloud::new();
        cloud.ssm.image_check(ImageCheck::PassesAfter(2));
        let run = cloud.run().set("ssm_parameter", "/web/ami");
        let ended = run.at_first(operation, Event::Sigterm).end().await;
        let image = &cloud.world.images()[0];
        assert_eq!(ended.assert_code(0).ami(), image.id);
        assert_eq!(image.state, "available", "{ended}");
        assert_eq!(cloud.ssm.parameter("/web/ami").unwrap().value, image.id);
    }
}

#[tokio::test(start_paused = true)]
async fn a_signal_before_the_parameter_is_written_takes_the_image_back() {
    let cloud = Cloud::new();
    let run = cloud
        .run()
        .all([("ssm_parameter", "/web/ami"), ("deprecate_after", "90d")]);
    let operation = "ec2:EnableImageDeprecation";
    let ended = run.at_first(operation, Event::Sigterm).end().await;
    ended.assert_code(143);
    assert_eq!(ended.count("ssm:PutParameter"), 0, "{ended}");
    assert!(cloud.world.images().is_empty(), "{ended}");
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_of_put_parameter_is_written_again() {
    let cloud = Cloud::new();
    cloud.fake.lose_reply("ssm:PutParameter");
    let ended = cloud.run().set("ssm_parameter", "/web/ami").end().await;
    ended.assert_code(0);
    assert_eq!(cloud.ssm.parameter("/web/ami").unwrap().value, ended.ami());
}
