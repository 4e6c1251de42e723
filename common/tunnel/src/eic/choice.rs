//! Which endpoint leads to a host, decided from what EC2 lists.

use std::net::IpAddr;

use aws_sdk_ec2::types::{
    Ec2InstanceConnectEndpoint, Ec2InstanceConnectEndpointState as State,
    InstanceConnectEndpointDnsNames, IpAddressType,
};

use crate::host::Host;

/// An endpoint as EC2 lists it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Endpoint {
    /// Its id, `eice-…`.
    pub id: String,
    /// The VPC that it leads into.
    pub vpc: String,
    /// The subnet that it stands in.
    pub subnet: String,
    /// EC2's word for its state.
    pub state: String,
    /// Whether it leads anywhere in that state.
    pub is_ready: bool,
    /// Its names over IPv4.
    pub ipv4: [Option<String>; 2],
    /// Its names over IPv4 and IPv6.
    pub dual_stack: [Option<String>; 2],
    /// Whether it reaches IPv4 addresses of hosts.
    pub reaches_ipv4: bool,
    /// Whether it reaches IPv6 addresses of hosts.
    pub reaches_ipv6: bool,
}

impl Endpoint {
    pub(super) fn of(listed: &Ec2InstanceConnectEndpoint) -> Self {
        let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
        let filled = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
        let both = |names: &InstanceConnectEndpointDnsNames| {
            [filled(names.dns_name()), filled(names.fips_dns_name())]
        };
        let names = listed.public_dns_names();
        let ipv4 = names.and_then(|names| names.ipv4()).map(both);
        let dual_stack = names.and_then(|names| names.dualstack()).map(both);
        // Endpoints from before there was a choice say nothing of it.
        let reaches = listed.ip_address_type();
        Self {
            id: text(listed.instance_connect_endpoint_id()),
            vpc: text(listed.vpc_id()),
            subnet: text(listed.subnet_id()),
            state: text(listed.state().map(State::as_str)),
            // While it is changed, it still leads; so AWS's own client has it.
            is_ready: matches!(
                listed.state(),
                Some(
                    State::CreateComplete
                        | State::UpdateInProgress
                        | State::UpdateComplete
                        | State::UpdateFailed
                )
            ),
            ipv4: ipv4
                .unwrap_or_else(|| [filled(listed.dns_name()), filled(listed.fips_dns_name())]),
            dual_stack: dual_stack.unwrap_or_default(),
            reaches_ipv4: !matches!(reaches, Some(IpAddressType::Ipv6)),
            reaches_ipv6: matches!(
                reaches,
                Some(IpAddressType::Ipv6 | IpAddressType::Dualstack)
            ),
        }
    }

    /// The name to ask it by: the one that is wanted, else the one that it has.
    fn name(&self, names: Names) -> Option<&String> {
        let at = usize::from(names.fips);
        let (first, second) = match names.dual_stack {
            true => (&self.dual_stack, &self.ipv4),
            false => (&self.ipv4, &self.dual_stack),
        };
        first[at].as_ref().or(second[at].as_ref())
    }

    fn reaches(&self, host: &Host) -> Option<IpAddr> {
        let ipv4 = host.ipv4.filter(|_| self.reaches_ipv4).map(IpAddr::V4);
        let ipv6 = host.ipv6.filter(|_| self.reaches_ipv6).map(IpAddr::V6);
        ipv4.or(ipv6)
    }
}

/// Which of an endpoint's names the settings for AWS ask for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Names {
    /// `AWS_USE_FIPS_ENDPOINT`: no other name stands in.
    pub fips: bool,
    /// `AWS_USE_DUALSTACK_ENDPOINT`.
    pub dual_stack: bool,
}

/// The endpoint to use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The private address of the host.
    pub address: IpAddr,
}

/// Why there is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Lack {
    /// Nowhere in the account and region.
    #[error("there is no Instance Connect Endpoint in {vpc}, nor in another VPC")]
    NoEndpoint {
        /// The host's VPC.
        vpc: String,
    },
    /// Only in other VPCs.
    #[error(
        "there is no Instance Connect Endpoint in {vpc}; {}, and an endpoint reaches its own VPC only",
        listed(.elsewhere)
    )]
    OtherVpc {
        /// The host's VPC.
        vpc: String,
        /// Endpoints and their VPCs.
        elsewhere: Vec<(String, String)>,
    },
    /// Not in a state in which it leads anywhere.
    #[error("the Instance Connect Endpoint {id} in {vpc} is in state {state}")]
    State {
        /// The endpoint.
        id: String,
        /// The host's VPC.
        vpc: String,
        /// EC2's word for it.
        state: String,
    },
    /// Not to the addresses that the host has.
    #[error(
        "the Instance Connect Endpoint {id} does not reach the addresses of the instance: it is for {sort}"
    )]
    Address {
        /// The endpoint.
        id: String,
        /// What it reaches.
        sort: &'static str,
    },
    /// Not by a name of the kind that is wanted.
    #[error(
        "the Instance Connect Endpoint {id} has no FIPS name, and AWS_USE_FIPS_ENDPOINT asks for one"
    )]
    Name {
        /// The endpoint.
        id: String,
    },
}

fn listed(elsewhere: &[(String, String)]) -> String {
    let shown: Vec<String> = elsewhere
        .iter()
        .take(3)
        .map(|(id, vpc)| format!("{id} is in {vpc}"))
        .collect();
    shown.join(", ")
}

