//! The lifecycle hook that an instance refresh waits for.

use crate::{HEALTH, INSTANCE, SIGNAL, program, world};
use harness::{FakeAws, Program, Reply};
use std::time::Duration;

const DESCRIBE: &str = "autoscaling:DescribeAutoScalingInstances";
const COMPLETE: &str = "autoscaling:CompleteLifecycleAction";
const HOOK: [&str; 2] = ["--lifecycle-hook", "application-answers"];

fn instance_in(state: &str) -> Reply {
    let described = format!(
        "<DescribeAutoScalingInstancesResponse xmlns=\"http://autoscaling.amazonaws.com/doc/2011-01-01/\">\
         <DescribeAutoScalingInstancesResult><AutoScalingInstances><member>\
         <InstanceId>{INSTANCE}</InstanceId><AutoScalingGroupName>rag-app-dev-Group-1</AutoScalingGroupName>\
         <AvailabilityZone>eu-west-1a</AvailabilityZone><LifecycleState>{state}</LifecycleState>\
         <HealthStatus>HEALTHY</HealthStatus><ProtectedFromScaleIn>false</ProtectedFromScaleIn>\
         </member></AutoScalingInstances></DescribeAutoScalingInstancesResult>\
         <ResponseMetadata><RequestId>{{{{request-id}}}}</RequestId></ResponseMetadata>\
         </DescribeAutoScalingInstancesResponse>"
    );
    Reply::xml(&described)
}

fn completed() -> Reply {
    Reply::xml(
        "<CompleteLifecycleActionResponse xmlns=\"http://autoscaling.amazonaws.com/doc/2011-01-01/\">\
         <CompleteLifecycleActionResult/><ResponseMetadata><RequestId>{{request-id}}</RequestId></ResponseMetadata>\
         </CompleteLifecycleActionResponse>",
    )
}

/// An instance that its launch hook holds back.
pub(crate) fn waiting(fake: &FakeAws) {
    fake.on(DESCRIBE, [instance_in("Pending:Wait")]);
    fake.on(COMPLETE, [completed()]);
}

/// With a hook and no stack, as on an instance of a group that no stack made.
fn hook_alone(fake: &FakeAws) -> Program {
    Program::new(env!("CARGO_BIN_EXE_signal-health"))
        .envs(fake.env())
        .env("INSTANCE_ID", INSTANCE)
        .args(["--url", &format!("{}/collection", fake.url())])
        .args(HOOK)
}

#[test]
fn an_application_that_answers_completes_the_hook_with_continue() {
    let fake = world();
    waiting(&fake);
    hook_alone(&fake).run().assert_code(0);
    let [sent] = &fake.requests_for(COMPLETE)[..] else {
        panic!("one completion was due: {:?}", fake.operations())
    };
    assert_eq!(sent.param("LifecycleHookName"), Some("application-answers"));
    assert_eq!(
        sent.param("AutoScalingGroupName"),
        Some("rag-app-dev-Group-1")
    );
    assert_eq!(sent.param("InstanceId"), Some(INSTANCE));
    assert_eq!(sent.param("LifecycleActionResult"), Some("CONTINUE"));
    assert!(fake.requests_for(SIGNAL).is_empty());
    fake.assert_all_scripted();
}

#[test]
fn an_application_that_never_answers_abandons_the_instance() {
    let fake = world();
    waiting(&fake);
    fake.on(HEALTH, [Reply::empty(500)]);
    hook_alone(&fake)
        .args(["--timeout", "2s"])
        .run()
        .assert_code(1)
        .assert_stderr("last seen: it answers 500")
        .assert_stderr("the lifecycle hook application-answers was completed with ABANDON");
    let sent = &fake.requests_for(COMPLETE)[0];
    assert_eq!(sent.param("LifecycleActionResult"), Some("ABANDON"));
}

/// The root volume is replaced, the application answers already, and Auto Scaling has not seen it yet.
#[test]
fn the_hook_of_a_replaced_root_volume_is_waited_for() {
    let fake = world();
    waiting(&fake);
    fake.first(
        DESCRIBE,
        [
            instance_in("ReplacingRootVolume:Proceed"),
            instance_in("RootVolumeReplaced"),
        ],
    );
    hook_alone(&fake).run().assert_code(0);
    assert_eq!(fake.requests_for(DESCRIBE).len(), 3);
    assert_eq!(fake.requests_for(COMPLETE).len(), 1);
}

