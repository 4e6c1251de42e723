//! What a deployment does to the host.

use harness::sshd::Options;

use crate::world::{World, executable, release};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

#[test]
fn a_first_deployment_ships_starts_and_proves_the_application() {
    let Some(world) = World::start() else { return };
    world.write("docs/a b/ünïcode", "text");
    std::os::unix::fs::symlink("docs/a b", world.source().join("link")).unwrap();
    std::fs::create_dir(world.source().join("empty")).unwrap();
    world.write(".git/config", "never shipped");
    world.write(".deployignore", "*.log\n");
    world.write("debug.log", "never shipped");
    let ran = world.program().run();
    ran.assert_code(0)
        .assert_stderr("is healthy: 2 good answers in a row")
        .assert_stderr("start: starting");
    let exports = ran.exports();
    let release = release(&ran);
    assert_eq!(exports["DEPLOY_CHANGED"], "1");
    let address = match world.is_tunneled() {
        true => crate::transports::PRIVATE_ADDRESS,
        false => "127.0.0.1",
    };
    assert_eq!(exports["EC2_PUBLIC_IP"], address);
    assert_eq!(exports.contains_key("INSTANCE_ID"), world.is_tunneled());
    assert_eq!(
        world.answer(),
        Some((200, release.clone(), "one".to_owned()))
    );
    assert_eq!(world.current(), Some(release));
    let current = world.target().join("current");
    assert_eq!(
        std::fs::read_to_string(current.join("docs/a b/ünïcode")).unwrap(),
        "text"
    );
    assert_eq!(
        std::fs::read_link(current.join("link")).unwrap().to_str(),
        Some("docs/a b")
    );
    assert!(current.join("empty").is_dir());
    assert_eq!(
        std::fs::metadata(current.join("start"))
            .unwrap()
            .permissions()
            .mode()
            & 0o777,
        0o755
    );
    for absent in [".git", ".deployignore", "debug.log"] {
        assert!(!current.join(absent).exists(), "{absent}");
    }
    world.assert_unlocked();
}

#[test]
fn a_second_deployment_of_the_same_changes_nothing() {
    let Some(world) = World::start() else { return };
    let first = world.deploy();
    // A fresh checkout has other times; what the application wrote itself does not count.
    world.write("content", "one");
    std::fs::write(world.target().join("current/written-by-the-app"), "x").unwrap();
    let ran = world.program().run();
    ran.assert_code(0).assert_stderr("nothing to deploy");
    assert_eq!(ran.exports()["DEPLOY_CHANGED"], "0");
    assert_eq!(release(&ran), first);
    assert_eq!(world.starts(), 1);
    assert_eq!(world.releases(), [first]);
}

#[test]
fn a_deployment_is_one_command_on_the_host() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("commands");
    let options = Options {
        config: vec![format!(
            "ForceCommand echo >>{}; eval \"$SSH_ORIGINAL_COMMAND\"",
            log.display()
        )],
        ..Options::default()
    };
    let Some(world) = World::start_with(&options) else {
        return;
    };
    let program = world.files_only();
    for told in ["", "nothing to deploy"] {
        program.run().assert_code(0).assert_stderr(told);
        // Or three, where the agent is not there yet, or is being put there by another test.
        let commands = std::fs::read_to_string(&log).unwrap();
        assert!(matches!(commands.as_str(), "\n" | "\n\n\n"), "{commands:?}");
        std::fs::remove_file(&log).unwrap();
    }
}

#[test]
fn who_may_read_a_file_is_a_change_like_its_content() {
    let Some(world) = World::start() else { return };
    world.write("conf", "x");
    let there = |release: &str| {
        let path = world.target().join("releases").join(release).join("conf");
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    };
    let here = |mode| {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(world.source().join("conf"), mode).unwrap();
    };
    here(0o600);
    let first = world.deploy();
    assert_eq!(there(&first), 0o600);
    here(0o644);
    let ran = world.program().run();
    ran.assert_code(0)
        .assert_stderr("0 added, 1 changed, 0 removed");
    assert_eq!(there(&release(&ran)), 0o644);
    assert_eq!(there(&first), 0o600, "the old release stays what it was");
    // What a group may read is for all. What was made private on the host is the application's business.
    let second = world.current().unwrap();
    here(0o640);
    let conf = world.target().join("current/conf");
    std::fs::set_permissions(&conf, std::fs::Permissions::from_mode(0o600)).unwrap();
    let ran = world.program().run();
    ran.assert_code(0).assert_stderr("nothing to deploy");
    world.program().arg("rollback").run().assert_code(0);
    let forth = world.program().arg("rollback").arg(second).run();
    forth.assert_code(0);
    // A new release has it as it should be, and what shall be private is a change.
    world.write("content", "two");
    assert_eq!(there(&world.deploy()), 0o644);
    here(0o600);
    assert_eq!(there(&world.deploy()), 0o600);
}

