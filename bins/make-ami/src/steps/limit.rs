//! The build's own limit: CodeBuild ends a build at its timeout with nothing but a signal, so the run
//! stops a little before, while it can still say how to resume.

use crate::job::Job;
use aws::error::AwsError;
use aws::wait::humane;
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
    let whole = Duration::try_from(ends.duration_since(job.clock.now())).unwrap_or_default();
    let deadline = Instant::now() + whole.saturating_sub(margin(whole));
    if deadline < job.context.deadline {
        tracing::info!(
            "the build ends at {}; this run stops {} before",
            ends.strftime("%H:%M:%S UTC"),
            humane(margin(whole))
        );
        job.context.deadline = deadline;
    }
}

/// How long before the build's end the run stops, of what is left: a short build gets a short margin.
fn margin(left: Duration) -> Duration {
    MARGIN.min(left / 4)
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
mod tests {
    use super::margin;
    use std::time::Duration;

    #[test]
    fn stops_two_minutes_before_and_a_quarter_before_a_near_end() {
        let seconds = |left| margin(Duration::from_secs(left)).as_secs();
        assert_eq!(seconds(3_600), 120);
        assert_eq!(seconds(100), 25);
        assert_eq!(seconds(0), 0);
    }
}
