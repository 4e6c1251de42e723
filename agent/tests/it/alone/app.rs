//! A folder with releases, an application that is a file with a name in it, and the client that deploys it message by
//! message.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use agent_protocol::message::{Answer, Ended, Holder, Lock, Request, Run};
use agent_protocol::plan::{Action, Forward, HealthCheck, OnFailure, Plan, Step};
use filesync::{Layout, Operation, Paths, Seen, look, release};
use tempfile::TempDir;

use crate::client::Client;

/// How often the application must answer well.
const COUNT: u32 = 2;

/// Where an application is deployed to.
pub(crate) struct App {
    folder: TempDir,
    port: u16,
    ends: Arc<AtomicBool>,
}

impl App {
    pub(crate) fn start() -> Self {
        let folder = TempDir::with_prefix("alone").unwrap();
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = server.local_addr().unwrap().port();
        let ends = Arc::new(AtomicBool::new(false));
        let (at, is_over) = (folder.path().to_owned(), Arc::clone(&ends));
        std::thread::spawn(move || {
            for stream in server.incoming() {
                if is_over.load(Ordering::Relaxed) {
                    return;
                }
                serve(stream.unwrap(), &at);
            }
        });
        let app = Self { folder, port, ends };
        release::make_store(&app.paths()).unwrap();
        app
    }

