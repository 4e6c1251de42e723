//! Putting the agent onto the host, and starting it.
//!
//! This is all the shell that a host must have. In the usual case one channel does: a line for a POSIX shell finds the
//! agent, verifies its digest and becomes it. Otherwise it says what is missing. Then a second channel receives the agent,
//! after the first has ended, for there are servers with one channel a connection.

use action::export::quote::posix as quote;
use action::wait::Limits;
use agent_protocol::frame::FrameError;
use agent_protocol::hello::{Hello, HelloError, LENGTH, MAGIC};
use ssh::{
    ExecError, ExecEvent, ExecReader as _, ExecWriter as _, OutputMode, ScriptReader, ScriptWriter,
    Session, Stdin,
};
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

use super::program::{self, Program, ProgramError};

/// How long a login may take until the script begins. Then its input is ended: what runs in the script's place, and waits
/// for more input, ends and is told. A login that is only slow is waited for the next time.
const LOGIN: Duration = Duration::from_secs(5);

/// Where the agent may lie on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Folders {
    /// The folder that is deployed to. It is not made for the agent.
    pub(crate) target: String,
    /// The folder that a setting names; no other is tried then.
    pub(crate) chosen: Option<String>,
    /// Folders in which commands are looked for first, by the agent and by all that it runs.
    pub(crate) path: Option<String>,
}

