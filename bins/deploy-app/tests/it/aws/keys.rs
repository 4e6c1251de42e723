//! SSH keys: pushed for a moment, or fetched from where they are kept.

use super::{ID, instance, with_instance, young_instance};
use crate::world::World;
use harness::{FakeAws, Reply};

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
        if request.turn >= 1 {
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
    assert_eq!(pushed.len(), 2);
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
    // As the console's editor of keys and values stores it: one line, with blanks for line ends.
    let flat = serde_json::json!({ "pem": pem.trim().replace('\n', " ") }).to_string();
    aws.on("secretsmanager:GetSecretValue", [secret(&flat)]);
    from("secretsmanager:web:pem").run().assert_code(0);
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
