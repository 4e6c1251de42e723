//! The process that takes over when the agent ends although the client has left a plan, and decides alone.
//!
//! It has a session of its own, and holds the lock together with the agent: whether the agent ends with its connection or
//! is killed, the lock is held until a decision is made. It begins when all that the agent ran is over.

use std::fs::{File, OpenOptions};
use std::io::{self, PipeReader, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use agent_protocol::frame::{Decoder, encode};
use agent_protocol::message::{Ended, Holder, Judging};
use agent_protocol::plan::{HealthCheck, Plan};
use filesync::{Decision, Fault, Operation, Outcome, Stamp, decision, operation, release};
use serde::{Deserialize, Serialize};

use crate::health;
use crate::judge;
use crate::lock::{self, Held};
use crate::script;
use crate::watch::{WatchError, Watcher, own_program};

/// What the agent says.
#[derive(Serialize, Deserialize)]
enum ToGuardian {
    /// This is the plan from now on.
    Guard {
        folder: String,
        holder: Holder,
        plan: Box<Plan>,
    },
    /// There is nothing to decide any more.
    Dismiss,
}

/// What the guardian says when it has read a message.
const READ: [u8; 1] = [1];

/// The agent's side of it.
pub(crate) struct Guardian {
    socket: UnixStream,
    child: Child,
}

impl Guardian {
    /// Starts it, with copies of the lock and of what tells that all commands are over.
    pub(crate) fn start(held: &Held, commands_end: &PipeReader) -> io::Result<Self> {
        let (socket, theirs) = UnixStream::pair()?;
        let child = Command::new(own_program())
            .arg("guard")
            // These three are all that it has: none of them is the connection's.
            .stdin(OwnedFd::from(theirs))
            .stdout(held.file.try_clone()?)
            .stderr(commands_end.try_clone()?)
            .spawn()?;
        Ok(Self { socket, child })
    }

    /// Gives it a plan, and waits until it has it.
    pub(crate) fn guard(&mut self, held: &Held, plan: &Plan) -> io::Result<()> {
        self.say(&ToGuardian::Guard {
            folder: held.folder.clone(),
            holder: held.holder.clone(),
            plan: Box::new(plan.clone()),
        })
    }

    /// Has it end. One that was killed has nothing to be told.
    pub(crate) fn dismiss(mut self) {
        drop(self.say(&ToGuardian::Dismiss));
        drop(self.child.wait());
    }

    fn say(&mut self, message: &ToGuardian) -> io::Result<()> {
        let frame = encode(message).map_err(io::Error::other)?;
        self.socket.write_all(&frame)?;
        self.socket.read_exact(&mut [0; READ.len()])
    }
}

/// The last plan, and when it came.
struct Orders {
    folder: String,
    holder: Holder,
    plan: Box<Plan>,
    came: Instant,
}

/// The guardian's own life: the socket to the agent is its standard input, the lock's file its standard output, and what
/// ends with the last command its standard error.
pub(crate) fn guard() -> io::Result<()> {
    // Whoever ends the session of the agent does not end this.
    rustix::process::setsid()?;
    let socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let mut commands_end = File::from(io::stderr().as_fd().try_clone_to_owned()?);
    let Some(orders) = last_orders(socket) else {
        return Ok(());
    };
    io::copy(&mut commands_end, &mut io::sink())?;
    take_over(file, orders);
    Ok(())
}

/// The orders that are in force when the agent is gone; none when it dismissed the guardian. A part of a message
/// changes nothing.
fn last_orders(mut socket: UnixStream) -> Option<Orders> {
    let (mut decoder, mut buffer, mut orders) = (Decoder::default(), vec![0; 64 * 1024], None);
    loop {
        let length = match socket.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Ok(length @ 1..) => length,
            Ok(_) | Err(_) => return orders,
        };
        decoder.push(&buffer[..length]);
        while let Ok(Some(message)) = decoder.message() {
            match message {
                ToGuardian::Guard {
                    folder,
                    holder,
                    plan,
                } => {
                    let came = Instant::now();
                    orders = Some(Orders {
                        folder,
                        holder,
                        plan,
                        came,
                    });
                }
                ToGuardian::Dismiss => return None,
            }
            drop(socket.write_all(&READ));
        }
    }
}

/// Decides, writes down what became of the release, and gives the lock back.
fn take_over(file: File, orders: Orders) {
    let Orders {
        folder,
        holder,
        plan,
        came,
    } = orders;
    let mut held = Held {
        file,
        folder,
        holder,
    };
    let began = Instant::now();
    let longest = judge::latest(&plan, began) - began;
    // For people only.
    drop(held.judge(Judging {
        release: plan.release.clone(),
        until: lock::now() + longest.as_secs(),
    }));
    let mut host = ThisHost { plan: &plan };
    let (outcome, why) = judge::decide(&plan, came, &mut host);
    let line = audit_line(&plan, &outcome, &why);
    let decision = Decision {
        release: plan.release.clone(),
        outcome,
        why,
        owner: held.holder.owner.clone(),
        token: held.holder.token.clone(),
    };
    // Nobody is there to be told of a full disk; the state of the store says the rest.
    drop(decision::write(&plan.paths, &decision));
    drop(release::audit(&plan.paths, &line));
    release::write_to_disk();
    drop(held.give_back());
}

