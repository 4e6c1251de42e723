//! The layout in-place: files directly in the target folder, as rsync put them there.

use crate::world::{World, release};
use harness::Program;

fn program(world: &World) -> Program {
    world.program().env("DEPLOY_APP_LAYOUT", "in-place")
}

fn live(world: &World, name: &str) -> Option<String> {
    std::fs::read_to_string(world.target().join(name)).ok()
}

#[test]
fn files_lie_in_the_open_and_only_ours_go() {
    let Some(world) = World::start() else { return };
    // What rsync left there, and what the application wrote.
    std::fs::create_dir_all(world.target().join("data")).unwrap();
    std::fs::write(world.target().join("content"), "from rsync").unwrap();
    std::fs::write(world.target().join("data/db"), "rows").unwrap();
    std::fs::write(world.target().join("stale"), "x").unwrap();
    world.write("lib/gone", "1");
    world.write("lib/kept", "1");
    let ran = program(&world).run();
    ran.assert_code(0);
    let first = release(&ran);
    assert_eq!(world.answer(), Some((200, first, "one".to_owned())));
    assert_eq!(live(&world, "lib/gone").as_deref(), Some("1"));
    assert!(!world.target().join("current").exists());
    world.write("content", "two");
    std::fs::remove_file(world.source().join("lib/gone")).unwrap();
    let ran = program(&world).run();
    ran.assert_code(0)
        .assert_stderr("0 added, 1 changed, 1 removed, 3 B");
    let second = release(&ran);
    assert_eq!(
        world.answer(),
        Some((200, second.clone(), "two".to_owned()))
    );
    assert_eq!(live(&world, "lib/gone"), None);
    assert_eq!(live(&world, "lib/kept").as_deref(), Some("1"));
    assert_eq!(live(&world, "data/db").as_deref(), Some("rows"));
    assert_eq!(live(&world, "stale").as_deref(), Some("x"));
    let ran = program(&world).run();
    ran.assert_code(0).assert_stderr("nothing to deploy");
    // Altered in the open: noticed, and put right.
    std::fs::write(world.target().join("content"), "forged").unwrap();
    program(&world).run().assert_code(0);
    assert_eq!(live(&world, "content").as_deref(), Some("two"));
    world.assert_unlocked();
}

#[test]
fn a_failed_release_leaves_what_was_there_before() {
    let Some(world) = World::start() else { return };
    std::fs::create_dir_all(world.target()).unwrap();
    std::fs::write(world.target().join("content"), "from rsync").unwrap();
    world.write("broken", "");
    program(&world).run().assert_code(1);
    // The first release of ours is gone, and what it had taken the place of is back.
    assert_eq!(live(&world, "content").as_deref(), Some("from rsync"));
    assert_eq!(live(&world, "app.py"), None);
    std::fs::remove_file(world.source().join("broken")).unwrap();
    let first = release(program(&world).run().assert_code(0));
    world.write("content", "two");
    world.write("new", "1");
    world.write("broken", "");
    program(&world)
        .run()
        .assert_code(1)
        .assert_stderr("rolled back");
    assert_eq!(world.answer(), Some((200, first, "one".to_owned())));
    assert_eq!((live(&world, "new"), live(&world, "broken")), (None, None));
    world.assert_unlocked();
}

#[test]
fn rollback_moves_the_files_back() {
    let Some(world) = World::start() else { return };
    let first = release(program(&world).run().assert_code(0));
    world.write("content", "two");
    world.write("new", "1");
    program(&world).run().assert_code(0);
    program(&world).arg("rollback").run().assert_code(0);
    assert_eq!(world.answer(), Some((200, first, "one".to_owned())));
    assert_eq!(live(&world, "new"), None);
}

#[test]
fn a_file_where_ours_are_kept_is_refused() {
    let Some(world) = World::start() else { return };
    world.write(".deploy/lock", "x");
    program(&world)
        .run()
        .assert_code(2)
        .assert_stderr("would lie where this program keeps its own files");
    assert!(!world.target().exists());
}

#[test]
fn what_somebody_else_put_in_the_way_is_named() {
    let Some(world) = World::start() else { return };
    std::fs::create_dir_all(world.target().join("lib")).unwrap();
    std::fs::write(world.target().join("theirs"), "x").unwrap();
    std::fs::write(world.target().join("lib/own"), "x").unwrap();
    world.write("theirs/deep/f", "1");
    world.write("lib", "1");
    program(&world)
        .run()
        .assert_code(1)
        .assert_stderr("cannot put release")
        .assert_stderr(
            "has files that no earlier deployment put there: `lib/`, `theirs`; move them away",
        );
    assert_eq!(live(&world, "theirs").as_deref(), Some("x"));
    assert_eq!(live(&world, "lib/own").as_deref(), Some("x"));
    assert_eq!(live(&world, "app.py"), None);
    std::fs::remove_file(world.target().join("theirs")).unwrap();
    std::fs::remove_dir_all(world.target().join("lib")).unwrap();
    program(&world).run().assert_code(0);
    assert_eq!(live(&world, "theirs/deep/f").as_deref(), Some("1"));
}
