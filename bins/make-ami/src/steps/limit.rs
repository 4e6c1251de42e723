//! The build's own limit: CodeBuild ends a build at its timeout with nothing but a signal, so the run
//! stops a little before, while it can still say how to resume.

use crate::job::Job;
use aws::error::AwsError;
use aws_sdk_codebuild::Client;
use aws_sdk_codebuild::config::retry::RetryConfig;
use jiff::Timestamp;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// How long before the build's end the run stops: to say what remains, or to clean up.
const MARGIN: Duration = Duration::from_secs(120);
/// Not knowing the limit is no reason to wait for it.
const ASK_WITHIN: Duration = Duration::from_secs(20);

/// Brings the deadline forward to the build's own, where there is a build and it can be asked for.
pub async fn apply(job: &mut Job) {
    let Some(id) = job.context.codebuild.build_id.clone() else {
        return;
    };
    let asked = job
        .context
        .interrupt
        .race(timeout(ASK_WITHIN, ask(job, &id)))
        .await;
    let ends = match asked {
        Ok(Ok(Ok(Some(ends)))) => ends,
        Ok(Ok(Ok(None))) | Err(_) => return,
        Ok(Ok(Err(why))) => {
            tracing::info!("the build's own limit is not known ({why}); --timeout alone counts");
            return;
        }
        Ok(Err(_)) => {
            tracing::info!(
                "the build's own limit is not known (no answer); --timeout alone counts"
            );
            return;
        }
    };
    let left = left(ends, job.clock.now());
    let deadline = Instant::now() + left;
    if deadline < job.context.deadline {
        tracing::info!(
            "the build ends at {}; this run stops {} before",
            ends.strftime("%H:%M:%S UTC"),
            humantime::format_duration(MARGIN)
        );
        job.context.deadline = deadline;
    }
}

/// What is left until a little before the end. A short build gets a short margin.
fn left(ends: Timestamp, now: Timestamp) -> Duration {
    let whole = Duration::try_from(ends.duration_since(now)).unwrap_or_default();
    whole.saturating_sub(MARGIN.min(whole / 4))
}

/// When the build ends; nothing when CodeBuild does not know it, as on a laptop.
async fn ask(job: &Job, id: &str) -> Result<Option<Timestamp>, String> {
    let config = aws_sdk_codebuild::config::Builder::from(&job.session.config);
    let client = Client::from_conf(config.retry_config(RetryConfig::standard()).build());
    let reply = client.batch_get_builds().ids(id).send().await;
    let reply =
        reply.map_err(|error| format!("codebuild:BatchGetBuilds: {}", AwsError::of(&error)))?;
    let Some(build) = reply.builds().first() else {
        return Ok(None);
    };
    let (Some(start), Some(minutes)) = (build.start_time(), build.timeout_in_minutes()) else {
        return Ok(None);
    };
    Ok(Timestamp::from_second(start.secs() + i64::from(minutes) * 60).ok())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::left;
    use jiff::Timestamp;

    #[test]
    fn stops_two_minutes_before_and_a_quarter_before_a_near_end() {
        let at = |second| Timestamp::from_second(second).unwrap();
        assert_eq!(left(at(3_600), at(0)).as_secs(), 3_480);
        assert_eq!(left(at(100), at(0)).as_secs(), 75);
        assert_eq!(left(at(0), at(100)).as_secs(), 0);
    }
}
