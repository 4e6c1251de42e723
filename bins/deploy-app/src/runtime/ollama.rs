//! The Ollama model: pulled through Ollama's HTTP API when it is not there yet.
//!
//! <https://github.com/ollama/ollama/blob/main/docs/api.md>

mod pull;

use std::time::Duration;

use action::failure::Failure;
use action::wait::Limits;
use http_probe::{Answer, Content, HttpUrl, Request};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use self::pull::Pull;
use super::health;
use crate::host::agent::Host;
use crate::settings::Model;
use ssh::{OutputMode, Stdin};

/// How long Ollama may take to answer at all after a start.
const READY_LIMIT: Duration = Duration::from_secs(120);
/// A line of progress is printed this often.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// How long the first token may take: the model is read from the disk first.
const GENERATE_LIMIT: Duration = Duration::from_secs(300);
/// A pull that was cut off or fell silent is asked for again after this; Ollama goes on where it was.
const AGAIN: Duration = Duration::from_secs(2);
/// What must stay free on the disk beside the model, in bytes.
const MARGIN: u64 = 512 * 1024 * 1024;

/// What came of making sure that a model is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ensured {
    /// Its digest, as Ollama lists it.
    pub digest: String,
    /// Whether it had to be pulled.
    pub pulled: bool,
}

/// The name as Ollama lists it: without a tag it means `latest`.
pub(crate) fn full_name(model: &str) -> String {
    let last = model.rsplit('/').next().unwrap_or(model);
    if last.contains(':') {
        model.to_owned()
    } else {
        format!("{model}:latest")
    }
}

/// The digest of a model in an answer of `/api/tags`.
fn listed(tags: &[u8], model: &str) -> Result<Option<String>, String> {
    let tags: Value = serde_json::from_slice(tags)
        .map_err(|error| format!("cannot read its list of models: {error}"))?;
    let models = tags
        .get("models")
        .and_then(Value::as_array)
        .ok_or("its answer has no list of models")?;
    let name = full_name(model);
    let found = models
        .iter()
        .find(|found| found.get("name").and_then(Value::as_str) == Some(&name));
    Ok(found.map(|found| {
        found
            .get("digest")
            .and_then(Value::as_str)
            .unwrap_or("unknown")
            .to_owned()
    }))
}

/// Makes sure that Ollama has the model.
pub(crate) async fn ensure(
    session: &Host,
    model: &Model,
    limits: &Limits,
) -> Result<Ensured, Failure> {
    let Model { name, url, .. } = model;
    let failed = |cause: String| {
        Failure::failed(format!("cannot make sure that Ollama at {url} has the model {name}"))
            .cause(cause)
            .hint("check DEPLOY_APP_OLLAMA_URL (the port must be open on the host itself) and the model's name")
    };
    let stopped = |signal| Failure::interrupted(signal, format!("stopped pulling {name}"));
    let work = async {
        if let Some(digest) = tags(session, model, limits).await? {
            tracing::info!("the model {name} is there ({digest})");
            return Ok(Ensured {
                digest,
                pulled: false,
            });
        }
        let free = free(session, limits).await;
        tracing::info!("pulling the model {name}");
        while let Again::Yes(why) = pull(session, model, free, limits).await? {
            tracing::warn!("the pull of {name} {why}; asking for it again");
            sleep(AGAIN).await;
        }
        let digest = tags(session, model, limits).await?;
        let digest = digest.ok_or("it was pulled, but is not listed")?;
        tracing::info!("pulled the model {name} ({digest})");
        Ok(Ensured {
            digest,
            pulled: true,
        })
    };
    let ensured: Result<Ensured, String> = limits.interrupt.race(work).await.map_err(stopped)?;
    ensured.map_err(failed)
}

