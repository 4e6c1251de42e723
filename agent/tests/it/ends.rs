//! However the agent or its client ends, nothing that was started runs on.

use agent_protocol::frame::encode;
use agent_protocol::message::{AgentError, Request, Run, ToAgent};

use crate::client::{Client, comes_true, runs};

/// A command that runs, and the numbers of its processes.
fn begun(client: &mut Client) -> (u32, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("pids");
    let script = format!(
        "echo $$ >'{0}'; sleep 1000 & echo $! >>'{0}'; echo $PPID >>'{0}'; echo begun; wait",
        at.display()
    );
    let id = client.start_command(&script, None);
    client.hear_text("begun");
    let pids = std::fs::read_to_string(at).unwrap();
    (id, pids.lines().map(str::to_owned).collect())
}

#[test]
fn nothing_runs_on_when_the_connection_is_gone() {
    let mut client = Client::start();
    let (_, pids) = begun(&mut client);
    assert!(client.leave());
    assert!(!pids.iter().any(|pid| runs(pid)), "{pids:?}");
}

#[test]
fn nothing_runs_on_when_the_agent_is_killed() {
    let mut client = Client::start();
    let (_, pids) = begun(&mut client);
    client.child.kill().unwrap();
    client.child.wait().unwrap();
    assert!(comes_true(|| !pids.iter().any(|pid| runs(pid))), "{pids:?}");
}

#[test]
fn nothing_runs_on_when_the_watcher_is_killed() {
    let mut client = Client::start();
    let (id, pids) = begun(&mut client);
    let killed = std::process::Command::new("kill")
        .args(["-KILL", &pids[2]])
        .status();
    assert!(killed.unwrap().success());
    assert_eq!(client.answer(id).0, Err(AgentError::Watcher));
    assert!(comes_true(|| !pids.iter().any(|pid| runs(pid))), "{pids:?}");
}

#[test]
fn a_message_that_comes_in_part_does_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let made = folder.path().join("made");
    let script = format!("echo >'{}'", made.display());
    let message = encode(&ToAgent::Request {
        id: 1,
        request: Request::Run(Run {
            script,
            limit_ms: None,
        }),
    })
    .unwrap();
    for length in [1, 4, 5, message.len() / 2, message.len() - 1] {
        let mut client = Client::start();
        client.raw(&message[..length]);
        assert!(client.leave());
        assert!(!made.exists(), "{length}");
    }
}

#[test]
fn input_that_is_cut_off_is_not_taken_for_whole() {
    let folder = tempfile::tempdir().unwrap();
    let made = folder.path().join("made");
    let mut client = Client::start();
    let script = format!("echo begun; cat >/dev/null; echo >'{}'", made.display());
    let id = client.start_command(&script, None);
    client.hear_text("begun");
    let bytes = b"a part".to_vec();
    client.say(&ToAgent::Data { id, bytes });
    assert!(client.leave());
    assert!(!made.exists());
}
