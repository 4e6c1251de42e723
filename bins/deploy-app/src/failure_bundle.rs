//! The failure bundle: what the host, its containers and AWS said while it was still to be heard, in one
//! folder, so that no second run is needed to find out. Nothing in it holds a declared secret.

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use action::failure::{Failure, Remainder};
use action::program::Context;
use action::redact::redacted;
use action::wait::Limits;
use jiff::Timestamp;
use serde_json::json;
use tokio::time::{Instant, timeout};

use crate::compose;
use crate::explain;
use crate::health;
use crate::remote::Remote;
use crate::runtime::Commands;
use crate::settings::Checked;
use crate::stages::Stages;
use crate::start;
use action::export::quote::posix as quote;
use ssh::{OutputMode as Show, Stdin as Input};

/// How long gathering may take, all of it.
const LIMIT: Duration = Duration::from_secs(60);
/// How long AWS may take to tell of an instance that was not reached.
const UNREACHED: Duration = Duration::from_secs(5);
/// How many lines of a container's log are kept.
const LINES: usize = 200;

/// What has been gathered so far. Cheap when no bundle is asked for.
#[derive(Debug, Default)]
pub struct Evidence {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Name in the bundle and content.
    files: Vec<(String, String)>,
    /// The first command that failed, and how.
    command: Option<(String, String)>,
    /// The release that was being deployed.
    release: Option<String>,
}

impl Evidence {
    /// Remembers the first command that failed: what follows is its consequence.
    pub fn command_failed(&self, deed: &str, how: &str) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state
            .command
            .get_or_insert_with(|| (deed.to_owned(), how.to_owned()));
    }

    /// Forgets the commands that failed without failing anything.
    pub fn forget(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.command = None;
    }

    /// Adds a file; an empty one says nothing.
    pub fn add(&self, name: impl Into<String>, content: impl Into<String>) {
        let (name, content) = (name.into(), content.into());
        if !content.trim().is_empty() {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.files.push((name, content));
        }
    }

    /// Remembers which release it is about.
    pub fn about(&self, release: &str) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.release = Some(release.to_owned());
    }
}

/// How much of what the application answers is kept, in bytes.
const BODY: usize = 4096;

/// Asks the host about everything that may explain a failure, before anything is taken back.
pub async fn gather(remote: &Remote<'_>, commands: &Commands<'_>, release: &str) {
    if remote.settings.bundle.is_none() || remote.session.is_closed() {
        return;
    }
    tracing::info!("gathering what the host says, for the failure bundle");
    let limits = Limits::cleanup(LIMIT);
    let evidence = remote.evidence;
    let host = r#"for c in 'date -u' 'uptime' 'df -Pk' 'df -Pi' 'free -m'; do echo "\$ $c"; $c 2>&1; echo; done
echo '$ out of memory'; { dmesg 2>/dev/null || journalctl -k --no-pager 2>/dev/null; } | grep -iE 'out of memory|oom-kill|killed process' | tail -n 20; exit 0"#;
    evidence.add("host.txt", ask(remote, host, &limits).await);
    if let Some(list) = commands.containers(release) {
        let listed = ask_bytes(remote, &list, &limits).await;
        let shown = compose::without_commands(&listed).unwrap_or_else(|error| error);
        evidence.add("containers.json", shown);
        for container in compose::containers(&listed).unwrap_or_default() {
            let name = quote(&container.name);
            let file = container.name.replace(
                |c: char| !c.is_ascii_alphanumeric() && !"-_.".contains(c),
                "_",
            );
            let log = format!("docker logs --tail {LINES} {name} 2>&1");
            evidence.add(
                format!("containers/{file}.log"),
                ask(remote, &log, &limits).await,
            );
            let state = format!("docker inspect --format '{{{{json .State}}}}' {name} 2>&1");
            evidence.add(
                format!("containers/{file}.state.json"),
                ask(remote, &state, &limits).await,
            );
        }
    } else {
        let log = format!(
            "tail -n {LINES} {} 2>&1",
            quote(&commands.log(release, "start"))
        );
        evidence.add("application.log", ask(remote, &log, &limits).await);
    }
    if let Some(health) = &remote.settings.health {
        let text = match health::ask(&remote.session, health, &limits).await {
            Ok(answer) => {
                // Before it is cut: a part of a secret is known for one no more.
                let body = String::from_utf8_lossy(&answer.body);
                let body = redacted(&body);
                let body = &body[..body.floor_char_boundary(BODY)];
                format!("{}: {}\n\n{body}", health.probe.url, answer.status)
            }
            Err(error) => format!("{}: {error}", health.probe.url),
        };
        evidence.add("health.txt", text);
    }
    if let Some(target) = start::target(remote) {
        let text = match target.look().await {
            Ok(Ok(())) => "healthy".to_owned(),
            Ok(Err(seen)) => seen,
            Err(failure) => failure.to_string(),
        };
        evidence.add("target-health.txt", text);
    }
}

