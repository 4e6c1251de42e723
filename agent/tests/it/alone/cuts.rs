//! The agent is killed at every message, and the connection is cut at every message.

use std::fs::File;
use std::time::Duration;

use agent_protocol::frame::encode;
use agent_protocol::message::{Answer, Request, ToAgent};
use filesync::Outcome;

use super::app::{App, Stage, done, lock};
use crate::client::{AGENT, Client, comes_true, comes_true_in};

/// How a client comes to lose its agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cut {
    /// The connection is gone.
    Connection,
    /// Half of the next message came before it was gone.
    Half,
    /// Nothing comes from the agent any more; then the connection is gone.
    Answers,
    /// The agent is killed.
    Killed,
    /// It is killed while it works on the next message.
    KilledAtWork,
}

/// Waits for the lock as the next deployment does, and gives it back.
fn wait_for_lock(app: &App) {
    let mut next = Client::start();
    let lock = lock(app.at("").as_path(), "next");
    let id = next.ask(Request::Lock { lock, waits: true });
    assert!(matches!(next.answer(id).0, Ok(Answer::Locked { .. })));
    assert!(done(&mut next, Request::Unlock));
    assert!(next.leave());
}

/// The processes of this program that have to do with the folder: guardians, watchers and commands.
fn left(app: &App) -> Vec<String> {
    let folder = app.at("").display().to_string();
    let folder = folder.trim_end_matches('/');
    let mut left = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let at = entry.path();
        let command = std::fs::read(at.join("cmdline")).unwrap_or_default();
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        let holds = || {
            let files = std::fs::read_dir(at.join("fd"))
                .into_iter()
                .flatten()
                .flatten();
            let mut links = files.filter_map(|file| std::fs::read_link(file.path()).ok());
            links.any(|link| link.starts_with(folder))
        };
        if command.contains(AGENT) && holds() {
            left.push(command);
        }
    }
    left
}

/// A deployment over a good release, cut before the answer to message number `at`.
fn cut(app: &App, new: &str, before: Option<&str>, at: usize, how: Cut) {
    let mut client = Client::start();
    let mut messages = app.conversation("build one", new, before).into_iter();
    for request in messages.by_ref().take(at) {
        assert!(done(&mut client, request));
    }
    let next = messages.next();
    match how {
        Cut::Connection => {
            client.leave();
        }
        Cut::Half => {
            if let Some(request) = next {
                let frame = encode(&ToAgent::Request { id: 99, request }).unwrap();
                client.raw(&frame[..frame.len() / 2]);
            }
            client.leave();
        }
        Cut::Answers => {
            client.deafen();
            if let Some(request) = next {
                client.ask(request);
            }
            client.leave();
        }
        Cut::Killed => drop(client.child.kill()),
        Cut::KilledAtWork => {
            if let Some(request) = next {
                client.ask(request);
            }
            drop(client.child.kill());
        }
    }
}

fn every_cut(how: Cut) {
    let messages = App::start().conversation("", "x", None).len();
    for at in 0..messages {
        let app = App::start();
        let old = app.is_deployed(1);
        let new = app.make(2, true);
        cut(&app, &new, Some(&old), at, how);
        wait_for_lock(&app);
        assert!(
            comes_true(|| left(&app).is_empty()),
            "{at} {how:?}: {:?}",
            left(&app)
        );
        let seen = app.seen();
        let current = app.current().expect("current is gone");
        assert!([&old, &new].contains(&&current), "{at} {how:?}");
        assert_eq!(app.running().as_ref(), Some(&current), "{at} {how:?}");
        assert!(seen.proven.contains_key(&current), "{at} {how:?}: {seen:?}");
        // Whatever was switched to and not proven by the client is told.
        let (is_switched, is_told) = (current == new || at > 3, seen.decision.is_some());
        let is_proven_by_client = at > 9;
        assert!(
            is_told || !is_switched || is_proven_by_client,
            "{at} {how:?}"
        );
        assert_eq!(app.audit().len(), usize::from(is_told), "{at} {how:?}");
        if let Some(decision) = seen.decision {
            let kept = Outcome::Kept == decision.outcome;
            assert_eq!(kept, current == new, "{at} {how:?}: {decision:?}");
            assert_eq!(decision.owner, "build one");
            assert_eq!(decision.release, new);
        }
    }
}

#[test]
fn the_connection_is_cut_at_every_message() {
    every_cut(Cut::Connection);
}

#[test]
fn the_connection_is_cut_in_the_middle_of_every_message() {
    every_cut(Cut::Half);
}

#[test]
fn the_connection_is_cut_from_the_agent_at_every_message() {
    every_cut(Cut::Answers);
}

#[test]
fn the_agent_is_killed_at_every_message() {
    every_cut(Cut::Killed);
}

#[test]
fn the_agent_is_killed_at_work_on_every_message() {
    every_cut(Cut::KilledAtWork);
}

/// How many messages come before the plan that judges the health alone.
const BEFORE_HEALTH: usize = 7;

