//! Completing the lifecycle hook that holds this instance back.
//!
//! An instance refresh does not wait for signals, but for launch hooks: of a new instance, and of one whose root volume
//! was replaced, which is in `Pending:Wait` then, too.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-updatepolicy.html#cfn-attributes-updatepolicy-instancerefresh-readiness>
//! <https://docs.aws.amazon.com/autoscaling/ec2/userguide/replace-root-volume.html#replace-root-volume-lifecycle-hooks>

use std::time::Duration;

use action::failure::Failure;
use action::wait::{self, Ended, Limits, Look, Pace};
use aws::error::AwsError;
use aws_sdk_autoscaling::Client;

use crate::identity::Sender;
use crate::verdict::{Told, Verdict};

/// Auto Scaling shows a new state within seconds.
const PACE: Pace = Pace {
    first: Duration::from_secs(1),
    longest: Duration::from_secs(5),
};

/// What the state of an instance says of its launch hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hold {
    /// It will wait soon.
    Ahead,
    /// It waits.
    Waits,
    /// Nothing waits: it is in service, or on its way out.
    Over,
}

/// The states that come before a launch hook, and those in which it waits.
/// <https://docs.aws.amazon.com/autoscaling/ec2/userguide/lifecycle-hooks-overview.html>
fn hold(state: &str) -> Hold {
    match state {
        "Pending"
        | "Warmed:Pending"
        | "ReplacingRootVolume"
        | "ReplacingRootVolume:Wait"
        | "ReplacingRootVolume:Proceed"
        | "RootVolumeReplaced" => Hold::Ahead,
        "Pending:Wait" | "Warmed:Pending:Wait" => Hold::Waits,
        _ => Hold::Over,
    }
}

/// Tells the hook what the application's health is: `CONTINUE`, or `ABANDON`.
pub(crate) async fn complete(
    sender: &Sender,
    hook: &str,
    verdict: &Verdict,
    limits: &Limits,
) -> Result<Told, Failure> {
    let result = match verdict {
        Verdict::Healthy => "CONTINUE",
        Verdict::Unhealthy(_) => "ABANDON",
    };
    let client = Client::new(&sender.session.config);
    let Some(group) = waiting_group(&client, sender, limits).await? else {
        tracing::info!(
            "the instance {} waits for no lifecycle hook, so {result} was not needed",
            sender.instance
        );
        return Ok(Told::NobodyWaits);
    };
    let completing = client
        .complete_lifecycle_action()
        .auto_scaling_group_name(&group)
        .lifecycle_hook_name(hook)
        .instance_id(&sender.instance)
        .lifecycle_action_result(result)
        .send();
    let completed = limits.interrupt.race(completing).await.map_err(|signal| {
        Failure::interrupted(
            signal,
            format!("stopped while completing the lifecycle hook {hook} of the group {group} with {result}"),
        )
        .hint("the group may have received it; without it the hook ends at its own timeout")
    })?;
    completed.map_err(|error| {
        AwsError::of(&error).failure(
            format!(
                "cannot complete the lifecycle hook {hook} of the group {group} with {result} for {}",
                sender.instance
            ),
            "autoscaling:CompleteLifecycleAction",
        )
    })?;
    tracing::info!(
        "completed the lifecycle hook {hook} of the group {group} with {result} for {}",
        sender.instance
    );
    Ok(Told::Heard)
}

/// The group in which this instance waits for a hook; nothing where it does not wait.
async fn waiting_group(
    client: &Client,
    sender: &Sender,
    limits: &Limits,
) -> Result<Option<String>, Failure> {
    let what = "the lifecycle hook to hold this instance back";
    let ended = wait::until(what, limits.deadline, &limits.interrupt, PACE, async || {
        look(client, sender).await
    })
    .await;
    match ended {
        Ok(group) => Ok(group),
        Err(Ended::Failed(failure)) => Err(failure),
        Err(ended) => Err(ended.into_failure(what)),
    }
}

async fn look(client: &Client, sender: &Sender) -> Result<Look<Option<String>>, Failure> {
    let described = client
        .describe_auto_scaling_instances()
        .instance_ids(&sender.instance)
        .send()
        .await;
    let described = described.map_err(|error| {
        AwsError::of(&error).failure(
            format!(
                "cannot look up the Auto Scaling group of {}",
                sender.instance
            ),
            "autoscaling:DescribeAutoScalingInstances",
        )
    })?;
    let Some(found) = described.auto_scaling_instances().first() else {
        return Ok(Look::NotYet(format!(
            "Auto Scaling knows no group of {}",
            sender.instance
        )));
    };
    let state = found.lifecycle_state().unwrap_or_default();
    Ok(match hold(state) {
        Hold::Ahead => Look::NotYet(format!("its state is {state}")),
        Hold::Waits => Look::There(found.auto_scaling_group_name().map(str::to_owned)),
        Hold::Over => Look::There(None),
    })
}

#[cfg(test)]
mod tests {
    use super::{Hold, hold};

    #[test]
    fn a_state_says_whether_a_launch_hook_waits() {
        for (state, expected) in [
            ("Pending", Hold::Ahead),
            ("RootVolumeReplaced", Hold::Ahead),
            ("Pending:Wait", Hold::Waits),
            ("Warmed:Pending:Wait", Hold::Waits),
            ("Pending:Proceed", Hold::Over),
            ("InService", Hold::Over),
            ("Terminating:Wait", Hold::Over),
            ("", Hold::Over),
        ] {
            assert_eq!(hold(state), expected, "{state}");
        }
    }
}
