//! Instances in every state, against a scripted EC2.

use crate::world::World;
use harness::{FakeAws, Program, Reply};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

pub(crate) const ID: &str = "i-0123456789abcdef0";

/// EC2's answer about one instance.
pub(crate) fn instance(state: &str, address: &str, reason: &str) -> Reply {
    launched(state, (address, "10.0.0.7"), reason, "")
}

/// EC2's answer about a running instance with these addresses; empty is none.
pub(crate) fn instance_at(public: &str, private: &str) -> Reply {
    launched("running", (public, private), "", "")
}

/// EC2's answer about an instance that was started a moment ago.
pub(crate) fn young_instance() -> Reply {
    let now = std::process::Command::new("date")
        .args(["-u", "+%Y-%m-%dT%H:%M:%S.000Z"])
        .output()
        .unwrap();
    let now = String::from_utf8(now.stdout).unwrap();
    let launch = format!("<launchTime>{}</launchTime>", now.trim());
    launched("running", ("203.0.113.7", "10.0.0.7"), "", &launch)
}

fn launched(state: &str, (public, private): (&str, &str), reason: &str, launch: &str) -> Reply {
    let code = match state {
        "pending" => 0,
        "running" => 16,
        "shutting-down" => 32,
        "terminated" => 48,
        "stopping" => 64,
        _ => 80,
    };
    let ip = if state == "running" && !public.is_empty() {
        format!("<ipAddress>{public}</ipAddress>")
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
         <privateIpAddress>{private}</privateIpAddress><placement><availabilityZone>eu-west-1a</availabilityZone></placement>\
         <groupSet><item><groupId>sg-0123456789abcdef0</groupId><groupName>web</groupName></item></groupSet>{reason}{launch}\
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

pub(crate) fn console(text: &str) -> Reply {
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

pub(crate) fn with_instance(world: &World, aws: &FakeAws) -> Program {
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

#[test]
fn a_pushed_key_is_pushed_again_until_the_instance_lets_it_in() {
    let Some(world) = World::start() else { return };
    let aws = FakeAws::start();
    aws.on("ec2:DescribeInstances", [young_instance()]);
    let authorized = world.sshd.folder().join("authorized_keys");
    std::fs::write(&authorized, "").unwrap();
    aws.on_call("ec2-instance-connect:SendSSHPublicKey", move |request| {
        // The agent comes up late.
        if request.turn >= 5 {
            let asked = request.json();
            std::fs::write(&authorized, asked["SSHPublicKey"].as_str().unwrap()).unwrap();
        }
        Reply::json(&serde_json::json!({"RequestId": "r", "Success": true}))
    });
    with_instance(&world, &aws)
        .env_remove("DEPLOY_APP_SSH_KEY")
        .env("DEPLOY_APP_SSH_TIMEOUT", "60s")
        .run()
        .assert_code(0);
    let pushed = aws.requests_for("ec2-instance-connect:SendSSHPublicKey");
    assert_eq!(pushed.len(), 6);
}

#[test]
fn an_instance_that_refuses_the_key_to_the_end_is_not_permitted() {
    let Some(world) = World::start() else { return };
    let aws = FakeAws::start();
    aws.on("ec2:DescribeInstances", [young_instance()]);
    std::fs::write(world.sshd.folder().join("authorized_keys"), "").unwrap();
    for limit in ["2s", "3s"] {
        let ran = with_instance(&world, &aws)
            .env("DEPLOY_APP_SSH_TIMEOUT", limit)
            .run();
        ran.assert_code(3)
            .assert_stderr("cannot log in")
            .assert_stderr("cause: the server refused user");
    }
}

#[test]
fn an_instance_is_found_by_its_tag() {
    let Some(world) = World::start() else { return };
    let aws = FakeAws::start();
    aws.on(
        "ec2:DescribeInstances",
        [instance("running", "203.0.113.7", "")],
    );
    let program = world
        .program()
        .envs(aws.env())
        .env("DEPLOY_APP_INSTANCE_TAG", "Name=web*");
    let ran = program.run();
    ran.assert_code(0);
    assert_eq!(ran.exports()["INSTANCE_ID"], ID);
    let asked = aws.requests_for("ec2:DescribeInstances")[0].filters();
    // A star of the value is a star, not a pattern.
    assert_eq!(asked["tag:Name"], ["web\\*"]);
    assert!(!asked["instance-state-name"].contains(&"terminated".to_owned()));
    let none = "<DescribeInstancesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><reservationSet/></DescribeInstancesResponse>";
    aws.on("ec2:DescribeInstances", [Reply::xml(none)]);
    program
        .run()
        .assert_code(2)
        .assert_stderr("no instance has the tag Name=web*");
    let one = "<item><instancesSet><item><instanceId>i-0123456789abcdef0</instanceId><instanceState><code>16</code><name>running</name></instanceState></item>\
               </instancesSet></item>";
    let two = format!(
        "<DescribeInstancesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><reservationSet>{one}{one}</reservationSet></DescribeInstancesResponse>"
    );
    aws.on("ec2:DescribeInstances", [Reply::xml(two)]);
    program
        .run()
        .assert_code(2)
        .assert_stderr("2 instances have the tag")
        .assert_stderr("is running");
    program
        .env("INSTANCE_ID", ID)
        .run()
        .assert_code(2)
        .assert_stderr("keep one of the two");
}

#[test]
fn an_instance_that_does_not_answer_is_explained() {
    let Some(world) = World::start() else { return };
    let aws = FakeAws::start();
    aws.on(
        "ec2:DescribeInstances",
        [instance("running", "203.0.113.7", "")],
    );
    aws.on("ec2:DescribeInstanceStatus", [Reply::xml(
        "<DescribeInstanceStatusResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><instanceStatusSet><item>\
         <systemStatus><status>ok</status></systemStatus><instanceStatus><status>impaired</status></instanceStatus>\
         </item></instanceStatusSet></DescribeInstanceStatusResponse>",
    )]);
    aws.on("ec2:DescribeSecurityGroups", [Reply::xml(
        "<DescribeSecurityGroupsResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><securityGroupInfo><item>\
         <groupId>sg-0123456789abcdef0</groupId><ipPermissions><item><ipProtocol>-1</ipProtocol>\
         <ipRanges><item><cidrIp>192.0.2.0/24</cidrIp></item></ipRanges></item></ipPermissions></item></securityGroupInfo></DescribeSecurityGroupsResponse>",
    )]);
    aws.on(
        "ec2:GetConsoleOutput",
        [console("booting\r\nKernel panic - not syncing\r\n")],
    );
    let bundle = world.state().join("bundle");
    let ran = with_instance(&world, &aws)
        .env("DEPLOY_APP_ADDRESS", "127.0.0.1:1")
        .env("DEPLOY_APP_SSH_TIMEOUT", "1s")
        .env("DEPLOY_APP_BUNDLE", &bundle)
        .run();
    ran.assert_code(4)
        .assert_stderr("cause: no TCP connection: Connection refused")
        .assert_stderr("the instance is running")
        .assert_stderr("its status checks: system ok, instance impaired")
        .assert_stderr("let reach port 1: 192.0.2.0/24")
        .assert_stderr("console: Kernel panic");
    let console = std::fs::read_to_string(bundle.join("console.txt")).unwrap();
    assert!(console.contains("Kernel panic"));
    let summary = std::fs::read_to_string(bundle.join("failure.json")).unwrap();
    assert!(summary.contains("\"stage\": \"connect\""), "{summary}");
    aws.assert_all_scripted();
}

#[test]
fn keys_are_fetched_from_secrets_manager_and_ssm() {
    let Some(world) = World::start() else { return };
    let aws = FakeAws::start();
    let pem = std::fs::read_to_string(world.sshd.user_key_path("ed25519")).unwrap();
    let secret = |text: &str| {
        Reply::json(&serde_json::json!({"ARN": "arn:x", "Name": "web", "SecretString": text}))
    };
    let program = world.program().envs(aws.env());
    aws.on("secretsmanager:GetSecretValue", [secret(&pem)]);
    let from = |key: &str| program.clone().env("DEPLOY_APP_SSH_KEY", key);
    from("secretsmanager:web").run().assert_code(0);
    let asked = aws.requests_for("secretsmanager:GetSecretValue")[0].json();
    assert_eq!(asked["SecretId"], "web");
    let json = serde_json::json!({ "pem": pem.replace('\n', "\\n") }).to_string();
    aws.on("secretsmanager:GetSecretValue", [secret(&json)]);
    from("secretsmanager:web:pem").run().assert_code(0);
    from("secretsmanager:web:other")
        .run()
        .assert_code(2)
        .assert_stderr("under `other`")
        .refute_stderr("PRIVATE KEY");
    let parameter = serde_json::json!({"Parameter": {"Name": "/web/key", "Type": "SecureString", "Value": pem}});
    aws.on("ssm:GetParameter", [Reply::json(&parameter)]);
    from("ssm:/web/key").run().assert_code(0);
    let asked = aws.requests_for("ssm:GetParameter")[0].json();
    assert_eq!(asked["WithDecryption"], true);
    aws.on(
        "ssm:GetParameter",
        [Reply::error(400, "ParameterNotFound", "")],
    );
    from("ssm:/web/key")
        .run()
        .assert_code(2)
        .assert_stderr("cannot read the SSM parameter /web/key")
        .assert_stderr("DEPLOY_APP_SSH_KEY");
    aws.on(
        "secretsmanager:GetSecretValue",
        [Reply::error(400, "AccessDeniedException", "no")],
    );
    from("secretsmanager:web")
        .run()
        .assert_code(3)
        .assert_stderr("secretsmanager:GetSecretValue");
    aws.on("secretsmanager:GetSecretValue", [secret("hunter2-no-key")]);
    from("secretsmanager:web")
        .run()
        .assert_code(2)
        .assert_stderr("cannot use the private key in secretsmanager:web")
        .refute_stderr("hunter2");
}

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
        .env("DEPLOY_APP_BUNDLE", &bundle)
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
