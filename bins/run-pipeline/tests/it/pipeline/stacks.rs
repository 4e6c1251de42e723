//! Stacks that are there already, roll back, belong to somebody else, or whose answers are lost.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use harness::{FakeAws, Fate, Program, Reply, Running};
use serde_json::Value;

use super::{BUILDSPEC, PIPELINE, fake, program};
use crate::world::{Stacks, serve_stacks};

const AMI: &str = "ami-0123456789abcdef0";

/// A stack that goes through `course`, of a pipeline that is ready to run.
fn stack(
    first: Option<&'static str>,
    course: &'static [&'static str],
) -> (FakeAws, Arc<Mutex<Stacks>>) {
    let fake = fake(BUILDSPEC);
    let stacks = serve_stacks(&fake, first, course);
    (fake, stacks)
}

fn run(folder: &Path, fake: &FakeAws) -> Program {
    program(folder, PIPELINE).envs(fake.env())
}

fn image(stdout: &str) -> String {
    let report: Value = serde_json::from_str(stdout).unwrap();
    report["App"]["Image"].as_str().unwrap().to_owned()
}

/// Waits until the program has made `count` calls of an operation.
fn called(fake: &FakeAws, operation: &str, count: usize) {
    let patience = Instant::now() + Duration::from_secs(60);
    while fake.requests_for(operation).len() < count {
        assert!(Instant::now() < patience, "no {operation}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Ends the program while the stack is being deployed.
fn stopped(running: Running, fake: &FakeAws) -> harness::Ran {
    called(fake, "cloudformation:DescribeStackEvents", 2);
    running.signal(15);
    running.finish()
}

#[test]
fn a_stack_that_is_there_is_updated_and_one_without_changes_is_left() {
    let (fake, stacks) = stack(
        Some("UPDATE_COMPLETE"),
        &["UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"],
    );
    // What was before is not told as this deployment's.
    for _ in 0..3 {
        stacks
            .lock()
            .unwrap()
            .happened(Some("theirs"), "Group", "CREATE_FAILED");
    }
    let folder = tempfile::tempdir().unwrap();
    let program = run(folder.path(), &fake);
    program
        .run()
        .assert_code(0)
        .assert_stderr("updating the stack app")
        .refute_stderr("CREATE_FAILED");
    assert!(fake.requests_for("cloudformation:CreateStack").is_empty());
    let ran = program.run();
    ran.assert_code(0)
        .assert_stderr("the stack app in eu-west-1 is up to date");
    assert_eq!(image(&ran.stdout), AMI);
}

#[test]
fn the_outputs_of_an_update_whose_answer_was_lost_are_those_after_it() {
    for forgets_tokens in [false, true] {
        let (fake, stacks) = stack(
            Some("UPDATE_COMPLETE"),
            &["UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"],
        );
        stacks.lock().unwrap().forgets_tokens = forgets_tokens;
        // The retry meets what the first try has done.
        fake.lose_reply("cloudformation:UpdateStack");
        fake.intercept({
            let stacks = Arc::clone(&stacks);
            move |request| {
                let is_retry = request.name() == "cloudformation:UpdateStack" && request.turn == 1;
                if is_retry {
                    let mut stacks = stacks.lock().unwrap();
                    while stacks.states.len() > 1 {
                        stacks.describe("app");
                    }
                    let message = "No updates are to be performed.";
                    return Fate::Answered(Reply::error(400, "ValidationError", message));
                }
                Fate::Served
            }
        });
        let folder = tempfile::tempdir().unwrap();
        let ran = run(folder.path(), &fake).run();
        ran.assert_code(0);
        assert_eq!(image(&ran.stdout), AMI, "forgets tokens: {forgets_tokens}");
        assert_eq!(fake.requests_for("cloudformation:UpdateStack").len(), 2);
    }
}

#[test]
fn a_creation_whose_answer_was_lost_is_taken_for_what_it_is() {
    for forgets_tokens in [false, true] {
        let (fake, stacks) = stack(None, &["CREATE_IN_PROGRESS", "CREATE_COMPLETE"]);
        stacks.lock().unwrap().forgets_tokens = forgets_tokens;
        fake.lose_reply("cloudformation:CreateStack");
        let exists = Reply::error(400, "AlreadyExistsException", "Stack [app] already exists");
        fake.intercept({
            let stacks = Arc::clone(&stacks);
            move |request| {
                if request.name() != "cloudformation:CreateStack" || request.turn == 0 {
                    return Fate::Served;
                }
                // Without tokens only a stack at rest can be told from another one's.
                while forgets_tokens && stacks.lock().unwrap().states.len() > 1 {
                    stacks.lock().unwrap().describe("app");
                }
                Fate::Answered(exists.clone())
            }
        });
        let folder = tempfile::tempdir().unwrap();
        let ran = run(folder.path(), &fake).run();
        ran.assert_code(0);
        assert_eq!(image(&ran.stdout), AMI, "forgets tokens: {forgets_tokens}");
        if !forgets_tokens {
            ran.assert_stderr("has taken this deployment, although the answer was lost");
            assert!(fake.requests_for("cloudformation:UpdateStack").is_empty());
        }
    }
}

#[test]
fn every_try_of_a_deployment_bears_one_token_of_its_own() {
    let (fake, _) = stack(None, &["CREATE_IN_PROGRESS", "CREATE_COMPLETE"]);
    fake.lose_reply("cloudformation:CreateStack");
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), &fake).run().assert_code(0);
    run(folder.path(), &fake).run().assert_code(0);
    let tokens = |operation: &str| -> Vec<String> {
        let requests = fake.requests_for(operation);
        let tokens = requests.iter().map(|one| one.param("ClientRequestToken"));
        tokens.map(|token| token.unwrap().to_owned()).collect()
    };
    let created = tokens("cloudformation:CreateStack");
    let updated = tokens("cloudformation:UpdateStack");
    assert_eq!((created.len(), updated.len()), (2, 1));
    assert_eq!(created[0], created[1]);
    assert_ne!(created[0], updated[0]);
    for token in [&created[0], &updated[0]] {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
        assert!(token.len() <= 128 && token.chars().all(fits), "{token}");
    }
}

#[test]
fn a_stack_that_another_one_made_in_between_is_no_success_of_ours() {
    let (fake, stacks) = stack(None, &[]);
    fake.intercept(move |request| {
        if request.name() == "cloudformation:CreateStack" {
            let mut stacks = stacks.lock().unwrap();
            stacks.states = vec!["CREATE_IN_PROGRESS"];
            stacks.happened(Some("theirs"), "app", "CREATE_IN_PROGRESS");
        }
        Fate::Served
    });
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), &fake)
        .run()
        .assert_code(7)
        .assert_stderr("another deployment works on it");
}

