//! The page's policy is exactly what the code calls, and the pipeline's role grants what its build calls.

use crate::aws::{ID, console, instance, with_instance};
use crate::transports::Private;
use crate::world::World;
use harness::tunnel::{Behaviour, Faults, list_endpoints};
use harness::{FakeAws, Program, Reply};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const GROUP: &str =
    "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/web/0123456789abcdef";

fn called(aws: &FakeAws) -> BTreeSet<String> {
    aws.operations().into_iter().collect()
}

/// An instance that is stopped until it is started, and lets in whoever pushes a key.
fn cloud(world: &World) -> FakeAws {
    let aws = FakeAws::start();
    let is_started = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&is_started);
    aws.on_call("ec2:DescribeInstances", move |_| {
        let state = if seen.load(Ordering::SeqCst) {
            "running"
        } else {
            "stopped"
        };
        instance(state, "203.0.113.7", "")
    });
    aws.on_call("ec2:StartInstances", move |_| {
        is_started.store(true, Ordering::SeqCst);
        Reply::xml(format!(
            "<StartInstancesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><instancesSet><item><instanceId>{ID}</instanceId>\
             <currentState><code>0</code><name>pending</name></currentState><previousState><code>80</code><name>stopped</name></previousState>\
             </item></instancesSet></StartInstancesResponse>"
        ))
    });
    let authorized = world.sshd.folder().join("authorized_keys");
    aws.on_call("ec2-instance-connect:SendSSHPublicKey", move |request| {
        let asked = request.json();
        let known = std::fs::read_to_string(&authorized).unwrap_or_default();
        let key = asked["SSHPublicKey"].as_str().unwrap();
        std::fs::write(&authorized, format!("{known}\n{key}\n")).unwrap();
        Reply::json(&json!({"RequestId": "r", "Success": true}))
    });
    aws.on("ec2:DescribeInstanceStatus", [Reply::xml(
        "<DescribeInstanceStatusResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><instanceStatusSet/></DescribeInstanceStatusResponse>",
    )]);
    aws.on("ec2:DescribeSecurityGroups", [Reply::xml(
        "<DescribeSecurityGroupsResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><securityGroupInfo/></DescribeSecurityGroupsResponse>",
    )]);
    aws.on("ec2:GetConsoleOutput", [console("nothing here")]);
    aws
}

/// The same on a port where nobody listens.
fn unanswered(program: &Program) -> Program {
    program
        .clone()
        .env("DEPLOY_APP_ADDRESS", "127.0.0.1:1")
        .env("DEPLOY_APP_SSH_TIMEOUT", "1s")
}

/// Runs everything that the settings can ask for.
#[test]
fn the_documented_policy_is_exactly_what_is_called() {
    let Some(world) = World::start() else { return };
    world.deploy();
    let aws = cloud(&world);
    aws.on(
        "ssm:GetParameter",
        [Reply::error(400, "ParameterNotFound", "")],
    );
    aws.on(
        "ssm:SendCommand",
        [Reply::json(&json!({"Command": {"CommandId": "c-1"}}))],
    );
    let line = world.sshd.host_key_line("ecdsa");
    aws.on(
        "ssm:GetCommandInvocation",
        [Reply::json(&json!({
            "CommandId": "c-1", "InstanceId": ID, "Status": "Success", "StatusDetails": "Success",
            "StandardOutputContent": format!("{line} root@ip\n")
        }))],
    );
    aws.on(
        "ssm:PutParameter",
        [Reply::json(&json!({"Version": 1, "Tier": "Standard"}))],
    );
    aws.on("elasticloadbalancing:DescribeTargetHealth", [Reply::xml(format!(
        "<DescribeTargetHealthResponse xmlns=\"http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/\"><DescribeTargetHealthResult>\
         <TargetHealthDescriptions><member><Target><Id>{ID}</Id><Port>8001</Port></Target><TargetHealth><State>healthy</State></TargetHealth>\
         </member></TargetHealthDescriptions></DescribeTargetHealthResult></DescribeTargetHealthResponse>"
    ))]);
    let pem = std::fs::read_to_string(world.sshd.user_key_path("ed25519")).unwrap();
    aws.on(
        "secretsmanager:GetSecretValue",
        [Reply::json(
            &json!({"ARN": "arn:x", "Name": "web", "SecretString": pem}),
        )],
    );
    world.write("content", "two");
    world
        .untrusting()
        .envs(aws.env())
        .env("INSTANCE_ID", ID)
        .env("CODEBUILD_BUILD_ID", "web:2")
        .env("DEPLOY_APP_TARGET_GROUP_ARN", GROUP)
        .env_remove("DEPLOY_APP_SSH_KEY")
        .run()
        .assert_code(0);
    let stored = with_instance(&world, &aws).env("DEPLOY_APP_SSH_KEY", "secretsmanager:web");
    stored.run().assert_code(0);
    unanswered(&stored).run().assert_code(4);
    let permissions = deploy_app::PROGRAM.permissions.iter();
    let documented: BTreeSet<String> = permissions.map(|one| one.action.to_owned()).collect();
    let tunnels = ["eic", "ssm", "auto"].map(of_transport);
    let bucket = crate::transfer::called();
    let all = tunnels
        .into_iter()
        .flatten()
        .chain(bucket)
        .chain(called(&aws));
    assert_eq!(all.collect::<BTreeSet<_>>(), documented);
    aws.assert_all_scripted();
}

