//! Going back, and listing.

use crate::world::World;

#[test]
fn rollback_goes_to_the_release_before_and_to_one_that_is_named() {
    let Some(world) = World::start() else { return };
    let first = world.deploy();
    world.write("content", "two");
    let second = world.deploy();
    world.write("content", "three");
    let third = world.deploy();
    let program = world.program().arg("rollback");
    program
        .clone()
        .env("DEPLOY_APP_DRY_RUN", "1")
        .run()
        .assert_code(0)
        .assert_stdout("")
        .assert_stderr(&format!("switch from release {third} to release {second}"));
    assert_eq!(world.current(), Some(third.clone()));
    let ran = program.run();
    ran.assert_code(0);
    assert_eq!(ran.exports()["RELEASE_ID"], second);
    assert_eq!(ran.exports()["DEPLOY_CHANGED"], "1");
    assert_eq!(
        world.answer(),
        Some((200, second.clone(), "two".to_owned()))
    );
    // The one before that; named, and in the form of a variable.
    program.clone().arg(&third).run().assert_code(0);
    assert_eq!(
        world.answer(),
        Some((200, third.clone(), "three".to_owned()))
    );
    program
        .clone()
        .env("DEPLOY_APP_RELEASE", &first)
        .run()
        .assert_code(0);
    assert_eq!(world.answer(), Some((200, first.clone(), "one".to_owned())));
    // Before the first there is nothing, and it says what there is.
    program
        .run()
        .assert_code(2)
        .assert_stderr("there is no release before")
        .assert_stderr(&format!("there is {third}"));
    let ran = program.clone().arg(&first).run();
    ran.assert_code(0).assert_stderr("is current already");
    assert_eq!(ran.exports()["DEPLOY_CHANGED"], "0");
    let listed = world.program().arg("releases").run();
    listed.assert_code(0).assert_stdout(&format!(
        "{third}\tproven\n{second}\tproven\n{first}\tcurrent\n"
    ));
    world.assert_unlocked();
    // The record on the host tells all of it.
    let audit = std::fs::read_to_string(world.target().join(".deploy/audit.jsonl")).unwrap();
    let entries: Vec<serde_json::Value> = audit
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let told: Vec<_> = entries
        .iter()
        .map(|entry| {
            (
                entry["deed"].as_str().unwrap(),
                entry["release"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("deploy", first.as_str()),
            ("deploy", &second),
            ("deploy", &third),
            ("rollback", &second),
            ("rollback", &third),
            ("rollback", &first),
        ]
    );
    assert_eq!(entries[5]["before"], third.as_str());
}

#[test]
fn a_rollback_that_is_not_healthy_is_taken_back_itself() {
    let Some(world) = World::start() else { return };
    let first = world.deploy();
    world.write("content", "two");
    let second = world.deploy();
    // What makes the first release answer 500 is not one of its files.
    let old = world.target().join("releases").join(&first);
    std::fs::write(old.join("broken"), "").unwrap();
    world
        .program()
        .arg("rollback")
        .run()
        .assert_code(1)
        .assert_stderr(&format!(
            "rolled back: release {second} runs again and is healthy"
        ));
    assert_eq!(
        world.answer(),
        Some((200, second.clone(), "two".to_owned()))
    );
    assert_eq!(world.releases(), [first.clone(), second]);
    // It was not healthy when it was started last: it must be named to be tried again.
    world
        .program()
        .arg("rollback")
        .run()
        .assert_code(2)
        .assert_stderr(&format!("there is {first}, which is not proven healthy"));
    // A release whose own files were altered is no release to go back to.
    std::fs::write(old.join("content"), "forged").unwrap();
    world
        .program()
        .arg("rollback")
        .arg(&first)
        .run()
        .assert_code(2)
        .assert_stderr("`content` has other content");
}

#[test]
fn nothing_deployed_is_nothing_to_list_or_to_go_back_to() {
    let Some(world) = World::start() else { return };
    world
        .program()
        .arg("releases")
        .run()
        .assert_code(0)
        .assert_stdout("")
        .assert_stderr("nothing was deployed");
    world
        .program()
        .arg("rollback")
        .run()
        .assert_code(2)
        .assert_stderr("nothing was deployed");
    world
        .program()
        .arg("20260101000000-abcdef0")
        .run()
        .assert_code(2)
        .assert_stderr("`deploy-app rollback RELEASE`");
    world
        .program()
        .arg("rollback")
        .arg("yesterday")
        .run()
        .assert_code(2)
        .assert_stderr("is not the name of a release");
    assert!(!world.target().exists());
}