/// The endpoint for a host: one of its VPC that is ready, first one of its subnet.
///
/// # Errors
/// Why none leads to it.
pub fn choose(endpoints: &[Endpoint], host: &Host, names: Names) -> Result<Choice, Lack> {
    let vpc = || host.vpc.clone();
    let (own, others): (Vec<_>, Vec<_>) = endpoints.iter().partition(|one| one.vpc == host.vpc);
    let mut ready: Vec<&&Endpoint> = own.iter().filter(|one| one.is_ready).collect();
    ready.sort_by_key(|one| (one.subnet != host.subnet, one.id.clone()));
    let mut lack = None;
    for one in ready {
        let id = || one.id.clone();
        let found = match (one.reaches(host), one.name(names)) {
            (Some(address), Some(name)) => {
                let (id, name) = (id(), name.clone());
                return Ok(Choice { id, name, address });
            }
            (Some(_), None) => Lack::Name { id: id() },
            (None, _) => Lack::Address {
                id: id(),
                sort: match (one.reaches_ipv4, one.reaches_ipv6) {
                    (_, false) => "IPv4",
                    (false, true) => "IPv6",
                    (true, true) => "IPv4 and IPv6",
                },
            },
        };
        lack.get_or_insert(found);
    }
    if let Some(lack) = lack {
        return Err(lack);
    }
    if let Some(one) = own.first() {
        let (id, state) = (one.id.clone(), one.state.clone());
        return Err(Lack::State {
            id,
            vpc: vpc(),
            state,
        });
    }
    Err(match others.is_empty() {
        true => Lack::NoEndpoint { vpc: vpc() },
        false => Lack::OtherVpc {
            vpc: vpc(),
            elsewhere: others
                .iter()
                .map(|one| (one.id.clone(), one.vpc.clone()))
                .collect(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::{Endpoint, Lack, Names, choose};
    use crate::host::Host;

    fn endpoint(id: &str, vpc: &str, subnet: &str) -> Endpoint {
        let name = |kind: &str| Some(format!("{id}.{kind}"));
        Endpoint {
            id: id.to_owned(),
            vpc: vpc.to_owned(),
            subnet: subnet.to_owned(),
            state: "create-complete".to_owned(),
            is_ready: true,
            ipv4: [name("v4"), name("fips")],
            dual_stack: [name("dual"), None],
            reaches_ipv4: true,
            reaches_ipv6: false,
        }
    }

    fn host() -> Host {
        Host {
            instance: "i-1".to_owned(),
            vpc: "vpc-1".to_owned(),
            subnet: "subnet-1".to_owned(),
            ipv4: Some([10, 0, 0, 7].into()),
            ipv6: None,
        }
    }

    fn chosen(endpoints: &[Endpoint], names: Names) -> Result<String, Lack> {
        choose(endpoints, &host(), names).map(|choice| choice.name)
    }

    #[test]
    fn the_subnets_own_endpoint_comes_first_and_every_other_of_the_vpc_will_do() {
        let all = [
            endpoint("eice-0", "vpc-2", "subnet-1"),
            endpoint("eice-1", "vpc-1", "subnet-2"),
            endpoint("eice-2", "vpc-1", "subnet-1"),
        ];
        assert_eq!(chosen(&all, Names::default()).as_deref(), Ok("eice-2.v4"));
        assert_eq!(
            chosen(&all[..2], Names::default()).as_deref(),
            Ok("eice-1.v4")
        );
    }

    #[test]
    fn the_name_is_of_the_kind_that_is_wanted() {
        let all = [endpoint("eice-1", "vpc-1", "subnet-1")];
        let names = |fips, dual_stack| chosen(&all, Names { fips, dual_stack });
        assert_eq!(names(false, true).as_deref(), Ok("eice-1.dual"));
        assert_eq!(names(true, true).as_deref(), Ok("eice-1.fips"));
        let [mut plain] = all.clone();
        plain.ipv4[1] = None;
        let fips = Names {
            fips: true,
            dual_stack: false,
        };
        let id = "eice-1".to_owned();
        assert_eq!(chosen(&[plain], fips), Err(Lack::Name { id }));
    }

    #[test]
    fn every_lack_says_what_there_is() {
        let names = Names::default();
        let said =
            |endpoints: &[Endpoint]| chosen(endpoints, names).map_err(|lack| lack.to_string());
        assert_eq!(
            said(&[]),
            Err("there is no Instance Connect Endpoint in vpc-1, nor in another VPC".to_owned())
        );
        assert_eq!(
            said(&[endpoint("eice-0", "vpc-2", "subnet-1")]),
            Err(
                "there is no Instance Connect Endpoint in vpc-1; eice-0 is in vpc-2, \
                 and an endpoint reaches its own VPC only"
                    .to_owned()
            )
        );
        let mut making = endpoint("eice-1", "vpc-1", "subnet-1");
        making.state = "create-in-progress".to_owned();
        making.is_ready = false;
        assert_eq!(
            said(&[making]),
            Err(
                "the Instance Connect Endpoint eice-1 in vpc-1 is in state create-in-progress"
                    .to_owned()
            )
        );
        let mut six = endpoint("eice-1", "vpc-1", "subnet-1");
        (six.reaches_ipv4, six.reaches_ipv6) = (false, true);
        assert_eq!(
            said(&[six]),
            Err(
                "the Instance Connect Endpoint eice-1 does not reach the addresses of the instance: it is for IPv6"
                    .to_owned()
            )
        );
    }
}
