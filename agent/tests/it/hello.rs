//! Who is spoken with.

use crate::client::{AGENT, Client, digest};
use agent_protocol::frame::encode;
use agent_protocol::hello::Hello;
use agent_protocol::message::{Answer, FromAgent, Request, ToAgent};
use std::io::Read as _;
use std::process::Command;

fn refusal(mut client: Client, hello: &[u8]) -> String {
    client.raw(hello);
    drop(client.stdin.take());
    let mut said = String::new();
    let stderr = client.child.stderr.as_mut().unwrap();
    stderr.read_to_string(&mut said).unwrap();
    assert!(!client.child.wait().unwrap().success());
    said
}

#[test]
fn another_version_is_refused() {
    let mut other = Hello::of_client();
    other.version += 1;
    let said = refusal(Client::silent(), &other.to_bytes());
    let named = format!("version {} of the agent's protocol", other.version);
    assert!(said.contains(&named), "{said}");
}

#[test]
fn a_start_up_file_that_reads_what_is_meant_for_the_agent_is_named() {
    let hello = Hello::of_client().to_bytes();
    let rest = [&hello[10..], &[0; 100]].concat();
    for came in [&[][..], &hello[..10], &rest] {
        let said = refusal(Client::silent(), came);
        assert!(said.contains("did not arrive whole"), "{said}");
    }
}

#[test]
fn what_it_is_started_with_is_answered_before_the_client_has_spoken() {
    let opening = ToAgent::Request {
        id: 1,
        request: Request::Holder {
            folder: "/nowhere".to_owned(),
        },
    };
    let mut client = Client::opened(&encode(&opening).unwrap());
    assert_eq!(client.hear_hello(), Hello::of_agent(digest()));
    let answer = Ok(Answer::Free);
    assert_eq!(client.hear(), Some(FromAgent::Answer { id: 1, answer }));
    client.raw(&Hello::of_client().to_bytes());
    assert_eq!(client.run("echo one", b"").1.stdout, b"one\n");
    assert!(client.leave());
}

#[test]
fn half_a_message_to_start_with_is_refused() {
    let request = Request::Holder {
        folder: "/nowhere".to_owned(),
    };
    let opening = encode(&ToAgent::Request { id: 1, request }).unwrap();
    for opening in [&opening[..opening.len() - 1], &[1, 0, 0, 0, 0xff]] {
        let mut client = Client::opened(opening);
        assert_eq!(client.hear_hello(), Hello::of_agent(digest()));
        client.raw(&Hello::of_client().to_bytes());
        client.say(&ToAgent::Alive);
        assert!(!client.leave(), "{opening:?}");
    }
}

#[test]
fn bytes_that_are_no_message_end_the_agent() {
    let mut client = Client::start();
    client.say(&ToAgent::Alive);
    client.raw(&[0xff; 64]);
    assert_eq!(client.hear(), None);
    assert!(!client.leave());
}

#[test]
fn nobody_starts_it_by_hand() {
    let ran = Command::new(AGENT).output().unwrap();
    assert_eq!(ran.status.code(), Some(1));
    let probed = Command::new(AGENT).arg("probe").status().unwrap();
    assert!(probed.success());
}
