//! `deploy-app`: files on an instance whose SSH server is ours; what it makes is the release, and an
//! instance that runs.

use harness::Program;

use super::{Job, World, instance, runs, unless_is};

/// The instance runs; with `start` it is stopped before; with `connect` the key is pushed by EC2
/// Instance Connect, which here leads nowhere; with `keys` the host's key is in a parameter.
pub(super) fn prepare<'a>(way: &str, world: &'a World<'a>) -> Option<Job<'a>> {
    let World {
        server, sshd, name, ..
    } = *world;
    let instance = instance(server, name);
    if way == "start" {
        server.query("ec2", "StopInstances", &[("InstanceId.1", &instance)]);
    }
    let source = world.folder.path().join("source");
    let target = world.folder.path().join("target");
    std::fs::create_dir(&source).unwrap();
    std::fs::write(source.join("content"), name).unwrap();
    let mut program = Program::of_workspace("deploy-app")?
        .env("INSTANCE_ID", &instance)
        .env("DEPLOY_APP_ADDRESS", format!("127.0.0.1:{}", sshd.port()))
        .env("DEPLOY_APP_USER", sshd.user())
        .env("DEPLOY_APP_SOURCE", &source)
        .env("DEPLOY_APP_TARGET", &target)
        .env("DEPLOY_APP_RUNTIME", "none")
        .env("DEPLOY_APP_SSH_TIMEOUT", "10s");
    if way != "connect" {
        program = program.env("DEPLOY_APP_SSH_KEY", sshd.user_key_path("ed25519"));
    }
    if way == "keys" {
        let parameter = serde_json::json!({
            "Name": format!("/deploy-app/{instance}/host-keys"), "Value": sshd.host_key_line("ed25519"), "Type": "String",
        });
        server.json("ssm", "AmazonSSM.PutParameter", &parameter);
    } else {
        program = program.env("DEPLOY_APP_HOST_KEY", sshd.host_key_line("ed25519"));
    }
    let expected = instance.clone();
    let starts = way == "start";
    Some(Job {
        program,
        wrong: Box::new(move |exports| unless_is(exports, "INSTANCE_ID", &expected)),
        made: Box::new(move || {
            let releases = std::fs::read_dir(target.join("releases"));
            let releases = releases.into_iter().flatten().flatten();
            let mut made: Vec<String> = releases
                .map(|one| one.file_name().to_string_lossy().into_owned())
                .collect();
            if starts && runs(server, &instance) {
                made.push(instance.clone());
            }
            made
        }),
    })
}