    pub(crate) fn paths(&self) -> Paths {
        Paths {
            target: self.folder.path().to_str().unwrap().to_owned(),
            layout: Layout::Releases,
        }
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes a release, which is healthy when it runs, or is not.
    pub(crate) fn make(&self, number: u32, is_healthy: bool) -> String {
        let name = format!("{:014}-0123456", 20_261_123_000_000_u64 + u64::from(number));
        std::fs::create_dir(self.at(&format!("releases/{name}"))).unwrap();
        if is_healthy {
            std::fs::write(self.at(&format!("releases/{name}/healthy")), "").unwrap();
        }
        name
    }

    /// Whether the release is healthy once it runs.
    pub(crate) fn is_good(&self, release: &str) -> bool {
        self.at(&format!("releases/{release}/healthy")).exists()
    }

    /// Has a release run that is proven, as after a good deployment.
    pub(crate) fn is_deployed(&self, number: u32) -> String {
        let name = self.make(number, true);
        release::switch(&self.paths(), &name, true).unwrap();
        release::prove(&self.paths(), &name, "{}").unwrap();
        std::fs::write(self.at("running"), &name).unwrap();
        name
    }

    pub(crate) fn seen(&self) -> Seen {
        look(&self.paths(), None, false)
    }

    pub(crate) fn current(&self) -> Option<String> {
        self.seen().current.map(|current| current.name)
    }

    /// The release that runs.
    pub(crate) fn running(&self) -> Option<String> {
        std::fs::read_to_string(self.at("running")).ok()
    }

    pub(crate) fn audit(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.at(".deploy/audit.jsonl")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    pub(crate) fn start_script(&self, release: &str) -> String {
        let at = self.folder.path().display();
        format!("printf %s {release} >{at}/running; echo start {release} >>{at}/did")
    }

    pub(crate) fn stop_script(&self) -> String {
        let at = self.folder.path().display();
        format!("rm -f {at}/running; echo stop >>{at}/did")
    }

    fn check(&self, release: &str) -> Action {
        Action::Ask(HealthCheck {
            host: "127.0.0.1".to_owned(),
            port: self.port,
            path: "/".to_owned(),
            headers: vec![("host".to_owned(), "app".to_owned())],
            statuses: vec![200..=200],
            body: None,
            release: release.to_owned(),
            count: COUNT,
            pause_ms: 10,
        })
    }

    /// The plan of a deployment at this stage.
    pub(crate) fn plan(&self, new: &str, before: Option<&str>, stage: Stage) -> Plan {
        let step = |what: &str, action, on_failure| Step {
            what: what.to_owned(),
            action,
            on_failure,
            limit_ms: 300,
        };
        let files = |operation| Action::Files(operation);
        let switch = |release: &str, starts| {
            let release = release.to_owned();
            files(Operation::Switch { release, starts })
        };
        let prove = |release: &str| {
            let (release, how) = (release.to_owned(), "{}".to_owned());
            files(Operation::Prove { release, how })
        };
        let stop = step("stop", Action::Run(self.stop_script()), OnFailure::Ignore);
        let start = |release: &str| {
            let script = self.start_script(release);
            step("start", Action::Run(script), OnFailure::Retry)
        };
        let healthy = |release: &str| step("find it healthy", self.check(release), OnFailure::End);
        let proven = |release: &str| step("prove", prove(release), OnFailure::End);
        let forward = match stage {
            Stage::Switch => Forward::Cannot("it was not started yet".to_owned()),
            Stage::Start => {
                Forward::Prove(vec![stop.clone(), start(new), healthy(new), proven(new)])
            }
            Stage::Health => Forward::Prove(vec![healthy(new), proven(new)]),
            Stage::Finish => Forward::Prove(vec![proven(new)]),
        };
        let back = match (before, stage) {
            (None, _) => {
                let unswitch = files(Operation::Unswitch);
                vec![stop, step("remove `current`", unswitch, OnFailure::End)]
            }
            (Some(before), Stage::Switch) => {
                vec![step("switch back", switch(before, false), OnFailure::End)]
            }
            (Some(before), _) => vec![
                step("switch back", switch(before, true), OnFailure::End),
                stop,
                start(before),
                healthy(before),
                proven(before),
            ],
        };
        Plan {
            release: new.to_owned(),
            paths: self.paths(),
            forward,
            least_ms: 300,
            back,
            before: before.map(str::to_owned),
            audit: "{\"deed\":\"deploy\"}".to_owned(),
        }
    }

    /// What a client asks one after the other, from the lock to its return.
    pub(crate) fn conversation(
        &self,
        owner: &str,
        new: &str,
        before: Option<&str>,
    ) -> Vec<Request> {
        let plan = |stage| Request::Plan(Some(Box::new(self.plan(new, before, stage))));
        let run = |script| {
            let limit_ms = None;
            Request::Run(Run { script, limit_ms })
        };
        let files = |operation| {
            let paths = self.paths();
            Request::Files { paths, operation }
        };
        let release = new.to_owned();
        let switch = Operation::Switch {
            release,
            starts: true,
        };
        let (release, how) = (new.to_owned(), "{}".to_owned());
        vec![
            Request::Lock {
                lock: lock(self.folder.path(), owner),
                waits: true,
            },
            plan(Stage::Switch),
            files(switch),
            plan(Stage::Start),
            run(self.stop_script()),
            run(self.start_script(new)),
            plan(Stage::Health),
            run(format!(
                "[ -e {}/healthy ]",
                self.at(&format!("releases/{new}")).display()
            )),
            plan(Stage::Finish),
            files(Operation::Prove { release, how }),
            Request::Plan(None),
            Request::Unlock,
        ]
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

/// How far a deployment is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Switch,
    Start,
    Health,
    Finish,
}

pub(crate) fn lock(folder: &Path, owner: &str) -> Lock {
    Lock {
        folder: folder.to_str().unwrap().to_owned(),
        holder: Holder {
            owner: owner.to_owned(),
            token: owner.to_owned(),
            since: 0,
            process: 0,
            lease_secs: None,
            judging: None,
        },
    }
}

/// Answers as the release that runs: 200 when it is a healthy one, else 500; nothing where none runs.
fn serve(mut stream: TcpStream, at: &Path) {
    let mut asked = [0; 1024];
    drop(stream.read(&mut asked));
    let Ok(release) = std::fs::read_to_string(at.join("running")) else {
        return;
    };
    let is_healthy = at.join(format!("releases/{release}/healthy")).exists();
    let status = if is_healthy { "200 OK" } else { "500 No" };
    let answer =
        format!("HTTP/1.1 {status}\r\nX-Release-Id: {release}\r\nContent-Length: 0\r\n\r\n");
    drop(stream.write_all(answer.as_bytes()));
}

/// Asks, and fails when the answer is not the usual one.
pub(crate) fn done(client: &mut Client, request: Request) -> bool {
    let id = client.ask(request);
    match client.answer(id).0 {
        Ok(Answer::Ended(ended)) => ended == Ended::Status(0),
        Ok(Answer::Locked { .. } | Answer::Done) => true,
        other => panic!("{other:?}"),
    }
}