#[test]
fn an_instance_in_service_waits_for_no_hook() {
    let fake = world();
    fake.on(DESCRIBE, [instance_in("InService")]);
    hook_alone(&fake)
        .run()
        .assert_code(0)
        .assert_stderr("waits for no lifecycle hook");
    assert!(fake.requests_for(COMPLETE).is_empty());
}

#[test]
fn a_stack_and_a_hook_are_both_told() {
    let fake = world();
    waiting(&fake);
    program(&fake).args(HOOK).run().assert_code(0);
    assert_eq!(fake.requests_for(COMPLETE).len(), 1);
    assert_eq!(fake.requests_for(SIGNAL).len(), 1);
}

/// While a group is refreshed its stack waits for no signal.
#[test]
fn a_stack_that_refuses_is_no_failure_once_the_hook_has_heard() {
    let fake = world();
    waiting(&fake);
    let refusal = || Reply::error(400, "ValidationError", "the resource does not wait");
    fake.on(SIGNAL, [refusal()]);
    program(&fake)
        .args(HOOK)
        .run()
        .assert_code(0)
        .assert_stderr("refused the signal; the lifecycle hook was told");
    // Nobody has heard anything here.
    fake.on(DESCRIBE, [instance_in("InService")]);
    program(&fake)
        .args(HOOK)
        .run()
        .assert_code(1)
        .assert_stderr("the resource does not wait");
}

#[test]
fn a_hook_that_cannot_be_completed_does_not_keep_the_stack_from_being_told() {
    let fake = world();
    waiting(&fake);
    fake.on(COMPLETE, [Reply::error(403, "AccessDenied", "no")]);
    program(&fake)
        .args(HOOK)
        .run()
        .assert_code(3)
        .assert_stderr("hint: allow autoscaling:CompleteLifecycleAction");
    assert_eq!(
        fake.requests_for(SIGNAL)[0].param("Status"),
        Some("SUCCESS")
    );
}

#[test]
fn an_instance_of_no_group_is_told_at_the_deadline() {
    let fake = world();
    let nobody = "<DescribeAutoScalingInstancesResponse xmlns=\"http://autoscaling.amazonaws.com/doc/2011-01-01/\">\
                  <DescribeAutoScalingInstancesResult><AutoScalingInstances/></DescribeAutoScalingInstancesResult>\
                  </DescribeAutoScalingInstancesResponse>";
    fake.on(DESCRIBE, [Reply::xml(nobody)]);
    hook_alone(&fake)
        .args(["--timeout", "3s"])
        .run()
        .assert_code(6)
        .assert_stderr("Auto Scaling knows no group of i-0123456789abcdef0");
}

#[test]
fn a_hook_stands_alone_and_a_stack_does_not() {
    let fake = world();
    hook_alone(&fake)
        .args(["--stack", "rag-app-dev"])
        .run()
        .assert_code(2)
        .assert_stderr("SIGNAL_HEALTH_RESOURCE is not set");
    program(&fake)
        .args(["--lifecycle-hook", "a hook"])
        .run()
        .assert_code(2)
        .assert_stderr("is not the name of a lifecycle hook");
    assert!(fake.operations().is_empty());
}

#[test]
fn a_dry_run_names_both() {
    let fake = world();
    program(&fake)
        .args(HOOK)
        .arg("--dry-run")
        .run()
        .assert_code(0)
        .assert_stderr("complete the lifecycle hook application-answers of i-0123456789abcdef0 and signal SUCCESS for");
    assert_eq!(fake.operations(), [HEALTH]);
}

#[test]
fn sigterm_is_answered_while_the_hook_is_waited_for() {
    let fake = world();
    fake.on(DESCRIBE, [instance_in("RootVolumeReplaced")]);
    let running = hook_alone(&fake).spawn();
    running.wait_for_stderr("RootVolumeReplaced", Duration::from_secs(30));
    running.signal(15);
    running.finish().assert_code(143);
    assert!(fake.requests_for(COMPLETE).is_empty());
}
