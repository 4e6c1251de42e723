//! Jobs from the first poll to the report.

use crate::world::{World, image, stop};
use harness::Reply;
use harness::jobs::Status;
use std::time::Duration;

#[test]
fn an_image_is_started_then_looked_at_and_reported_with_its_variables() {
    let world = World::new();
    let action = world.jobs.start(image("Bake"));
    let worker = world.worker().spawn();
    world.until("two looks", |world| world.calls().len() >= 3);
    world.set("ready", "");
    world.until_over(action);
    let ran = stop(worker);
    ran.assert_code(0);
    let calls = world.calls();
    let ami = world.images().remove(0);
    assert_eq!(calls[0], "start run=e-Bake.Bake image= on=");
    assert!(
        calls[1..]
            .iter()
            .all(|call| *call == format!("wait run=e-Bake.Bake image={ami} on=keep")),
        "{calls:?}"
    );
    let last = world.jobs.last(action);
    let report = last.report.unwrap();
    assert_eq!(last.status, Status::Succeeded);
    assert_eq!(report["outputVariables"]["AMI_ID"], ami.as_str());
    assert_eq!(
        report["executionDetails"]["externalExecutionId"],
        ami.as_str()
    );
    // Every job of the action was reported once, and all but the last go on.
    let all = world.jobs.all();
    assert!(
        all.iter()
            .all(|job| job.reports == 1 && job.status == Status::Succeeded)
    );
    assert_eq!(all.len(), calls.len());
    assert_eq!(
        all[0].report.as_ref().unwrap()["executionDetails"]["externalExecutionId"],
        ami.as_str()
    );
    assert!(
        world.jobs.offences().is_empty(),
        "{:?}",
        world.jobs.offences()
    );
    world.fake.assert_all_scripted();
    // Nothing is left, and the log has a line for each phase.
    assert_eq!(
        world.status("work"),
        serde_json::json!({"jobs": [], "waiting": [], "left": []})
    );
    ran.assert_stderr("app/AMI/Bake: make-ami starts long work")
        .assert_stderr("looks at long work")
        .assert_stderr("succeeded with AMI_ID");
    // The page has the start, one look and the end.
    let lines = ran.stderr.lines().map(|line| match line.split_once("] ") {
        Some((_, said)) => format!("[job …] {said}"),
        None => line.to_owned(),
    });
    let lines: Vec<String> = lines.collect();
    let end = lines
        .iter()
        .position(|line| line.ends_with("succeeded with AMI_ID"))
        .unwrap();
    let text = format!(
        "```text\n{}\n…\n{}\n```",
        lines[..7].join("\n"),
        lines[end - 2..=end].join("\n")
    );
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    harness::page::check_block(page, "quick-start", &text);
    assert!(!ran.stderr.contains("nobody-may-read"), "{ran}");
}

#[test]
fn the_program_gets_its_settings_and_the_way_to_aws_and_nothing_else() {
    let world = World::new();
    let action = world.jobs.start(image("Bake"));
    world.set("ready", "");
    let worker = world
        .worker()
        .env("UNRELATED", "x")
        .env("WANTED", "y")
        .args(["--pass", "WANTED"]);
    let worker = worker.spawn();
    world.until_over(action);
    stop(worker);
    let environment = std::fs::read_to_string(world.path("state/environment")).unwrap();
    let names: Vec<_> = environment
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name)
        .collect();
    for wanted in [
        "AWS_ENDPOINT_URL",
        "AWS_REGION",
        "INSTANCE_ID",
        "MAKE_AMI_TIMEOUT",
        "WANTED",
    ] {
        assert!(names.contains(&wanted), "{environment}");
    }
    assert!(
        !environment.contains("UNRELATED") && !environment.contains("JOB_WORKER"),
        "{environment}"
    );
    // The job's credentials are for artifacts alone.
    assert!(!environment.contains("ASIAJOB"), "{environment}");
}

#[test]
fn a_configuration_that_is_wrong_fails_the_job_and_runs_nothing() {
    let world = World::new();
    let mut action = image("Bake");
    action
        .configuration
        .insert("MAKE_AMI_AP".to_owned(), "hunter2".to_owned());
    action
        .configuration
        .insert("MAKE_AMI_EXPORT_FILE".to_owned(), "/etc/x".to_owned());
    let action = world.jobs.start(action);
    let worker = world.worker().spawn();
    world.until_over(action);
    stop(worker);
    let details = &world.jobs.last(action).report.unwrap()["failureDetails"];
    assert_eq!(details["type"], "ConfigurationError");
    let message = details["message"].as_str().unwrap();
    assert!(message.contains("did you mean MAKE_AMI_APP?"), "{message}");
    assert!(
        message.contains("MAKE_AMI_EXPORT_FILE: it cannot be set for a job"),
        "{message}"
    );
    assert!(!message.contains("hunter2"), "{message}");
    assert!(world.calls().is_empty());
}

