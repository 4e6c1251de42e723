//! Whether a Spot Instance can be stopped for its image. EC2 refuses that for most of them, and says so only when it
//! is asked to stop one, so that it is found out from the instance's Spot request.
//!
//! The rules: <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-spot-instances-request.html>. Whether
//! StopInstances with DryRun looks at them is unproven: `aws ec2 stop-instances --dry-run` on a one-time Spot Instance
//! settles it.

use crate::instance::tags::tag;
use crate::job::Regional;
use action::failure::Failure;
use aws::error::AwsError;
use aws_sdk_ec2::types::{
    Filter, Instance, SpotInstanceRequest, SpotInstanceState, SpotInstanceType,
};

/// The tags that fleets give their instances. Their requests look like any other, and may be persistent too.
const FLEET_TAGS: [&str; 2] = ["aws:ec2:fleet-id", "aws:ec2spot:fleet-request-id"];

/// Refuses a Spot Instance that EC2 does not stop.
pub(crate) async fn check_stop(
    regional: &Regional,
    instance: &Instance,
    id: &str,
) -> Result<(), Failure> {
    let region = &regional.region;
    let requests = requests(regional, id).await?;
    if let Some(why) = obstacle(instance, &requests) {
        return Err(Failure::refused(format!(
            "Spot Instance {id} in {region} cannot be stopped for its image: {why}; nothing was touched"
        ))
        .hint("use reboot, no-reboot or quiesce, or image an On-Demand Instance"));
    }
    tracing::warn!(
        "{id} is a Spot Instance: EC2 starts it again only while there is Spot capacity at no more than its maximum price; otherwise it stays stopped, and is listed"
    );
    Ok(())
}

async fn requests(regional: &Regional, id: &str) -> Result<Vec<SpotInstanceRequest>, Failure> {
    let of_instance = Filter::builder().name("instance-id").values(id).build();
    let call = regional.ec2.describe_spot_instance_requests();
    let pages = call.filters(of_instance).into_paginator();
    let all: Result<Vec<SpotInstanceRequest>, _> = pages.items().send().collect().await;
    all.map_err(|error| {
        let operation = format!(
            "cannot look at the Spot request of {id} in {}",
            regional.region
        );
        AwsError::of(&error).failure(operation, "ec2:DescribeSpotInstanceRequests")
    })
}

/// Why EC2 does not stop the instance, if it does not.
fn obstacle(instance: &Instance, requests: &[SpotInstanceRequest]) -> Option<String> {
    if let Some(fleet) = FLEET_TAGS.iter().find_map(|key| tag(instance, key)) {
        return Some(format!("it is of fleet {fleet}"));
    }
    // An instance has one request. A cancelled one is listed for a while only.
    let Some(request) = requests.first() else {
        return Some(
            "EC2 lists no Spot request of it, so that it was perhaps cancelled".to_owned(),
        );
    };
    let request_id = request.spot_instance_request_id().unwrap_or("without id");
    if request.r#type() != Some(&SpotInstanceType::Persistent) {
        let kind = request.r#type().map_or("unknown", |kind| kind.as_str());
        return Some(format!(
            "its Spot request {request_id} is {kind}, and EC2 stops only those of persistent ones"
        ));
    }
    if request.state() == Some(&SpotInstanceState::Cancelled) {
        return Some(format!("its Spot request {request_id} is cancelled"));
    }
    let group = request
        .launch_group()
        .map(|group| format!("launch group {group}"));
    let zone_group = request.availability_zone_group();
    let group = group.or(zone_group.map(|group| format!("Availability Zone group {group}")));
    group.map(|group| format!("its Spot request {request_id} is of {group}"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::obstacle;
    use aws_sdk_ec2::types::builders::SpotInstanceRequestBuilder;
    use aws_sdk_ec2::types::{
        Instance, SpotInstanceRequest, SpotInstanceState, SpotInstanceType, Tag,
    };

    fn persistent() -> SpotInstanceRequestBuilder {
        SpotInstanceRequest::builder()
            .spot_instance_request_id("sir-1")
            .r#type(SpotInstanceType::Persistent)
            .state(SpotInstanceState::Active)
    }

    #[test]
    fn only_an_instance_of_a_live_persistent_request_of_its_own_is_stopped() {
        let instance = Instance::builder().build();
        let why = |request: SpotInstanceRequestBuilder| obstacle(&instance, &[request.build()]);
        assert_eq!(why(persistent()), None);
        for (request, part) in [
            (
                persistent().r#type(SpotInstanceType::OneTime),
                "is one-time",
            ),
            (persistent().set_type(None), "is unknown"),
            (
                persistent().state(SpotInstanceState::Cancelled),
                "is cancelled",
            ),
            (persistent().launch_group("web"), "of launch group web"),
            (
                persistent().availability_zone_group("web"),
                "of Availability Zone group web",
            ),
        ] {
            let said = why(request).unwrap();
            assert!(said.contains("sir-1") && said.contains(part), "{said}");
        }
        assert!(
            obstacle(&instance, &[])
                .unwrap()
                .contains("no Spot request")
        );
    }

    /// A fleet of type `maintain` gives persistent requests, and its instances cannot be stopped all the same.
    #[test]
    fn an_instance_of_a_fleet_is_not_stopped_whatever_its_request_says() {
        for key in ["aws:ec2:fleet-id", "aws:ec2spot:fleet-request-id"] {
            let of_fleet = Tag::builder().key(key).value("fleet-1").build();
            let instance = Instance::builder().tags(of_fleet).build();
            let said = obstacle(&instance, &[persistent().build()]).unwrap();
            assert_eq!(said, "it is of fleet fleet-1");
        }
    }
}
