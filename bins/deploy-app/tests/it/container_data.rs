//! What containers write: carried over, refused with the line that names it, and never removed.

use crate::compose::Docker;
use crate::world::{World, release};
use std::fs;

fn mount(source: &str, more: &str) -> String {
    format!("[{{\"type\":\"bind\",\"source\":\"{source}\",\"target\":\"/data\"{more}}}]")
}

#[test]
fn what_containers_may_write_is_refused_before_anything_is_sent() {
    let Some(docker) = Docker::start() else {
        return;
    };
    docker.world.write("data/.gitkeep", "");
    docker.set("mounts", &mount("RELEASE/data", ""));
    let dry = docker.program().env("DEPLOY_APP_DRY_RUN", "1");
    for program in [docker.program(), dry] {
        program
            .run()
            .assert_code(2)
            .assert_stdout("(exit 2)\n")
            .assert_stderr("the service app may write to `./data`")
            .assert_stderr("to keep what is written: DEPLOY_APP_SHARED=data\n")
            .assert_stderr("where nothing is to be kept: DEPLOY_APP_EPHEMERAL=data\n")
            .refute_stderr("sending release");
        assert!(!docker.world.target().exists());
    }
    // A folder that is not part of the application, and the whole of it.
    docker.set("mounts", &mount("RELEASE/uploads", ""));
    docker
        .program()
        .env("DEPLOY_APP_SHARED", "var")
        .run()
        .assert_code(2)
        .assert_stderr("DEPLOY_APP_SHARED=\"$(printf '%s\\n' uploads var)\"");
    docker.set("mounts", &mount("RELEASE", ""));
    let whole = docker.program().run();
    whole
        .assert_code(2)
        .assert_stderr("the service app may write to `.`, the whole release")
        .assert_stderr("DEPLOY_APP_EPHEMERAL=.\n");
    assert!(!docker.world.target().exists());
    // What is read only, one file of the application, and what was declared.
    for (source, more, ephemeral) in [
        ("RELEASE/data", ",\"read_only\":true", ""),
        ("RELEASE/content", "", ""),
        ("RELEASE", "", "."),
    ] {
        docker.set("mounts", &mount(source, more));
        docker.world.write("version", source);
        docker
            .program()
            .env("DEPLOY_APP_EPHEMERAL", ephemeral)
            .run()
            .assert_code(0);
    }
}

#[test]
fn data_of_a_release_is_carried_over_once_it_is_named() {
    let Some(docker) = Docker::start() else {
        return;
    };
    docker.world.write("data/.gitkeep", "");
    // As older versions deployed it, twice: each release has data of its own.
    docker.set("mounts", &mount("RELEASE/data", ",\"read_only\":true"));
    let first = docker.deploy();
    let target = docker.world.target();
    fs::write(target.join("current/data/rows"), "old").unwrap();
    docker.world.write("content", "two");
    let second = docker.deploy();
    let file = target.join("current/data/rows");
    fs::write(&file, "new").unwrap();
    let open = fs::OpenOptions::new().append(true).open(&file).unwrap();
    docker.set("mounts", &mount("RELEASE/data", ""));
    docker.world.write("content", "three");
    docker.program().run().assert_code(2);
    let program = docker
        .program()
        .env("DEPLOY_APP_SHARED", "data")
        .env("DEPLOY_APP_KEEP_RELEASES", "2");
    // One that fails takes nothing away from what runs.
    docker.world.write("broken", "");
    program
        .run()
        .assert_code(1)
        .assert_stderr("`data` of the current release was carried over")
        .assert_stderr(&format!("release {second} runs again"));
    assert_eq!(fs::read_to_string(&file).unwrap(), "new");
    fs::remove_file(docker.world.source().join("broken")).unwrap();
    for content in ["three", "four", "five"] {
        docker.world.write("content", content);
        program.run().assert_code(0);
        // What wrote before writes on, to the same file.
        std::io::Write::write_all(&mut &open, b"+").unwrap();
        assert_eq!(docker.world.releases().len(), 2);
    }
    assert_eq!(
        fs::read_to_string(target.join("current/data/rows")).unwrap(),
        "new+++"
    );
    assert_eq!(
        fs::read_to_string(target.join("shared/data/rows")).unwrap(),
        "new+++"
    );
    let aside = target.join(format!("kept/{first}/data/rows"));
    assert_eq!(fs::read_to_string(aside).unwrap(), "old");
}

#[test]
fn a_rollback_to_a_release_from_before_sees_the_shared_data() {
    let Some(world) = World::start() else { return };
    world.write("data/.gitkeep", "");
    let first = world.deploy();
    fs::write(world.target().join("current/data/rows"), "rows").unwrap();
    world.write("content", "two");
    let program = world.program().env("DEPLOY_APP_SHARED", "data");
    program.run().assert_code(0);
    fs::write(world.target().join("current/data/rows"), "more").unwrap();
    let ran = program.clone().arg("rollback").run();
    ran.assert_code(0);
    assert_eq!(release(&ran), first);
    let rows = fs::read_to_string(world.target().join("current/data/rows"));
    assert_eq!(rows.unwrap(), "more");
}