#[test]
fn an_update_is_not_over_while_the_stack_is_shown_as_it_was_before() {
    for (at_the_beginning, at_the_end, said) in [
        (2, 0, "and no event says so yet"),
        (0, 2, "as it was before"),
    ] {
        let (fake, stacks) = stack(
            Some("CREATE_COMPLETE"),
            &["UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"],
        );
        let folder = tempfile::tempdir().unwrap();
        // An update, so that the stack comes from the same state that it goes to.
        run(folder.path(), &fake).run().assert_code(0);
        {
            let mut stacks = stacks.lock().unwrap();
            stacks
                .parameters
                .insert("AMIId".to_owned(), "ami-old".to_owned());
            stacks.lag(at_the_beginning, at_the_end);
        }
        let ran = run(folder.path(), &fake).run();
        ran.assert_code(0).assert_stderr(said);
        assert_eq!(image(&ran.stdout), AMI, "{said}");
    }
}

#[test]
fn events_are_told_to_the_last_page() {
    let (fake, stacks) = stack(
        Some("UPDATE_COMPLETE"),
        &["UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"],
    );
    stacks.lock().unwrap().page = 3;
    let world = Arc::clone(&stacks);
    fake.intercept(move |request| {
        if request.name() == "cloudformation:DescribeStacks" && request.turn == 1 {
            let mut stacks = world.lock().unwrap();
            stacks.happens("First", "UPDATE_IN_PROGRESS");
            for _ in 0..10 {
                stacks.happens("Group", "UPDATE_IN_PROGRESS");
            }
        }
        Fate::Served
    });
    let folder = tempfile::tempdir().unwrap();
    let ran = run(folder.path(), &fake).run();
    ran.assert_code(0)
        .assert_stderr("UPDATE_IN_PROGRESS First (");
    assert_eq!(ran.stderr.matches("UPDATE_IN_PROGRESS First (").count(), 1);
    assert_eq!(ran.stderr.matches("UPDATE_COMPLETE app (").count(), 1);
}