#[test]
fn a_failure_has_the_type_of_the_exit_and_the_end_of_the_log_without_secrets() {
    for (code, kind) in [
        ("1", "JobFailed"),
        ("3", "PermissionError"),
        ("7", "RevisionOutOfSync"),
    ] {
        let world = World::new();
        let mut action = image("Bake");
        action
            .configuration
            .insert("MAKE_AMI_PASSWORD".to_owned(), "hunter2!".to_owned());
        let action = world.jobs.start(action);
        world.set("ready", "");
        world.set("code", code);
        world.set(
            "fail",
            "error: it went wrong with hunter2!\nhint: mend it\n",
        );
        let worker = world.worker().spawn();
        world.until_over(action);
        let ran = stop(worker);
        let last = world.jobs.last(action);
        let details = &last.report.as_ref().unwrap()["failureDetails"];
        assert_eq!(details["type"], kind);
        let message = details["message"].as_str().unwrap();
        assert!(
            message.contains("went wrong with [secret]\nhint: mend it"),
            "{message}"
        );
        assert!(!ran.stderr.contains("hunter2"), "{ran}");
    }
}

#[test]
fn several_jobs_run_at_once_up_to_the_limit_and_waiting_ones_hold_no_slot() {
    let world = World::new();
    let actions: Vec<_> = (0..6)
        .map(|n| world.jobs.start(image(&format!("Bake{n}"))))
        .collect();
    let worker = world.worker().args(["--jobs", "2"]).spawn();
    // Although two run at once at the most, all six get their start: none waits with a slot in hand.
    world.until("all started", |world| world.images().len() == 6);
    world.set("ready", "");
    for action in &actions {
        world.until_over(*action);
    }
    stop(worker).assert_code(0);
    assert!(world.jobs.all().iter().all(|job| job.reports == 1));
}

#[test]
fn of_two_workers_one_takes_the_job_and_the_other_loses_politely() {
    let world = World::new();
    // Each is about to acknowledge when the other is, too.
    let workers: Vec<_> = ["one", "two"]
        .map(|work| world.worker_in("make-ami", work).spawn())
        .into();
    let actions: Vec<_> = (0..5)
        .map(|n| world.jobs.start(image(&format!("Bake{n}"))))
        .collect();
    world.until("all started", |world| world.images().len() == 5);
    world.set("ready", "");
    for action in &actions {
        world.until_over(*action);
    }
    for worker in workers {
        stop(worker).assert_code(0);
    }
    let starts = world
        .calls()
        .iter()
        .filter(|call| call.starts_with("start"))
        .count();
    assert_eq!(starts, 5, "each was started once");
    assert!(world.jobs.all().iter().all(|job| job.reports == 1));
    assert!(
        world.jobs.offences().is_empty(),
        "{:?}",
        world.jobs.offences()
    );
}

#[test]
fn a_job_that_codepipeline_gives_up_is_noticed_and_its_image_removed() {
    let world = World::new();
    // A job that nobody has in hand is not seen to be given up.
    world.set("linger", "30");
    let action = world.jobs.start(image("Bake"));
    let worker = world.worker().spawn();
    world.until("a look", |world| {
        world.calls().iter().any(|call| call.starts_with("wait"))
    });
    world.jobs.time_out(action);
    world.until("the image is gone", |world| world.images().is_empty());
    let ran = stop(worker);
    ran.assert_code(0).assert_stderr("removed what it had made");
    assert!(world.status("work")["left"].as_array().unwrap().is_empty());
}

#[test]
fn what_cannot_be_removed_is_listed_with_the_command() {
    let world = World::new();
    world.set("unclean", "");
    // A job that nobody has in hand is not seen to be given up.
    world.set("linger", "30");
    let action = world.jobs.start(image("Bake"));
    let worker = world.worker().spawn();
    world.until("a look", |world| {
        world.calls().iter().any(|call| call.starts_with("wait"))
    });
    world.jobs.time_out(action);
    world.until("it was tried", |world| {
        world.calls().iter().any(|call| call.starts_with("clean"))
    });
    stop(worker);
    let status = world.status("work");
    let ami = world.images().remove(0);
    assert_eq!(status["left"][0]["work"], ami.as_str());
    assert_eq!(
        status["left"][0]["command"],
        format!("MAKE_AMI_IMAGE={ami} make-ami clean")
    );
}

