//! Random histories of deployments that are cut, killed and begun anew: there are never two holders, and never is an
//! unproven release taken for proven.

use agent_protocol::message::{Answer, Request};
use proptest::prelude::*;
use proptest::test_runner::Config;

use super::app::{App, done, lock};
use crate::client::Client;

/// A deployment, and how it ends.
#[derive(Debug, Clone, Copy)]
struct Deployment {
    is_healthy: bool,
    /// How many messages are said before the end.
    says: usize,
    is_killed: bool,
    /// Whether the next deployment begins before this one's end.
    is_overtaken: bool,
}

fn deployment() -> impl Strategy<Value = Deployment> {
    let fields = (any::<bool>(), 0..13_usize, any::<bool>(), any::<bool>());
    fields.prop_map(|(is_healthy, says, is_killed, is_overtaken)| Deployment {
        is_healthy,
        says,
        is_killed,
        is_overtaken,
    })
}

/// What comes back when the next release fails, as deploy-app chooses it.
fn before(app: &App, next: &str) -> Option<String> {
    let seen = app.seen();
    let current = app.current().filter(|it| seen.proven.contains_key(it));
    let newest = seen
        .releases
        .iter()
        .rev()
        .find(|it| seen.proven.contains_key(*it));
    let doubted = seen
        .releases
        .iter()
        .rev()
        .find(|it| seen.doubted.contains_key(*it));
    let all = current.or(newest.cloned()).or(doubted.cloned());
    all.filter(|it| it != next)
}

/// Deploys as deploy-app does, with the lock; ends as told. A command that fails ends it, too.
fn deploy(app: &App, client: &mut Client, new: &str, owner: &str, says: usize) {
    let before = before(app, new);
    // The lock is taken already.
    let messages = app
        .conversation(owner, new, before.as_deref())
        .into_iter()
        .skip(1);
    for request in messages.take(says) {
        if !done(client, request) {
            return;
        }
    }
}

/// What must hold whenever somebody holds the lock who changed nothing yet.
fn check(app: &App) {
    let seen = app.seen();
    for proven in seen.proven.keys() {
        assert!(app.is_good(proven), "{proven} is taken for proven");
    }
    if let Some(current) = app.current() {
        assert!(seen.releases.contains(&current), "current leads nowhere");
        if seen.proven.contains_key(&current) {
            assert_eq!(app.running(), Some(current), "something else runs");
        }
    }
}

fn holds(history: &[Deployment]) {
    let app = App::start();
    let at = app.at("");
    let mut waiting: Option<(Client, u32)> = None;
    for (number, deployment) in history.iter().enumerate() {
        let owner = format!("build {number}");
        let ask = |client: &mut Client, owner: &str| {
            let lock = lock(&at, owner);
            client.ask(Request::Lock { lock, waits: true })
        };
        let (mut client, id) = waiting.take().unwrap_or_else(|| {
            let mut client = Client::start();
            let id = ask(&mut client, &owner);
            (client, id)
        });
        assert!(matches!(client.answer(id).0, Ok(Answer::Locked { .. })));
        check(&app);
        let new = app.make(u32::try_from(number).unwrap() + 1, deployment.is_healthy);
        if deployment.is_overtaken {
            let mut next = Client::start();
            let id = next.ask(Request::Lock {
                lock: lock(&at, "somebody else"),
                waits: false,
            });
            let answer = next.answer(id).0;
            assert!(
                matches!(answer, Ok(Answer::Held(_))),
                "two holders: {answer:?}"
            );
            let owner = format!("build {}", number + 1);
            let id = ask(&mut next, &owner);
            waiting = Some((next, id));
        }
        deploy(&app, &mut client, &new, &owner, deployment.says);
        match deployment.is_killed {
            true => drop(client.child.kill()),
            false => drop(client),
        }
    }
    drop(waiting);
    let mut last = Client::start();
    let id = last.ask(Request::Lock {
        lock: lock(&at, "last"),
        waits: true,
    });
    assert!(matches!(last.answer(id).0, Ok(Answer::Locked { .. })));
    check(&app);
}

proptest! {
    #![proptest_config(Config { cases: 12, max_shrink_iters: 20, ..Config::default() })]

    #[test]
    fn never_two_holders_and_never_an_unproven_release_taken_for_proven(
        history in prop::collection::vec(deployment(), 1..6)
    ) {
        holds(&history);
    }
}
