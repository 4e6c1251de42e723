//! What is made of the last words of a command that failed, the application's own and ours.

use crate::world::{Tools, World, executable};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

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
fn what_our_own_scripts_are_denied_is_not_permitted() {
    let tools = Tools::new();
    tools.write(
        "tar",
        "#!/bin/sh\ncase \"$*\" in *./from* | *' -C '*) exec /bin/tar \"$@\" ;; esac\ncat >/dev/null\necho 'tar: x: Cannot open: Permission denied' >&2\nexit 2\n",
    );
    let Some(world) = World::start_with(&tools.options()) else {
        return;
    };
    world
        .files_only()
        .run()
        .assert_code(3)
        .assert_stderr("cannot unpack release")
        .assert_stderr(RIGHTS);
    tools.write(
        "docker",
        "#!/bin/sh\necho 'permission denied while trying to connect to the Docker daemon socket' >&2\nexit 1\n",
    );
    world
        .files_only()
        .env("DEPLOY_APP_RUNTIME", "compose")
        .run()
        .assert_code(3)
        .assert_stderr("let the user use them");
}

#[test]
fn a_listing_that_fails_tells_why_and_no_hashes() {
    let tools = Tools::new();
    tools.write(
        "sha256sum",
        "#!/bin/sh\nbad=0\ncase \"$* \" in *'/file17 '*) echo './file17: Input/output error' >&2; bad=1;; esac\n\
         /usr/bin/sha256sum \"$@\"; exit $bad\n",
    );
    tools.write("openssl", "#!/bin/sh\nexit 1\n");
    let Some(world) = World::start_with(&tools.options()) else {
        return;
    };
    // As many hashes as are handed on at once.
    for n in 0..40 {
        world.write(&format!("file{n}"), "x");
    }
    let ran = world.files_only().run();
    ran.assert_code(1)
        .assert_stderr("cannot unpack release")
        .assert_stderr("./file17: Input/output error")
        // The SHA-256 of their content.
        .refute_stderr("2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881");
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
fn a_host_that_lacks_awk_is_told_how_to_get_it() {
    // All that a look asks for but `awk`.
    let tools = Tools::new();
    for tool in [
        "cat",
        "cp",
        "date",
        "df",
        "find",
        "ln",
        "mkdir",
        "mv",
        "readlink",
        "rm",
        "sh",
        "sha256sum",
        "tar",
        "xargs",
    ] {
        let real = Path::new("/usr/bin").join(tool);
        std::os::unix::fs::symlink(real, tools.path().join(tool)).unwrap();
    }
    let options = harness::sshd::Options {
        env: vec![format!("PATH={}", tools.path().display())],
        ..harness::sshd::Options::default()
    };
    let Some(world) = World::start_with(&options) else {
        return;
    };
    world
        .files_only()
        .run()
        .assert_code(2)
        .assert_stderr("lacks awk")
        .assert_stderr("apt-get install coreutils findutils mawk tar");
}

#[test]
fn a_source_that_changes_while_it_is_sent_is_not_blamed_on_a_release_before() {
    let tools = Tools::new();
    let Some(world) = World::start_with(&tools.options()) else {
        return;
    };
    // Once it has been read and before it is sent: the lock is taken between the two.
    let content = world.source().join("content");
    tools.write(
        "mv",
        &format!(
            "#!/bin/sh\ncase $1 in lock.new.*) printf two >'{}' ;; esac\nexec /usr/bin/mv \"$@\"\n",
            content.display()
        ),
    );
    world
        .files_only()
        .run()
        .assert_code(1)
        .assert_stderr("1 file did not arrive as read here: sending again, whole")
        .assert_stderr("(1 fault in 4 entries)")
        .assert_stderr("did the application's folder change meanwhile")
        .refute_stderr("release before changed");
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
