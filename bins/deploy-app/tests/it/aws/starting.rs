//! An instance is started when it is stopped, and waited for until it runs.

use super::{ID, instance, with_instance};
use crate::world::World;
use harness::{FakeAws, Reply};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

fn started() -> Reply {
    Reply::xml(format!(
        "<StartInstancesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><instancesSet><item><instanceId>{ID}</instanceId>\
         <currentState><code>0</code><name>pending</name></currentState><previousState><code>80</code><name>stopped</name></previousState>\
         </item></instancesSet></StartInstancesResponse>"
    ))
}

#[test]
fn a_stopped_instance_is_started_and_waited_for() {
    let Some(world) = World::start() else { return };
    let aws = FakeAws::start();
    let is_started = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&is_started);
    aws.on_call("ec2:DescribeInstances", move |request| {
        match (seen.load(Ordering::SeqCst), request.turn) {
            (false, _) => instance(
                "stopped",
                "",
                "Client.UserInitiatedShutdown: User initiated shutdown",
            ),
            (true, ..3) => instance("pending", "", ""),
            (true, _) => instance("running", "203.0.113.7", ""),
        }
    });
    let start = Arc::clone(&is_started);
    aws.on_call("ec2:StartInstances", move |_| {
        start.store(true, Ordering::SeqCst);
        started()
    });
    let ran = with_instance(&world, &aws).run();
    ran.assert_code(0)
        .assert_stderr("started instance")
        .assert_stderr("it is pending");
    let exports = ran.exports();
    assert_eq!(exports["EC2_PUBLIC_IP"], "203.0.113.7");
    assert_eq!(exports["INSTANCE_ID"], ID);
    assert_eq!(aws.requests_for("ec2:StartInstances").len(), 1);
    aws.assert_all_scripted();
}

#[test]
fn an_instance_that_ec2_does_not_start_yet_is_asked_again() {
    let Some(world) = World::start() else { return };
    let aws = FakeAws::start();
    let is_started = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&is_started);
    aws.on_call("ec2:DescribeInstances", move |_| {
        match seen.load(Ordering::SeqCst) {
            false => instance("stopped", "", ""),
            true => instance("running", "203.0.113.7", ""),
        }
    });
    let start = Arc::clone(&is_started);
    aws.on_call("ec2:StartInstances", move |request| {
        if request.turn == 0 {
            return Reply::error(400, "IncorrectInstanceState", "not in a state");
        }
        start.store(true, Ordering::SeqCst);
        started()
    });
    with_instance(&world, &aws)
        .run()
        .assert_code(0)
        .assert_stderr("EC2 does not start it yet");
    assert_eq!(aws.requests_for("ec2:StartInstances").len(), 2);
    // Nothing was started: nothing is said to stay.
    let aws = FakeAws::start();
    aws.on("ec2:DescribeInstances", [instance("stopped", "", "")]);
    aws.on(
        "ec2:StartInstances",
        [Reply::error(400, "IncorrectInstanceState", "")],
    );
    with_instance(&world, &aws)
        .env("DEPLOY_APP_TIMEOUT", "4s")
        .run()
        .assert_code(6)
        .refute_stderr("was started and stays so");
}

#[test]
fn why_an_instance_stopped_long_ago_is_no_failed_start() {
    let Some(world) = World::start() else { return };
    let aws = FakeAws::start();
    let old = "Server.ScheduledStop: stopped for maintenance";
    let states = [
        instance("stopped", "", old),
        instance("stopped", "", old),
        instance("pending", "", ""),
        instance("running", "203.0.113.7", ""),
    ];
    aws.on("ec2:DescribeInstances", states);
    aws.on("ec2:StartInstances", [started()]);
    with_instance(&world, &aws).run().assert_code(0);
}

#[test]
fn a_stopping_instance_is_waited_for_then_started() {
    let Some(world) = World::start() else { return };
    let aws = FakeAws::start();
    let states = ["stopping", "stopped", "pending", "running"]
        .map(|state| instance(state, "203.0.113.7", ""));
    aws.on("ec2:DescribeInstances", states);
    aws.on("ec2:StartInstances", [started()]);
    with_instance(&world, &aws)
        .run()
        .assert_code(0)
        .assert_stderr("it is stopping");
}

