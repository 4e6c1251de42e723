//! The lock of another build, of which CodeBuild knows whether it runs.

use super::{instance, with_instance};
use crate::world::World;
use harness::{FakeAws, Reply};

#[test]
fn the_lock_of_a_build_that_ended_is_taken_over() {
    let Some(world) = World::start() else { return };
    world.deploy();
    let aws = FakeAws::start();
    aws.on(
        "ec2:DescribeInstances",
        [instance("running", "203.0.113.7", "")],
    );
    let builds = |status: &str| {
        Reply::json(&serde_json::json!({"builds": [{"id": "web:1", "buildStatus": status}]}))
    };
    aws.on("codebuild:BatchGetBuilds", [builds("IN_PROGRESS")]);
    world.leave_lock();
    world.write("content", "two");
    let program = with_instance(&world, &aws).env("CODEBUILD_BUILD_ID", "web:2");
    program
        .clone()
        .env("DEPLOY_APP_LOCK_WAIT", "1s")
        .run()
        .assert_code(7)
        .assert_stderr("held by build web:1");
    aws.on("codebuild:BatchGetBuilds", [builds("STOPPED")]);
    program
        .run()
        .assert_code(0)
        .assert_stderr("build web:1 holds the lock and is not in progress any more")
        .assert_stderr("took over the lock of build web:1");
    let asked = aws.requests_for("codebuild:BatchGetBuilds")[0].json();
    assert_eq!(asked["ids"], serde_json::json!(["web:1"]));
    world.assert_unlocked();
}
