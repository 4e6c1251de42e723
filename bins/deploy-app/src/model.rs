//! The Ollama model: pulled through Ollama's HTTP API when it is not there yet.
//!
//! <https://github.com/ollama/ollama/blob/main/docs/api.md>

use std::collections::BTreeMap;
use std::time::Duration;

use action::failure::Failure;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::host::http::{self, HttpUrl};
use crate::host::ssh::{Bounds, Session};

/// How long Ollama may take to answer at all after a start.
const READY_LIMIT: Duration = Duration::from_secs(120);
/// A line of progress is printed this often.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// The name as Ollama lists it: without a tag it means `latest`.
fn full_name(model: &str) -> String {
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
        .map_err(|error| format!("its list of models makes no sense: {error}"))?;
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

/// What a pull has told so far.
#[derive(Debug, Default)]
struct Pull {
    partial: Vec<u8>,
    layers: BTreeMap<String, (u64, u64)>,
    status: String,
    error: Option<String>,
}

impl Pull {
    /// Takes bytes of the stream, which is a JSON object a line.
    fn push(&mut self, data: &[u8]) {
        for byte in data {
            if *byte == b'\n' {
                self.line();
            } else {
                self.partial.push(*byte);
            }
        }
    }

    fn line(&mut self) {
        let line = std::mem::take(&mut self.partial);
        let Ok(line) = serde_json::from_slice::<Value>(&line) else {
            return;
        };
        let text = |key: &str| line.get(key).and_then(Value::as_str);
        if let Some(error) = text("error") {
            self.error = Some(error.to_owned());
        }
        if let Some(status) = text("status") {
            status.clone_into(&mut self.status);
        }
        if let (Some(digest), Some(total)) =
            (text("digest"), line.get("total").and_then(Value::as_u64))
        {
            let completed = line.get("completed").and_then(Value::as_u64).unwrap_or(0);
            self.layers.insert(digest.to_owned(), (completed, total));
        }
    }

    fn progress(&self) -> String {
        let (done, all) = self
            .layers
            .values()
            .fold((0, 0), |(done, all), (completed, total)| {
                (done + completed, all + total)
            });
        if all == 0 {
            return self.status.clone();
        }
        format!(
            "{} ({} of {} MB)",
            self.status,
            done / 1_000_000,
            all / 1_000_000
        )
    }

    /// Only a last `success` counts: an answer of 200 may still carry an error.
    fn end(mut self) -> Result<(), String> {
        self.line();
        match self.error {
            Some(error) => Err(error),
            None if self.status == "success" => Ok(()),
            None => Err(format!(
                "the stream ended at `{}`, without `success`",
                self.status
            )),
        }
    }
}

/// Makes sure that Ollama has the model; gives its digest, and whether it had to be pulled.
///
/// # Errors
/// When Ollama does not answer in time, or the pull does not end in success.
pub async fn ensure(
    session: &Session,
    model: &str,
    url: &HttpUrl,
    bounds: &Bounds,
) -> Result<(String, bool), Failure> {
    let failed = |cause: String| {
        Failure::failed(format!("cannot make sure that Ollama at {url} has the model {model}"))
            .cause(cause)
            .hint("check DEPLOY_APP_OLLAMA_URL (the port must be open on the host itself) and the model's name")
    };
    let stopped = |signal| Failure::interrupted(signal, format!("stopped pulling {model}"));
    if let Some(digest) = bounds
        .interrupt
        .race(tags(session, model, url, bounds))
        .await
        .map_err(stopped)?
        .map_err(failed)?
    {
        tracing::info!("the model {model} is there ({digest})");
        return Ok((digest, false));
    }
    tracing::info!("pulling the model {model}");
    bounds
        .interrupt
        .race(pull(session, model, url, bounds))
        .await
        .map_err(stopped)?
        .map_err(failed)?;
    let digest = bounds
        .interrupt
        .race(tags(session, model, url, bounds))
        .await
        .map_err(stopped)?
        .map_err(failed)?;
    let digest = digest.ok_or_else(|| failed("it was pulled, but is not listed".to_owned()))?;
    tracing::info!("pulled the model {model} ({digest})");
    Ok((digest, true))
}

/// Whether it is there now, without patience.
///
/// # Errors
/// When Ollama does not answer.
pub async fn is_there(
    session: &Session,
    model: &str,
    url: &HttpUrl,
    bounds: &Bounds,
) -> Result<bool, String> {
    list(
        session,
        model,
        url,
        bounds
            .deadline
            .min(Instant::now() + Duration::from_secs(10)),
    )
    .await
    .map(|digest| digest.is_some())
}

async fn list(
    session: &Session,
    model: &str,
    url: &HttpUrl,
    deadline: Instant,
) -> Result<Option<String>, String> {
    let url = url.at("/api/tags");
    let stream = session
        .forward(&url.host, url.port, deadline)
        .await
        .map_err(|error| error.to_string())?;
    let answer = http::request(stream, &url, None, deadline, &mut |_| true).await?;
    if answer.status != 200 {
        return Err(format!("{url} answers {}", answer.status));
    }
    listed(&answer.body, model)
}

/// Waits until Ollama answers: it may just have been started.
async fn tags(
    session: &Session,
    model: &str,
    url: &HttpUrl,
    bounds: &Bounds,
) -> Result<Option<String>, String> {
    let limit = bounds.deadline.min(Instant::now() + READY_LIMIT);
    loop {
        let now = Instant::now();
        match list(
            session,
            model,
            url,
            limit.min(now + Duration::from_secs(10)),
        )
        .await
        {
            Ok(digest) => return Ok(digest),
            Err(seen) if Instant::now() >= limit || session.is_closed() => return Err(seen),
            Err(_) => sleep(Duration::from_secs(1)).await,
        }
    }
}

async fn pull(
    session: &Session,
    model: &str,
    url: &HttpUrl,
    bounds: &Bounds,
) -> Result<(), String> {
    let url = url.at("/api/pull");
    let stream = session
        .forward(&url.host, url.port, bounds.deadline)
        .await
        .map_err(|error| error.to_string())?;
    let body = serde_json::json!({ "model": model })
        .to_string()
        .into_bytes();
    let mut seen = Pull::default();
    let mut said = Instant::now();
    let answer = http::request(stream, &url, Some(body), bounds.deadline, &mut |data| {
        seen.push(data);
        if said.elapsed() >= HEARTBEAT {
            tracing::info!("pulling {model}: {}", seen.progress());
            said = Instant::now();
        }
        true
    })
    .await?;
    if answer.status != 200 && seen.error.is_none() {
        let body = String::from_utf8_lossy(&answer.body)
            .chars()
            .take(200)
            .collect::<String>();
        return Err(format!("{url} answers {}: {}", answer.status, body.trim()));
    }
    seen.end()
}

#[cfg(test)]
mod tests {
    use super::{Pull, full_name, listed};

    fn pull(stream: &str) -> Result<(), String> {
        let mut pull = Pull::default();
        for chunk in stream.as_bytes().chunks(7) {
            pull.push(chunk);
        }
        pull.end()
    }

    #[test]
    fn only_a_final_success_counts() {
        assert_eq!(
            pull("{\"status\":\"pulling manifest\"}\n{\"status\":\"success\"}\n"),
            Ok(())
        );
        assert_eq!(pull("{\"status\":\"success\"}"), Ok(()));
        assert!(
            pull("{\"status\":\"pulling manifest\"}\n")
                .is_err_and(|error| error.contains("pulling manifest"))
        );
        assert_eq!(
            pull("{\"status\":\"pulling manifest\"}\n{\"error\":\"no such model\"}\n"),
            Err("no such model".to_owned())
        );
        assert!(pull("<html>\n").is_err());
        assert!(pull("").is_err());
    }

    #[test]
    fn progress_sums_the_layers() {
        let mut pull = Pull::default();
        pull.push(b"{\"status\":\"pulling a\",\"digest\":\"a\",\"total\":2000000,\"completed\":1000000}\n");
        pull.push(b"{\"status\":\"pulling b\",\"digest\":\"b\",\"total\":3000000}\n");
        assert_eq!(pull.progress(), "pulling b (1 of 5 MB)");
    }

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
