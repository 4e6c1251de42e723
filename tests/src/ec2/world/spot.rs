//! Spot requests, and what EC2 refuses to do to their instances.

use super::filters::Filters;
use super::{Answer, State};
use crate::ec2::xml;
use crate::ec2::{Instance, SpotRequest};
use crate::fake_aws::{Reply, Request};

impl State {
    pub(super) fn describe_spot_instance_requests(&mut self, request: &Request) -> Answer {
        let ids = request.list("SpotInstanceRequestId");
        let all = self.here.instances.iter().filter_map(|instance| {
            let spot = instance.spot.clone()?;
            Some((instance.id.clone(), spot))
        });
        let all: Vec<(String, SpotRequest)> = all.collect();
        for id in &ids {
            if !all.iter().any(|(_, spot)| spot.id == *id) {
                let message = format!("The spot instance request ID '{id}' does not exist");
                let code = "InvalidSpotInstanceRequestID.NotFound";
                return Err(Reply::error(400, code, message));
            }
        }
        let filters = Filters::of(request);
        let mut found = Vec::new();
        for (instance, spot) in all {
            let is_wanted = ids.is_empty() || ids.contains(&spot.id);
            if is_wanted
                && filters.accept(&[], |filter| {
                    Some(match filter {
                        "instance-id" => vec![instance.clone()],
                        "spot-instance-request-id" => vec![spot.id.clone()],
                        "state" => vec![spot.state.clone()],
                        "type" => vec![spot.kind.clone()],
                        _ => return None,
                    })
                })?
            {
                found.push((instance, spot));
            }
        }
        let (found, next) = self.page(request, found);
        Ok(xml::with_next_page(
            xml::describe_spot_instance_requests(&found),
            next.as_deref(),
        ))
    }
}

/// StopInstances' refusal of most Spot Instances
/// (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/using-spot-instances-request.html>). A dry run says nothing
/// of it here, which is the harder case: what EC2 does is unproven. No source was found for the words where a request is
/// cancelled or of a group.
pub(super) fn refuse_stop(instance: &Instance) -> Result<(), Reply> {
    let Some(spot) = &instance.spot else {
        return Ok(());
    };
    let is_of_fleet = instance.tags.iter().any(|(key, _)| {
        ["aws:ec2:fleet-id", "aws:ec2spot:fleet-request-id"].contains(&key.as_str())
    });
    let why = if spot.kind != "persistent" {
        "it is associated with a one-time Spot Instance request. You can only stop Spot Instances associated with persistent Spot Instance requests."
    } else if is_of_fleet {
        "it is in a fleet, which does not support stop."
    } else if spot.launch_group.is_some() {
        "it is in a launch group, which does not support stop."
    } else if spot.state == "cancelled" {
        "its Spot Instance request is cancelled."
    } else {
        return Ok(());
    };
    let message = format!(
        "You can't stop the Spot Instance '{}' because {why}",
        instance.id
    );
    Err(Reply::error(400, "UnsupportedOperation", message))
}
