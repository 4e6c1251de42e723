//! What is refused before anything is touched.

use crate::world::World;
use harness::Program;
use harness::sshd::{Options, Sshd};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

#[test]
fn a_wrong_host_key_is_refused() {
    let Some(world) = World::start() else { return };
    let other = Sshd::start().unwrap();
    let ran = world
        .untrusting()
        .env("DEPLOY_APP_HOST_KEY", other.host_key_line("ed25519"))
        .run();
    ran.assert_code(2)
        .assert_stderr("is not the known one")
        .assert_stderr("SHA256:")
        .assert_stderr("DEPLOY_APP_HOST_KEY");
    assert!(!world.target().exists());
    assert!(!world.sshd.log().contains("Accepted publickey"));
}

#[test]
fn the_pinned_type_is_the_one_that_is_asked_for() {
    let Some(world) = World::start() else { return };
    for kind in harness::sshd::KINDS {
        let program = world
            .untrusting()
            .env("DEPLOY_APP_HOST_KEY", world.sshd.host_key_line(kind))
            .env("DEPLOY_APP_DRY_RUN", "1");
        program.run().assert_code(0);
    }
}

#[test]
fn a_host_without_a_key_of_the_pinned_type_is_refused() {
    let Some(world) = World::start() else { return };
    let options = Options {
        config: vec!["HostKeyAlgorithms ecdsa-sha2-nistp256".to_owned()],
        ..Options::default()
    };
    let host = Sshd::start_with(&options).unwrap();
    let program = world
        .at_its_address()
        .env("DEPLOY_APP_ADDRESS", format!("127.0.0.1:{}", host.port()));
    let ran = program
        .env("DEPLOY_APP_HOST_KEY", host.host_key_line("ed25519"))
        .run();
    ran.assert_code(2)
        .assert_stderr("ssh-ed25519")
        .assert_stderr("ecdsa-sha2-nistp256");
}

#[test]
fn an_unknown_host_is_refused_unless_first_use_is_trusted() {
    let Some(world) = World::start() else { return };
    let ran = world.at_its_address().run();
    ran.assert_code(2)
        .assert_stderr("nothing is known about the host key")
        .assert_stderr("DEPLOY_APP_KNOWN_HOSTS");
    assert!(!world.target().exists());
    let known_hosts = world.state().join("known_hosts");
    let trusting = world
        .at_its_address()
        .env("DEPLOY_APP_KNOWN_HOSTS", &known_hosts)
        .env("DEPLOY_APP_DRY_RUN", "1");
    trusting.run().assert_code(2);
    let first_use = trusting.clone().env("DEPLOY_APP_TRUST_ON_FIRST_USE", "yes");
    first_use.run().assert_code(0);
    assert!(!known_hosts.exists(), "a dry run writes nothing down");
    first_use
        .env_remove("DEPLOY_APP_DRY_RUN")
        .run()
        .assert_code(0)
        .assert_stderr("on first use");
    // Now it is known, and another key under the same name is not believed any more.
    trusting.run().assert_code(0).refute_stderr("first use");
    let pinned = std::fs::read_to_string(&known_hosts).unwrap();
    assert!(
        pinned.contains(&format!("[127.0.0.1]:{} ssh-ed25519 ", world.sshd.port())),
        "{pinned}"
    );
    let other = Sshd::start().unwrap();
    std::fs::write(
        &known_hosts,
        format!(
            "[127.0.0.1]:{} {}\n",
            world.sshd.port(),
            other.host_key_line("ed25519")
        ),
    )
    .unwrap();
    trusting
        .env("DEPLOY_APP_TRUST_ON_FIRST_USE", "yes")
        .run()
        .assert_code(2)
        .assert_stderr("is not the known one");
}

