//! The ladder by which an instance's host keys are learnt.

use crate::aws::{ID, console, instance, young_instance};
use crate::world::World;
use harness::sshd::{Options, Sshd};
use harness::{FakeAws, Program, Reply};
use std::process::Command;
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

const PARAMETER: &str = "/deploy-app/i-0123456789abcdef0/host-keys";

fn aws() -> FakeAws {
    let aws = FakeAws::start();
    aws.on(
        "ec2:DescribeInstances",
        [instance("running", "203.0.113.7", "")],
    );
    aws.on(
        "ssm:GetParameter",
        [Reply::error(400, "ParameterNotFound", "")],
    );
    aws.on("ec2:GetConsoleOutput", [console("nothing here")]);
    aws.on(
        "ssm:SendCommand",
        [Reply::error(400, "InvalidInstanceId", "not managed")],
    );
    aws.on(
        "ssm:PutParameter",
        [Reply::json(
            &serde_json::json!({"Version": 1, "Tier": "Standard"}),
        )],
    );
    aws
}

fn parameter(text: &str) -> Reply {
    Reply::json(
        &serde_json::json!({"Parameter": {"Name": PARAMETER, "Type": "String", "Value": text}}),
    )
}

fn printed(line: &str) -> Reply {
    console(&format!(
        "boot\r\n-----BEGIN SSH HOST KEY KEYS-----\r\n{line} root@ip\r\n-----END SSH HOST KEY KEYS-----\r\n"
    ))
}

fn program(world: &World, aws: &FakeAws) -> Program {
    world.untrusting().envs(aws.env()).env("INSTANCE_ID", ID)
}

#[test]
fn the_parameter_of_the_instance_comes_first() {
    let Some(world) = World::start() else { return };
    let aws = aws();
    aws.on(
        "ssm:GetParameter",
        [parameter(&format!(
            "# stored\n{}\n",
            world.sshd.host_key_line("ecdsa")
        ))],
    );
    let program = program(&world, &aws);
    program.run().assert_code(0);
    let asked = aws.requests_for("ssm:GetParameter")[0].json();
    assert_eq!(asked["Name"], PARAMETER);
    assert!(aws.requests_for("ec2:GetConsoleOutput").is_empty());
    assert!(aws.requests_for("ssm:PutParameter").is_empty());
    let other = Sshd::start().unwrap();
    aws.on(
        "ssm:GetParameter",
        [parameter(&other.host_key_line("ecdsa"))],
    );
    program
        .run()
        .assert_code(2)
        .assert_stderr("is not the known one")
        .assert_stderr(&format!("the SSM parameter {PARAMETER}"));
    aws.on("ssm:GetParameter", [parameter("gibberish")]);
    program
        .run()
        .assert_code(2)
        .assert_stderr("cannot be used")
        .assert_stderr("line 1 is not a public key");
}

#[test]
fn what_the_console_shows_is_believed_and_stored() {
    let Some(world) = World::start() else { return };
    let aws = aws();
    let line = world.sshd.host_key_line("ecdsa");
    aws.on("ec2:GetConsoleOutput", [printed(&line)]);
    let program = program(&world, &aws);
    program
        .run()
        .assert_code(0)
        .assert_stderr("stored the host keys in the SSM parameter");
    let stored = aws.requests_for("ssm:PutParameter")[0].json();
    assert_eq!(stored["Name"], PARAMETER);
    assert_eq!(stored["Value"], line.as_str());
    assert_eq!(stored["Overwrite"], false);
    // Storing is a convenience here, and may be forbidden.
    aws.on(
        "ssm:PutParameter",
        [Reply::error(400, "AccessDeniedException", "no")],
    );
    program
        .run()
        .assert_code(0)
        .assert_stderr("are not stored in the SSM parameter");
    // A host that does not hold the key is stored nowhere.
    let other = Sshd::start().unwrap();
    aws.on(
        "ec2:GetConsoleOutput",
        [printed(&other.host_key_line("ecdsa"))],
    );
    let before = aws.requests_for("ssm:PutParameter").len();
    program
        .run()
        .assert_code(2)
        .assert_stderr(&format!("the console of {ID}"));
    assert_eq!(aws.requests_for("ssm:PutParameter").len(), before);
}