#[test]
fn what_the_application_brings_at_a_shared_path_is_copied_once() {
    let Some(world) = World::start() else { return };
    world.write("data/seed", "seed");
    world.write("conf.ini", "a=1");
    let program = world.program().env("DEPLOY_APP_SHARED", "data\nconf.ini");
    program.run().assert_code(0);
    let shared = world.target().join("shared");
    assert_eq!(
        fs::read_to_string(shared.join("data/seed")).unwrap(),
        "seed"
    );
    assert_eq!(fs::read_to_string(shared.join("conf.ini")).unwrap(), "a=1");
    fs::write(shared.join("data/seed"), "grown").unwrap();
    fs::remove_file(shared.join("conf.ini")).unwrap();
    fs::write(shared.join("conf.ini"), "a=2").unwrap();
    world.write("data/seed", "another");
    program.run().assert_code(0);
    let current = world.target().join("current");
    assert_eq!(
        fs::read_to_string(current.join("data/seed")).unwrap(),
        "grown"
    );
    assert_eq!(fs::read_to_string(current.join("conf.ini")).unwrap(), "a=2");
}

#[test]
fn a_shared_file_that_is_not_there_is_no_folder() {
    let Some(world) = World::start() else { return };
    // One for development is here, and stays here.
    world.write(".env", "A=dev");
    let program = world.program().env("DEPLOY_APP_SHARED", ".env");
    program
        .run()
        .assert_code(2)
        .assert_stderr("the shared path `.env` is not on ")
        .assert_stderr(&format!("as {}/shared/.env", world.target().display()));
    assert!(!world.target().exists());
    fs::create_dir_all(world.target().join("shared")).unwrap();
    fs::write(world.target().join("shared/.env"), "A=host").unwrap();
    program.run().assert_code(0);
    let read = fs::read_to_string(world.target().join("current/.env"));
    assert_eq!(read.unwrap(), "A=host");
    // A folder may have a dot in its name.
    world.write("content", "two");
    world
        .program()
        .env("DEPLOY_APP_SHARED", ".env\nconf.d/")
        .run()
        .assert_code(0);
    assert!(world.target().join("current/conf.d").is_dir());
}

#[test]
fn a_single_file_that_a_container_wrote_to_is_not_replaced() {
    let Some(docker) = Docker::start() else {
        return;
    };
    docker.world.write("db.sqlite", "empty");
    docker.set("mounts", &mount("RELEASE/db.sqlite", ""));
    docker.deploy();
    docker.world.write("content", "two");
    docker.deploy();
    let file = docker.world.target().join("current/db.sqlite");
    fs::write(&file, "rows").unwrap();
    let current = docker.world.current();
    for content in ["two", "three"] {
        docker.world.write("content", content);
        docker
            .program()
            .run()
            .assert_code(2)
            .assert_stderr("`./db.sqlite` was changed on the host, and a container may write to it")
            .assert_stderr("DEPLOY_APP_SHARED=db.sqlite");
        assert_eq!(docker.world.current(), current);
    }
    let named = docker.program().env("DEPLOY_APP_SHARED", "db.sqlite");
    named.run().assert_code(0);
    assert_ne!(docker.world.current(), current);
    assert_eq!(fs::read_to_string(file).unwrap(), "rows");
}

#[test]
fn a_shared_path_below_a_mount_is_refused_without_one_of_its_own() {
    let Some(docker) = Docker::start() else {
        return;
    };
    docker.set("mounts", &mount("RELEASE", ",\"read_only\":true"));
    docker
        .program()
        .env("DEPLOY_APP_SHARED", "uploads")
        .run()
        .assert_code(2)
        .assert_stderr("add the volume ./uploads:/data/uploads");
}

#[test]
fn what_was_written_into_releases_of_older_versions_is_not_removed() {
    let Some(docker) = Docker::start() else {
        return;
    };
    let program = docker.program().env("DEPLOY_APP_KEEP_RELEASES", "2");
    let mut made = Vec::new();
    for content in ["1", "2"] {
        docker.world.write("content", content);
        made.push(release(program.run().assert_code(0)));
    }
    // The older version did not write down which images they run.
    let target = docker.world.target();
    fs::remove_dir_all(target.join(".deploy/images")).unwrap();
    let written = target.join(format!("releases/{}/data/rows", made[0]));
    fs::create_dir_all(written.parent().unwrap()).unwrap();
    fs::write(written, "rows").unwrap();
    docker.world.write("content", "3");
    program
        .run()
        .assert_code(0)
        .assert_stderr(&format!("kept/{} now", made[0]));
    let kept = target.join(format!("kept/{}/data/rows", made[0]));
    assert_eq!(fs::read_to_string(kept).unwrap(), "rows");
    // Nothing was written into the second one.
    docker.world.write("content", "4");
    program.run().assert_code(0);
    assert_eq!(docker.world.releases().len(), 2);
    assert_eq!(fs::read_dir(target.join("kept")).unwrap().count(), 1);
}
