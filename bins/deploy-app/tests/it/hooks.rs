//! Commands of the release around its start, and what else may be asked of a healthy application.

use std::time::Duration;

use crate::world::{World, release};

#[test]
fn hooks_run_around_the_start_and_a_failing_one_stops_or_rolls_back() {
    let Some(world) = World::start() else { return };
    let log = world.state().join("hooks");
    let say = |what: &str| {
        format!(
            "echo {what} $RELEASE_ID in $(basename \"$(pwd)\") current $(basename \"$(readlink '{}/current')\") >>{}",
            world.target().display(),
            log.display()
        )
    };
    let program = world
        .program()
        .env("DEPLOY_APP_BEFORE", say("before"))
        .env("DEPLOY_APP_AFTER", say("after"));
    let first = release(program.run().assert_code(0));
    let told = std::fs::read_to_string(&log).unwrap();
    assert_eq!(
        told,
        format!("before {first} in {first} current\nafter {first} in {first} current {first}\n")
    );
    world.write("content", "two");
    program
        .clone()
        .env("DEPLOY_APP_BEFORE", "echo no migration; exit 4")
        .run()
        .assert_code(1)
        .assert_stderr("before: no migration")
        .assert_stderr("exit status 4")
        .assert_stderr("nothing was switched");
    assert_eq!(world.starts(), 1);
    program
        .env("DEPLOY_APP_AFTER", "false")
        .run()
        .assert_code(1)
        .assert_stderr("cannot run the hook after the start")
        .assert_stderr(&format!("rolled back: release {first} runs again"));
    assert_eq!(world.answer(), Some((200, first.clone(), "one".to_owned())));
    assert_eq!(world.releases(), [first]);
}

#[test]
fn what_a_hook_prints_is_shown_as_it_comes() {
    let Some(world) = World::start() else { return };
    let go = world.state().join("go");
    let hook = format!(
        "echo step one; while [ ! -e {} ]; do sleep 0.05; done; printf 'step two'",
        go.display()
    );
    let running = world.program().env("DEPLOY_APP_BEFORE", hook).spawn();
    running.wait_for_stderr("before: step one", Duration::from_secs(60));
    std::fs::write(go, "").unwrap();
    let ran = running.finish();
    ran.assert_code(0).assert_stderr("before: step two");
    assert_eq!(ran.stderr.matches("step one\n").count(), 1, "{ran}");
}

#[test]
fn a_command_that_falls_silent_is_told_to_be_alive_while_it_runs() {
    let Some(world) = World::start() else { return };
    let go = world.state().join("go");
    let hook = format!(
        "echo migrating; while [ ! -e {} ]; do sleep 0.1; done",
        go.display()
    );
    let running = world.program().env("DEPLOY_APP_BEFORE", hook).spawn();
    running.wait_for_stderr("before: migrating\n", Duration::from_secs(60));
    // Half a minute after its last word, and not only at the next full half minute of its run.
    let alive = "before: still running, last output 3";
    running.wait_for_stderr(alive, Duration::from_secs(40));
    std::fs::write(go, "").unwrap();
    let ran = running.finish();
    ran.assert_code(0).assert_stderr(" s ago\n");
    assert_eq!(ran.stderr.matches("still running").count(), 1, "{ran}");
}

#[test]
fn healthy_answers_count_in_a_row_only() {
    let Some(world) = World::start() else { return };
    world.write("flaps", "");
    world
        .program()
        .env("DEPLOY_APP_HEALTH_TIMEOUT", "4s")
        .run()
        .assert_code(1)
        .assert_stderr("did not become healthy")
        .assert_stderr("it answers 500");
}

#[test]
fn a_status_command_is_asked_until_it_succeeds() {
    let Some(world) = World::start() else { return };
    let ready = world.state().join("ready");
    let program = world.program().env(
        "DEPLOY_APP_STATUS",
        format!(
            "test -e {0} || {{ touch {0}; echo not yet; exit 1; }}",
            ready.display()
        ),
    );
    let first = release(program.run().assert_code(0));
    assert!(ready.exists());
    world.write("content", "two");
    program
        .clone()
        .env("DEPLOY_APP_STATUS", "echo it is dead; exit 3")
        .env("DEPLOY_APP_HEALTH_TIMEOUT", "2s")
        .run()
        .assert_code(1)
        .assert_stderr("it is dead")
        // By the status command that it was proven with.
        .assert_stderr("rolled back");
    world.write("content", "one");
    let ran = program.run();
    ran.assert_code(0).assert_stderr("nothing to deploy");
    assert_eq!(release(&ran), first);
}

#[test]
fn a_healthy_answer_may_have_to_contain_a_text() {
    let Some(world) = World::start() else { return };
    let program = world.program().env("DEPLOY_APP_HEALTH_BODY", "one");
    program.run().assert_code(0);
    world.write("content", "two");
    program
        .run()
        .assert_code(1)
        .assert_stderr("it answers 200, but without `one` in it")
        .assert_stderr("rolled back");
}

#[test]
fn without_a_health_url_nothing_is_asked() {
    let Some(world) = World::start() else { return };
    world.write("broken", "");
    let none = "DEPLOY_APP_HEALTH_URL is none: release";
    let program = world.program().env("DEPLOY_APP_HEALTH_URL", "none");
    program.run().assert_code(0).assert_stderr(none);
    // Empty says so as well: in the environment, in an env file, and as a flag.
    world.write("broken", "1");
    let program = world.program().env("DEPLOY_APP_HEALTH_URL", "");
    program.run().assert_code(0).assert_stderr(none);
    world.write("broken", "2");
    let file = world.source().with_file_name("empty.env");
    std::fs::write(&file, "DEPLOY_APP_HEALTH_URL=\n").unwrap();
    let program = world.program().env_remove("DEPLOY_APP_HEALTH_URL");
    let program = program.arg("--env-file").arg(&file);
    program.run().assert_code(0).assert_stderr(none);
    world.write("broken", "3");
    let program = world.program().arg("--health-url=");
    program.run().assert_code(0).assert_stderr(none);
}
