//! What the failure bundle tells about the command that failed and about the host.

use crate::world::{Tools, World};

#[test]
fn the_bundle_names_the_command_that_failed_and_how() {
    let Some(world) = World::start() else { return };
    world.deploy();
    world.write("start", "#!/bin/sh\nexit 3\n");
    let bundle = world.state().join("bundle");
    let program = world.program().env("DEPLOY_APP_DIAGNOSTICS_DIR", &bundle);
    let summary = || -> serde_json::Value {
        let text = std::fs::read_to_string(bundle.join("failure.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    };
    program.run().assert_code(1);
    let found = summary();
    assert_eq!(found["stage"], "start");
    let release = found["release"].as_str().unwrap();
    assert_eq!(found["command"], format!("start release {release}"));
    assert_eq!(found["status"], "exit status 3");
    // What is not healthy failed without a command.
    world.write("start", "#!/bin/sh\ntrue\n");
    program.run().assert_code(1);
    let found = summary();
    assert_eq!(found["stage"], "health");
    assert!(found["command"].is_null() && found["status"].is_null());
}

#[test]
fn the_bundle_tells_of_memory_and_of_what_was_killed_for_lack_of_it() {
    let tools = Tools::new();
    tools.write(
        "free",
        "#!/bin/sh\n[ \"$*\" = -m ] && echo 'Mem: 512 500 12'\n",
    );
    tools.write(
        "dmesg",
        "#!/bin/sh\necho '[1] usb 1-1: new device'\necho '[2] Out of memory: Killed process 42 (python3)'\n",
    );
    let Some(world) = World::start_with(&tools.options()) else {
        return;
    };
    world.write("broken", "");
    let bundle = world.state().join("bundle");
    world
        .program()
        .env("DEPLOY_APP_DIAGNOSTICS_DIR", &bundle)
        .run()
        .assert_code(1);
    let host = std::fs::read_to_string(bundle.join("host.txt")).unwrap();
    assert!(host.contains("$ free -m\nMem: 512 500 12\n"), "{host}");
    assert!(
        host.contains("$ out of memory\n[2] Out of memory: Killed process 42 (python3)\n"),
        "{host}"
    );
    assert!(!host.contains("usb"), "{host}");
}
