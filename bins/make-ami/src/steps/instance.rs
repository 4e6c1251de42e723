//! The source instance, before anything is made.

use action::failure::Failure;
use aws::error::AwsError;
use aws::session::Session;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::{DeviceType, Instance, InstanceStateName};

/// What the image's proof needs of its instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Source {
    /// The number of EBS volumes that the image must hold.
    pub volumes: usize,
}

/// Looks at the instance and refuses what cannot be imaged.
///
/// # Errors
/// A refusal that says why, or the call's own failure.
pub async fn look(ec2: &Client, session: &Session, instance_id: &str) -> Result<Source, Failure> {
    let region = &session.region;
    let absent = || {
        Failure::refused(format!("no instance {instance_id} in {region}; nothing was touched")).hint(
            "check INSTANCE_ID, AWS_REGION and the account of the credentials: an instance of another account looks absent",
        )
    };
    let reply = ec2
        .describe_instances()
        .instance_ids(instance_id)
        .send()
        .await;
    let reply = reply.map_err(|error| {
        let error = AwsError::of(&error);
        if error.is("InvalidInstanceID.NotFound") || error.is("InvalidInstanceID.Malformed") {
            return absent().cause(error);
        }
        let deed = format!("cannot look at instance {instance_id} in {region}");
        error.failure(deed, "ec2:DescribeInstances")
    })?;
    let found = reply
        .reservations()
        .iter()
        .flat_map(|reservation| reservation.instances());
    let instance = found.into_iter().next().ok_or_else(absent)?;
    judge(instance, instance_id, region)
}

fn judge(instance: &Instance, instance_id: &str, region: &str) -> Result<Source, Failure> {
    let state = instance.state().and_then(|state| state.name());
    if !matches!(
        state,
        Some(InstanceStateName::Running | InstanceStateName::Stopped)
    ) {
        let state = state.map_or("in an unknown state", InstanceStateName::as_str);
        let failure = Failure::refused(format!(
            "instance {instance_id} in {region} is {state}; only a running or stopped one can be imaged"
        ));
        return Err(
            match instance.state_reason().and_then(|reason| reason.message()) {
                Some(reason) => failure.cause(reason),
                None => failure,
            },
        );
    }
    if instance.root_device_type() == Some(&DeviceType::InstanceStore) {
        return Err(Failure::refused(format!(
            "instance {instance_id} in {region} has no EBS root volume; CreateImage needs one"
        )));
    }
    let mapped = instance.block_device_mappings().iter();
    Ok(Source {
        volumes: mapped.filter(|mapping| mapping.ebs().is_some()).count(),
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::judge;
    use aws_sdk_ec2::types::{Instance, InstanceState, InstanceStateName, StateReason};

    fn instance(state: InstanceStateName) -> Instance {
        Instance::builder()
            .state(InstanceState::builder().name(state).build())
            .state_reason(
                StateReason::builder()
                    .message("Client.UserInitiatedShutdown")
                    .build(),
            )
            .build()
    }

    #[test]
    fn only_running_and_stopped_instances_are_imaged() {
        for state in [InstanceStateName::Running, InstanceStateName::Stopped] {
            assert!(judge(&instance(state), "i-1", "eu-west-1").is_ok());
        }
        let failure =
            judge(&instance(InstanceStateName::Terminated), "i-1", "eu-west-1").unwrap_err();
        assert_eq!(failure.exit().code(), 2);
        assert!(failure.to_string().contains("is terminated"), "{failure}");
        assert!(
            failure.to_string().contains("Client.UserInitiatedShutdown"),
            "{failure}"
        );
    }
}
