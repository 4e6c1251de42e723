//! Who is spoken with.

use crate::client::{AGENT, Client, digest};
use agent_protocol::hello::Hello;
use agent_protocol::message::ToAgent;
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
fn another_version_and_another_agent_are_refused() {
    let mut other = Hello::new(digest());
    other.version += 1;
    let said = refusal(Client::silent(), &other.to_bytes());
    let named = format!("version {} of the agent's protocol", other.version);
    assert!(said.contains(&named), "{said}");
    let said = refusal(Client::silent(), &Hello::new([0; 32]).to_bytes());
    assert!(said.contains("another agent"), "{said}");
    let said = refusal(Client::silent(), &[b'x'; 100]);
    assert!(said.contains("does not speak"), "{said}");
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
