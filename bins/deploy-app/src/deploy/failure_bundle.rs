//! What the host, its containers and AWS say while they are still to be heard, for the failure bundle.

use std::time::Duration;

use action::redact::redacted;
use action::wait::Limits;

use crate::host::Remote;
use crate::runtime::commands::Commands;
use crate::runtime::compose;
use crate::runtime::health;
use crate::runtime::start;
use action::export::quote::posix as quote;
use ssh::{OutputMode, Stdin};

/// How long gathering may take, all of it.
const LIMIT: Duration = Duration::from_secs(60);
/// How many lines of a container's log are kept.
const LINES: usize = 200;

/// How much of what the application answers is kept, in bytes.
const BODY: usize = 4096;

/// Asks the host about everything that may explain a failure, before anything is taken back.
pub(super) async fn gather(remote: &Remote<'_>, commands: &Commands<'_>, release: &str) {
    if remote.settings.bundle.is_none() || remote.session.is_closed() {
        return;
    }
    tracing::info!("collecting the diagnostics of the host, for the failure bundle");
    let limits = Limits::cleanup(LIMIT);
    let diagnostics = remote.diagnostics;
    let host = r#"for c in 'date -u' 'uptime' 'df -Pk' 'df -Pi' 'free -m'; do echo "\$ $c"; $c 2>&1; echo; done
echo '$ out of memory'; { dmesg 2>/dev/null || journalctl -k --no-pager 2>/dev/null; } | grep -iE 'out of memory|oom-kill|killed process' | tail -n 20; exit 0"#;
    diagnostics.add("host.txt", ask(remote, host, &limits).await);
    if let Some(list) = commands.containers(release) {
        let listed = ask_bytes(remote, &list, &limits).await;
        let shown = compose::without_commands(&listed).unwrap_or_else(|error| error);
        diagnostics.add("containers.json", shown);
        for container in compose::containers(&listed).unwrap_or_default() {
            let name = quote(&container.name);
            let file = container.name.replace(
                |c: char| !c.is_ascii_alphanumeric() && !"-_.".contains(c),
                "_",
            );
            let log = format!("docker logs --tail {LINES} {name} 2>&1");
            diagnostics.add(
                format!("containers/{file}.log"),
                ask(remote, &log, &limits).await,
            );
            let state = format!("docker inspect --format '{{{{json .State}}}}' {name} 2>&1");
            diagnostics.add(
                format!("containers/{file}.state.json"),
                ask(remote, &state, &limits).await,
            );
        }
    } else {
        let log = format!(
            "tail -n {LINES} {} 2>&1",
            quote(&commands.log(release, "start"))
        );
        diagnostics.add("application.log", ask(remote, &log, &limits).await);
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
        diagnostics.add("health.txt", text);
    }
    if let Some(target) = start::target(remote) {
        let text = match target.look().await {
            Ok(Ok(())) => "healthy".to_owned(),
            Ok(Err(seen)) => seen,
            Err(failure) => failure.to_string(),
        };
        diagnostics.add("target-health.txt", text);
    }
}

async fn ask(remote: &Remote<'_>, script: &str, limits: &Limits) -> String {
    String::from_utf8_lossy(&ask_bytes(remote, script, limits).await).into_owned()
}

async fn ask_bytes(remote: &Remote<'_>, script: &str, limits: &Limits) -> Vec<u8> {
    let asked = remote
        .session
        .exec(script, Stdin::Empty, OutputMode::Nothing, limits)
        .await;
    match asked {
        Ok(output) => output.stdout,
        Err(error) => format!("cannot be read: {error}\n").into_bytes(),
    }
}