#[test]
fn changes_reach_the_host_and_only_they_are_sent() {
    let Some(world) = World::start() else { return };
    world.write("removed", "x");
    world.write("tool", "x");
    world.write("kept", "the same");
    let first = world.deploy();
    world.write("content", "two");
    std::fs::remove_file(world.source().join("removed")).unwrap();
    executable(&world.source().join("tool"));
    let ran = world.program().run();
    ran.assert_code(0)
        .assert_stderr("0 added, 2 changed, 1 removed, 4 B");
    let second = release(&ran);
    assert_ne!(first, second);
    assert_eq!(
        world.answer(),
        Some((200, second.clone(), "two".to_owned()))
    );
    let releases = world.target().join("releases");
    assert!(!releases.join(&second).join("removed").exists());
    assert_eq!(
        std::fs::metadata(releases.join(&second).join("tool"))
            .unwrap()
            .permissions()
            .mode()
            & 0o777,
        0o755
    );
    // The old release is untouched, and what both have is on the disk once.
    assert_eq!(
        std::fs::read_to_string(releases.join(&first).join("content")).unwrap(),
        "one"
    );
    assert_eq!(
        std::fs::metadata(releases.join(&first).join("tool"))
            .unwrap()
            .permissions()
            .mode()
            & 0o777,
        0o644
    );
    let inode = |release: &str| {
        std::fs::metadata(releases.join(release).join("kept"))
            .unwrap()
            .ino()
    };
    assert_eq!(inode(&first), inode(&second));
    assert_eq!(world.starts(), 2);
}

#[test]
fn a_file_that_was_altered_on_the_host_is_put_right() {
    let Some(world) = World::start() else { return };
    let first = world.deploy();
    let altered = world.target().join("releases").join(&first).join("content");
    std::fs::write(altered, "forged").unwrap();
    let second = world.deploy();
    assert_ne!(first, second);
    assert_eq!(world.answer(), Some((200, second, "one".to_owned())));
}

#[test]
fn an_application_that_died_is_started_again_without_a_new_release() {
    let Some(world) = World::start() else { return };
    let first = world.deploy();
    let pid = std::fs::read_to_string(world.state().join("pid")).unwrap();
    assert!(
        std::process::Command::new("kill")
            .arg(pid.trim())
            .status()
            .unwrap()
            .success()
    );
    std::fs::remove_file(world.state().join("pid")).unwrap();
    let ran = world.program().run();
    ran.assert_code(0).assert_stderr("starting it again");
    assert_eq!(release(&ran), first);
    assert_eq!(ran.exports()["DEPLOY_CHANGED"], "1");
    assert_eq!(world.answer(), Some((200, first, "one".to_owned())));
    world.assert_unlocked();
}

#[test]
fn old_releases_go_and_what_is_not_ours_stays() {
    let Some(world) = World::start() else { return };
    let mut made = Vec::new();
    for content in ["1", "2", "3"] {
        world.write("content", content);
        let ran = world.program().env("DEPLOY_APP_KEEP_RELEASES", "2").run();
        ran.assert_code(0);
        made.push(release(&ran));
        if content == "1" {
            std::fs::create_dir(world.target().join("releases/mine")).unwrap();
        }
    }
    assert_eq!(
        world.releases(),
        [made[1].as_str(), made[2].as_str(), "mine"]
    );
    assert!(
        !world
            .target()
            .join(".deploy/manifests")
            .join(&made[0])
            .exists()
    );
}

