//! What came of trying the ways to a host, and what to do about it.

use action::failure::Failure;
use aws::error::Kind;
use ssh::ConnectError;
use tunnel::ssm::End;
use tunnel::{EndpointError, OpenError, SsmError, TunnelError};

use super::route::Route;

/// Why one way did not come about.
#[derive(Debug, Clone)]
pub(super) enum Met {
    Ssh(ConnectError),
    Tunnel(TunnelError),
    /// Nothing that another try would change.
    Final(Box<Failure>),
}

/// Why no way came about, a reason each.
#[derive(Debug, Clone)]
pub(crate) struct Tried {
    met: Vec<(Route, Met)>,
    is_choice: bool,
}

impl Met {
    /// Whether another try may find it otherwise; an instance that is young may still register its agent.
    fn is_passing(&self, is_young: bool) -> bool {
        match self {
            Self::Ssh(error) => error.is_passing(),
            Self::Tunnel(error) => is_passing(error, is_young),
            Self::Final(_) => false,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Ssh(error) => error.to_string(),
            Self::Tunnel(error) => error.to_string(),
            Self::Final(failure) => failure.deed().to_owned(),
        }
    }
}

fn is_passing(error: &TunnelError, is_young: bool) -> bool {
    match error {
        TunnelError::Unsigned(_) | TunnelError::Open(OpenError::Skew { .. }) => false,
        TunnelError::Open(OpenError::Refused { status, .. }) => *status >= 500 || *status == 429,
        // Among others: the host takes no connections yet.
        TunnelError::Open(_)
        | TunnelError::Endpoint(EndpointError::Ended(_) | EndpointError::Hour(_)) => true,
        TunnelError::Ssm(error) => match error {
            SsmError::NoAgent { .. } => is_young,
            SsmError::Lost { .. } => true,
            SsmError::Start(error) => {
                matches!(error.kind, Kind::Unavailable | Kind::Lost | Kind::Late)
            }
            SsmError::Ended { end, .. } => matches!(end, End::NoServer),
            SsmError::Refused(_) | SsmError::Address => false,
        },
    }
}

/// What the failure of all ways is about.
pub(crate) enum Main<'a> {
    /// SSH answered, or did not.
    Ssh(&'a ConnectError),
    /// There was no way to SSH.
    Tunnel(&'a TunnelError),
    /// A failure of its own.
    Final(&'a Failure),
}

impl Tried {
    /// `is_choice`: there was more than one way.
    pub(super) fn new(met: Vec<(Route, Met)>, is_choice: bool) -> Self {
        Self { met, is_choice }
    }

    /// The one that says most: somebody answered, else what will not pass, else the first.
    pub(crate) fn main(&self) -> Option<Main<'_>> {
        let met = || self.met.iter().map(|(_, met)| met);
        let answered = met().find(|met| matches!(met, Met::Ssh(error) if !error.is_passing()));
        let main = answered
            .or_else(|| met().find(|met| matches!(met, Met::Final(_))))
            .or_else(|| met().find(|met| matches!(met, Met::Ssh(_))))
            .or_else(|| met().next())?;
        Some(match main {
            Met::Ssh(error) => Main::Ssh(error),
            Met::Tunnel(error) => Main::Tunnel(error),
            Met::Final(failure) => Main::Final(failure),
        })
    }

    /// Whether another try may find it otherwise.
    pub(crate) fn is_passing(&self, is_young: bool) -> bool {
        let is_answered = |met: &Met| matches!(met, Met::Ssh(error) if !error.is_passing());
        let mut met = self.met.iter();
        !met.clone().any(|(_, met)| is_answered(met))
            && met.any(|(_, met)| met.is_passing(is_young))
    }

    /// A line for each way where there was a choice.
    pub(crate) fn lines(&self) -> Vec<String> {
        let met = self.met.iter().filter(|_| self.is_choice);
        met.map(|(route, met)| format!("{}: {}", route.transport(), met.text()))
            .collect()
    }
}

impl std::fmt::Display for Tried {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.is_choice, self.main()) {
            (true, _) => f.write_str(&self.lines().join("; ")),
            (false, Some(Main::Ssh(error))) => error.fmt(f),
            (false, Some(Main::Tunnel(error))) => error.fmt(f),
            (false, Some(Main::Final(failure))) => f.write_str(failure.deed()),
            (false, None) => f.write_str("no way was tried"),
        }
    }
}

/// What to do about it.
pub(crate) fn hint(error: &TunnelError) -> &'static str {
    match error {
        TunnelError::Open(OpenError::Skew { .. }) => {
            "set the clock of this machine; signatures are good for a minute"
        }
        TunnelError::Open(OpenError::Refused {
            status: 401 | 403, ..
        }) => {
            "the role needs ec2-instance-connect:OpenTunnel on the endpoint, or for a session ssmmessages:OpenDataChannel; see IAM on deploy-app's page"
        }
        TunnelError::Open(_) | TunnelError::Unsigned(_) => {
            "this machine needs a way to the endpoint (eic: *.ec2-instance-connect-endpoint.REGION.amazonaws.com; ssm: ssmmessages.REGION.amazonaws.com), also through a proxy"
        }
        TunnelError::Endpoint(_) => {
            "the security group of the instance must let the endpoint's security group reach port 22, and the endpoint's must let it out; 20 tunnels at a time go through one endpoint"
        }
        TunnelError::Ssm(SsmError::NoAgent { .. }) => {
            "the instance needs the SSM agent, a role with AmazonSSMManagedInstanceCore, and a way to ssm and ssmmessages; aws ssm describe-instance-information lists what has registered"
        }
        TunnelError::Ssm(SsmError::Refused(_)) => {
            "see IAM on deploy-app's page, and the preferences of Session Manager"
        }
        TunnelError::Ssm(SsmError::Ended {
            end: End::Key { .. },
            ..
        }) => {
            "Session Manager's preferences encrypt sessions: this role needs kms:GenerateDataKey on that key, and the instance's role kms:Decrypt"
        }
        TunnelError::Ssm(SsmError::Ended {
            end: End::NoServer, ..
        }) => "check that sshd runs on the instance and listens at port 22",
        TunnelError::Ssm(_) => {
            "Session Manager's preferences and the agent's log (/var/log/amazon/ssm) say more; DEPLOY_APP_TRANSPORT chooses another way"
        }
    }
}