#[test]
fn known_hosts_files_are_read() {
    let Some(world) = World::start() else { return };
    let known_hosts = world.state().join("known_hosts");
    std::fs::write(&known_hosts, world.sshd.known_hosts()).unwrap();
    let program = world
        .at_its_address()
        .env("DEPLOY_APP_KNOWN_HOSTS", &known_hosts)
        .env("DEPLOY_APP_DRY_RUN", "1");
    program.run().assert_code(0);
    let hashed = std::process::Command::new("ssh-keygen")
        .args(["-q", "-H", "-f"])
        .arg(&known_hosts)
        .output()
        .unwrap();
    assert!(hashed.status.success());
    assert!(
        std::fs::read_to_string(&known_hosts)
            .unwrap()
            .contains("|1|")
    );
    program.run().assert_code(0);
    std::fs::remove_file(&known_hosts).unwrap();
    program
        .run()
        .assert_code(2)
        .assert_stderr("cannot read DEPLOY_APP_KNOWN_HOSTS");
}

#[test]
fn private_keys_in_the_application_are_refused() {
    let Some(world) = World::start() else { return };
    let key = world.source().join("deploy/key.pem");
    std::fs::create_dir(world.source().join("deploy")).unwrap();
    std::fs::copy(world.sshd.user_key_path("rsa"), &key).unwrap();
    world
        .program()
        .run()
        .assert_code(2)
        .assert_stderr("deploy/key.pem")
        .assert_stderr("private key");
    assert!(!world.target().exists());
    // Even an ignored one must not be the key of the deployment itself.
    world.write(".deployignore", "key.pem\n");
    world
        .program()
        .env("DEPLOY_APP_SSH_KEY", &key)
        .run()
        .assert_code(2)
        .assert_stderr("lies inside the application");
    std::fs::remove_file(&key).unwrap();
}

#[test]
fn what_ships_nothing_may_run_from_anywhere() {
    let Some(world) = World::start() else { return };
    let first = world.deploy();
    world.write("content", "two");
    world.deploy();
    let key = world.sshd.user_key_path("ed25519");
    let above = world
        .program()
        .env("DEPLOY_APP_SOURCE", key.parent().unwrap());
    above
        .run()
        .assert_code(2)
        .assert_stderr("lies inside the application");
    above.clone().arg("releases").run().assert_code(0);
    above.arg("rollback").run().assert_code(0);
    assert_eq!(world.current(), Some(first));
    let nowhere = world.program().env("DEPLOY_APP_SOURCE", "/no/such/folder");
    nowhere
        .run()
        .assert_code(2)
        .assert_stderr("is not a folder");
    nowhere.arg("releases").run().assert_code(0);
}

