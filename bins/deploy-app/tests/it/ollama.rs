//! Pulling a model from an Ollama that speaks its HTTP API.

use crate::world::World;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// An Ollama that lists what was pulled; `end` is the last line of a pull. A pull whose `end` is
/// empty says nothing and holds the connection, the first time.
pub(crate) struct Ollama {
    port: u16,
    pub(crate) pulls: Arc<AtomicUsize>,
}

impl Ollama {
    /// What lets a deployment pull `model` from here.
    pub(crate) fn settings(&self, model: &str) -> [(&'static str, String); 2] {
        [
            ("DEPLOY_APP_OLLAMA_MODEL", model.to_owned()),
            (
                "DEPLOY_APP_OLLAMA_URL",
                format!("http://127.0.0.1:{}", self.port),
            ),
        ]
    }
}

pub(crate) fn ollama(end: &'static str) -> Ollama {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (pulls, models) = (
        Arc::new(AtomicUsize::new(0)),
        Arc::new(Mutex::new(Vec::<String>::new())),
    );
    let counted = Arc::clone(&pulls);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            let (mut first, mut length) = (String::new(), 0);
            stream.read_line(&mut first).unwrap();
            loop {
                let mut line = String::new();
                stream.read_line(&mut line).unwrap();
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                if line.trim().is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).unwrap();
            let answer = if first.starts_with("POST /api/pull ") {
                counted.fetch_add(1, Ordering::SeqCst);
                let asked: serde_json::Value = serde_json::from_slice(&body).unwrap();
                let is_first = counted.load(Ordering::SeqCst) == 1;
                if end.is_empty() && is_first {
                    // Silent for good; the client goes away by itself.
                    std::thread::spawn(move || drop(stream.read(&mut [0; 1])));
                    continue;
                }
                let end = if end.is_empty() {
                    "{\"status\":\"success\"}"
                } else {
                    end
                };
                if end.contains("success") {
                    models
                        .lock()
                        .unwrap()
                        .push(asked["model"].as_str().unwrap().to_owned());
                }
                let lines = [
                    "{\"status\":\"pulling manifest\"}",
                    "{\"status\":\"pulling x\",\"digest\":\"sha256:x\",\"total\":10,\"completed\":10}",
                    end,
                ];
                let chunks: String = lines
                    .iter()
                    .map(|line| format!("{:x}\r\n{line}\n\r\n", line.len() + 1))
                    .collect();
                format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n"
                )
            } else if first.starts_with("POST /api/generate ") {
                let asked: serde_json::Value = serde_json::from_slice(&body).unwrap();
                let is_small = asked["options"]["num_predict"] == 1;
                let (status, told) = match asked["model"].as_str().unwrap() {
                    "hangs:1b" => (
                        "500 Internal Server Error",
                        "{\"error\":\"llama runner process has terminated\"}",
                    ),
                    _ if is_small => ("200 OK", "{\"response\":\"Hi\",\"done\":true}"),
                    _ => ("400 Bad Request", "{}"),
                };
                format!(
                    "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{told}",
                    told.len()
                )
            } else {
                let list: Vec<_> = models
                    .lock()
                    .unwrap()
                    .iter()
                    .map(|name| serde_json::json!({"name": name, "digest": "a80c"}))
                    .collect();
                let list = serde_json::json!({ "models": list }).to_string();
                format!(
                    "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{list}",
                    list.len()
                )
            };
            stream.get_mut().write_all(answer.as_bytes()).unwrap();
        }
    });
    Ollama { port, pulls }
}

#[test]
fn a_missing_model_is_pulled_once() {
    let Some(world) = World::start() else { return };
    let ollama = ollama("{\"status\":\"success\"}");
    let program = world.program().envs(ollama.settings("llama3.2:3b"));
    program
        .clone()
        .env("DEPLOY_APP_DRY_RUN", "1")
        .run()
        .assert_code(0)
        .assert_stderr("pull the model llama3.2:3b through");
    program
        .run()
        .assert_code(0)
        .assert_stderr("pulled the model llama3.2:3b (a80c)");
    let ran = program.run();
    ran.assert_code(0)
        .assert_stderr("the model llama3.2:3b is there");
    assert_eq!(ran.exports()["DEPLOY_CHANGED"], "0");
    assert_eq!(ollama.pulls.load(Ordering::SeqCst), 1);
}

#[test]
fn a_pull_that_ends_without_success_fails_and_rolls_back() {
    let Some(world) = World::start() else { return };
    let first = world.deploy();
    world.write("content", "two");
    let ollama = ollama("{\"error\":\"pull model manifest: file does not exist\"}");
    let program = world.program().envs(ollama.settings("no-such-model"));
    program
        .run()
        .assert_code(1)
        .assert_stderr("file does not exist")
        // Ollama runs already, so the model comes before the switch.
        .assert_stderr("nothing was switched");
    assert_eq!(world.answer(), Some((200, first, "one".to_owned())));
}

#[test]
fn a_pull_that_falls_silent_is_asked_for_again() {
    let Some(world) = World::start() else { return };
    let ollama = ollama("");
    let program = world
        .program()
        .envs(ollama.settings("llama3.2:3b"))
        .env("DEPLOY_APP_OLLAMA_STALL", "2s");
    program
        .run()
        .assert_code(0)
        .assert_stderr("has been silent for 2 s; asking for it again")
        .assert_stderr("pulled the model llama3.2:3b (a80c)");
    assert_eq!(ollama.pulls.load(Ordering::SeqCst), 2);
    // The digest is written down with the deployment.
    let audit = std::fs::read_to_string(world.target().join(".deploy/audit.jsonl")).unwrap();
    assert!(audit.contains("\"digest\":\"a80c\""), "{audit}");
}

#[test]
fn a_model_that_does_not_fit_is_not_pulled_to_the_end() {
    let Some(world) = World::start() else { return };
    let ollama = ollama(
        "{\"status\":\"pulling y\",\"digest\":\"sha256:y\",\"total\":999999999999999999,\"completed\":1}",
    );
    world
        .program()
        .envs(ollama.settings("llama3.2:900b"))
        .run()
        .assert_code(1)
        .assert_stderr("MB are still to be pulled, and the disk of the host had");
    assert_eq!(ollama.pulls.load(Ordering::SeqCst), 1);
}

#[test]
fn a_model_may_have_to_generate() {
    let Some(world) = World::start() else { return };
    let ollama = ollama("{\"status\":\"success\"}");
    let program = world.program().env("DEPLOY_APP_OLLAMA_WARM_UP", "yes");
    let of = |model: &str| program.clone().envs(ollama.settings(model));
    of("llama3.2:3b")
        .run()
        .assert_code(0)
        .assert_stderr("llama3.2:3b generates");
    world.write("content", "two");
    of("hangs:1b")
        .run()
        .assert_code(1)
        .assert_stderr("the model hangs:1b does not generate")
        .assert_stderr("llama runner process has terminated")
        .assert_stderr("rolled back");
}
