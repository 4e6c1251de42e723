//! What is made of the last words of a command that failed, the application's own and ours.

use crate::world::{Tools, World, executable};
use std::os::unix::fs::PermissionsExt as _;

/// What is said where the user may not write to the target folder.
const RIGHTS: &str = "sudo install";

#[test]
fn what_an_application_is_denied_is_no_lack_of_rights_to_deploy() {
    let Some(world) = World::start() else { return };
    world.write(
        "start",
        "#!/bin/sh\necho 'psql: FATAL: permission denied for table x' >&2\nexit 1\n",
    );
    world
        .program()
        .run()
        .assert_code(1)
        .assert_stderr("permission denied for table x")
        .refute_stderr(RIGHTS);
}

#[test]
fn a_command_that_cannot_be_run_is_explained() {
    let Some(world) = World::start() else { return };
    let start = world.source().join("start");
    std::fs::set_permissions(&start, std::fs::Permissions::from_mode(0o644)).unwrap();
    world
        .program()
        .run()
        .assert_code(1)
        .assert_stderr("exit status 126")
        .assert_stderr("hint: is it executable? (git update-index --chmod=+x FILE)")
        .refute_stderr(RIGHTS);
    executable(&start);
    world
        .program()
        .env("DEPLOY_APP_START", "./nowhere")
        .run()
        .assert_code(1)
        .assert_stderr("exit status 127")
        .assert_stderr("hint: is it there, on the host's PATH or in the release?");
}

#[test]
fn what_the_user_may_not_do_on_the_host_is_not_permitted() {
    let Some(world) = crate::unreadable::host() else {
        return;
    };
    world.files_only().run().assert_code(0);
    world.write("content", "two");
    let releases = world.target().join("releases");
    let set_mode = |mode| {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(&releases, mode).unwrap();
    };
    set_mode(0o555);
    world
        .files_only()
        .run()
        .assert_code(3)
        .assert_stderr("cannot unpack release")
        .assert_stderr(RIGHTS);
    set_mode(0o755);
    world.files_only().run().assert_code(0);
}

#[test]
fn a_user_who_may_not_use_docker_is_told() {
    let tools = Tools::new();
    tools.write(
        "docker",
        "#!/bin/sh\necho 'permission denied while trying to connect to the Docker daemon socket' >&2\nexit 1\n",
    );
    let Some(world) = World::start_with(&tools.options()) else {
        return;
    };
    world.write("compose.yaml", "services: {}\n");
    world
        .files_only()
        .env("DEPLOY_APP_RUNTIME", "compose")
        .run()
        .assert_code(3)
        .assert_stderr("let the user use them");
}

#[test]
fn a_pattern_that_is_none_is_told_with_what_to_do() {
    let Some(world) = World::start() else { return };
    world.write(".deployignore", "[z-a]\n");
    world
        .files_only()
        .run()
        .assert_code(2)
        .assert_stderr("cannot walk")
        .assert_stderr("hint: make the folder readable, or list it in .deployignore");
}

#[test]
fn a_script_with_the_line_ends_of_windows_is_told_of_before_it_is_sent() {
    let Some(world) = World::start() else { return };
    world.write("tool", "#!/bin/sh\r\necho\r\n");
    executable(&world.source().join("tool"));
    let told = "the first line of `tool` ends as on Windows (CRLF)";
    let program = world.files_only();
    program.run().assert_code(0).assert_stderr(told);
    world.write("tool", "#!/bin/sh\necho\n");
    program.run().assert_code(0).refute_stderr("CRLF");
}