#[test]
fn a_running_program_is_stopped_when_its_job_is_given_up() {
    let world = World::new();
    world.set("script", "echo $$ >\"$S/pid\"; sleep 60");
    let action = world.jobs.start(image("Run"));
    let worker = world.plain().spawn();
    world.until("it runs", |world| world.path("state/pid").exists());
    world.jobs.time_out(action);
    let pid = std::fs::read_to_string(world.path("state/pid")).unwrap();
    let process = format!("/proc/{}", pid.trim());
    world.until("it is gone", |_| !crate::world::exists(process.as_ref()));
    stop(worker)
        .assert_code(0)
        .assert_stderr("CodePipeline has abandoned it");
}

#[test]
fn a_stop_lets_short_work_end_and_hands_long_work_back() {
    let world = World::new();
    world.set("script", "sleep 1");
    let short = world.jobs.start(image("Short"));
    let worker = world.plain().spawn();
    world.until("it runs", |world| !world.calls().is_empty());
    stop(worker).assert_code(0);
    assert_eq!(world.jobs.last(short).status, Status::Succeeded);
    assert!(world.jobs.last(short).token.is_none());

    world.set("script", "sleep 60");
    let long = world.jobs.start(image("Long"));
    let worker = world.plain().spawn();
    world.until("it runs", |world| world.calls().len() == 2);
    stop(worker).assert_code(0);
    // Its job is done and another one waits for the next worker, who runs it again.
    assert_eq!(world.jobs.last(long).status, Status::Queued);
    world.unset("script");
    let worker = world.plain().spawn();
    world.until_over(long);
    stop(worker).assert_code(0);
    assert!(world.jobs.all().iter().all(|job| job.reports == 1));
}

#[test]
fn the_deadline_is_that_of_the_action_and_unfinished_work_goes_where_the_user_wants_it() {
    for (word, is_left) in [("clean", false), ("keep", true)] {
        let world = World::new();
        let mut action = image("Bake");
        action
            .configuration
            .insert("MAKE_AMI_TIMEOUT".to_owned(), "3s".to_owned());
        action
            .configuration
            .insert("MAKE_AMI_ON_TIMEOUT".to_owned(), word.to_owned());
        let action = world.jobs.start(action);
        let worker = world.worker().spawn();
        world.until_over(action);
        stop(worker).assert_code(0);
        let details = &world.jobs.last(action).report.unwrap()["failureDetails"];
        assert_eq!(details["type"], "JobFailed");
        assert!(
            details["message"]
                .as_str()
                .unwrap()
                .contains("time is over"),
            "{details}"
        );
        assert_eq!(world.images().is_empty(), !is_left, "{word}");
        assert_eq!(
            world.status("work")["left"].as_array().unwrap().len(),
            usize::from(is_left)
        );
    }
}

#[test]
fn a_token_of_yesterday_goes_on_with_the_same_image() {
    let world = World::new();
    let action = world.jobs.start(image("Bake"));
    let worker = world.worker().spawn();
    world.until("handed back", |world| world.jobs.all().len() >= 2);
    stop(worker).assert_code(0);
    let ami = world.images().remove(0);
    // The worker's work folder is lost with its machine; the token has all that is needed.
    std::fs::remove_dir_all(world.path("work")).unwrap();
    let token = world.jobs.last(action).token.unwrap();
    assert!(token.contains(&ami) && token.len() < 300, "{token}");
    world.set("ready", "");
    let worker = world.worker_in("make-ami", "elsewhere").spawn();
    world.until_over(action);
    stop(worker).assert_code(0);
    assert_eq!(
        world.jobs.last(action).report.unwrap()["outputVariables"]["AMI_ID"],
        ami.as_str()
    );
    let starts = world
        .calls()
        .iter()
        .filter(|call| call.starts_with("start"))
        .count();
    assert_eq!(starts, 1);
}

#[test]
fn a_token_of_another_program_fails_the_job() {
    let world = World::new();
    let action = world.jobs.start(image("Bake"));
    let worker = world.worker().spawn();
    world.until("handed back", |world| world.jobs.all().len() >= 2);
    stop(worker);
    let worker = world.worker_in("plain", "elsewhere").spawn();
    world.until_over(action);
    stop(worker);
    let details = &world.jobs.last(action).report.unwrap()["failureDetails"];
    assert!(
        details["message"]
            .as_str()
            .unwrap()
            .contains("token belongs to make-ami"),
        "{details}"
    );
}

#[test]
fn a_worker_without_permission_says_so_and_ends() {
    let world = World::new();
    world.fake.on(
        "codepipeline:PollForJobs",
        [Reply::error(
            400,
            "AccessDeniedException",
            "not authorized to perform: codepipeline:PollForJobs",
        )],
    );
    let ran = world.worker().limit(Duration::from_secs(20)).run();
    ran.assert_code(3).assert_stderr("codepipeline:PollForJobs");
}
