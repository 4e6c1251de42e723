//! Another user than the one who logs in, and commands that a login does not find.

use crate::world::{Tools, World, executable};
use harness::Program;
use harness::sshd::Options;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::Path;

/// The user that is nobody else's, and its number.
const USER: (&str, u32) = ("nobody", 65_534);

/// A host with a target folder of that user. `None` where nothing can be given to it.
fn host(options: &Options) -> Option<World> {
    let world = World::start_with(options)?;
    let target = world.target();
    std::fs::create_dir(&target).unwrap();
    if chown(&target, Some(USER.1), Some(USER.1)).is_err() {
        harness::missing("the right to give files away");
        return None;
    }
    let above = target.parent().unwrap();
    std::fs::set_permissions(above, std::fs::Permissions::from_mode(0o755)).unwrap();
    Some(world)
}

fn program(world: &World) -> Program {
    world
        .files_only()
        .env("DEPLOY_APP_SUDO", USER.0)
        .env("DEPLOY_APP_AGENT_DIR", world.target().join("agent"))
        .env(
            "DEPLOY_APP_BEFORE",
            "echo \"$(id -un) $RELEASE_ID ${SHARED_DIR##*/}\"",
        )
}

fn owner(path: &Path) -> u32 {
    std::fs::symlink_metadata(path).unwrap().uid()
}

/// Deploys, and looks at whose all of it is.
fn deploys_as_that_user(world: &World) {
    let ran = program(world).run();
    let release = crate::world::release(ran.assert_code(0));
    // sudo drops variables of its caller; these are set behind it.
    ran.assert_stderr(&format!("before: {} {release} shared", USER.0));
    let folder = world.target().join("releases").join(release);
    for path in [
        folder.clone(),
        folder.join("content"),
        world.target().join(".deploy"),
    ] {
        assert_eq!(owner(&path), USER.1, "{}", path.display());
    }
    program(world)
        .run()
        .assert_code(0)
        .assert_stderr("nothing to deploy");
}

#[test]
fn everything_is_done_as_another_user_by_sudo() {
    let sudo = std::process::Command::new("sudo").arg("-V").output();
    if sudo.is_err() {
        harness::missing("sudo");
        return;
    }
    let Some(world) = host(&Options::default()) else {
        return;
    };
    deploys_as_that_user(&world);
}

#[test]
fn a_sudo_that_asks_for_a_password_is_told() {
    let tools = Tools::new();
    tools.write(
        "sudo",
        "#!/bin/sh\n[ \"$1 $2 $3 $4\" = '-n -H -u nobody' ] || exit 9\necho 'sudo: a password is required' >&2; exit 1\n",
    );
    let Some(world) = host(&tools.options()) else {
        return;
    };
    program(&world)
        .run()
        .assert_code(3)
        .assert_stderr("sudo: a password is required")
        .assert_stderr("ALL=(nobody) NOPASSWD: ALL");
}

#[test]
fn commands_are_found_in_folders_that_a_login_does_not_search() {
    let Some(world) = World::start() else { return };
    let folder = world.state().join("own bin");
    std::fs::create_dir(&folder).unwrap();
    let command = folder.join("only-here");
    std::fs::write(&command, "#!/bin/sh\necho found\n").unwrap();
    executable(&command);
    let program = world.files_only().env("DEPLOY_APP_BEFORE", "only-here");
    program
        .run()
        .assert_code(1)
        .assert_stderr("exit status 127");
    let path = format!("/nowhere:{}", folder.display());
    for content in ["one", "two"] {
        world.write("content", content);
        program
            .clone()
            .env("DEPLOY_APP_HOST_PATH", &path)
            .run()
            .assert_code(0)
            .assert_stderr("before: found");
    }
}
