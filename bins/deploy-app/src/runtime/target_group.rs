//! The load balancer's own opinion: the instance's health in a target group.

use std::time::Duration;

use action::failure::Failure;
use action::wait::{self, Limits, Look, Pace};
use aws::error::AwsError;
use aws::session::Session;
use aws_sdk_elasticloadbalancingv2::Client;
use aws_sdk_elasticloadbalancingv2::types::{
    TargetDescription, TargetHealth, TargetHealthStateEnum,
};

/// How often the load balancer is asked: its own checks come every 5 to 300 seconds.
const PACE: Pace = Pace {
    first: Duration::from_secs(2),
    longest: Duration::from_secs(10),
};

/// The health of one instance in one target group.
#[derive(Debug, Clone)]
pub(crate) struct Target<'a> {
    /// Where to ask.
    pub session: &'a Session,
    /// The target group's ARN.
    pub group: &'a str,
    pub instance: &'a str,
}

impl Target<'_> {
    /// Waits until the load balancer finds the instance healthy.
    /// Fails at once when the instance is not in the group, or the group has no load balancer.
    pub(crate) async fn prove(&self, limits: &Limits, limit: Duration) -> Result<(), Failure> {
        let outer = limits.deadline;
        let limits = limits.within(limit);
        let what = format!("{} to be healthy in its target group", self.instance);
        let waited = wait::until(
            &what,
            limits.deadline,
            &limits.interrupt,
            PACE,
            async || match self.look().await? {
                Ok(()) => Ok(Look::There(())),
                Err(seen) => Ok(Look::NotYet(seen)),
            },
        )
        .await;
        match waited {
            Ok(()) => {
                tracing::info!("{} is healthy in its target group", self.instance);
                Ok(())
            }
            // The gate has a limit of its own, within the run's: reaching it is a failed release.
            Err(wait::Ended::Deadline(seen)) if limits.deadline < outer => Err(Failure::failed(format!(
                "the load balancer does not find {} healthy within {} s",
                self.instance,
                limit.as_secs()
            ))
            .cause(format!("{}: {seen}", self.group))
            .hint("check the health check's path and port in the target group, and that the load balancer may reach the port")),
            Err(ended) => Err(ended.into_failure(&what)),
        }
    }

    /// One look: healthy, or what it is instead.
    pub(crate) async fn look(&self) -> Result<Result<(), String>, Failure> {
        let deed = format!(
            "cannot read the health of {} in {}",
            self.instance, self.group
        );
        let answer = Client::new(&self.session.config)
            .describe_target_health()
            .target_group_arn(self.group)
            .targets(TargetDescription::builder().id(self.instance).build())
            .send()
            .await
            .map_err(|error| {
                AwsError::of(&error)
                    .failure(deed.clone(), "elasticloadbalancing:DescribeTargetHealth")
            })?;
        // An instance may be in a group under several ports; all of them count.
        let healths: Vec<&TargetHealth> = answer
            .target_health_descriptions()
            .iter()
            .filter_map(|description| description.target_health())
            .collect();
        let worst = healths
            .iter()
            .find(|health| !is_healthy(health))
            .or(healths.first());
        let Some(health) = worst else {
            return Err(Failure::failed(deed).cause("the answer names no target"));
        };
        if is_healthy(health) {
            return Ok(Ok(()));
        }
        let state = health
            .state()
            .map_or("in an unknown state", |state| state.as_str());
        let reason = health
            .reason()
            .map(|reason| format!(" ({})", reason.as_str()));
        let description = health.description().map(|text| format!(": {text}"));
        let seen = format!(
            "it is {state}{}{}",
            reason.unwrap_or_default(),
            description.unwrap_or_default()
        );
        if health.state() == Some(&TargetHealthStateEnum::Unused) {
            return Err(Failure::failed(deed).cause(seen).hint(
                "register the instance with the target group, and the group with a load balancer",
            ));
        }
        Ok(Err(seen))
    }
}

fn is_healthy(health: &TargetHealth) -> bool {
    health.state() == Some(&TargetHealthStateEnum::Healthy)
}