#[test]
fn everything_is_written_to_the_disk_whenever_something_changed() {
    const WRITTEN: &str = "everything is on the host's disk";
    let Some(world) = World::start() else { return };
    let program = world.program();
    program.run().assert_code(0).assert_stderr(WRITTEN);
    program.run().assert_code(0).refute_stderr(WRITTEN);
    let pid = std::fs::read_to_string(world.state().join("pid")).unwrap();
    let killed = std::process::Command::new("kill").arg(pid.trim()).status();
    assert!(killed.unwrap().success());
    program.run().assert_code(0).assert_stderr(WRITTEN);
    let ollama = crate::ollama::ollama("{\"status\":\"success\"}");
    let with_model = world.program().envs(ollama.settings("llama3.2:3b"));
    with_model.run().assert_code(0).assert_stderr(WRITTEN);
    world.write("content", "two");
    world.deploy();
    let back = world.program().arg("rollback").run();
    back.assert_code(0).assert_stderr(WRITTEN);
}

#[test]
fn shared_paths_outlive_releases() {
    let Some(world) = World::start() else { return };
    let program = world.program().env("DEPLOY_APP_SHARED", "var/data\n");
    program.run().assert_code(0);
    std::fs::write(world.target().join("current/var/data/db"), "rows").unwrap();
    world.write("content", "two");
    program.run().assert_code(0);
    assert_eq!(
        std::fs::read_to_string(world.target().join("current/var/data/db")).unwrap(),
        "rows"
    );
    assert_eq!(
        std::fs::read_to_string(world.target().join("shared/var/data/db")).unwrap(),
        "rows"
    );
}

#[test]
fn a_dry_run_tells_the_plan_and_changes_nothing() {
    let Some(world) = World::start() else { return };
    let plan_file = world.state().join("plan.json");
    let program = world
        .program()
        .env("DEPLOY_APP_DRY_RUN", "1")
        .env("DEPLOY_APP_PLAN_FILE", &plan_file);
    program
        .run()
        .assert_code(0)
        .assert_stdout("")
        .assert_stderr("current release: none")
        .assert_stderr("+ app.py (");
    assert!(!world.target().exists());
    let first = world.deploy();
    world.write("content", "two");
    program
        .run()
        .assert_code(0)
        .assert_stderr("~ content")
        .assert_stderr("start: cd");
    let plan: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&plan_file).unwrap()).unwrap();
    assert_eq!(
        plan["files"]["changed"],
        serde_json::json!([{"path": "content", "size": 3}])
    );
    assert_eq!(plan["current"], serde_json::json!(first));
    assert_eq!(world.releases(), [first]);
    world.write("content", "one");
    program.run().assert_code(0).assert_stderr("nothing to do");
}

#[test]
fn every_kind_of_key_logs_in() {
    let Some(world) = World::start() else { return };
    for kind in harness::sshd::KINDS {
        world
            .program()
            .env("DEPLOY_APP_SSH_KEY", world.sshd.user_key_path(kind))
            .env("DEPLOY_APP_DRY_RUN", "1")
            .run()
            .assert_code(0);
    }
    // EC2 hands RSA keys out in the old PEM form; the server takes no SHA-1 signature.
    let key = world.state().join("key.pem");
    for (kind, form, label) in [
        ("rsa", "PEM", "RSA PRIVATE KEY"),
        ("rsa", "PKCS8", "PRIVATE KEY"),
        ("ecdsa", "PEM", "EC PRIVATE KEY"),
        ("ecdsa", "PKCS8", "PRIVATE KEY"),
    ] {
        std::fs::copy(world.sshd.user_key_path(kind), &key).unwrap();
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
        let converted = std::process::Command::new("ssh-keygen")
            .args(["-q", "-p", "-m", form, "-N", "", "-f"])
            .arg(&key)
            .status();
        assert!(converted.unwrap().success());
        let text = std::fs::read_to_string(&key).unwrap();
        assert!(
            text.starts_with(&format!("-----BEGIN {label}-----")),
            "{kind} {form}"
        );
        world
            .program()
            .env("DEPLOY_APP_SSH_KEY", &key)
            .env("DEPLOY_APP_DRY_RUN", "1")
            .run()
            .assert_code(0);
    }
}