#[test]
fn a_green_update_with_failed_events_warns() {
    let (fake, stacks) = stack(
        Some("UPDATE_COMPLETE"),
        &["UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "UPDATE_COMPLETE"],
    );
    fake.intercept(move |request| {
        if request.name() == "cloudformation:DescribeStacks" && request.turn == 1 {
            stacks.lock().unwrap().happens("OldGroup", "DELETE_FAILED");
        }
        Fate::Served
    });
    let folder = tempfile::tempdir().unwrap();
    let ran = run(folder.path(), &fake).run();
    ran.assert_code(0)
        .assert_stderr("is UPDATE_COMPLETE, but not all went well")
        .assert_stderr("DELETE_FAILED OldGroup");
}

#[test]
fn a_creation_that_rolls_back_is_red_says_which_resource_and_lists_what_is_left() {
    let (fake, _) = stack(None, &["CREATE_IN_PROGRESS", "ROLLBACK_COMPLETE"]);
    let folder = tempfile::tempdir().unwrap();
    let ran = run(folder.path(), &fake).run();
    ran.assert_code(5)
        .assert_stderr("the deployment of the stack app in eu-west-1 ended in ROLLBACK_COMPLETE")
        .assert_stderr("  CREATE_FAILED Group (AWS::AutoScaling::AutoScalingGroup): no capacity")
        .assert_stderr("remains: the stack app in eu-west-1, ROLLBACK_COMPLETE")
        .assert_stderr("aws cloudformation delete-stack --stack-name app --region eu-west-1")
        .assert_stderr("done so far: AMI/AMI");
    // The report is JSON, which no shell evaluates.
    assert_eq!(ran.stdout, "");
    let program = run(folder.path(), &fake);
    program
        .run()
        .assert_code(2)
        .assert_stderr("is ROLLBACK_COMPLETE and cannot be updated")
        .assert_stderr("delete-stack");
}

#[test]
fn an_update_that_rolls_back_leaves_nothing() {
    let (fake, _) = stack(
        Some("CREATE_COMPLETE"),
        &["UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"],
    );
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), &fake)
        .run()
        .assert_code(1)
        .assert_stderr("ended in UPDATE_ROLLBACK_COMPLETE")
        .refute_stderr("remains:");
}

#[test]
fn a_stack_that_somebody_works_on_is_lost() {
    let (fake, _) = stack(Some("UPDATE_IN_PROGRESS"), &[]);
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), &fake)
        .run()
        .assert_code(7)
        .assert_stderr("another deployment works on it");
}

#[test]
fn a_stack_that_is_being_deployed_when_a_signal_comes_is_listed() {
    for (first, course, command) in [
        (None, &["CREATE_IN_PROGRESS"], "delete-stack"),
        (
            Some("CREATE_COMPLETE"),
            &["UPDATE_IN_PROGRESS"],
            "cancel-update-stack",
        ),
        (
            Some("CREATE_COMPLETE"),
            &["UPDATE_ROLLBACK_IN_PROGRESS"],
            "wait stack-rollback-complete",
        ),
    ] {
        let (fake, _) = stack(first, course);
        let folder = tempfile::tempdir().unwrap();
        let ran = stopped(run(folder.path(), &fake).spawn(), &fake);
        ran.assert_code(5)
            .assert_stderr("SIGTERM received")
            .assert_stderr(&format!(
                "remains: the stack app in eu-west-1, {}",
                course[0]
            ))
            .assert_stderr(&format!("aws cloudformation {command} --stack-name app"));
        assert_eq!(ran.stdout, "");
    }
}

