//! Proof that the application answers, and that it is the release that was shipped.

use std::time::Duration;

use action::failure::Failure;
use action::wait::Limits;
use tokio::time::{Instant, sleep};

use crate::agent::Host;
use crate::host::http::{self, Answer};
use crate::settings::Health;

/// Between two questions.
const PAUSE: Duration = Duration::from_secs(1);
/// One answer may take this long.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// One answer is waited for this long, even at the deadline.
const ANSWER_LEAST: Duration = Duration::from_secs(2);
/// A waiting line is printed this often.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// Whether an answer is that of a healthy application of this release. An application that names
/// no release in `X-Release-Id` cannot be told from another; status 200 is all there is then.
///
/// # Errors
/// What is wrong with it.
pub fn judge(answer: &Answer, release: &str, body: Option<&str>) -> Result<(), String> {
    if answer.status != 200 {
        return Err(format!("it answers {}", answer.status));
    }
    if let Some(body) = body
        && !String::from_utf8_lossy(&answer.body).contains(body)
    {
        return Err(format!("it answers 200, but without `{body}` in it"));
    }
    match &answer.release_id {
        Some(id) if id != release => Err(format!("it answers 200, but as release `{id}`")),
        _ => Ok(()),
    }
}

/// Asks until the application answered well `count` times in a row.
///
/// # Errors
/// When it does not within the time, with what was seen last; when a signal comes.
pub async fn prove(
    session: &Host,
    health: &Health,
    release: &str,
    limits: &Limits,
) -> Result<(), Failure> {
    let limits = limits.within(health.timeout);
    let started = Instant::now();
    let mut said = started;
    let mut in_a_row = 0;
    let mut last = String::new();
    loop {
        let asked = ask(session, health, &limits);
        let stopped = |signal| {
            Failure::interrupted(
                signal,
                format!("stopped waiting for {} to be healthy", health.url),
            )
        };
        let seen = limits
            .interrupt
            .race(asked)
            .await
            .map_err(stopped)?
            .and_then(|answer| judge(&answer, release, health.body.as_deref()));
        let now = Instant::now();
        match seen {
            Ok(()) => {
                in_a_row += 1;
                if in_a_row >= health.count {
                    tracing::info!(
                        "{} is healthy: {in_a_row} good answers in a row",
                        health.url
                    );
                    return Ok(());
                }
            }
            Err(seen) => {
                in_a_row = 0;
                if now > said + HEARTBEAT || seen != last {
                    tracing::info!(
                        "waiting for {} to be healthy: {seen} ({} s so far)",
                        health.url,
                        (now - started).as_secs()
                    );
                    said = now;
                }
                last = seen;
            }
        }
        if now >= limits.deadline || session.is_closed() {
            return Err(Failure::failed(format!(
                "release {release} did not become healthy within {} s",
                (now - started).as_secs()
            ))
            .cause(format!("{}: {last}", health.url))
            .hint("DEPLOY_APP_HEALTH_URL is asked on the host itself; DEPLOY_APP_HEALTH_TIMEOUT gives a slow start more time"));
        }
        let pause = if in_a_row > 0 { PAUSE / 4 } else { PAUSE };
        limits
            .interrupt
            .race(sleep(pause.min(limits.deadline - now)))
            .await
            .map_err(stopped)?;
    }
}

/// Whether it is healthy right now, without patience.
pub async fn is_well(
    session: &Host,
    health: &Health,
    release: &str,
    limits: &Limits,
) -> Result<(), String> {
    for _ in 0..health.count {
        judge(
            &ask(session, health, limits).await?,
            release,
            health.body.as_deref(),
        )?;
    }
    Ok(())
}

/// One question.
///
/// # Errors
/// Why there is no answer, in words.
pub async fn ask(session: &Host, health: &Health, limits: &Limits) -> Result<Answer, String> {
    // A question that is asked gets the time of an answer, or the last thing seen would always be
    // our own impatience.
    let now = Instant::now();
    let deadline = limits
        .deadline
        .clamp(now + ANSWER_LEAST, now + ANSWER_LIMIT);
    let stream = session
        .forward(&health.url.host, health.url.port, deadline)
        .await
        .map_err(|error| error.to_string())?;
    http::request(stream, &health.url, None, deadline, &mut |_| true).await
}

#[cfg(test)]
mod tests {
    use super::{Answer, judge};

    #[test]
    fn only_200_of_this_release_is_healthy() {
        let answer = |status, release: Option<&str>| Answer {
            status,
            release_id: release.map(str::to_owned),
            body: b"{\"count\": 7}".to_vec(),
        };
        assert_eq!(judge(&answer(200, None), "r1", None), Ok(()));
        assert_eq!(judge(&answer(200, Some("r1")), "r1", Some("count")), Ok(()));
        assert_eq!(
            judge(&answer(200, Some("r1")), "r1", Some("ready")),
            Err("it answers 200, but without `ready` in it".to_owned())
        );
        assert_eq!(
            judge(&answer(200, Some("r0")), "r1", None),
            Err("it answers 200, but as release `r0`".to_owned())
        );
        for status in [204, 301, 404, 500] {
            assert!(judge(&answer(status, Some("r1")), "r1", None).is_err());
        }
    }
}