#[test]
fn an_old_instance_is_asked_through_ssm() {
    let Some(world) = World::start() else { return };
    let aws = aws();
    let line = world.sshd.host_key_line("ed25519");
    aws.on(
        "ssm:SendCommand",
        [Reply::json(
            &serde_json::json!({"Command": {"CommandId": "c-1"}}),
        )],
    );
    let invocation = |status: &str, output: &str| {
        Reply::json(&serde_json::json!({
            "CommandId": "c-1", "InstanceId": ID, "Status": status, "StatusDetails": status,
            "ResponseCode": i32::from(status == "Failed"),
            "StandardOutputContent": output, "StandardErrorContent": "cat: no such file"
        }))
    };
    aws.on(
        "ssm:GetCommandInvocation",
        [
            Reply::error(400, "InvocationDoesNotExist", ""),
            invocation("InProgress", ""),
            invocation("Success", &format!("{line} root@ip\n")),
        ],
    );
    let program = program(&world, &aws);
    program.run().assert_code(0);
    let asked = aws.requests_for("ssm:SendCommand")[0].json();
    assert_eq!(asked["DocumentName"], "AWS-RunShellScript");
    assert_eq!(
        asked["Parameters"]["commands"],
        serde_json::json!(["cat /etc/ssh/ssh_host_*_key.pub"])
    );
    assert_eq!(
        aws.requests_for("ssm:PutParameter")[0].json()["Value"],
        line.as_str()
    );
    aws.assert_all_scripted();
    aws.on("ssm:GetCommandInvocation", [invocation("Failed", "")]);
    program
        .run()
        .assert_code(2)
        .assert_stderr("SSM RunCommand cannot read them: exit status 1: cat: no such file");
}

#[test]
fn an_instance_that_was_just_started_is_asked_until_it_has_come_up() {
    let Some(world) = World::start() else { return };
    let aws = aws();
    aws.on("ec2:DescribeInstances", [young_instance()]);
    aws.on(
        "ec2:GetConsoleOutput",
        [
            console(""),
            console(""),
            printed(&world.sshd.host_key_line("ecdsa")),
        ],
    );
    program(&world, &aws)
        .run()
        .assert_code(0)
        .assert_stderr("waiting for the host keys of");
    assert_eq!(aws.requests_for("ssm:SendCommand").len(), 2);
    // A dry run asks the console, and runs nothing on the instance.
    let before = aws.requests_for("ssm:SendCommand").len();
    program(&world, &aws)
        .env("DEPLOY_APP_DRY_RUN", "1")
        .run()
        .assert_code(0);
    assert_eq!(aws.requests_for("ssm:SendCommand").len(), before);
    aws.on("ec2:GetConsoleOutput", [console("")]);
    program(&world, &aws)
        .env("DEPLOY_APP_SSH_TIMEOUT", "1s")
        .run()
        .assert_code(2)
        .assert_stderr("nothing is known about the host key");
}

#[test]
fn without_any_knowledge_every_rung_is_told() {
    let Some(world) = World::start() else { return };
    let aws = aws();
    let ran = program(&world, &aws).run();
    ran.assert_code(2)
        .assert_stderr("nothing is known about the host key")
        .assert_stderr(&format!("the SSM parameter {PARAMETER} does not exist"))
        .assert_stderr("shows no host keys")
        .assert_stderr("SSM RunCommand cannot read them: InvalidInstanceId")
        .assert_stderr("DEPLOY_APP_HOST_KEY");
    assert!(!world.target().exists());
}