#[test]
fn a_signal_does_not_drop_the_call_that_makes_the_stack() {
    let (fake, _) = stack(None, &["CREATE_IN_PROGRESS"]);
    fake.intercept(|request| match request.name().as_str() {
        "cloudformation:CreateStack" => Fate::Late(Duration::from_secs(2)),
        _ => Fate::Served,
    });
    let folder = tempfile::tempdir().unwrap();
    let running = run(folder.path(), &fake).spawn();
    called(&fake, "cloudformation:CreateStack", 1);
    running.signal(15);
    running
        .finish()
        .assert_code(5)
        .assert_stderr("remains: the stack app in eu-west-1, CREATE_IN_PROGRESS")
        .assert_stderr("delete-stack");
}

#[test]
fn a_call_that_is_never_answered_is_looked_up_and_told() {
    for (taken, said) in [
        (
            true,
            "remains: the stack app in eu-west-1, CREATE_IN_PROGRESS",
        ),
        (false, "remains: perhaps a deployment of the stack app"),
    ] {
        let (fake, stacks) = stack(None, &["CREATE_IN_PROGRESS"]);
        fake.intercept(move |request| {
            if request.name() != "cloudformation:CreateStack" {
                return Fate::Served;
            }
            if taken {
                stacks.lock().unwrap().deploy("CreateStack", request);
            }
            Fate::Answered(Reply::hang(Duration::from_secs(600)))
        });
        let folder = tempfile::tempdir().unwrap();
        let running = run(folder.path(), &fake).spawn();
        called(&fake, "cloudformation:CreateStack", 1);
        running.signal(2);
        running.finish().assert_code(5).assert_stderr(said);
    }
}

#[test]
fn the_deadline_lists_the_stack_that_goes_on() {
    let (fake, _) = stack(None, &["CREATE_IN_PROGRESS"]);
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), &fake)
        .args(["--timeout", "8s"])
        .run()
        .assert_code(6)
        .assert_stderr("remains: the stack app in eu-west-1, CREATE_IN_PROGRESS")
        .assert_stderr("delete-stack")
        .assert_stderr("run again when it has ended");
}

#[test]
fn a_stack_that_cannot_be_looked_at_any_more_is_listed() {
    let (fake, _) = stack(None, &["CREATE_IN_PROGRESS"]);
    fake.intercept(|request| match (request.name().as_str(), request.turn) {
        ("cloudformation:DescribeStacks", 2..) => Fate::Answered(Reply::error(
            403,
            "ExpiredToken",
            "The security token is expired",
        )),
        _ => Fate::Served,
    });
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), &fake)
        .run()
        .assert_code(5)
        .assert_stderr("ExpiredToken")
        .assert_stderr("remains: the stack app in eu-west-1, CREATE_IN_PROGRESS");
}

#[test]
fn a_creation_is_not_forgotten_when_its_retry_is_refused() {
    let (fake, _) = stack(None, &["CREATE_IN_PROGRESS", "CREATE_COMPLETE"]);
    fake.lose_reply("cloudformation:CreateStack");
    fake.intercept(|request| match request.name().as_str() {
        "cloudformation:CreateStack" => Fate::Answered(Reply::error(
            400,
            "ExpiredToken",
            "The security token included in the request is expired",
        )),
        _ => Fate::Served,
    });
    let folder = tempfile::tempdir().unwrap();
    let ran = run(folder.path(), &fake).run();
    ran.assert_code(0);
    assert_eq!(image(&ran.stdout), AMI);
}

#[test]
fn who_may_not_update_leaves_nothing() {
    let (fake, _) = stack(Some("CREATE_COMPLETE"), &[]);
    let denied = Reply::error(403, "AccessDenied", "not authorized");
    fake.on("cloudformation:UpdateStack", [denied]);
    let folder = tempfile::tempdir().unwrap();
    run(folder.path(), &fake)
        .run()
        .assert_code(3)
        .assert_stderr("allow cloudformation:UpdateStack")
        .refute_stderr("remains:");
}
