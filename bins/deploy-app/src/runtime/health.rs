//! Proof that the application answers, and that it is the release that was shipped.

use std::time::Duration;

use action::failure::Failure;
use action::wait::{Ended, Limits, Pace};
use agent_protocol::message::Request;
use agent_protocol::plan::HealthCheck;
use http_probe::{Answer, Content, Scheme};
use tokio::time::Instant;

use crate::host::agent::Host;
use crate::settings::Health;

/// Who asks.
pub(crate) const AGENT: &str = concat!("deploy-app/", env!("CARGO_PKG_VERSION"));
/// Between two questions.
const PACE: Pace = Pace {
    first: Duration::from_secs(1),
    longest: Duration::from_secs(1),
};
/// One answer may take this long.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// One answer is waited for this long, even at the deadline.
const ANSWER_LEAST: Duration = Duration::from_secs(2);

/// Asks until the application answered well `count` times in a row.
pub(crate) async fn prove(
    session: &Host,
    health: &Health,
    release: &str,
    limits: &Limits,
) -> Result<(), Failure> {
    let limits = limits.within(health.timeout);
    let url = &health.probe.url;
    let what = format!("{url} to be healthy");
    let started = Instant::now();
    let unhealthy = |seen: &str| {
        let waited = started.elapsed().as_secs();
        Failure::failed(format!(
            "release {release} did not become healthy within {waited} s"
        ))
        .cause(format!("{url}: {seen}"))
        .hint("DEPLOY_APP_HEALTH_URL is asked on the host itself; DEPLOY_APP_HEALTH_TIMEOUT gives a slow start more time")
    };
    let asked = async || {
        let seen = seen(session, health, release, &limits).await;
        match seen {
            Err(seen) if session.is_closed() => Err(unhealthy(&seen)),
            seen => Ok(seen),
        }
    };
    match http_probe::in_a_row(&what, health.count, &limits, PACE, asked).await {
        Ok(()) => {
            tracing::info!("{url} is healthy: {} good answers in a row", health.count);
            Ok(())
        }
        Err(Ended::Deadline(seen)) => Err(unhealthy(&seen)),
        Err(ended) => Err(ended.into_failure(&what)),
    }
}

/// Whether it is healthy right now, without patience.
pub(crate) async fn is_well(
    session: &Host,
    health: &Health,
    release: &str,
    limits: &Limits,
) -> Result<(), String> {
    match check(health, release) {
        Ok(check) => answers_well(session, check, limits).await,
        Err(_) => {
            for _ in 0..health.count {
                seen(session, health, release, limits).await?;
            }
            Ok(())
        }
    }
}

/// The same of what the agent can ask: all questions and their answers are one round trip.
async fn answers_well(session: &Host, check: HealthCheck, limits: &Limits) -> Result<(), String> {
    let now = Instant::now();
    let one = answer_deadline(now, limits) - now;
    let limits = Limits {
        deadline: now + one * check.count + ANSWER_LEAST,
        interrupt: limits.interrupt.clone(),
    };
    let asked = Request::AskHealth {
        check: Box::new(check),
        answer_ms: u64::try_from(one.as_millis()).unwrap_or(u64::MAX),
    };
    match session.ask(asked, &limits).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(unhealthy)) => Err(unhealthy.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

/// How the agent asks a release for its health; or why that can be done only from here.
pub(crate) fn check(health: &Health, release: &str) -> Result<HealthCheck, String> {
    let probe = &health.probe;
    if probe.url.scheme == Scheme::Https {
        return Err("health over HTTPS is asked by deploy-app alone".to_owned());
    }
    let asked = http_probe::Request {
        url: &probe.url,
        agent: AGENT,
        headers: &probe.headers,
        content: Content::None,
    };
    Ok(HealthCheck {
        statuses: probe.statuses.ranges().to_vec(),
        body: probe.body.clone(),
        release: release.to_owned(),
        count: health.count,
        ..question(&asked)?
    })
}

/// A question over plain HTTP, which status 200 answers well.
pub(crate) fn question(asked: &http_probe::Request<'_>) -> Result<HealthCheck, String> {
    Ok(HealthCheck {
        host: asked.url.host.clone(),
        port: asked.url.port,
        path: asked.url.path.clone(),
        headers: asked.all_headers().map_err(|error| error.to_string())?,
        statuses: vec![200..=200],
        body: None,
        release: String::new(),
        count: 1,
        pause_ms: u64::try_from(PACE.first.as_millis()).unwrap_or(u64::MAX),
    })
}

/// Asks once for this release; what is wrong, in words.
async fn seen(
    session: &Host,
    health: &Health,
    release: &str,
    limits: &Limits,
) -> Result<(), String> {
    let answer = ask(session, health, limits).await?;
    let judged = health.probe.judge(&answer, Some(release));
    judged.map_err(|unhealthy| unhealthy.to_string())
}

/// One question.
pub(crate) async fn ask(
    session: &Host,
    health: &Health,
    limits: &Limits,
) -> Result<Answer, String> {
    let deadline = answer_deadline(Instant::now(), limits);
    let url = &health.probe.url;
    let stream = session
        .forward(&url.host, url.port, deadline)
        .await
        .map_err(|error| error.to_string())?;
    let answer = health.probe.ask(stream, AGENT, deadline).await;
    answer.map_err(|error| error.to_string())
}

/// When the answer to a question that is asked now must be there. It gets the time of an answer, or the last thing seen
/// would always be our own impatience.
fn answer_deadline(now: Instant, limits: &Limits) -> Instant {
    limits
        .deadline
        .clamp(now + ANSWER_LEAST, now + ANSWER_LIMIT)
}
