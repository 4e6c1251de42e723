//! Instances in every state, against a scripted EC2.

use crate::world::World;
use harness::{FakeAws, Program, Reply};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const ID: &str = "i-0123456789abcdef0";

/// EC2's answer about one instance.
fn instance(state: &str, address: &str, reason: &str) -> Reply {
    let code = match state {
        "pending" => 0,
        "running" => 16,
        "shutting-down" => 32,
        "terminated" => 48,
        "stopping" => 64,
        _ => 80,
    };
    let ip = if state == "running" {
        format!("<ipAddress>{address}</ipAddress>")
    } else {
        String::new()
    };
    let reason = if reason.is_empty() {
        String::new()
    } else {
        format!("<stateReason><code>c</code><message>{reason}</message></stateReason>")
    };
    Reply::xml(format!(
        "<DescribeInstancesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><reservationSet><item><instancesSet><item>\
         <instanceId>{ID}</instanceId><instanceState><code>{code}</code><name>{state}</name></instanceState>{ip}\
         <privateIpAddress>10.0.0.7</privateIpAddress><placement><availabilityZone>eu-west-1a</availabilityZone></placement>{reason}\
         </item></instancesSet></item></reservationSet></DescribeInstancesResponse>"
    ))
}

fn started() -> Reply {
    Reply::xml(format!(
        "<StartInstancesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><instancesSet><item><instanceId>{ID}</instanceId>\
         <currentState><code>0</code><name>pending</name></currentState><previousState><code>80</code><name>stopped</name></previousState>\
         </item></instancesSet></StartInstancesResponse>"
    ))
}

fn console(text: &str) -> Reply {
    let output = base64(text.as_bytes());
    Reply::xml(format!(
        "<GetConsoleOutputResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><instanceId>{ID}</instanceId>\
         <timestamp>2026-11-23T09:00:00.000Z</timestamp><output>{output}</output></GetConsoleOutputResponse>"
    ))
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk
            .iter()
            .fold(0_u32, |word, byte| word << 8 | u32::from(*byte))
            << (8 * (3 - chunk.len()));
        for at in 0..4 {
            let digit = DIGITS[(word >> (18 - 6 * at)) as usize & 63];
            out.push(if at <= chunk.len() {
                char::from(digit)
            } else {
                '='
            });
        }
    }
    out
}

fn with_instance(world: &World, aws: &FakeAws) -> Program {
    world.program().envs(aws.env()).env("INSTANCE_ID", ID)
}

#[test]
fn with_an_address_alone_aws_is_not_called() {
    let Some(world) = World::start() else { return };
    let aws = FakeAws::start();
    world.program().envs(aws.env()).run().assert_code(0);
    assert_eq!(aws.operations(), Vec::<String>::new());
    // Nor are credentials needed.
    let bare = world
        .program()
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY")
        .env_remove("AWS_REGION");
    bare.run().assert_code(0);
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
fn an_instance_that_does_not_exist_is_refused_with_a_hint() {
    let Some(world) = World::start() else { return };
    let aws = FakeAws::start();
    let message = format!("The instance ID '{ID}' does not exist");
    aws.on(
        "ec2:DescribeInstances",
        [Reply::error(400, "InvalidInstanceID.NotFound", message)],
    );
    let ran = with_instance(&world, &aws).run();
    ran.assert_code(2)
        .assert_stderr("there is no instance")
        .assert_stderr("AWS_REGION")
        .assert_stderr("request id");
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
        .assert_stderr(&format!("start instance {ID}"));
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

#[test]
fn host_keys_are_learnt_from_the_console() {
    let Some(world) = World::start() else { return };
    let aws = FakeAws::start();
    aws.on(
        "ec2:DescribeInstances",
        [instance("running", "203.0.113.7", "")],
    );
    let keys = |line: &str| {
        console(&format!(
            "boot\r\n-----BEGIN SSH HOST KEY KEYS-----\r\n{line} root@ip\r\n-----END SSH HOST KEY KEYS-----\r\n"
        ))
    };
    aws.on(
        "ec2:GetConsoleOutput",
        [keys(&world.sshd.host_key_line("ecdsa"))],
    );
    let program = world.untrusting().envs(aws.env()).env("INSTANCE_ID", ID);
    program.run().assert_code(0);
    let other = harness::sshd::Sshd::start().unwrap();
    aws.on(
        "ec2:GetConsoleOutput",
        [keys(&other.host_key_line("ecdsa"))],
    );
    program
        .run()
        .assert_code(2)
        .assert_stderr(&format!("the console of {ID}"));
    aws.on("ec2:GetConsoleOutput", [console("nothing here")]);
    program
        .run()
        .assert_code(2)
        .assert_stderr("nothing is known about the host key");
}

#[test]
fn without_a_stored_key_one_is_pushed_before_connecting() {
    let Some(world) = World::start() else { return };
    let aws = FakeAws::start();
    aws.on(
        "ec2:DescribeInstances",
        [instance("running", "203.0.113.7", "")],
    );
    // What the instance's agent does: the pushed key may log in.
    let authorized = world.sshd.folder().join("authorized_keys");
    let user = world.sshd.user();
    aws.on_call("ec2-instance-connect:SendSSHPublicKey", move |request| {
        let asked = request.json();
        assert_eq!(asked["InstanceId"], ID);
        assert_eq!(asked["InstanceOSUser"], user.as_str());
        assert_eq!(asked["AvailabilityZone"], "eu-west-1a");
        std::fs::write(&authorized, asked["SSHPublicKey"].as_str().unwrap()).unwrap();
        Reply::json(&serde_json::json!({"RequestId": "r", "Success": true}))
    });
    let program = with_instance(&world, &aws).env_remove("DEPLOY_APP_SSH_KEY");
    program.run().assert_code(0);
    assert_eq!(
        aws.requests_for("ec2-instance-connect:SendSSHPublicKey")
            .len(),
        1
    );
    aws.assert_all_scripted();
    aws.on(
        "ec2-instance-connect:SendSSHPublicKey",
        [Reply::error(403, "AccessDeniedException", "no")],
    );
    program
        .run()
        .assert_code(3)
        .assert_stderr("ec2-instance-connect:SendSSHPublicKey");
}
