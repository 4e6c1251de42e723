//! Spot requests in EC2's answers.

use std::fmt::Write as _;

use super::{answer, element, optional};
use crate::ec2::SpotRequest;
use crate::ec2::time::LONG_AGO;

/// DescribeSpotInstanceRequests' answer: each request with its instance.
pub(in crate::ec2) fn describe_spot_instance_requests(
    requests: &[(String, SpotRequest)],
) -> String {
    let mut items = String::new();
    for (instance, request) in requests {
        let _ = writeln!(
            items,
            "<item>\n{}<spotPrice>0.083200</spotPrice>\n{}{}{}{}<createTime>{LONG_AGO}</createTime>\n\
             <productDescription>Linux/UNIX</productDescription>\n\
             <launchedAvailabilityZone>eu-west-1a</launchedAvailabilityZone>\n{}</item>",
            element("spotInstanceRequestId", &request.id),
            element("type", &request.kind),
            element("state", &request.state),
            optional("launchGroup", request.launch_group.as_ref()),
            element("instanceId", instance),
            element("instanceInterruptionBehavior", &request.interruption)
        );
    }
    answer(
        "DescribeSpotInstanceRequests",
        &format!("<spotInstanceRequestSet>\n{items}</spotInstanceRequestSet>\n"),
    )
}