/// The line for the record of deployments.
fn audit_line(plan: &Plan, outcome: &Outcome, why: &str) -> String {
    let time = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    let (result, told) = match outcome {
        Outcome::Kept => ("done", "kept".to_owned()),
        Outcome::WentBack(before) => (
            "failed",
            format!("rolled back: release {before} is current again"),
        ),
        Outcome::TakenDown => (
            "failed",
            "taken down: there is no release to go back to".to_owned(),
        ),
        Outcome::Stuck => ("failed", "undoing it failed".to_owned()),
    };
    let text = |text: &str| serde_json::to_string(text).unwrap_or_default();
    let known = plan.audit.trim_end().strip_suffix('}').unwrap_or("{");
    let comma = if known.trim_end().ends_with('{') {
        ""
    } else {
        ","
    };
    let failure = match outcome {
        Outcome::Kept => "null".to_owned(),
        _ => text(why),
    };
    format!(
        r#"{known}{comma}"time":{},"result":"{result}","failure":{failure},"outcome":{},"decided":"by the agent alone, because the connection was lost"}}"#,
        text(&time),
        text(&told),
    )
}

/// The host that this runs on.
struct ThisHost<'a> {
    plan: &'a Plan,
}

impl ThisHost<'_> {
    /// What commands print goes to a file that only the user may read.
    fn log(&self) -> io::Result<File> {
        let logs = Path::new(&self.plan.paths.target).join(".deploy/logs");
        let path: PathBuf = logs.join(format!("{}-agent.log", self.plan.release));
        let mut options = OpenOptions::new();
        options.append(true).create(true).mode(0o600).open(path)
    }

    fn try_run(&self, script: &str, limit: Duration) -> io::Result<Result<Ended, WatchError>> {
        let sent = script::sent(script);
        let (stdin, mut feed) = io::pipe()?;
        let log = self.log()?;
        let files: [OwnedFd; 3] = [stdin.into(), log.try_clone()?.into(), log.into()];
        let limit_ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        let watcher = Watcher::start(sent.command, Some(limit_ms), files, Stdio::null())?;
        let ended = watcher.started().and_then(|group| {
            // A command that ends early needs no more of it.
            drop(feed.write_all(&sent.script));
            drop(feed);
            watcher.ended(group)
        });
        watcher.reap();
        Ok(ended)
    }
}

impl judge::Host for ThisHost<'_> {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn pause(&mut self, pause: Duration) {
        std::thread::sleep(pause);
    }

    fn run(&mut self, script: &str, limit: Duration) -> Result<(), String> {
        match self.try_run(script, limit) {
            Ok(Ok(Ended::Status(0))) => Ok(()),
            Ok(Ok(Ended::Status(status))) => Err(format!("exit status {status}")),
            Ok(Ok(Ended::Signal(signal))) => Err(format!("it was ended by signal {signal}")),
            Ok(Ok(Ended::Limit | Ended::Cancelled)) => Err("it did not end in time".to_owned()),
            Ok(Err(WatchError::NotStarted(why))) => Err(why),
            Ok(Err(WatchError::Gone)) => Err("what watches it was killed".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn ask(&mut self, check: &HealthCheck, limit: Duration) -> Result<(), String> {
        health::ask(check, limit)
    }

    fn files(&mut self, operation: &Operation) -> Result<(), String> {
        let told = operation::run(&self.plan.paths, operation.clone(), io::empty());
        let told = told.map_err(|error| error.to_string())?;
        if let Operation::Put(_) = operation {
            let (_, faults): (Option<Stamp>, Vec<Fault>) =
                operation::result(&told).ok_or("it has no result")?;
            if let Some(fault) = faults.first() {
                return Err(format!("{} faults in it, such as {fault}", faults.len()));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::audit_line;
    use agent_protocol::plan::{Forward, Plan};
    use filesync::{Layout, Outcome, Paths};

    #[test]
    fn the_record_of_deployments_gets_one_object_a_line() {
        for audit in ["{}", r#"{"deed":"deploy"}"#, "nonsense"] {
            let plan = Plan {
                release: "20261123094308-0123456".to_owned(),
                paths: Paths {
                    target: "/srv".to_owned(),
                    layout: Layout::Releases,
                },
                forward: Forward::Prove(Vec::new()),
                least_ms: 0,
                back: Vec::new(),
                before: None,
                audit: audit.to_owned(),
            };
            let line = audit_line(&plan, &Outcome::Stuck, "two\nlines \"quoted\"");
            assert!(!line.contains('\n'), "{line}");
            let read: serde_json::Value = serde_json::from_str(&line).unwrap();
            assert_eq!(read["failure"], "two\nlines \"quoted\"");
            assert_eq!(read["outcome"], "undoing it failed");
            let kept = audit_line(&plan, &Outcome::Kept, "it is healthy");
            let read: serde_json::Value = serde_json::from_str(&kept).unwrap();
            assert_eq!(
                (&read["result"], &read["failure"]),
                (&"done".into(), &serde_json::Value::Null)
            );
        }
    }
}
