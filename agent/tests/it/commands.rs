//! Commands: their input, their output, their end.

use agent_protocol::message::{AgentError, Answer, Ended, FromAgent, ToAgent};
use agent_protocol::window::WINDOW;

use crate::client::{Client, comes_true, runs};

#[test]
fn a_command_reads_writes_and_ends_with_its_status() {
    let mut client = Client::start();
    let (ended, ran) = client.run("cat; echo err >&2; exit 7", b"in\nput");
    assert_eq!(ended, Ended::Status(7));
    assert_eq!(
        (ran.stdout, ran.stderr),
        (b"in\nput".to_vec(), b"err\n".to_vec())
    );
    let (ended, _) = client.run("kill -KILL $$", b"");
    assert_eq!(ended, Ended::Signal(9));
    let (ended, _) = client.run("cat", b"");
    assert_eq!(ended, Ended::Status(0));
    assert!(client.leave());
}

#[test]
fn commands_run_side_by_side() {
    let mut client = Client::start();
    let waits = client.start_command("echo begun; read x; echo \"$x\"", None);
    client.hear_text("begun");
    let (ended, ran) = client.run("echo other", b"");
    assert_eq!((ended, ran.stdout), (Ended::Status(0), b"other\n".to_vec()));
    let again = client.start_command("echo unique", None);
    drop(client.answer(again));
    let bytes = b"told\n".to_vec();
    client.say(&ToAgent::Data { id: waits, bytes });
    let (_, ran) = client.answer(waits);
    assert_eq!(ran.stdout, b"told\n");
}

#[test]
fn a_number_in_use_is_refused_and_the_command_goes_on() {
    let mut client = Client::start();
    let id = client.start_command("echo begun; cat", None);
    client.hear_text("begun");
    client.say(&ToAgent::Request {
        id,
        request: agent_protocol::message::Request::Run(agent_protocol::message::Run {
            script: "echo second".to_owned(),
            limit_ms: None,
        }),
    });
    let (answer, _) = client.answer(id);
    assert_eq!(answer, Err(AgentError::Duplicate));
    client.say(&ToAgent::End { id });
    let (answer, _) = client.answer(id);
    assert_eq!(answer, Ok(Answer::Ended(Ended::Status(0))));
}

#[test]
fn megabytes_go_through_in_both_directions() {
    let mut client = Client::start();
    let id = client.start_command("cat", None);
    let piece: Vec<u8> = (0..60_000_u32).map(|n| n.to_le_bytes()[1]).collect();
    let (mut sent, mut came) = (0, Vec::new());
    // As much as the window lets through, and no more: the agent must answer in between.
    let (mut left, most) = (WINDOW as usize, 100 * piece.len());
    loop {
        while sent < most && left >= piece.len() {
            let bytes = piece.clone();
            client.say(&ToAgent::Data { id, bytes });
            (sent, left) = (sent + piece.len(), left - piece.len());
            if sent == most {
                client.say(&ToAgent::End { id });
            }
        }
        match client.hear().unwrap() {
            FromAgent::Data { bytes, .. } => {
                let length = u32::try_from(bytes.len()).unwrap();
                came.extend(bytes);
                client.say(&ToAgent::Taken { id, bytes: length });
            }
            FromAgent::Taken { bytes, .. } => left += bytes as usize,
            FromAgent::Connected { .. } => unreachable!("nothing was connected"),
            FromAgent::Answer { answer, .. } => {
                assert_eq!(answer, Ok(Answer::Ended(Ended::Status(0))));
                break;
            }
        }
    }
    assert!(came == piece.repeat(100));
}

#[test]
fn output_that_is_not_taken_in_waits_and_keeps_nothing_else_waiting() {
    let mut client = Client::start();
    let id = client.start_command("head -c 5000000 /dev/zero", None);
    let mut came = 0;
    while came < WINDOW as usize {
        if let FromAgent::Data { bytes, .. } = client.hear().unwrap() {
            came += bytes.len();
        }
    }
    let (ended, ran) = client.run("echo other", b"");
    assert_eq!((ended, ran.stdout), (Ended::Status(0), b"other\n".to_vec()));
    client.say(&ToAgent::Taken { id, bytes: WINDOW });
    let (answer, ran) = client.answer(id);
    assert_eq!(answer, Ok(Answer::Ended(Ended::Status(0))));
    assert_eq!(came + ran.stdout.len(), 5_000_000);
}

#[test]
fn a_command_that_reads_nothing_keeps_nothing_waiting() {
    let mut client = Client::start();
    let id = client.start_command("exec <&-; echo begun; sleep 1000", None);
    client.hear_text("begun");
    for _ in 0..40 {
        let bytes = vec![0; 60_000];
        client.say(&ToAgent::Data { id, bytes });
    }
    client.say(&ToAgent::Cancel { id });
    assert_eq!(client.answer(id).0, Ok(Answer::Ended(Ended::Cancelled)));
}

#[test]
fn a_command_ends_with_its_whole_group_when_it_is_told_to() {
    let mut client = Client::start();
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().join("pids");
    let script = format!(
        "sleep 1000 & echo $! >'{0}'; sh -c 'trap \"\" TERM; sleep 1000' & echo $! >>'{0}'; echo begun; wait",
        at.display()
    );
    let id = client.start_command(&script, None);
    client.hear_text("begun");
    client.say(&ToAgent::Cancel { id });
    assert_eq!(client.answer(id).0, Ok(Answer::Ended(Ended::Cancelled)));
    let pids = std::fs::read_to_string(at).unwrap();
    assert_eq!(pids.lines().count(), 2);
    assert!(!pids.lines().any(runs), "{pids}");
}

#[test]
fn a_command_ends_when_its_time_is_up() {
    let mut client = Client::start();
    let id = client.start_command("sleep 1000", Some(50));
    assert_eq!(client.answer(id).0, Ok(Answer::Ended(Ended::Limit)));
}

#[test]
fn what_a_command_left_behind_goes_on_and_does_not_hold_the_answer() {
    let mut client = Client::start();
    // It keeps both pipes.
    let (ended, ran) = client.run("sleep 1000 & echo $!", b"");
    assert_eq!(ended, Ended::Status(0));
    let pid = String::from_utf8(ran.stdout).unwrap();
    assert!(runs(&pid));
    assert!(client.leave());
    assert!(runs(&pid));
    let killed = std::process::Command::new("kill").arg(pid.trim()).status();
    assert!(killed.unwrap().success());
    assert!(comes_true(|| !runs(&pid)));
}
