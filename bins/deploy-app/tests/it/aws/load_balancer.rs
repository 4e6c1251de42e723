//! The load balancer in front of the instance.

use super::{ID, instance, with_instance};
use crate::world::World;
use harness::{FakeAws, Reply};

/// ELB's answer about the instance's health.
fn health(state: &str, reason: &str) -> Reply {
    Reply::xml(format!(
        "<DescribeTargetHealthResponse xmlns=\"http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/\"><DescribeTargetHealthResult>\
         <TargetHealthDescriptions><member><Target><Id>{ID}</Id><Port>8001</Port></Target><TargetHealth><State>{state}</State>{reason}</TargetHealth>\
         </member></TargetHealthDescriptions></DescribeTargetHealthResult></DescribeTargetHealthResponse>"
    ))
}

const GROUP: &str =
    "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/web/0123456789abcdef";

#[test]
fn the_load_balancer_has_the_last_word() {
    let Some(world) = World::start() else { return };
    let aws = FakeAws::start();
    aws.on(
        "ec2:DescribeInstances",
        [instance("running", "203.0.113.7", "")],
    );
    let operation = "elasticloadbalancing:DescribeTargetHealth";
    aws.on(operation, [health("initial", ""), health("healthy", "")]);
    let program = with_instance(&world, &aws)
        .env("DEPLOY_APP_TARGET_GROUP_ARN", GROUP)
        .env("DEPLOY_APP_HEALTH_TIMEOUT", "5s");
    let ran = program.run();
    ran.assert_code(0)
        .assert_stderr("it is initial")
        .assert_stderr("is healthy in its target group");
    let first = crate::world::release(&ran);
    assert_eq!(
        aws.requests_for(operation)[0].param("TargetGroupArn"),
        Some(GROUP)
    );
    assert_eq!(
        aws.requests_for(operation)[0].param("Targets.member.1.Id"),
        Some(ID)
    );
    world.write("content", "two");
    let why = "<Reason>Target.ResponseCodeMismatch</Reason><Description>Health checks failed with these codes: [502]</Description>";
    aws.on(operation, [health("unhealthy", why)]);
    let bundle = world.state().join("bundle");
    program
        .clone()
        .env("DEPLOY_APP_DIAGNOSTICS_DIR", &bundle)
        .run()
        .assert_code(1)
        .assert_stderr("the load balancer does not find")
        .assert_stderr("[502]")
        .assert_stderr("rolled back");
    let told = std::fs::read_to_string(bundle.join("target-health.txt")).unwrap();
    assert!(told.contains("Target.ResponseCodeMismatch"), "{told}");
    assert_eq!(world.answer(), Some((200, first, "one".to_owned())));
    aws.on(
        operation,
        [health("unused", "<Reason>Target.NotRegistered</Reason>")],
    );
    program
        .run()
        .assert_code(1)
        .assert_stderr("register the instance");
}