/// Why there is no agent on the host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StartError {
    /// The host did not run the script.
    #[error(transparent)]
    Exec(#[from] ExecError),
    /// There is none for this host.
    #[error("there is no agent for {0}")]
    Machine(String),
    /// The folders that were tried, where nothing may be executed or written.
    #[error("the agent can be executed in none of the folders that were tried")]
    NoFolder(Vec<String>),
    /// It did not arrive as it was sent, or there was no room.
    #[error("the agent did not arrive on the host: {0}")]
    NotPut(String),
    /// It was started and did not speak.
    #[error("the agent did not start: {0}")]
    Silent(String),
    /// It speaks otherwise than this program.
    #[error(transparent)]
    Hello(#[from] HelloError),
    /// What is said to it at once cannot be sent.
    #[error(transparent)]
    Opening(#[from] FrameError),
    /// This build has none.
    #[error(transparent)]
    Program(#[from] ProgramError),
}

/// An agent that has said hello, and what it said behind that.
pub(super) struct Started {
    pub(super) read: ScriptReader,
    pub(super) write: ScriptWriter,
    pub(super) rest: Vec<u8>,
}

/// What a start led to.
enum Answer {
    Started(Box<Started>),
    /// The words of the script.
    Said(Said),
}

/// What the scripts say.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Said {
    /// The agent is not there.
    Absent { machine: String },
    /// The agent is there now, at this path. The host can verify it at each start, or cannot.
    Put { path: String, is_verifiable: bool },
    /// Nothing may be executed in these.
    NoFolder(Vec<String>),
    /// Something else.
    Other(String),
}

/// Starts the agent on the host, and puts it there first where that is due. `opening` is what is said to it at once: it
/// is an argument of the command, for a server takes no input before it has started a command.
pub(super) async fn start(
    session: &Session,
    folders: &Folders,
    opening: &[u8],
    limits: &Limits,
) -> Result<Started, StartError> {
    let programs = program::all()?;
    let opening = program::hex(opening);
    let script = start_script(&programs, folders, &opening);
    let machine = match begin(session, &script, &programs, limits).await? {
        Answer::Started(started) => return Ok(*started),
        Answer::Said(Said::Absent { machine }) => machine,
        Answer::Said(said) => return Err(StartError::Silent(said.to_string())),
    };
    let program = programs
        .iter()
        .find(|program| names(program.machine).contains(&machine.as_str()))
        .ok_or(StartError::Machine(machine))?;
    let content = program.content()?;
    tracing::info!(
        "putting the agent onto the host ({} KiB)",
        content.len().div_ceil(1024)
    );
    let script = put_script(program, folders, content.len());
    let stdin = Stdin::Bytes(content);
    let mode = OutputMode::Progress("the agent");
    let output = session.exec(&script, stdin, mode, limits).await?;
    let said = Said::parse(&String::from_utf8_lossy(&output.stdout));
    let (path, how) = match said {
        Said::Put {
            path,
            is_verifiable: true,
        } => (path, "serve"),
        Said::Put {
            path,
            is_verifiable: false,
        } => {
            tracing::warn!("the host has no sha256sum: the agent is sent each time");
            (path, "serve-once")
        }
        Said::NoFolder(tried) => return Err(StartError::NoFolder(tried)),
        other => {
            let tail = output.tail.join("; ");
            return Err(StartError::NotPut(
                format!("{other} {tail}").trim().to_owned(),
            ));
        }
    };
    let script = format!(
        "{first}exec {path} {how} {digest} {opening}",
        first = path_first(folders),
        path = word(&path),
        digest = program.digest,
    );
    match begin(session, &script, std::slice::from_ref(program), limits).await? {
        Answer::Started(started) => Ok(*started),
        Answer::Said(said) => Err(StartError::Silent(said.to_string())),
    }
}

/// Runs a script that becomes the agent, or says why not.
async fn begin(
    session: &Session,
    script: &str,
    programs: &[Program],
    limits: &Limits,
) -> Result<Answer, StartError> {
    let within = limits.within(LOGIN);
    match begin_by(session, script, programs, limits, within.deadline).await? {
        Some(answer) => Ok(answer),
        None => begin_by(session, script, programs, limits, limits.deadline)
            .await?
            .ok_or_else(|| ExecError::Deadline.into()),
    }
}

/// The same. Gives nothing where the script began only after `latest`, when its input had been ended, and could have gone on
/// with more.
async fn begin_by(
    session: &Session,
    script: &str,
    programs: &[Program],
    limits: &Limits,
    latest: Instant,
) -> Result<Option<Answer>, StartError> {
    let beginning = async {
        let (mut read, write) = session.converse(script, limits).await?;
        // Where the script ended already, it says why.
        let hello = Hello::of_client().to_bytes().to_vec();
        drop(write.write(hello).await);
        let (mut came, mut tail, mut status) = (Vec::new(), Vec::new(), None);
        let mut has_input = true;
        loop {
            let is_there = came.len() >= LENGTH && came.starts_with(&MAGIC);
            if is_there && has_input {
                break;
            }
            let event = if has_input && !read.has_begun() {
                let Ok(event) = timeout_at(latest, read.event()).await else {
                    has_input = false;
                    write.end().await?;
                    continue;
                };
                event
            } else {
                read.event().await
            };
            match event {
                Some(ExecEvent::Stdout(bytes)) => came.extend(bytes),
                Some(ExecEvent::Stderr(bytes)) => tail.extend(bytes),
                Some(ExecEvent::Ended(Err(error @ ExecError::Lost(_)))) => return Err(error.into()),
                Some(ExecEvent::Ended(ended)) => status = Some(ended),
                None => {
                    let status = status.ok_or(ExecError::NoStatus)??;
                    let tail = String::from_utf8_lossy(&tail).into_owned();
                    let tail: Vec<String> = tail.lines().map(str::to_owned).collect();
                    if let Some(error) = read.not_run(status, tail.clone()) {
                        return Err(error.into());
                    }
                    match (is_there, status) {
                        (true, 0) => return Ok(None),
                        // Something else took our hello in, and then the end of the input.
                        (true, status) => {
                            return Err(ExecError::NotRun { status, said: tail }.into());
                        }
                        (false, 0) => {
                            let said = Said::parse(&String::from_utf8_lossy(&came));
                            return Ok(Some(Answer::Said(said)));
                        }
                        (false, _) => {}
                    }
                    let why = format!("exit status {status} {}", tail.join("; "));
                    return Err(StartError::Silent(why.trim().to_owned()));
                }
            }
        }
        let rest = came.split_off(LENGTH);
        let hello = came.try_into().map_err(|_| HelloError::Foreign)?;
        let known: Vec<[u8; 32]> = programs.iter().map(Program::digest_bytes).collect();
        Hello::from_bytes(&hello)?.is_one_of(&known)?;
        Ok(Some(Answer::Started(Box::new(Started {
            read,
            write,
            rest,
        }))))
    };
    let beginning = timeout_at(limits.deadline, beginning);
    match limits.interrupt.race(beginning).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Err(ExecError::Deadline.into()),
        Err(signal) => Err(ExecError::Interrupted(signal).into()),
    }
}

/// What `uname -m` calls an architecture.
fn names(machine: &str) -> &'static [&'static str] {
    match machine {
        "x86_64" => &["x86_64", "amd64"],
        "aarch64" => &["aarch64", "arm64"],
        _ => &[],
    }
}

/// A shell function: whether a folder is the user's, and nobody else may write to it.
const OWN: &str = r#"own() { u=$(id -u); set -- $(ls -ldn "$1" 2>/dev/null); case $1 in drwx------*) [ "$3" = "$u" ];; *) false;; esac; }"#;