/// Stops and starts: EC2's answers about an instance that this run starts.
fn stopped(aws: &FakeAws) {
    aws.on(
        "ec2:DescribeInstances",
        [instance("stopped", "", ""), young_instance()],
    );
    let started = format!(
        "<StartInstancesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><instancesSet><item><instanceId>{ID}</instanceId>\
         </item></instancesSet></StartInstancesResponse>"
    );
    aws.on("ec2:StartInstances", [Reply::xml(started)]);
}

const RUNGS: [&str; 3] = [
    "ssm:GetParameter",
    "ec2:GetConsoleOutput",
    "ssm:SendCommand",
];

#[test]
fn what_aws_did_not_tell_decides_the_exit() {
    let Some(world) = World::start() else { return };
    let aws = aws();
    let program = program(&world, &aws).env("AWS_MAX_ATTEMPTS", "1");
    let throttled = || Reply::error(400, "ThrottlingException", "Rate exceeded");
    let denied = || Reply::error(403, "AccessDeniedException", "not yours");
    for (replies, code, said) in [
        ([throttled(), throttled(), throttled()], 4, "Rate exceeded"),
        ([denied(), denied(), denied()], 3, "not yours"),
        // The one that was throttled might have told.
        ([denied(), throttled(), denied()], 4, "Rate exceeded"),
        // The console tells nothing, and nobody may ask further.
        (
            [denied(), console(""), denied()],
            3,
            "allow what was denied",
        ),
    ] {
        for (rung, reply) in RUNGS.into_iter().zip(replies) {
            aws.on(rung, [reply]);
        }
        program
            .run()
            .assert_code(code)
            .assert_stderr("it was not connected to")
            .assert_stderr(said);
    }
    assert!(!world.target().exists());
}

#[test]
fn the_deadline_holds_while_ssm_throttles_and_what_was_started_is_told() {
    let Some(world) = World::start() else { return };
    let aws = aws();
    stopped(&aws);
    for rung in RUNGS {
        aws.on(
            rung,
            [Reply::error(400, "ThrottlingException", "Rate exceeded")],
        );
    }
    let started = Instant::now();
    program(&world, &aws)
        .env("DEPLOY_APP_TIMEOUT", "8s")
        .run()
        .assert_code(6)
        .assert_stderr("the deadline passed before the host keys were learnt")
        .assert_stderr("ThrottlingException: Rate exceeded")
        .assert_stderr(&format!("instance {ID} was started and stays so"));
    // The retries of the three calls take more than two minutes without it.
    assert!(started.elapsed() < Duration::from_secs(40));
}

/// "Refused" promises that nothing was touched.
#[test]
fn nothing_is_refused_once_the_instance_was_started() {
    let Some(world) = World::start() else { return };
    let aws = aws();
    stopped(&aws);
    program(&world, &aws)
        .env("DEPLOY_APP_SSH_TIMEOUT", "1s")
        .run()
        .assert_code(5)
        .assert_stderr("nothing is known about the host key")
        .assert_stderr(&format!("instance {ID} was started and stays so"))
        .assert_stderr(&format!(
            "aws ec2 stop-instances --region eu-west-1 --instance-ids {ID}"
        ));
}

#[test]
fn sigterm_is_answered_while_a_rung_does_not_answer() {
    let Some(world) = World::start() else { return };
    for rung in RUNGS {
        let aws = aws();
        let (tell, asked) = mpsc::channel();
        let tell = Mutex::new(tell);
        aws.on_call(rung, move |_| {
            let _ = tell.lock().unwrap().send(());
            Reply::hang(Duration::from_secs(600))
        });
        let running = program(&world, &aws).spawn();
        asked.recv_timeout(Duration::from_secs(60)).unwrap();
        let signalled = Instant::now();
        running.signal(15);
        running.finish().assert_code(143);
        assert!(signalled.elapsed() < Duration::from_secs(20), "{rung}");
    }
}