#[test]
fn environment_files_stay_here_unless_they_are_named() {
    let Some(world) = World::start() else { return };
    world.write(".env", "PASSWORD=x");
    world.write("conf/.env.prod", "PASSWORD=y");
    for name in [".env.example", ".envrc", ".env-prod", ".env_local"] {
        world.write(name, "PASSWORD=");
    }
    std::fs::set_permissions(
        world.source().join("conf/.env.prod"),
        std::fs::Permissions::from_mode(0o600),
    )
    .unwrap();
    let program = world.program().env("DEPLOY_APP_INCLUDE", "conf/.env.prod");
    program
        .run()
        .assert_code(0)
        .assert_stderr(
            "not shipped, because environment files usually hold secrets: .env, .env-prod, .env.example, .env_local, .envrc (",
        );
    let current = world.target().join("current");
    assert!(!current.join(".env").exists());
    let mode = std::fs::metadata(current.join("conf/.env.prod"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600, "what nobody else may read stays so");
    program
        .run()
        .assert_code(0)
        .assert_stderr("nothing to deploy");
    for absent in [".env.example", ".envrc", ".env-prod", ".env_local"] {
        assert!(!current.join(absent).exists(), "{absent}");
    }
    program
        .env("DEPLOY_APP_INCLUDE", ".env.staging")
        .run()
        .assert_code(2)
        .assert_stderr("DEPLOY_APP_INCLUDE names `.env.staging`, which is not there");
}

#[test]
fn a_failure_bundle_of_an_earlier_run_is_no_part_of_the_application() {
    let Some(world) = World::start() else { return };
    world.write("bundle/failure.txt", "it failed");
    world.write("bundles", "shipped");
    world
        .program()
        .env("DEPLOY_APP_DIAGNOSTICS_DIR", world.source().join("bundle"))
        .run()
        .assert_code(0);
    let current = world.target().join("current");
    assert!(!current.join("bundle").exists() && current.join("bundles").exists());
}

#[test]
fn the_wrong_key_or_user_is_not_permitted() {
    let Some(world) = World::start() else { return };
    let other = Sshd::start().unwrap();
    let ran = world
        .program()
        .env("DEPLOY_APP_SSH_KEY", other.user_key_path("ed25519"))
        .run();
    ran.assert_code(3)
        .assert_stderr("cannot log in")
        .assert_stderr("authorized_keys");
    world
        .program()
        .env("DEPLOY_APP_USER", "nobody-of-that-name")
        .run()
        .assert_code(3);
}

#[test]
fn a_target_that_cannot_be_made_is_refused_before_anything_is_done() {
    let Some(world) = World::start() else { return };
    let file = world.state().join("file");
    std::fs::write(&file, "").unwrap();
    let to = |target: &Path| world.program().env("DEPLOY_APP_TARGET", target);
    let in_the_way = to(&file.join("app"));
    // Linux lets nobody make anything there, root neither.
    let closed = to(Path::new("/proc/sys/app"));
    for dry in ["0", "1"] {
        let deed = "cannot deploy to ";
        let in_the_way = in_the_way.clone().env("DEPLOY_APP_DRY_RUN", dry).run();
        in_the_way
            .assert_code(2)
            .assert_stderr(deed)
            .assert_stderr(&format!("{} is not a folder", file.display()));
        let closed = closed.clone().env("DEPLOY_APP_DRY_RUN", dry).run();
        closed
            .assert_code(3)
            .assert_stderr(deed)
            .assert_stderr("may not write into /proc/sys\n")
            .assert_stderr(&format!(
                "hint: on the host: sudo install -d -o '{}' '/proc/sys/app'",
                world.sshd.user()
            ));
    }
    // To look is allowed.
    closed.arg("releases").run().assert_code(0);
}

#[test]
fn all_settings_that_are_wrong_are_told_at_once() {
    let program = Program::new(env!("CARGO_BIN_EXE_deploy-app"));
    program.run().assert_code(2).assert_stderr(
        "neither INSTANCE_ID nor DEPLOY_APP_INSTANCE_TAG nor DEPLOY_APP_ADDRESS is set",
    );
    let ran = program
        .clone()
        .env("INSTANCE_ID", "web-1")
        .env("DEPLOY_APP_TARGET", "/")
        .env("DEPLOY_APP_SSH_KEY", "secretsmanager:")
        .env("DEPLOY_APP_TARGT", "x")
        .run();
    ran.assert_code(2)
        .assert_stderr("\"web-1\" is not an instance id")
        .assert_stderr("DEPLOY_APP_TARGET: \"/\"")
        .assert_stderr("`secretsmanager:` is not secretsmanager:ID")
        .assert_stderr("did you mean DEPLOY_APP_TARGET?");
}

#[test]
fn numbers_that_are_none_are_told_with_what_is_taken() {
    let program = Program::new(env!("CARGO_BIN_EXE_deploy-app"));
    program
        .env("DEPLOY_APP_HEALTH_COUNT", "three")
        .env("DEPLOY_APP_KEEP_RELEASES", "0")
        .run()
        .assert_code(2)
        .assert_stderr("DEPLOY_APP_HEALTH_COUNT: \"three\" is not a number from 1 to 4294967295")
        .assert_stderr("DEPLOY_APP_KEEP_RELEASES: \"0\" is not a number from 1 to 4294967295");
}

#[test]
fn a_faulty_line_of_an_env_file_brings_no_fault_that_is_none() {
    let Some(world) = World::start() else { return };
    let key = world.sshd.user_key_path("ed25519");
    let file = world.state().join("app.env");
    let source = format!("DEPLOY_APP_SOURCE={}", world.source().display());
    let lines = [
        source.as_str(),
        "DEPLOY_APP_HEALTH_COUNT=three",
        "DEPLOY_APP_START=\"./start now\"",
        "DEPLOY_APP_TARGT=/srv/app",
    ];
    std::fs::write(&file, lines.join("\n")).unwrap();
    let ran = world
        .program()
        .env_remove("DEPLOY_APP_SOURCE")
        .env_remove("DEPLOY_APP_START")
        .env_remove("DEPLOY_APP_HEALTH_COUNT")
        .dir(key.parent().unwrap())
        .arg("--env-file")
        .arg(&file)
        .run();
    ran.assert_code(2)
        .assert_stderr("3 settings are wrong")
        .assert_stderr("app.env:2: DEPLOY_APP_HEALTH_COUNT: \"three\"")
        .assert_stderr("app.env:3:18: DEPLOY_APP_START: docker keeps quotes")
        .assert_stderr(
            "app.env:4: DEPLOY_APP_TARGT: no such setting (did you mean DEPLOY_APP_TARGET?)",
        )
        .assert_stderr(
            "settings that depend on each other are checked once the env files can be read",
        )
        .refute_stderr("lies inside the application")
        .refute_stderr("not set");
}

#[test]
fn what_only_reads_is_done_after_a_failed_build_phase_too() {
    let Some(world) = World::start() else { return };
    let release = world.deploy();
    let program = world.program().env("CODEBUILD_BUILD_SUCCEEDING", "0");
    let ran = program.clone().arg("releases").run();
    assert!(ran.assert_code(0).stdout.contains(&release), "{ran}");
    program.clone().arg("--dry-run").run().assert_code(0);
    program
        .clone()
        .args(["rollback", "--dry-run"])
        .run()
        .refute_stderr("CODEBUILD_BUILD_SUCCEEDING=0");
    program
        .arg("rollback")
        .run()
        .assert_code(2)
        .assert_stderr("CODEBUILD_BUILD_SUCCEEDING=0");
}

#[test]
fn after_a_failed_build_phase_nothing_is_done() {
    let Some(world) = World::start() else { return };
    let program = world.program().env("CODEBUILD_BUILD_SUCCEEDING", "0");
    program
        .run()
        .assert_code(2)
        .assert_stderr("CODEBUILD_BUILD_SUCCEEDING=0");
    assert!(!world.target().exists());
    program
        .env("DEPLOY_APP_EVEN_IF_FAILED", "1")
        .run()
        .assert_code(0);
}

#[test]
fn a_current_that_is_not_ours_is_refused() {
    let Some(world) = World::start() else { return };
    std::fs::create_dir_all(world.target().join("current")).unwrap();
    world
        .program()
        .run()
        .assert_code(2)
        .assert_stderr("is not a release of this program");
}

#[test]
fn a_port_where_nothing_listens_is_not_told_as_a_forward_that_is_refused() {
    let Some(world) = World::start() else { return };
    let ran = world
        .program()
        .env("DEPLOY_APP_START", "true")
        .env("DEPLOY_APP_STOP", "true")
        .env("DEPLOY_APP_HEALTH_URL", "http://127.0.0.1:1/collection")
        .env("DEPLOY_APP_HEALTH_TIMEOUT", "2s")
        .run();
    ran.assert_code(1)
        .assert_stderr("nothing listens on 127.0.0.1:1 on the host")
        .refute_stderr("ConnectFailed")
        .refute_stderr("refused to forward");
}