#[test]
fn a_release_that_does_not_become_healthy_is_gone_back_from() {
    let app = App::start();
    let old = app.is_deployed(1);
    let new = app.make(2, false);
    cut(&app, &new, Some(&old), BEFORE_HEALTH, Cut::Connection);
    wait_for_lock(&app);
    let seen = app.seen();
    assert_eq!(
        (app.current(), app.running()),
        (Some(old.clone()), Some(old.clone()))
    );
    assert!(seen.proven.contains_key(&old) && !seen.proven.contains_key(&new));
    let decision = seen.decision.unwrap();
    assert_eq!(decision.outcome, Outcome::WentBack(old));
    assert_eq!(decision.why, "cannot find it healthy: it answers 500");
    assert!(
        app.audit()[0].contains("\"result\":\"failed\""),
        "{:?}",
        app.audit()
    );
}

#[test]
fn the_first_release_is_taken_down_when_it_does_not_become_healthy() {
    let app = App::start();
    let new = app.make(1, false);
    cut(&app, &new, None, BEFORE_HEALTH, Cut::Killed);
    wait_for_lock(&app);
    assert_eq!((app.current(), app.running()), (None, None));
    assert_eq!(app.seen().decision.unwrap().outcome, Outcome::TakenDown);
}

#[test]
fn who_waits_meanwhile_sees_who_judges_and_until_when() {
    let app = App::start();
    let old = app.is_deployed(1);
    let new = app.make(2, true);
    let mut client = Client::start();
    let mut plan = app.plan(&new, Some(&old), Stage::Start);
    // As long as the file is there it goes on.
    let (held, at) = (app.at("held"), app.at(""));
    std::fs::write(&held, "").unwrap();
    let script = format!("while [ -e {} ]; do sleep 0.02; done", held.display());
    plan.back.clear();
    if let agent_protocol::plan::Forward::Prove(steps) = &mut plan.forward {
        steps[0].action = agent_protocol::plan::Action::Run(script);
        steps[0].limit_ms = 60_000;
    }
    let request = Request::Lock {
        lock: lock(&at, "build one"),
        waits: true,
    };
    assert!(done(&mut client, request));
    assert!(done(&mut client, Request::Plan(Some(Box::new(plan)))));
    assert!(client.leave());
    let mut next = Client::start();
    let folder = at.to_str().unwrap().to_owned();
    let mut seen = None;
    assert!(comes_true(|| {
        let folder = folder.clone();
        let id = next.ask(Request::Holder { folder });
        match next.answer(id).0 {
            Ok(Answer::Held(holder)) => seen = holder.judging,
            other => panic!("{other:?}"),
        }
        seen.is_some()
    }));
    let judging = seen.unwrap();
    assert_eq!(judging.release, new);
    std::fs::remove_file(held).unwrap();
    wait_for_lock(&app);
}

#[test]
fn nothing_is_begun_before_all_that_the_agent_ran_is_over() {
    let app = App::start();
    let old = app.is_deployed(1);
    let new = app.make(2, true);
    let mut client = Client::start();
    let messages = app.conversation("build one", &new, Some(&old));
    for request in messages.into_iter().take(4) {
        assert!(done(&mut client, request));
    }
    let watcher = app.at("watcher");
    let script = format!(
        "echo $PPID >'{}'; echo begun; sleep 1000",
        watcher.display()
    );
    client.start_command(&script, None);
    client.hear_text("begun");
    // As if the watcher could not end its command yet.
    let watcher = std::fs::read_to_string(watcher).unwrap();
    let alive = format!("/proc/{}/fd/1", watcher.trim());
    let alive = File::options().write(true).open(alive).unwrap();
    client.child.kill().unwrap();
    client.child.wait().unwrap();
    let did = app.at("did");
    assert!(!comes_true_in(Duration::from_millis(300), || did.exists()));
    drop(alive);
    wait_for_lock(&app);
    assert_eq!(app.running(), Some(new));
}

#[test]
fn a_plan_needs_the_lock() {
    let app = App::start();
    let new = app.make(1, true);
    let mut client = Client::start();
    let plan = app.plan(&new, None, Stage::Switch);
    let id = client.ask(Request::Plan(Some(Box::new(plan))));
    let answer = client.answer(id).0;
    assert_eq!(answer, Err(agent_protocol::message::AgentError::NoLock));
}

#[test]
fn a_guardian_that_was_killed_is_replaced_with_the_next_plan() {
    let app = App::start();
    let old = app.is_deployed(1);
    let new = app.make(2, true);
    let mut client = Client::start();
    let mut messages = app.conversation("build one", &new, Some(&old)).into_iter();
    for request in messages.by_ref().take(2) {
        assert!(done(&mut client, request));
    }
    let killed = std::process::Command::new("pkill")
        .args(["-KILL", "-P", &client.child.id().to_string()])
        .status();
    assert!(killed.unwrap().success());
    for request in messages.take(5) {
        assert!(done(&mut client, request));
    }
    assert!(client.leave());
    wait_for_lock(&app);
    assert_eq!(app.current(), Some(new.clone()));
    assert!(app.seen().proven.contains_key(&new));
}
