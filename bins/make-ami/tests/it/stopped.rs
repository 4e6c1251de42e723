//! A run that is stopped, killed or late at every one of its calls, in every mode: nothing is left
//! that is not named, and the next run repairs what a killed one left.

use crate::INSTANCE;
use crate::inside::{Cloud, Ended, Event, Run};
use harness::ec2::{Course, Image, Instance, Outcome, Volume};
use std::time::Duration;

const MODES: [&str; 4] = ["no-reboot", "reboot", "stop", "quiesce"];
/// Those whose calls differ: `reboot` is EC2's own and makes the same ones as `no-reboot`.
const DIFFERENT: [&str; 3] = ["no-reboot", "stop", "quiesce"];

/// An account whose instance has two volumes and takes a moment to stop and to start.
fn account() -> Cloud {
    let data = Volume::new("vol-000000000000da7a0", "/dev/sdf", 80);
    let cloud = Cloud::with([Instance::running(INSTANCE).volume(data)]);
    cloud.world.slow_stops(1);
    cloud.world.slow_starts(1);
    // Every look of a wait is the same step; few are enough.
    cloud
        .world
        .outcomes([Outcome::Available { after_polls: 0 }]);
    cloud
}

fn run<'a>(cloud: &'a Cloud, mode: &str) -> Run<'a> {
    let run = cloud.run().in_build("web:1").set("consistency", mode);
    match mode {
        "quiesce" => run.set("quiesce_container", "db"),
        _ => run,
    }
}

/// What is there is named in the output, and the instance runs.
#[track_caller]
fn nothing_unnamed(cloud: &Cloud, ended: &Ended, context: &str) {
    for image in cloud.world.images() {
        assert!(
            ended.said.contains(&image.id),
            "{context}: {} is left\n{ended}",
            image.id
        );
    }
    if cloud.world.images().is_empty() {
        let left = cloud.world.snapshots();
        assert!(left.is_empty(), "{context}: {left:?}\n{ended}");
    }
    let state = cloud.instance().state;
    assert!(
        ["running", "pending"].contains(&state.as_str()) || ended.said.contains("start-instances"),
        "{context}: the instance is {state}\n{ended}"
    );
    let marks = cloud.instance().tags;
    assert!(marks.is_empty(), "{context}: {marks:?}\n{ended}");
}

/// How many calls a run makes that is left alone.
async fn calls(mode: &str) -> usize {
    let cloud = account();
    let ended = run(&cloud, mode).end().await;
    ended.assert_code(0);
    nothing_unnamed(&cloud, &ended, mode);
    ended.calls.len()
}

/// Ends a run with `event` at its n-th call; gives how it ended and where that was. Nothing when it
/// made fewer calls: pauses are jittered, so that one run looks once more than another.
async fn end_at_call(run: Run<'_>, n: usize, event: Event, name: &str) -> Option<(Ended, String)> {
    let signal = match event {
        Event::Sigterm => "SIGTERM",
        Event::Sigkill => "SIGKILL",
    };
    let ended = run.at_call(n, event).end().await;
    let call = ended.calls.get(n)?;
    let context = format!("{name}, {signal} at call {n}, {call}");
    Some((ended, context))
}

/// What `clean` says, which must have removed whatever was there.
async fn clean(cloud: &Cloud, mode: &str, context: &str) -> Ended {
    let cleaned = run(cloud, mode).command("clean").end().await;
    assert_eq!(cleaned.code, Some(0), "{context}\n{cleaned}");
    let left = (cloud.world.images(), cloud.world.snapshots());
    assert!(left.0.is_empty(), "{context}: {left:?}\n{cleaned}");
    assert!(left.1.is_empty(), "{context}: {left:?}\n{cleaned}");
    cleaned
}

