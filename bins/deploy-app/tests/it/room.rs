//! Room on the host's disk.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use harness::Program;
use harness::slow_link::SlowLink;

use crate::world::World;

/// A small file system, until this is dropped.
pub(crate) struct Mounted(PathBuf);

impl Mounted {
    /// None, after saying that the test is skipped, where this user may not mount.
    pub(crate) fn tmpfs(at: &Path, options: &str) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(at)
            .output();
        if mounted.is_ok_and(|mounted| mounted.status.success()) {
            return Some(Self(at.to_owned()));
        }
        harness::missing("the right to mount");
        None
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// With an agent that takes none of the room.
fn program(world: &World) -> Program {
    let agent = world.state().join("agent");
    world.files_only().env("DEPLOY_APP_AGENT_DIR", agent)
}

fn write_large(world: &World, byte: u8) {
    std::fs::write(world.source().join("large"), vec![byte; 3 << 20]).unwrap();
}

#[test]
fn a_release_for_which_there_is_no_room_is_refused_before_anything_is_sent() {
    let Some(world) = World::start() else { return };
    let Some(_mounted) = Mounted::tmpfs(&world.target(), "size=4m") else {
        return;
    };
    write_large(&world, 1);
    program(&world).run().assert_code(0);
    let first = world.current();
    write_large(&world, 2);
    let ran = program(&world).run();
    ran.assert_code(2)
        .assert_stderr("KiB free for")
        .assert_stderr("nothing was sent")
        .assert_stderr("hint: make room, or lower DEPLOY_APP_KEEP_RELEASES");
    assert_eq!(world.current(), first);
    assert_eq!(world.releases().len(), 1);
    world.assert_unlocked();
}

#[test]
fn old_releases_make_room_for_the_next() {
    let Some(world) = World::start() else { return };
    let Some(_mounted) = Mounted::tmpfs(&world.target(), "size=8m") else {
        return;
    };
    let mut before = None;
    for byte in 1..=4 {
        write_large(&world, byte);
        let program = program(&world).env("DEPLOY_APP_KEEP_RELEASES", "2");
        program.run().assert_code(0);
        let large = std::fs::read(world.target().join("current/large")).unwrap();
        assert_eq!(large.first(), Some(&byte));
        // The one to go back to is never what goes.
        let current = world.current();
        let kept: Vec<String> = before.into_iter().chain(current.clone()).collect();
        assert_eq!(world.releases(), kept);
        before = current;
    }
}

#[test]
fn a_file_system_without_inodes_for_the_release_is_no_room() {
    let Some(world) = World::start() else { return };
    let Some(_mounted) = Mounted::tmpfs(&world.target(), "nr_inodes=60") else {
        return;
    };
    program(&world).run().assert_code(0);
    let first = world.current();
    for n in 0..60 {
        world.write(&format!("part/{n}"), "x");
    }
    let ran = program(&world).run();
    ran.assert_code(2).assert_stderr("inodes free for");
    assert_eq!(world.current(), first);
    assert_eq!(world.releases().len(), 1);
}

#[test]
fn a_disk_that_fills_while_a_release_comes_keeps_what_runs() {
    let Some(world) = World::start() else { return };
    let Some(_mounted) = Mounted::tmpfs(&world.target(), "size=8m") else {
        return;
    };
    program(&world).run().assert_code(0);
    let first = world.current();
    write_large(&world, 1);
    let link = SlowLink::start(world.sshd.port(), Duration::from_millis(400));
    let address = format!("127.0.0.1:{}", link.port());
    let agent = world.state().join("agent");
    let running = world
        .files_only_direct()
        .env("DEPLOY_APP_AGENT_DIR", agent)
        .env("DEPLOY_APP_ADDRESS", address)
        .spawn();
    // The room was looked at, and is taken by somebody else.
    running.wait_for_stderr("stage send\n", Duration::from_secs(60));
    let shrunk = Command::new("mount")
        .args(["-o", "remount,size=1m"])
        .arg(world.target())
        .status();
    assert!(shrunk.unwrap().success());
    let ran = running.finish();
    ran.assert_code(1).assert_stderr("No space left on device");
    assert_eq!(world.current(), first);
    assert_eq!(world.releases().len(), 1);
    world.assert_unlocked();
}