/// What a deployment over a transport calls, websockets included; with an encrypted session that is cut.
fn of_transport(transport: &str) -> BTreeSet<String> {
    let behaviour = Behaviour {
        kms_key: Some("alias/sessions".to_owned()),
        faults: Faults {
            cuts: vec![30],
            ..Faults::default()
        },
        ..Behaviour::default()
    };
    let Some(private) = Private::start(&behaviour) else {
        return BTreeSet::new();
    };
    if transport == "auto" {
        // Then the session is the one way left.
        list_endpoints(&private.aws, "");
    }
    private.over(transport).run().assert_code(0);
    private.aws.assert_all_scripted();
    let mut called = called(&private.aws);
    if !private.endpoint.requests().is_empty() {
        called.insert("ec2-instance-connect:OpenTunnel".to_owned());
    }
    if private.agent.connections() > 0 {
        called.insert("ssmmessages:OpenDataChannel".to_owned());
    }
    called
}

#[test]
fn each_transport_calls_exactly_what_the_page_and_the_pipelines_role_say() {
    let Some(_) = World::start() else { return };
    let template = concat!(env!("CARGO_MANIFEST_DIR"), "/../../cfn/pipeline.yml");
    for needs in &deploy_app::page::TRANSPORTS[1..] {
        let transport = needs.transport.to_string();
        let mut called = of_transport(&transport);
        called.remove("ec2:DescribeInstances");
        let documented = needs.permissions.iter().map(ToString::to_string);
        let mut documented: BTreeSet<String> = documented.collect();
        assert_eq!(called, documented, "{transport}");
        // The key of an account's preferences is not the pipeline's; the look is that of `auto`.
        documented.remove("kms:GenerateDataKey");
        let role =
            harness::policy::granted(template, &format!("PolicyName: deploy-app-{transport}"));
        let look = "ssm:DescribeInstanceInformation".to_owned();
        let looks = (transport == "ssm").then_some(look);
        assert_eq!(
            role,
            documented.into_iter().chain(looks).collect(),
            "{transport}"
        );
    }
}

/// What the role of the pipeline's Build stage grants for the program.
fn granted() -> BTreeSet<String> {
    let template = concat!(env!("CARGO_MANIFEST_DIR"), "/../../cfn/pipeline.yml");
    harness::policy::granted(template, "PolicyName: deploy-app")
}

/// With the settings of the pipeline's project: a host key that is known, and no key of its own.
#[test]
fn the_pipelines_role_grants_exactly_what_its_build_calls() {
    let Some(world) = World::start() else { return };
    world.deploy();
    let aws = cloud(&world);
    world.write("content", "two");
    let build = with_instance(&world, &aws)
        .env("CODEBUILD_BUILD_ID", "web:2")
        .env_remove("DEPLOY_APP_SSH_KEY");
    build.run().assert_code(0);
    unanswered(&build).run().assert_code(4);
    assert_eq!(called(&aws), granted());
    aws.assert_all_scripted();
}
