//! The build that releases the programs.

use std::fs;

use super::World;

/// The scripts of a release as stand-ins, in the order that the buildspec calls them.
const RELEASE_SCRIPTS: [&str; 10] = [
    "setup",
    "deny",
    "test",
    "build-static",
    "test-shipped",
    "measured",
    "demo",
    "check-budgets",
    "reproducible",
    "pack-release",
];

fn release_world() -> World {
    let world = World::new();
    fs::create_dir(world.source().join("scripts")).unwrap();
    for script in RELEASE_SCRIPTS {
        let does = match script {
            "build-static" => {
                "folder=build/dist/x86_64-unknown-linux-musl\nmkdir -p \"$folder\"\n\
                 printf 'aa  deploy-app\\nbb  make-ami\\n' >\"$folder/SHA256SUMS\""
            }
            "pack-release" => "[ \"$(cat \"$ACTIONS_SIGNING_KEY\")\" = the-key ]",
            _ => "",
        };
        world.stand_in(script, does);
        let there = world.source().join("scripts").join(script);
        fs::rename(world.bin().join(script), there).unwrap();
    }
    world.stand_in("cargo", "");
    world
}

const RELEASE: [(&str, &str); 2] = [
    ("ACTIONS_RELEASE", "s3://release/programs"),
    ("RELEASE_SIGNING_KEY", "the-key"),
];

#[test]
fn a_release_is_proven_packed_and_published_and_names_its_digests() {
    let world = release_world();
    let exports = world.run("release", &RELEASE).assert_code(0).exports();
    assert_eq!(exports["PROGRAM_DIGESTS"], "deploy-app=aa,make-ami=bb");
    let calls = world.calls();
    let mut names: Vec<&str> = calls
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    names.retain(|name| RELEASE_SCRIPTS.contains(name));
    names.dedup();
    assert_eq!(names, RELEASE_SCRIPTS, "{calls}");
    assert!(
        calls.lines().any(|line| line.trim() == "deny"),
        "advisories too: {calls}"
    );
    let last = calls.lines().last().unwrap();
    assert!(
        last.ends_with("release-publish -- build/release --to s3://release/programs"),
        "{last}"
    );
    assert!(!calls.contains("the-key"), "{calls}");
}

#[test]
fn a_release_that_fails_anywhere_publishes_nothing() {
    for failing in RELEASE_SCRIPTS {
        let world = release_world();
        world.stand_in(failing, "exit 101");
        let there = world.source().join("scripts").join(failing);
        fs::rename(world.bin().join(failing), there).unwrap();
        world.run("release", &RELEASE).assert_code(1);
        let calls = world.calls();
        assert!(!calls.contains("release-publish"), "{failing}: {calls}");
    }
    let world = release_world();
    world
        .run("release", &RELEASE[..1])
        .assert_code(1)
        .assert_stderr("RELEASE_SIGNING_KEY: is not set");
}