#[tokio::test(start_paused = true)]
async fn sigterm_in_every_step_leaves_nothing() {
    for mode in MODES {
        for n in 0..calls(mode).await {
            let cloud = account();
            let run = run(&cloud, mode);
            let stopped = end_at_call(run, n, Event::Sigterm, mode).await;
            let Some((ended, context)) = stopped else {
                break;
            };
            match ended.code {
                // The image was proven by then; only its price and older images were looked at.
                Some(0) => assert_eq!(ended.ami(), cloud.world.images()[0].id, "{context}"),
                Some(143) => {
                    let images = cloud.world.images();
                    assert!(images.is_empty(), "{context}: {images:?}\n{ended}");
                }
                _ => panic!("{context}\n{ended}"),
            }
            nothing_unnamed(&cloud, &ended, &context);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_killed_at_any_call_is_repaired_by_the_next() {
    for mode in DIFFERENT {
        for n in 0..calls(mode).await {
            let cloud = account();
            let killed = end_at_call(run(&cloud, mode), n, Event::Sigkill, mode).await;
            let Some((killed, context)) = killed else {
                break;
            };
            assert_eq!(killed.code, None, "{context}");
            let ended = run(&cloud, mode).end().await;
            assert_eq!(ended.code, Some(0), "{context}\n{ended}");
            let images = cloud.world.images();
            assert_eq!(images.len(), 1, "{context}: {images:?}\n{ended}");
            assert_eq!(images[0].id, ended.ami(), "{context}");
            assert_eq!(cloud.world.snapshots().len(), 2, "{context}\n{ended}");
            assert_eq!(cloud.instance().state, "running", "{context}\n{ended}");
            assert!(cloud.instance().tags.is_empty(), "{context}\n{ended}");
            let frozen = images[0]
                .tags
                .iter()
                .any(|(key, _)| key == "make-ami:frozen-ms");
            assert_eq!(
                frozen,
                mode == "quiesce",
                "{context}: only an image that is known to be consistent says so\n{ended}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn clean_removes_what_a_run_killed_at_any_call_left() {
    for mode in DIFFERENT {
        for n in 0..calls(mode).await {
            let cloud = account();
            let killed = end_at_call(run(&cloud, mode), n, Event::Sigkill, mode).await;
            let Some((_, context)) = killed else {
                break;
            };
            let cleaned = clean(&cloud, mode, &context).await;
            assert_eq!(cloud.instance().state, "running", "{context}\n{cleaned}");
            assert!(cloud.instance().tags.is_empty(), "{context}\n{cleaned}");
        }
    }
}

/// The deadline comes at every second that a call of an undisturbed run is made in.
async fn deadline_everywhere(on_timeout: &str) {
    for mode in MODES {
        let account = || {
            let cloud = account();
            let course = Course::available(Duration::from_secs(20));
            cloud.world.outcomes([course]);
            cloud
        };
        let cloud = account();
        let start = tokio::time::Instant::now();
        let began = cloud.fake.requests().len();
        run(&cloud, mode).end().await.assert_code(0);
        let mut times: Vec<u64> = cloud.fake.requests()[began..]
            .iter()
            .map(|request| request.when.as_secs())
            .collect();
        let whole = start.elapsed().as_secs();
        times.extend([1, whole.saturating_sub(1)]);
        times.sort_unstable();
        times.dedup();
        for seconds in times {
            let cloud = account();
            let late = run(&cloud, mode)
                .set("on_timeout", on_timeout)
                .timeout(Duration::from_secs(seconds))
                .end()
                .await;
            let context = format!("{mode}, {on_timeout}, {seconds} s of {whole}");
            nothing_unnamed(&cloud, &late, &context);
            let left = cloud.world.images().len();
            match (late.code, on_timeout) {
                (Some(0), _) => assert_eq!(left, 1, "{context}\n{late}"),
                // Nothing had been made yet.
                (Some(6), "clean") => assert_eq!(left, 0, "{context}\n{late}"),
                (Some(6), _) => {
                    let resumed = run(&cloud, mode).end().await;
                    assert_eq!(resumed.code, Some(0), "{context}\n{late}\n{resumed}");
                    assert_eq!(
                        cloud.world.images().len(),
                        1,
                        "{context}\n{late}\n{resumed}"
                    );
                }
                // The instance went on before its snapshots had begun: worth nothing.
                (Some(1), _) => assert_eq!(left, 0, "{context}\n{late}"),
                _ => panic!("{context}\n{late}"),
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_in_every_step_keeps_what_the_next_run_adopts() {
    deadline_everywhere("keep").await;
}

#[tokio::test(start_paused = true)]
async fn a_deadline_in_every_step_leaves_nothing_with_clean() {
    deadline_everywhere("clean").await;
}

/// All that follows an available image.
const EVERYTHING: [(&str, &str); 8] = [
    ("app", "web"),
    ("keep", "1"),
    ("retire", "deregister"),
    ("snapshot_tags", "after"),
    ("copy_to", "us-east-1"),
    ("share_with", "111122223333"),
    ("deprecate_after", "90d"),
    ("ssm_parameter", "/web/ami"),
];
const OLDER: &str = "ami-0aaaaaaaaaaaaaaaa";

fn with_older() -> Cloud {
    let cloud = account();
    let older = Image::available(OLDER, "web-41");
    cloud.world.add_image(older.tag("make-ami:app", "web"));
    cloud
}

/// What a run made, in both Regions.
fn made(cloud: &Cloud) -> Vec<Image> {
    let mut images = cloud.world.images();
    images.retain(|image| image.id != OLDER);
    images.extend(cloud.world.images_in("us-east-1"));
    images
}

/// The deadline comes at every second of publishing and retiring: what is there is exported or listed, and
/// the next run goes on with it.
#[tokio::test(start_paused = true)]
async fn a_deadline_in_every_step_of_publishing_keeps_what_the_next_run_adopts() {
    let with_older = || {
        let cloud = with_older();
        let slow = Course::available(Duration::from_secs(20));
        cloud.world.outcomes([slow.clone()]);
        cloud.world.copy_outcomes([slow]);
        cloud
    };
    let cloud = with_older();
    let start = tokio::time::Instant::now();
    let undisturbed = run(&cloud, "no-reboot").all(EVERYTHING).end().await;
    undisturbed.assert_code(0);
    let whole = start.elapsed().as_secs();
    for seconds in 1..=whole + 1 {
        let cloud = with_older();
        let late = run(&cloud, "no-reboot").all(EVERYTHING);
        let late = late.timeout(Duration::from_secs(seconds)).end().await;
        let context = format!("{seconds} s of {whole}");
        match late.code {
            Some(0) => assert_eq!(made(&cloud).len(), 2, "{context}\n{late}"),
            Some(6) => {
                for image in made(&cloud) {
                    assert!(late.said.contains(&image.id), "{context}\n{late}");
                }
                assert!(
                    cloud.ssm.parameter("/web/ami").is_none(),
                    "{context}\n{late}"
                );
                let resumed = run(&cloud, "no-reboot").all(EVERYTHING).end().await;
                assert_eq!(resumed.code, Some(0), "{context}\n{late}\n{resumed}");
                assert_eq!(made(&cloud).len(), 2, "{context}\n{late}\n{resumed}");
            }
            _ => panic!("{context}\n{late}"),
        }
    }
}

/// What `start`, `wait` and `clean` have made or removed by then, the next run of them repairs.
#[tokio::test(start_paused = true)]
async fn sigterm_in_every_step_of_the_subcommands_leaves_nothing_that_is_not_named() {
    for command in ["start", "wait", "clean"] {
        let ready = async || {
            let cloud = account();
            if command != "start" {
                let started = run(&cloud, "stop").command("start").end().await;
                started.assert_code(0);
            }
            cloud
        };
        let cloud = ready().await;
        let calls = run(&cloud, "stop").command(command).end().await;
        let calls = calls.assert_code(0).calls.len();
        for n in 0..calls {
            let cloud = ready().await;
            let run = run(&cloud, "stop").command(command);
            let stopped = end_at_call(run, n, Event::Sigterm, command).await;
            let Some((ended, context)) = stopped else {
                break;
            };
            assert!(
                matches!(ended.code, Some(0 | 5 | 143)),
                "{context}\n{ended}"
            );
            // Before `wait` and `clean` have begun, what `start` made is as it was.
            if command == "start" {
                nothing_unnamed(&cloud, &ended, &context);
            }
            let context = format!("{context}\n{ended}");
            let cleaned = clean(&cloud, "stop", &context).await;
            let state = cloud.instance().state;
            assert!(
                ["running", "pending"].contains(&state.as_str()),
                "{context}: {state}\n{cleaned}"
            );
        }
    }
}

/// The same with everything that follows an available image: whatever names it, it exists.
#[tokio::test(start_paused = true)]
async fn sigterm_in_every_step_of_publishing_leaves_nothing_that_is_not_named() {
    let cloud = with_older();
    let calls = run(&cloud, "no-reboot").all(EVERYTHING).end().await;
    let calls = calls.assert_code(0).calls.len();
    for n in 0..calls {
        let cloud = with_older();
        let run = run(&cloud, "no-reboot").all(EVERYTHING);
        let stopped = end_at_call(run, n, Event::Sigterm, "publishing").await;
        let Some((ended, context)) = stopped else {
            break;
        };
        let images = made(&cloud);
        match ended.code {
            Some(0) => assert_eq!(images.len(), 2, "{context}\n{ended}"),
            Some(143) => assert!(images.is_empty(), "{context}: {images:?}\n{ended}"),
            _ => panic!("{context}\n{ended}"),
        }
        if let Some(parameter) = cloud.ssm.parameter("/web/ami") {
            let named = images.iter().any(|image| image.id == parameter.value);
            assert!(
                named,
                "{context}: the parameter names what is gone\n{ended}"
            );
        }
        // Nothing older goes before the new one is handed over.
        let older = cloud.world.images();
        let is_there = older.iter().any(|image| image.id == OLDER);
        assert!(is_there || ended.code == Some(0), "{context}\n{ended}");
    }
}