/// Has the model generate one token: Ollama may answer while generating hangs.
pub(crate) async fn warm_up(session: &Host, model: &Model, limits: &Limits) -> Result<(), Failure> {
    let Model { name, url, .. } = model;
    let url = url.at("/api/generate");
    let body = serde_json::json!({
        "model": name, "prompt": "Hello", "stream": false, "options": {"num_predict": 1}
    });
    let work = async {
        let deadline = limits.within(GENERATE_LIMIT).deadline;
        let answer = ask(session, &url, Some(body.to_string().into_bytes()), deadline).await?;
        let told: Option<Value> = serde_json::from_slice(&answer.body).ok();
        let is_done = told.as_ref().and_then(|told| told.get("done")?.as_bool());
        match (answer.status, is_done) {
            (200, Some(true)) => Ok(()),
            (status, _) => Err(format!("{url} answers {status}: {}", start(&answer.body))),
        }
    };
    let began = Instant::now();
    let warm: Result<(), String> = limits
        .interrupt
        .race(work)
        .await
        .map_err(|signal| Failure::interrupted(signal, format!("stopped warming up {name}")))?;
    warm.map_err(|cause| {
        Failure::failed(format!("the model {name} does not generate"))
            .cause(cause)
            .hint("is there enough memory for it? the failure bundle shows what the kernel ended")
    })?;
    tracing::info!(
        "{name} generates: {:.1} s for the first token",
        began.elapsed().as_secs_f64()
    );
    Ok(())
}

/// The digest of the model, if Ollama answers right now and has it; `Err` when it does not answer.
pub(crate) async fn is_there(
    session: &Host,
    model: &Model,
    limits: &Limits,
) -> Result<Option<String>, String> {
    let deadline = limits.within(Duration::from_secs(10)).deadline;
    list(session, model, deadline).await
}

async fn list(session: &Host, model: &Model, deadline: Instant) -> Result<Option<String>, String> {
    let url = model.url.at("/api/tags");
    let answer = ask(session, &url, None, deadline).await?;
    if answer.status != 200 {
        return Err(format!("{url} answers {}", answer.status));
    }
    listed(&answer.body, &model.name)
}

async fn ask(
    session: &Host,
    url: &HttpUrl,
    body: Option<Vec<u8>>,
    deadline: Instant,
) -> Result<Answer, String> {
    let stream = session
        .forward(&url.host, url.port, deadline)
        .await
        .map_err(|error| error.to_string())?;
    let asked = asked(url, body);
    let answer = http_probe::request(stream, &asked, deadline, &mut |_| true).await;
    answer.map_err(|error| error.to_string())
}

fn asked(url: &HttpUrl, json: Option<Vec<u8>>) -> Request<'_> {
    Request {
        url,
        agent: health::AGENT,
        headers: &[],
        content: json.map_or(Content::None, Content::Json),
    }
}

/// Waits until Ollama answers: it may just have been started.
async fn tags(session: &Host, model: &Model, limits: &Limits) -> Result<Option<String>, String> {
    let limit = limits.within(READY_LIMIT).deadline;
    loop {
        let now = Instant::now();
        match list(session, model, limit.min(now + Duration::from_secs(10))).await {
            Ok(digest) => return Ok(digest),
            Err(seen) if Instant::now() >= limit || session.is_closed() => return Err(seen),
            Err(_) => sleep(Duration::from_secs(1)).await,
        }
    }
}

/// Free bytes where models may go; none when the host does not tell. Where Ollama really keeps them only
/// Ollama knows: the first that is there of Docker's folder, that of its service, and the user's.
async fn free(session: &Host, limits: &Limits) -> Option<u64> {
    let script = "for d in \"$(docker info --format '{{.DockerRootDir}}' 2>/dev/null)\" /usr/share/ollama \"$HOME\"; do \
                  [ -n \"$d\" ] && [ -d \"$d\" ] && df -Pk \"$d\" | { read -r _; read -r _ _ _ free _ && echo \"$free\"; } && exit 0; done; exit 0";
    let limits = limits.within(Duration::from_secs(20));
    let output = session
        .exec(script, Stdin::Empty, OutputMode::Nothing, &limits)
        .await
        .ok()?;
    let kib: u64 = String::from_utf8_lossy(&output.stdout)
        .trim()
        .parse()
        .ok()?;
    Some(kib * 1024)
}