/// The folders that are tried where none is chosen, as words of a shell.
const EVERYWHERE: &str = r#""$T/.deploy/agent" "${XDG_CACHE_HOME:-${HOME:-/nowhere}/.cache}/deploy-agent" "/var/tmp/deploy-agent-$(id -u)" "/run/user/$(id -u)/deploy-agent""#;

/// The folders that are tried, as words of a shell.
fn folders(folders: &Folders) -> String {
    match &folders.chosen {
        Some(chosen) => word(chosen),
        None => EVERYWHERE.to_owned(),
    }
}

/// A word of a POSIX shell, without single quotes where that can be: then login shells read the script alike, and it is
/// a part of the command.
fn word(text: &str) -> String {
    match text.contains(['"', '$', '`', '\\', '\'', '!']) {
        false => format!("\"{text}\""),
        true => quote(text),
    }
}

/// A command that has commands looked for where a setting says, before anywhere else.
fn path_first(at: &Folders) -> String {
    match &at.path {
        Some(path) => format!("PATH={}:$PATH; export PATH; ", word(path)),
        None => String::new(),
    }
}

/// Finds the agent, verifies it and becomes it: one line.
fn start_script(programs: &[Program], at: &Folders, opening: &str) -> String {
    let mut cases = String::new();
    for program in programs {
        let names = names(program.machine).join("|");
        cases += &format!("{names}) n={};; ", program.digest);
    }
    format!(
        concat!(
            r#"{first}T={target}; m=$(uname -m); case $m in {cases}*) echo "absent $m"; exit 0;; esac; {OWN}; "#,
            r#"for d in {folders}; do f=$d/$n; [ -x "$f" ] && own "$d" || continue; "#,
            r#"case $(sha256sum <"$f" 2>/dev/null) in "$n"*) "#,
            r#"if "$f" probe 2>/dev/null; then exec "$f" serve "$n" {opening}; fi;; esac; done; echo "absent $m""#,
        ),
        first = path_first(at),
        target = word(&at.target),
        folders = folders(at),
        opening = opening,
        cases = cases,
        OWN = OWN,
    )
}

/// Receives the agent on standard input, and looks for a folder where it can be executed.
fn put_script(program: &Program, at: &Folders, length: usize) -> String {
    format!(
        r#"umask 077; T={target}; n={digest}; g=; t=
{OWN}
for d in {folders}; do
  case $d in "$T"/*) [ -d "${{d%/agent}}" ] || continue;; esac
  t="$t $d"; mkdir -p "$d" 2>/dev/null; chmod 700 "$d" 2>/dev/null; own "$d" || continue
  f=$d/.new.$$; (: >"$f") 2>/dev/null || continue
  if [ -z "$g" ]; then g=$f; cat >"$f" || {{ rm -f "$f"; exit 1; }}; else cp "$g" "$f" 2>/dev/null || {{ rm -f "$f"; continue; }}; fi
  chmod 700 "$f"; [ $(($(wc -c <"$f"))) = {length} ] || {{ echo "$(($(wc -c <"$f"))) of {length} bytes came" >&2; rm -f "$f" "$g"; exit 1; }}
  h=$(sha256sum <"$f" 2>/dev/null); v=put; case $h in "$n"*) ;; '') v=once;; *) echo 'it was altered on the way' >&2; rm -f "$f" "$g"; exit 1;; esac
  if "$f" probe 2>/dev/null; then
    p=$d/$n; [ $v = put ] || p=$d/once.$$
    mv -f "$f" "$p" && {{ [ "$g" = "$f" ] || rm -f "$g"; printf '%s\n' "$v $p"; exit 0; }}
  fi
  [ "$g" = "$f" ] || rm -f "$f"
done
[ -z "$g" ] || rm -f "$g"
echo "nowhere$t""#,
        target = quote(&at.target),
        digest = program.digest,
        folders = folders(at),
    )
}

impl Said {
    fn parse(text: &str) -> Self {
        let line = text.trim();
        match line.split_once(' ').unwrap_or((line, "")) {
            ("absent", machine) => Self::Absent {
                machine: machine.to_owned(),
            },
            (how @ ("put" | "once"), path) => Self::Put {
                path: path.to_owned(),
                is_verifiable: how == "put",
            },
            ("nowhere", tried) => {
                Self::NoFolder(tried.split_whitespace().map(str::to_owned).collect())
            }
            _ => Self::Other(line.to_owned()),
        }
    }
}

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Absent { .. } | Self::NoFolder(_) => f.write_str("it is not there"),
            Self::Put { path, .. } => write!(f, "it is at {path}"),
            Self::Other(text) => f.write_str(text),
        }
    }
}