/// An answer was lost, and the SDK asked again: the parameter is there, and is ours.
#[test]
fn host_keys_that_an_answer_was_lost_for_are_stored() {
    let Some(world) = World::start() else { return };
    let aws = aws();
    let line = world.sshd.host_key_line("ed25519");
    aws.on(
        "ssm:GetParameter",
        [Reply::error(400, "ParameterNotFound", ""), parameter(&line)],
    );
    aws.on(
        "ssm:PutParameter",
        [
            Reply::close(),
            Reply::error(400, "ParameterAlreadyExists", "it exists"),
        ],
    );
    program(&world, &aws)
        .env("DEPLOY_APP_TRUST_ON_FIRST_USE", "yes")
        .run()
        .assert_code(0)
        .assert_stderr("stored the host keys in the SSM parameter");
}

#[test]
fn first_use_of_an_instance_is_written_to_its_parameter() {
    let Some(world) = World::start() else { return };
    let aws = aws();
    let program = program(&world, &aws).env("DEPLOY_APP_TRUST_ON_FIRST_USE", "yes");
    program.run().assert_code(0).assert_stderr("on first use");
    let stored = aws.requests_for("ssm:PutParameter")[0].json();
    assert_eq!(
        stored["Value"],
        world.sshd.host_key_line("ed25519").as_str()
    );
    // Where it cannot be written down, the next use would be a first one again.
    aws.on(
        "ssm:PutParameter",
        [Reply::error(400, "AccessDeniedException", "no")],
    );
    world.write("content", "two");
    program
        .run()
        .assert_code(3)
        .assert_stderr("cannot store the host key")
        .assert_stderr("ssm:PutParameter");
}

#[test]
fn a_certificate_of_a_known_authority_is_believed() {
    let Some(world) = World::start() else { return };
    let folder = world.state();
    let authority = folder.join("ca");
    let keygen = |args: &[&str]| {
        let status = Command::new("ssh-keygen").args(args).status().unwrap();
        assert!(status.success(), "{args:?}");
    };
    let (ca, host) = (authority.to_str().unwrap(), folder.join("host"));
    let host = host.to_str().unwrap();
    for key in [ca, host] {
        keygen(&["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", key]);
    }
    let public = format!("{host}.pub");
    keygen(&[
        "-q",
        "-s",
        ca,
        "-I",
        "web",
        "-h",
        "-n",
        "127.0.0.1",
        &public,
    ]);
    let options = Options {
        config: vec![
            format!("HostKey {host}"),
            format!("HostCertificate {host}-cert.pub"),
        ],
        ..Options::default()
    };
    let sshd = Sshd::start_with(&options).unwrap();
    let line = std::fs::read_to_string(format!("{ca}.pub")).unwrap();
    let program = world
        .untrusting()
        .env("DEPLOY_APP_ADDRESS", format!("127.0.0.1:{}", sshd.port()))
        .env("DEPLOY_APP_SSH_KEY", sshd.user_key_path("ed25519"))
        .env("DEPLOY_APP_DRY_RUN", "1");
    let trusted = format!("@cert-authority {line}");
    program
        .clone()
        .env("DEPLOY_APP_HOST_KEY", &trusted)
        .run()
        .assert_code(0);
    let known_hosts = folder.join("known_hosts");
    std::fs::write(
        &known_hosts,
        format!("@cert-authority [127.0.0.1]:* {line}"),
    )
    .unwrap();
    program
        .clone()
        .env("DEPLOY_APP_KNOWN_HOSTS", &known_hosts)
        .run()
        .assert_code(0);
    // Another authority's word counts for nothing.
    let other = Sshd::start().unwrap().host_key_line("ed25519");
    program
        .env("DEPLOY_APP_HOST_KEY", format!("@cert-authority {other}"))
        .run()
        .assert_code(2)
        .assert_stderr("is not the known one")
        .assert_stderr("authority ssh-ed25519");
}
