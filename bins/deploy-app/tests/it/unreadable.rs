//! Folders on the host that its user may not read, as a container of a database leaves them.

use crate::world::{World, release};
use harness::sshd::Options;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// A host on which commands may read and write what their user may and no more, also where that user is root. `None` where
/// that cannot be had.
pub(crate) fn host() -> Option<World> {
    let mut options = Options::default();
    if nobody_is_kept_out() {
        let limited = "setpriv --bounding-set=-dac_override,-dac_read_search";
        let able = std::process::Command::new("sh")
            .args(["-c", &format!("{limited} true")])
            .status();
        if !able.is_ok_and(|status| status.success()) {
            harness::missing("setpriv");
            return None;
        }
        let command = format!("ForceCommand exec {limited} sh -c \"$SSH_ORIGINAL_COMMAND\"");
        options.config = vec![command];
    }
    World::start_with(&options)
}

/// Whether the user of this test reads everything.
fn nobody_is_kept_out() -> bool {
    let folder = tempfile::tempdir().unwrap();
    set_mode(folder.path(), 0);
    let is_open = std::fs::read_dir(folder.path()).is_ok();
    set_mode(folder.path(), 0o700);
    is_open
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// Makes a folder that cannot be read.
fn close(path: &Path) {
    std::fs::create_dir_all(path).unwrap();
    std::fs::write(path.join("rows"), "x").unwrap();
    set_mode(path, 0);
}

#[test]
fn in_place_beside_a_folder_that_cannot_be_read() {
    let Some(world) = host() else {
        return;
    };
    let data = world.target().join("data");
    close(&data);
    let program = world.program().env("DEPLOY_APP_LAYOUT", "in-place");
    let first = release(program.run().assert_code(0));
    assert_eq!(world.answer(), Some((200, first.clone(), "one".to_owned())));
    // Once more, and back again.
    world.write("content", "two");
    let second = release(program.run().assert_code(0));
    assert_eq!(world.answer(), Some((200, second, "two".to_owned())));
    program.clone().arg("rollback").run().assert_code(0);
    assert_eq!(world.answer(), Some((200, first, "one".to_owned())));
    // What fails is taken down as well.
    world.write("broken", "");
    program
        .run()
        .assert_code(1)
        .assert_stderr("rolled back")
        .refute_stderr("sudo");
    set_mode(&data, 0o700);
    assert_eq!(std::fs::read_to_string(data.join("rows")).unwrap(), "x");
}

#[test]
fn a_release_in_which_the_application_left_what_cannot_be_read_is_gone_back_to() {
    let Some(world) = host() else {
        return;
    };
    let first = world.deploy();
    let data = world.target().join("releases").join(&first).join("data");
    close(&data);
    world.write("content", "two");
    world.deploy();
    world.program().arg("rollback").run().assert_code(0);
    assert_eq!(world.answer(), Some((200, first, "one".to_owned())));
    set_mode(&data, 0o700);
}

#[test]
fn a_large_file_that_was_closed_or_removed_on_the_host_is_deployed_again() {
    let Some(world) = host() else {
        return;
    };
    let write = |byte: usize| {
        let mut large: Vec<u8> = (0..6_000_000_u32).flat_map(u32::to_le_bytes).collect();
        large[byte] ^= 0xff;
        std::fs::write(world.source().join("large"), large).unwrap();
    };
    let there = world.target().join("current/large");
    write(0);
    world.files_only().run().assert_code(0);
    for (round, damage) in [
        (1, &(|| set_mode(&there, 0o444)) as &dyn Fn()),
        (2, &|| set_mode(&there, 0)),
        (3, &|| std::fs::remove_file(&there).unwrap()),
    ] {
        damage();
        write(12_000_000 + round);
        world.files_only().run().assert_code(0);
        let source = std::fs::read(world.source().join("large")).unwrap();
        assert!(std::fs::read(&there).unwrap() == source, "{round}");
        let mode = std::fs::metadata(&there).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o644, "{round}");
    }
}

#[test]
fn what_a_container_wrote_into_a_release_is_moved_aside_and_told_once() {
    let Some(world) = host() else {
        return;
    };
    let program = world.files_only().env("DEPLOY_APP_KEEP_RELEASES", "1");
    let first = release(program.run().assert_code(0));
    let cache = world.target().join("releases").join(&first).join("cache");
    std::fs::create_dir(&cache).unwrap();
    std::fs::write(cache.join("page"), "x").unwrap();
    // Somebody else's, as of the user in a container.
    for path in [cache.join("page"), cache] {
        if std::os::unix::fs::chown(path, Some(12_345), Some(12_345)).is_err() {
            harness::missing("the right to give files away");
            return;
        }
    }
    world.write("content", "two");
    let kept = world.target().join("kept").join(&first);
    program
        .run()
        .assert_code(0)
        .assert_stderr("what this user may not remove")
        .assert_stderr(&format!("sudo rm -r '{}'", kept.display()));
    assert_eq!(world.releases(), [world.current().unwrap()]);
    assert!(kept.join("cache/page").exists() && !kept.join("content").exists());
    world.write("content", "three");
    program.run().assert_code(0).refute_stderr("may not remove");
    std::fs::remove_dir_all(kept).unwrap();
}