#[test]
fn a_running_instance_is_not_started() {
    let Some(world) = World::start() else { return };
    let aws = FakeAws::start();
    aws.on(
        "ec2:DescribeInstances",
        [instance("running", "203.0.113.7", "")],
    );
    with_instance(&world, &aws).run().assert_code(0);
    assert_eq!(aws.operations(), ["ec2:DescribeInstances"]);
}

#[test]
fn a_terminated_instance_is_refused_with_its_reason() {
    let Some(world) = World::start() else { return };
    for state in ["terminated", "shutting-down"] {
        let aws = FakeAws::start();
        aws.on(
            "ec2:DescribeInstances",
            [instance(
                state,
                "",
                "Client.UserInitiatedShutdown: by somebody",
            )],
        );
        let ran = with_instance(&world, &aws).run();
        ran.assert_code(2)
            .assert_stderr(&format!("is {state}"))
            .assert_stderr("by somebody");
        assert!(!world.target().exists());
    }
}

#[test]
fn a_start_that_is_not_permitted_is_told_with_the_action() {
    let Some(world) = World::start() else { return };
    let aws = FakeAws::start();
    aws.on("ec2:DescribeInstances", [instance("stopped", "", "")]);
    aws.on("ec2:StartInstances", [Reply::unauthorized()]);
    with_instance(&world, &aws)
        .run()
        .assert_code(3)
        .assert_stderr("ec2:StartInstances")
        .assert_stderr("UnauthorizedOperation");
}

#[test]
fn an_instance_without_capacity_fails_with_amazons_reason() {
    let Some(world) = World::start() else { return };
    let aws = FakeAws::start();
    let no_capacity = "Server.InsufficientInstanceCapacity: no capacity";
    let states = [
        instance("stopped", "", ""),
        instance("stopped", "", no_capacity),
    ];
    aws.on("ec2:DescribeInstances", states);
    aws.on("ec2:StartInstances", [started()]);
    with_instance(&world, &aws)
        .run()
        .assert_code(1)
        .assert_stderr("did not start")
        .assert_stderr(no_capacity);
}

#[test]
fn an_instance_that_never_runs_ends_at_the_deadline() {
    let Some(world) = World::start() else { return };
    let aws = FakeAws::start();
    aws.on("ec2:DescribeInstances", [instance("pending", "", "")]);
    let ran = with_instance(&world, &aws)
        .env("DEPLOY_APP_TIMEOUT", "3s")
        .run();
    ran.assert_code(6).assert_stderr("last seen: it is pending");
}

#[test]
fn a_dry_run_of_a_stopped_instance_starts_nothing() {
    let Some(world) = World::start() else { return };
    let aws = FakeAws::start();
    aws.on("ec2:DescribeInstances", [instance("stopped", "", "")]);
    aws.on(
        "ec2:StartInstances",
        [Reply::error(
            412,
            "DryRunOperation",
            "Request would have succeeded, but DryRun flag is set.",
        )],
    );
    let program = with_instance(&world, &aws).env("DEPLOY_APP_DRY_RUN", "1");
    program
        .run()
        .assert_code(0)
        .assert_stderr(&format!("start instance {ID}"))
        .assert_stderr("permissions: ")
        .assert_stderr("ec2:StartInstances");
    assert_eq!(
        aws.requests_for("ec2:StartInstances")[0].param("DryRun"),
        Some("true")
    );
    aws.on("ec2:StartInstances", [Reply::unauthorized()]);
    program
        .run()
        .assert_code(3)
        .assert_stderr("would not be able to start");
}

/// Some that speak EC2's language start the instance although they were only asked whether they would.
#[test]
fn a_dry_run_that_the_endpoint_carries_out_is_told_and_ends() {
    let Some(world) = World::start() else { return };
    let aws = FakeAws::start();
    aws.on("ec2:DescribeInstances", [instance("stopped", "", "")]);
    aws.on("ec2:StartInstances", [started()]);
    with_instance(&world, &aws)
        .env("DEPLOY_APP_DRY_RUN", "1")
        .run()
        .assert_code(5)
        .assert_stderr(&format!(
            "this endpoint carries dry runs out: it started instance {ID} in eu-west-1"
        ))
        .assert_stderr(&format!(
            "remains: instance {ID}, which was stopped and runs now"
        ))
        .assert_stderr(&format!(
            "aws ec2 stop-instances --region eu-west-1 --instance-ids {ID}"
        ));
}
