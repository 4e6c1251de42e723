//! `signal-health`: a signal to a stack that waits for it; it makes nothing.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use harness::Program;

use super::{Job, World, status_of};

/// It ends only by a signal.
const WAITS: &str = "Resources:
  Group:
    Type: AWS::CloudFormation::WaitCondition
    CreationPolicy: {ResourceSignal: {Count: 1, Timeout: PT5M}}
";

/// The application answers; with `waits` a stack waits, which takes an emulator that knows signals.
pub(super) fn prepare<'a>(way: &str, world: &'a World<'a>) -> Option<Job<'a>> {
    let World { server, name, .. } = *world;
    let waits = way == "waits";
    if waits {
        let parameters = [("StackName", name), ("TemplateBody", WAITS)];
        server.query("cloudformation", "CreateStack", &parameters);
    }
    Some(Job {
        program: Program::of_workspace("signal-health")?
            .env("INSTANCE_ID", "i-0123456789abcdef0")
            .args(["--stack", name, "--resource", "Group", "--count", "1"])
            .args(["--url", &application()]),
        wrong: Box::new(move |_| {
            let found = waits.then(|| world.settled(name))?;
            (found != "CREATE_COMPLETE")
                .then(|| format!("the stack is {found} after a signal of success"))
        }),
        made: Box::new(move || {
            // A failure signal that nobody meant would be left in the stack.
            let found = status_of(server, name)
                .filter(|one| one.contains("FAIL") || one.contains("ROLLBACK"));
            Vec::from_iter(found)
        }),
    })
}

/// An application on this machine that always answers 200, for as long as the tests run.
fn application() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
        }
    });
    format!("http://127.0.0.1:{port}/")
}
