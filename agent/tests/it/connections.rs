//! TCP connections that the agent opens for its client.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use agent_protocol::message::{AgentError, Answer, Connect, FromAgent, Request, ToAgent};
use agent_protocol::plan::HealthCheck;
use agent_protocol::window::WINDOW;

use crate::client::Client;

fn connect(client: &mut Client, host: &str, port: u16) -> u32 {
    client.ask(Request::Connect(Connect {
        host: host.to_owned(),
        port,
        limit_ms: 10_000,
    }))
}

/// A connection through the agent, and the other side of it.
fn connected() -> (Client, u32, TcpStream) {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = Client::start();
    let id = connect(
        &mut client,
        "127.0.0.1",
        server.local_addr().unwrap().port(),
    );
    let (theirs, _) = server.accept().unwrap();
    theirs
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    assert_eq!(client.hear(), Some(FromAgent::Connected { id }));
    (client, id, theirs)
}

#[test]
fn what_either_side_says_comes_to_the_other() {
    let (mut client, id, mut theirs) = connected();
    client.say(&ToAgent::Data {
        id,
        bytes: b"question".to_vec(),
    });
    let mut asked = [0; 8];
    theirs.read_exact(&mut asked).unwrap();
    assert_eq!(&asked, b"question");
    client.say(&ToAgent::End { id });
    assert_eq!(theirs.read(&mut [0]).unwrap(), 0);
    theirs.write_all(b"answer").unwrap();
    drop(theirs);
    let (answer, ran) = client.answer(id);
    assert_eq!((answer, ran.stdout), (Ok(Answer::Done), b"answer".to_vec()));
}

#[test]
fn names_and_ipv6_addresses_are_the_hosts_own() {
    let mut client = Client::start();
    let mut opens = |host: &str, server: &TcpListener| {
        let id = connect(&mut client, host, server.local_addr().unwrap().port());
        let heard = client.hear().unwrap();
        assert_eq!(heard, FromAgent::Connected { id }, "{host}");
        client.say(&ToAgent::Cancel { id });
        assert_eq!(client.answer(id).0, Ok(Answer::Done));
    };
    opens("localhost", &TcpListener::bind("localhost:0").unwrap());
    match TcpListener::bind("[::1]:0") {
        Ok(server) => opens("::1", &server),
        Err(_) => harness::missing("IPv6 on loopback"),
    }
}

#[test]
fn where_nothing_listens_and_where_there_is_no_such_name_is_told() {
    let mut client = Client::start();
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let id = connect(&mut client, "127.0.0.1", port);
    let answer = client.answer(id).0;
    assert!(
        matches!(
            answer,
            Err(AgentError::Unconnected {
                is_refused: true,
                ..
            })
        ),
        "{answer:?}"
    );
    let id = connect(&mut client, "no-such-host.invalid", port);
    let answer = client.answer(id).0;
    assert!(
        matches!(
            answer,
            Err(AgentError::Unconnected {
                is_refused: false,
                ..
            })
        ),
        "{answer:?}"
    );
}

#[test]
fn a_connection_is_closed_when_it_is_cancelled_and_when_the_client_is_gone() {
    let (mut client, id, mut theirs) = connected();
    client.say(&ToAgent::Cancel { id });
    assert_eq!(client.answer(id).0, Ok(Answer::Done));
    assert_eq!(theirs.read(&mut [0]).unwrap(), 0);
    let (client, _, mut theirs) = connected();
    assert!(client.leave());
    assert_eq!(theirs.read(&mut [0]).unwrap(), 0);
}

#[test]
fn an_answer_that_is_not_taken_in_waits_and_keeps_nothing_else_waiting() {
    let (mut client, id, mut theirs) = connected();
    let much = 3 * WINDOW as usize;
    let writing = std::thread::spawn(move || {
        theirs.write_all(&vec![7; much]).unwrap();
        theirs.shutdown(Shutdown::Write).unwrap();
    });
    let mut came = 0;
    while came < WINDOW as usize {
        if let Some(FromAgent::Data { bytes, .. }) = client.hear() {
            came += bytes.len();
        }
    }
    let (_, ran) = client.run("echo meanwhile", b"");
    assert_eq!(ran.stdout, b"meanwhile\n");
    let bytes = u32::try_from(came).unwrap();
    client.say(&ToAgent::Taken { id, bytes });
    let (answer, ran) = client.answer(id);
    assert_eq!((answer, came + ran.stdout.len()), (Ok(Answer::Done), much));
    writing.join().unwrap();
}

#[test]
fn health_is_asked_as_often_as_needed_and_not_after_a_bad_answer() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in server.incoming() {
            let mut stream = stream.unwrap();
            let mut question = Vec::new();
            while !question.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                question.push(byte[0]);
            }
            // Two good answers, and then none.
            let status = match count.fetch_add(1, Ordering::SeqCst) {
                0 | 1 => "200 OK",
                _ => "500 No",
            };
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    let mut client = Client::start();
    let mut ask = |count| {
        let check = Box::new(HealthCheck {
            host: "127.0.0.1".to_owned(),
            port,
            path: "/".to_owned(),
            headers: Vec::new(),
            statuses: vec![200..=200],
            body: None,
            release: String::new(),
            count,
            pause_ms: 60_000,
        });
        let id = client.ask(Request::AskHealth {
            check,
            answer_ms: 20_000,
        });
        client.answer(id).0
    };
    assert_eq!(ask(2), Ok(Answer::Done));
    let unhealthy = AgentError::Unhealthy("it answers 500".to_owned());
    assert_eq!(ask(3), Err(unhealthy));
    assert_eq!(asked.load(Ordering::SeqCst), 3);
    assert!(client.leave());
}
