//! Which ways may lead to an instance, and why the others do not.

use std::net::{Ipv4Addr, Ipv6Addr};

use action::failure::Failure;
use aws::dial::Dialer;
use aws::error::{AwsError, Kind};
use ssh::Address;
use tunnel::eic::{self, Eic};
use tunnel::ssm::{Ping, Ssm};
use tunnel::{Host, Tunnels};

use super::route::Route;
use crate::connect::cloud::Cloud;
use crate::connect::instance::InstanceInfo;
use crate::settings::Transport;

/// What opens tunnels.
#[derive(Debug)]
pub(super) struct Tunneling {
    pub(super) host: Host,
    pub(super) dialer: Dialer,
    pub(super) eic: Eic,
    pub(super) ssm: Ssm,
    pub(super) tunnels: Tunnels,
}

impl Tunneling {
    pub(super) fn of(cloud: &Cloud, seen: &InstanceInfo, dialer: Dialer) -> Self {
        Self {
            host: host(seen),
            eic: Eic::new(&cloud.session, &dialer),
            ssm: Ssm::new(&cloud.session, &dialer),
            tunnels: Tunnels::default(),
            dialer,
        }
    }
}

/// A way that cannot lead there, and why.
type Excluded = (Transport, String);

/// Looks at what can lead to an instance; `address` is where a direct connection would go.
pub(super) async fn of(
    wanted: Transport,
    address: Option<&Address>,
    tunneling: &Tunneling,
    seen: &InstanceInfo,
) -> (Vec<Route>, Vec<Excluded>) {
    let look = Look { tunneling, seen };
    let mut routes = Vec::new();
    let mut excluded = Vec::new();
    let direct = match address {
        Some(_) => Ok(Route::Direct),
        None => Err("the instance has no address".to_owned()),
    };
    let found = match wanted {
        Transport::Direct => vec![(Transport::Direct, direct)],
        Transport::Eic => vec![(Transport::Eic, look.endpoint().await)],
        Transport::Ssm => vec![(Transport::Ssm, Ok(Route::Session))],
        Transport::Auto => {
            let (endpoint, session) = tokio::join!(look.endpoint(), look.session());
            vec![
                (Transport::Direct, direct),
                (Transport::Eic, endpoint),
                (Transport::Ssm, session),
            ]
        }
    };
    for (transport, found) in found {
        match found {
            Ok(route) => routes.push(route),
            Err(why) => excluded.push((transport, why)),
        }
    }
    (routes, excluded)
}

struct Look<'a> {
    tunneling: &'a Tunneling,
    seen: &'a InstanceInfo,
}

impl Look<'_> {
    async fn endpoint(&self) -> Result<Route, String> {
        let eic = &self.tunneling.eic;
        let listed = eic.endpoints().await;
        let listed =
            listed.map_err(|error| unasked(&error, "ec2:DescribeInstanceConnectEndpoints"))?;
        eic::choose(&listed, &self.tunneling.host, eic.names())
            .map(Route::Endpoint)
            .map_err(|lack| lack.to_string())
    }

    async fn session(&self) -> Result<Route, String> {
        match self.tunneling.ssm.ping(&self.seen.id).await {
            Ok(Ping::Online) => Ok(Route::Session),
            Ok(Ping::Not(state)) => Err(format!("the SSM agent of the instance is {state}")),
            Ok(Ping::Unknown) => Err("the SSM agent of the instance is not registered".to_owned()),
            Err(error) => Err(unasked(&error, "ssm:DescribeInstanceInformation")),
        }
    }
}

fn unasked(error: &AwsError, permission: &str) -> String {
    match error.kind {
        Kind::NotPermitted => format!("the permission {permission} is missing ({error})"),
        _ => format!("it cannot be asked for: {error}"),
    }
}

fn host(seen: &InstanceInfo) -> Host {
    let ipv4: Option<Ipv4Addr> = seen.private_ip.as_deref().and_then(|ip| ip.parse().ok());
    let ipv6: Option<Ipv6Addr> = seen.ipv6.as_deref().and_then(|ip| ip.parse().ok());
    Host {
        instance: seen.id.clone(),
        vpc: seen.vpc.clone().unwrap_or_default(),
        subnet: seen.subnet.clone().unwrap_or_default(),
        ipv4,
        ipv6,
    }
}

pub(super) fn without_address(seen: &InstanceInfo) -> Failure {
    Failure::refused(format!("instance {} has no address", seen.id))
        .hint("set DEPLOY_APP_ADDRESS, or another DEPLOY_APP_TRANSPORT")
}

pub(super) fn nowhere(
    seen: &InstanceInfo,
    wanted: Transport,
    excluded: &[(Transport, String)],
) -> Failure {
    let failure = Failure::refused(format!(
        "no way leads to instance {} (DEPLOY_APP_TRANSPORT={wanted}); it was not connected to",
        seen.id
    ));
    let lines = excluded
        .iter()
        .map(|(transport, why)| format!("{transport}: {why}"));
    lines.fold(failure, Failure::detail).hint(
        "make an Instance Connect Endpoint in its VPC (EndpointSubnetId of cfn/network.yml), or let its SSM agent register \
         (role with AmazonSSMManagedInstanceCore, way to ssm and ssmmessages)",
    )
}
