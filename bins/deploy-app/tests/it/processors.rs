//! A host with another processor than this machine's.

use std::path::Path;
use std::process::Command;

use crate::world::{Tools, World};

const QEMU: &str = "/usr/bin/qemu-aarch64-static";

/// Runs a command where programs for aarch64 are run by QEMU. Since Linux 6.7 a user namespace has its own list of such
/// formats, so that nothing of this machine changes. The format is the head of a 64-bit ELF program for aarch64, as in QEMU's
/// own list; `F` opens the emulator at once.
const AARCH64: &str = r#"#!/bin/sh
format=':aarch64:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:QEMU:F'
exec unshare --user --map-root-user --mount sh -c '
    formats=/proc/sys/fs/binfmt_misc
    mount -t binfmt_misc none $formats && printf %s "$2" >$formats/register || exit 99
    exec sh -c "$1"' sh "$1" "$format"
"#;

/// A development build carries the agent of its own processor alone. What ships, which `scripts/test-shipped` runs this
/// with, carries both.
fn carries_both() -> bool {
    std::env::var_os("ACTIONS_BIN").is_some_and(|folder| !folder.is_empty())
}

#[test]
#[allow(clippy::print_stderr, reason = "a skipped test says so")]
fn a_host_with_another_processor_is_deployed_to() {
    let tools = Tools::new();
    tools.write("aarch64", &AARCH64.replace("QEMU", QEMU));
    tools.write(
        "uname",
        "#!/bin/sh\n[ \"$*\" = -m ] || exec /usr/bin/uname \"$@\"\necho aarch64\n",
    );
    let mut options = tools.options();
    if !carries_both() {
        let Some(world) = World::start_with(&options) else {
            return;
        };
        let ran = world.program().run();
        ran.assert_code(2)
            .assert_stderr("there is no agent for aarch64");
        assert!(!world.target().exists());
        return;
    }
    if !Path::new(QEMU).exists() {
        return harness::missing("qemu-aarch64-static");
    }
    let host = tools.path().join("aarch64");
    let tried = Command::new(&host).arg("exit 0").status();
    if !tried.is_ok_and(|status| status.success()) {
        // No installation helps.
        eprintln!(
            "SKIPPED a_host_with_another_processor_is_deployed_to: this kernel gives a user namespace no binfmt_misc (Linux 6.7), or this user may not mount it"
        );
        return;
    }
    let forced = format!("ForceCommand {} \"$SSH_ORIGINAL_COMMAND\"", host.display());
    options.config.push(forced);
    let Some(world) = World::start_with(&options) else {
        return;
    };
    let put = "putting the agent onto the host";
    let folder = world.state().join("agent");
    let program = world.program().env("DEPLOY_APP_AGENT_DIR", &folder);
    program.run().assert_code(0).assert_stderr(put);
    let answered = world.answer();
    assert_eq!(answered.unwrap().2, "one");
    world.write("content", "two");
    program.run().assert_code(0).refute_stderr(put);
    assert_eq!(world.answer().unwrap().2, "two");
    let agents = std::fs::read_dir(&folder).unwrap();
    for agent in agents {
        let head = std::fs::read(agent.unwrap().path()).unwrap();
        // The machine of an ELF program: EM_AARCH64.
        assert_eq!(head[18..20], [183, 0]);
    }
}
