//! What cannot be installed is refused, and why.

use std::fs;
use std::path::Path;

use super::{OTHER, TARGET, World};

#[test]
fn a_program_for_another_processor_is_refused() {
    let Some(world) = World::new() else { return };
    // Signed, and wrong all the same.
    world.pack("make-ami", "1.0.0", TARGET, &world.build(OTHER));
    world.pack("export-vars", "1.0.0", OTHER, &world.build(OTHER));
    world.sign("1.0.0", "key.sec", "pipeline-actions 1.0.0");
    world.refused(
        &world.dash(&["make-ami"]).run(),
        1,
        "is not for x86_64; nothing was installed",
    );
    world.refused(
        &world.dash(&["export-vars"]).run(),
        2,
        "release 1.0.0 has no export-vars for x86_64-unknown-linux-musl; it has: aarch64-unknown-linux-musl",
    );
    fs::remove_file(world.at("tools/uname")).unwrap();
    world.tool(
        "uname",
        "case $1 in -s) echo Linux;; *) echo riscv64;; esac",
    );
    world.refused(
        &world.dash(&["make-ami"]).run(),
        2,
        "there are no programs for Linux on riscv64",
    );
}

#[test]
fn what_is_missing_or_misspelt_is_refused_before_anything_is_fetched() {
    let Some(world) = World::new() else { return };
    world.release("1.0.0");
    let dash = || world.dash(&["make-ami"]);
    world.refused(
        &dash().env_remove("ACTIONS_PUBLIC_KEY").run(),
        2,
        "ACTIONS_PUBLIC_KEY is not set, and nothing is installed unproven",
    );
    world.refused(
        &dash().env("ACTIONS_PUBLIC_KEY", "key.pub").run(),
        2,
        "is not a minisign public key",
    );
    world.refused(
        &dash().env("ACTIONS_PUBLIC_KEY", "RWabc").run(),
        2,
        "has 5 characters; a minisign public key has 56",
    );
    world.refused(
        &dash().env_remove("ACTIONS_RELEASE").run(),
        2,
        "ACTIONS_RELEASE is not set",
    );
    world.refused(
        &dash().env("ACTIONS_RELEASE", "bucket").run(),
        2,
        "neither s3://bucket/prefix nor a folder",
    );
    world.refused(
        &dash().env("ACTIONS_RELEASE", "s3://b/p").run(),
        2,
        "there is no aws command",
    );
    world.refused(
        &dash().env("ACTIONS_RELEASE", "/no/such").run(),
        2,
        "which is not a folder",
    );
    world.refused(&world.dash(&[]).run(), 2, "usage:");
    // Both would go to one place.
    world.refused(
        &world
            .dash(&["make-ami@1.0.0", "export-vars", "make-ami"])
            .run(),
        2,
        "make-ami is asked for twice",
    );
    world.refused(
        &dash().env("TMPDIR", "/no/such").run(),
        2,
        "there is no place for temporary files",
    );
    world.refused(
        &world.dash(&["../make-ami"]).run(),
        2,
        "is not PROGRAM or PROGRAM@VERSION",
    );
    world.refused(
        &world.dash(&["make-ami@"]).run(),
        2,
        "has no version after the @",
    );
    world.refused(
        &world.dash(&["make-ami@../1"]).run(),
        2,
        "has no version after the @ that",
    );
    world.refused(
        &world.dash(&["make-amy"]).run(),
        2,
        "release 1.0.0 has no program make-amy",
    );
    world.refused(&world.dash(&["make-ami@9.9.9"]).run(), 4, "there is no ");
    fs::remove_file(world.at("tools/openssl")).unwrap();
    world.refused(&dash().run(), 2, "there is neither minisign nor openssl");
}

#[test]
fn a_folder_that_cannot_be_written_to_is_refused() {
    let Some(world) = World::new() else { return };
    world.release("1.0.0");
    let into = |folder: &Path| world.dash(&["make-ami"]).env("ACTIONS_BIN", folder).run();
    world.refused(
        &into(&world.at("nowhere")),
        2,
        "is not a folder that can be written to",
    );
    // Not even root writes there.
    world.refused(&into(Path::new("/proc")), 2, "cannot install: /proc ");
}

#[test]
fn a_folder_where_a_program_belongs_is_refused_before_any_program_is_installed() {
    let Some(world) = World::new() else { return };
    world.release("1.0.0");
    fs::create_dir(world.at("bin/export-vars")).unwrap();
    world
        .dash(&["make-ami", "export-vars"])
        .run()
        .assert_code(2)
        .assert_stderr("cannot install export-vars: ")
        .assert_stderr("bin/export-vars is a folder");
    assert_eq!(world.installed(), ["export-vars"]);
    let inside = fs::read_dir(world.at("bin/export-vars")).unwrap();
    assert_eq!(inside.count(), 0);
}