/// Asks AWS about an instance whose SSH never came; a moment is enough, also after a signal.
pub async fn gather_unreached(evidence: &Evidence, cloud: &crate::cloud::Cloud, id: &str) {
    cloud.session.limit.extend(Instant::now() + UNREACHED);
    let console = match timeout(UNREACHED, ec2::console(&cloud.ec2.client, id)).await {
        Ok(console) => console.map_err(|error| error.to_string()),
        Err(_) => Err(format!("no answer within {UNREACHED:?}")),
    };
    match console {
        Ok(console) => {
            let tail: Vec<String> = explain::tail(&console, LINES).collect();
            evidence.add("console.txt", tail.join("\n"));
        }
        Err(error) => evidence.add("console.txt", format!("cannot be read: {error}")),
    }
}

async fn ask(remote: &Remote<'_>, script: &str, limits: &Limits) -> String {
    String::from_utf8_lossy(&ask_bytes(remote, script, limits).await).into_owned()
}

async fn ask_bytes(remote: &Remote<'_>, script: &str, limits: &Limits) -> Vec<u8> {
    let asked = remote
        .session
        .exec(script, Input::Empty, Show::Nothing, limits)
        .await;
    match asked {
        Ok(output) => output.stdout,
        Err(error) => format!("cannot be read: {error}\n").into_bytes(),
    }
}

/// Writes the bundle, where one is asked for, and says where it is.
pub fn write(
    settings: &Checked,
    context: &Context,
    stages: &Stages,
    evidence: &Evidence,
    failure: Failure,
) -> Failure {
    let Some(folder) = &settings.bundle else {
        return failure;
    };
    let state = evidence
        .state
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let command = state.command.as_ref();
    let summary = json!({
        "program": concat!("deploy-app ", env!("CARGO_PKG_VERSION")),
        "time": Timestamp::now().to_string(),
        "stage": stages.current(),
        "exit": failure.exit().code(),
        "failed": failure.deed(),
        "causes": failure.causes(),
        "remains": failure.remainders().iter().map(Remainder::json).collect::<Vec<_>>(),
        "command": command.map(|(deed, _)| deed),
        "status": command.map(|(_, how)| how),
        "host": settings.place.to_string(),
        "target": settings.paths.target,
        "release": state.release,
        "build": context.codebuild.build_id,
        "commit": context.codebuild.resolved_source_version,
    });
    let own = [
        ("failure.json".to_owned(), format!("{summary:#}\n")),
        ("failure.txt".to_owned(), format!("{failure}\n")),
    ];
    let written = own
        .iter()
        .chain(&state.files)
        .try_for_each(|(name, content)| write_file(folder, name, content));
    match written {
        Ok(()) => failure.detail(format!("the failure bundle is in {}", folder.display())),
        Err(error) => {
            tracing::warn!(
                "cannot write the failure bundle in {}: {error}",
                folder.display()
            );
            failure
        }
    }
}

fn write_file(folder: &Path, name: &str, content: &str) -> std::io::Result<()> {
    let path = folder.join(name);
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::write(path, redacted(content).as_bytes())
}
