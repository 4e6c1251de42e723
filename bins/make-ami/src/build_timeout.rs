//! What CodeBuild knows of the build: its limit, and the build that it retries. CodeBuild ends a build at its
//! timeout with nothing but a signal, so the run stops a little before, while it can still say how to resume
//! or hand over what is ready.

use crate::job::Job;
use action::wait::humane;
use aws::error::AwsError;
use aws_sdk_codebuild::Client;
use aws_sdk_codebuild::config::retry::RetryConfig;
use aws_sdk_codebuild::types::Build;
use jiff::Timestamp;
use std::time::Duration;
use tokio::time::{Instant, timeout};

/// How long before the build's end the run stops: to say what remains, or to clean up.
const MARGIN: Duration = Duration::from_secs(120);
/// Not knowing the limit is no reason to wait for it.
const ASK_WITHIN: Duration = Duration::from_secs(20);
/// How many automatic retries are followed back to the first build; CodeBuild makes ten at most, as far as
/// its console lets one choose.
const RETRIES: usize = 10;

/// What CodeBuild says of the build.
struct Told {
    /// When it is ended.
    ends: Option<Timestamp>,
    /// The first build, where this one is its automatic retry.
    first: Option<String>,
}

/// Brings the deadline forward to the build's own, where there is a build and it can be asked for; an
/// automatic retry is taken for the run of the first build, so that it adopts what that one made.
pub async fn apply(job: &mut Job) {
    let Some(id) = job.context.codebuild.build_id.clone() else {
        return;
    };
    let asked = job
        .context
        .interrupt
        .race(timeout(ASK_WITHIN, ask(job, &id)))
        .await;
    let told = match asked {
        Ok(Ok(Ok(Some(told)))) => told,
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
    if let Some(first) = told.first
        && job.settings.run.is_none()
    {
        tracing::info!("this build retries {first}, and goes on with that one's run");
        job.settings.run = Some(first);
    }
    let Some(ends) = told.ends else { return };
    let whole = Duration::try_from(ends.duration_since(job.clock.now())).unwrap_or_default();
    let deadline = Instant::now() + whole.saturating_sub(margin(whole));
    if deadline < job.context.deadline {
        tracing::info!(
            "the build ends at {}; this run stops {} before",
            ends.strftime("%H:%M:%S UTC"),
            humane(margin(whole))
        );
        job.move_deadline(deadline);
    }
    job.spare = margin(whole) / 2;
}

/// How long before the build's end the run stops, of what is left: a short build gets a short margin.
fn margin(left: Duration) -> Duration {
    MARGIN.min(left / 4)
}

/// What CodeBuild knows of the build; nothing when it does not know it, as on a laptop.
async fn ask(job: &Job, id: &str) -> Result<Option<Told>, String> {
    let config = aws_sdk_codebuild::config::Builder::from(&job.session.config);
    let client = Client::from_conf(config.retry_config(RetryConfig::standard()).build());
    let Some(build) = build(&client, id).await? else {
        return Ok(None);
    };
    let ends = match (build.start_time(), build.timeout_in_minutes()) {
        (Some(start), Some(minutes)) => {
            Timestamp::from_second(start.secs() + i64::from(minutes) * 60).ok()
        }
        _ => None,
    };
    let mut first = retried(&build);
    for _ in 1..RETRIES {
        let Some(id) = &first else { break };
        // One that CodeBuild has forgotten was the first as far as anybody can tell.
        let Ok(Some(earlier)) = self::build(&client, id).await else {
            break;
        };
        match retried(&earlier) {
            Some(before) => first = Some(before),
            None => break,
        }
    }
    Ok(Some(Told { ends, first }))
}

async fn build(client: &Client, id: &str) -> Result<Option<Build>, String> {
    let reply = client.batch_get_builds().ids(id).send().await;
    let reply =
        reply.map_err(|error| format!("codebuild:BatchGetBuilds: {}", AwsError::of(&error)))?;
    Ok(reply.builds.unwrap_or_default().into_iter().next())
}

/// The id of the build that this one retries by itself; CodeBuild tells it as an ARN
/// (<https://docs.aws.amazon.com/codebuild/latest/APIReference/API_AutoRetryConfig.html>).
fn retried(build: &Build) -> Option<String> {
    let arn = build.auto_retry_config()?.previous_auto_retry()?;
    let id = arn.rsplit('/').next()?;
    (!id.is_empty()).then(|| id.to_owned())
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