/// Whether a pull must be asked for once more.
enum Again {
    No,
    Yes(String),
}

async fn pull(
    session: &Host,
    model: &Model,
    free: Option<u64>,
    limits: &Limits,
) -> Result<Again, String> {
    let Model { name, stall, .. } = model;
    let url = model.url.at("/api/pull");
    let stream = session
        .forward(&url.host, url.port, limits.deadline)
        .await
        .map_err(|error| error.to_string())?;
    let body = serde_json::json!({ "model": name })
        .to_string()
        .into_bytes();
    let (tell, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let mut seen = Pull::default();
    let mut said = Instant::now();
    let mut too_large = None;
    let mut each = |data: &[u8]| {
        // Only the silence is of interest; nobody listens after the end.
        let _ = tell.send(());
        seen.push(data);
        if said.elapsed() >= HEARTBEAT {
            tracing::info!("pulling {name}: {}", seen.progress());
            said = Instant::now();
        }
        if let Some(free) = free.filter(|free| seen.missing() + MARGIN > *free) {
            too_large = Some(format!(
                "{} MB are still to be pulled, and the disk of the host had {} MB free",
                seen.missing() / 1_000_000,
                free / 1_000_000
            ));
        }
        too_large.is_none()
    };
    let asked = asked(&url, Some(body));
    let request = http_probe::request(stream, &asked, limits.deadline, &mut each);
    let silence = async {
        loop {
            match tokio::time::timeout(*stall, heard.recv()).await {
                Ok(Some(())) => {}
                Ok(None) => std::future::pending().await,
                Err(_) => return,
            }
        }
    };
    let answered = tokio::select! {
        answered = request => answered,
        () = silence => {
            return Ok(Again::Yes(format!("has been silent for {} s", stall.as_secs())));
        }
    };
    if let Some(too_large) = too_large {
        return Err(too_large);
    }
    let answer = match answered {
        Ok(answer) => answer,
        // Cut off, and not by us: Ollama keeps what it has.
        Err(why) if Instant::now() < limits.deadline && !session.is_closed() => {
            return Ok(Again::Yes(format!("was cut off ({why})")));
        }
        Err(why) => return Err(why.to_string()),
    };
    if answer.status != 200 && seen.error.is_none() {
        let start = start(&answer.body);
        return Err(format!("{url} answers {}: {start}", answer.status));
    }
    seen.end().map(|()| Again::No)
}

/// The start of an answer, for an error.
fn start(body: &[u8]) -> String {
    let start: String = String::from_utf8_lossy(body).chars().take(200).collect();
    start.trim().to_owned()
}

/// The refusal of a service whose models do not outlive its container, as
/// [`crate::runtime::compose::keeps_models`] found it.
pub(crate) fn not_kept(service: &str) -> Failure {
    Failure::refused(format!(
        "the service {service} keeps its models inside its container: each new container would pull them again"
    ))
    .hint("give it a volume, such as `volumes: [\"models:/root/.ollama\"]`, and name the volume at the end of the Compose file")
}

#[cfg(test)]
mod tests {
    use super::{full_name, listed};

    #[test]
    fn models_are_found_by_their_full_name() {
        assert_eq!(full_name("llama3.2"), "llama3.2:latest");
        assert_eq!(
            full_name("host:5000/me/llama3.2"),
            "host:5000/me/llama3.2:latest"
        );
        let tags = br#"{"models":[{"name":"llama3.2:3b","digest":"a80c"},{"name":"x:latest"}]}"#;
        assert_eq!(listed(tags, "llama3.2:3b"), Ok(Some("a80c".to_owned())));
        assert_eq!(listed(tags, "x"), Ok(Some("unknown".to_owned())));
        assert_eq!(listed(tags, "llama3.2"), Ok(None));
        assert!(listed(b"{}", "x").is_err());
    }
}
