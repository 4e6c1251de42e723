//! A worker that is killed between every two calls loses nothing.

use crate::world::{World, image, stop};
use harness::Fate;
use harness::jobs::Status;
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};
use std::time::Duration;

/// Runs an action to its end with a worker that is killed at the n-th call that is not a poll; before the call is served, or
/// after it. Whether it was killed.
fn killed_at(call: usize, served: bool, forgiving: bool) -> bool {
    let world = World::new();
    if forgiving {
        world.jobs.forgive_second_acknowledgement();
    }
    world.set("ready", "");
    let action = world.jobs.start(image("Bake"));
    let (group, seen) = (Arc::new(AtomicI32::new(0)), Arc::new(AtomicUsize::new(0)));
    let (victim, count) = (Arc::clone(&group), Arc::clone(&seen));
    world.fake.intercept(move |request| {
        if request.operation == "PollForJobs" || count.fetch_add(1, Ordering::SeqCst) != call {
            return Fate::Served;
        }
        let pid = loop {
            match rustix::process::Pid::from_raw(victim.load(Ordering::SeqCst)) {
                Some(pid) => break pid,
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        };
        let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
        match served {
            true => Fate::Lost,
            false => Fate::Answered(harness::Reply::close()),
        }
    });
    let worker = world.worker().spawn();
    group.store(worker.id().cast_signed(), Ordering::SeqCst);
    world.until("killed or over", |world| {
        seen.load(Ordering::SeqCst) > call || world.jobs.is_over(action)
    });
    let was_killed = seen.load(Ordering::SeqCst) > call;
    let next = match was_killed {
        true => {
            worker.finish();
            let next = world.worker().spawn();
            next.wait_for_stderr("serving", Duration::from_secs(20));
            next
        }
        false => worker,
    };
    world.until_over(action);
    let ran = stop(next);
    ran.assert_code(0);
    let label = format!("killed at call {call}, served {served}, forgiving {forgiving}\n{ran}");
    assert_eq!(world.jobs.last(action).status, Status::Succeeded, "{label}");
    assert!(
        world.jobs.all().iter().all(|job| job.reports == 1),
        "{label}"
    );
    assert_eq!(world.images().len(), 1, "{label}");
    let ami = &world.images()[0];
    let report = world.jobs.last(action).report.unwrap();
    assert_eq!(report["outputVariables"]["AMI_ID"], ami.as_str(), "{label}");
    assert!(
        world.jobs.offences().is_empty(),
        "{label}: {:?}",
        world.jobs.offences()
    );
    assert!(
        world.status("work")["jobs"].as_array().unwrap().is_empty(),
        "{label}"
    );
    was_killed
}

#[test]
fn between_any_two_calls_with_a_second_acknowledgement_refused() {
    let mut call = 0;
    while killed_at(call, false, false) | killed_at(call, true, false) {
        call += 1;
        assert!(call < 40, "the calls of an action have an end");
    }
    assert!(call >= 4, "only {call} calls");
}

#[test]
fn at_the_acknowledgement_where_a_second_one_is_forgiven() {
    assert!(killed_at(0, true, true));
    assert!(killed_at(0, false, true));
}

#[test]
fn while_the_program_runs_which_ends_with_its_worker() {
    let world = World::new();
    world.set(
        "script",
        "echo $$ >>\"$S/pids\"; [ -e \"$S/go\" ] || sleep 60",
    );
    let action = world.jobs.start(image("Run"));
    let worker = world.plain().spawn();
    world.until("it runs", |world| world.path("state/pids").exists());
    // Only the worker dies; its program goes on alone, as without systemd.
    let pid = rustix::process::Pid::from_raw(worker.id().cast_signed()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    worker.finish();
    let first = std::fs::read_to_string(world.path("state/pids")).unwrap();
    let process = format!("/proc/{}/stat", first.trim());
    world.set("go", "");
    let worker = world.plain().spawn();
    world.until_over(action);
    stop(worker).assert_code(0);
    // Where nobody collects it, it stays as a dead one.
    let stat = std::fs::read_to_string(process).unwrap_or_else(|_| ") Z".to_owned());
    assert!(stat.contains(") Z"), "two of it ran at once: {stat}");
    assert_eq!(world.jobs.last(action).status, Status::Succeeded);
    assert!(world.jobs.all().iter().all(|job| job.reports == 1));
}
