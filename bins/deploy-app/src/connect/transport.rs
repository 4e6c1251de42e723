//! Which ways lead to the SSH port of the host, why the others do not, and the streams over them.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use action::failure::Failure;
use action::program::Context;
use aws::dial::Dialer;
use aws::error::{AwsError, Kind};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use ssh::{Address, ConnectError, HostKeyPolicy, Identity, Session};
use tokio::time::{Instant, sleep};
use tunnel::eic::{self, Choice, Eic};
use tunnel::ssm::{End, Ping, Ssm};
use tunnel::stream::Ending;
use tunnel::{EndpointError, Host, OpenError, SsmError, Tunnel, TunnelError, Tunnels};

use super::cloud::Cloud;
use super::instance::InstanceInfo;
use crate::settings::{Checked, Transport};

/// A direct connection to a public address is tried alone for so long: it is the fastest way, and costs no session.
const HEAD_START: Duration = Duration::from_secs(2);
/// What ends tunnels may take this long, also when the deadline is over.
const ENDING: Duration = Duration::from_secs(12);

/// One way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    /// A TCP connection from this machine.
    Direct,
    /// Through an Instance Connect Endpoint.
    Endpoint(Choice),
    /// Through a session of Session Manager.
    Session,
}

impl Route {
    /// The word of the setting for it.
    fn transport(&self) -> Transport {
        match self {
            Self::Direct => Transport::Direct,
            Self::Endpoint(_) => Transport::Eic,
            Self::Session => Transport::Ssm,
        }
    }
}

impl std::fmt::Display for Route {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Direct => f.write_str("a direct connection"),
            Self::Endpoint(choice) => write!(f, "the Instance Connect Endpoint {}", choice.id),
            Self::Session => f.write_str("Session Manager"),
        }
    }
}

/// The ways to a host.
#[derive(Debug, Default)]
pub(crate) struct Routes {
    /// Those that may lead there, at least one.
    routes: Vec<Route>,
    /// Those that cannot, and why.
    excluded: Vec<(Transport, String)>,
    tunneling: Option<Tunneling>,
    has_public_address: bool,
    /// What was connected over.
    taken: Mutex<Vec<Taken>>,
}

/// A way that was connected over.
#[derive(Debug)]
struct Taken {
    transport: Transport,
    /// It, and why not the others.
    told: Option<String>,
    /// How it ends, where it is a tunnel.
    ending: Option<Ending>,
    /// When it was connected over.
    since: Instant,
}

/// How long a tunnel through an Instance Connect Endpoint lasts: an hour by AWS's clock, which began before ours.
const LIFE: Duration = Duration::from_secs(55 * 60);
/// One that is younger than this is as good as a new one.
const NEW: Duration = Duration::from_secs(10);

/// Whether a tunnel of this age ends within the time that is needed, and a new one would last longer.
fn ends_within(age: Duration, needed: Duration) -> bool {
    age > NEW && LIFE.saturating_sub(age) < needed
}

/// What opens tunnels.
#[derive(Debug)]
struct Tunneling {
    host: Host,
    dialer: Dialer,
    eic: Eic,
    ssm: Ssm,
    tunnels: Tunnels,
}

impl Routes {
    /// The direct way alone.
    pub(crate) fn direct() -> Self {
        Self {
            routes: vec![Route::Direct],
            ..Self::default()
        }
    }

    /// Looks at what can lead to an instance; `address` is where a direct connection would go.
    pub(crate) async fn find(
        settings: &Checked,
        context: &Context,
        cloud: &Cloud,
        seen: &InstanceInfo,
        address: Option<&Address>,
    ) -> Result<Self, Failure> {
        let is_named = settings.destination.address.is_some();
        let wanted = settings.transport;
        let is_elsewhere = is_named || !settings.jumps.is_empty();
        if wanted == Transport::Direct || (wanted == Transport::Auto && is_elsewhere) {
            return match address {
                Some(_) => Ok(Self::direct()),
                None => Err(without_address(seen)),
            };
        }
        if !settings.jumps.is_empty() {
            return Err(Failure::refused(format!(
                "DEPLOY_APP_TRANSPORT={wanted} connects to the instance itself, but a jump host is set; nothing was connected to"
            ))
            .hint("keep one of the two"));
        }
        let dialer = Dialer::of(context).await?;
        let tunneling = Tunneling {
            host: host(seen),
            eic: Eic::new(&cloud.session, &dialer),
            ssm: Ssm::new(&cloud.session, &dialer),
            tunnels: Tunnels::default(),
            dialer,
        };
        let look = Look {
            tunneling: &tunneling,
            seen,
        };
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
        if routes.is_empty() {
            return Err(nowhere(seen, wanted, &excluded));
        }
        Ok(Self {
            routes,
            excluded,
            tunneling: Some(tunneling),
            has_public_address: seen.public_ip.is_some(),
            taken: Mutex::default(),
        })
    }

    /// Whether there is more than a direct connection.
    pub(crate) fn has_tunnel(&self) -> bool {
        self.routes.iter().any(|route| *route != Route::Direct)
    }

    /// Whether a direct connection is among them.
    pub(crate) fn has_direct(&self) -> bool {
        self.routes.contains(&Route::Direct)
    }

    /// A line for each way that cannot lead there, with the reason.
    pub(crate) fn lines(&self) -> impl Iterator<Item = String> {
        let excluded = self.excluded.iter();
        excluded.map(|(transport, why)| format!("{transport}: {why}"))
    }

    fn told(&self, taken: &Route) -> Option<String> {
        self.tunneling.as_ref()?;
        let others = self.routes.iter().filter(|route| *route != taken);
        let slower = others.map(|route| format!("{}: it was not faster", route.transport()));
        let others: Vec<String> = self.lines().chain(slower).collect();
        Some(match others.as_slice() {
            [] => format!("over {taken}"),
            others => format!("over {taken} ({})", others.join("; ")),
        })
    }

    /// Connects over every way at once, and takes the first that authenticates.
    pub(crate) async fn connect(&self, to: &To<'_>) -> Result<Session, Tried> {
        let mut tries: FuturesUnordered<_> = self
            .routes
            .iter()
            .map(|route| async move { (route, self.over(route, to).await) })
            .collect();
        let mut met = Vec::new();
        while let Some((route, tried)) = tries.next().await {
            match tried {
                Ok((session, ending)) => {
                    self.taken().push(Taken {
                        transport: route.transport(),
                        told: self.told(route),
                        ending,
                        since: Instant::now(),
                    });
                    return Ok(session);
                }
                // Whoever is between us and one way may be so on the others.
                Err(Met::Ssh(
                    error @ (ConnectError::HostKey { .. } | ConnectError::HostKeyTypes { .. }),
                )) => {
                    met = vec![(route.clone(), Met::Ssh(error))];
                    break;
                }
                Err(error) => met.push((route.clone(), error)),
            }
        }
        Err(Tried {
            met,
            is_choice: self.routes.len() > 1,
        })
    }

    fn taken(&self) -> MutexGuard<'_, Vec<Taken>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn over(&self, route: &Route, to: &To<'_>) -> Result<(Session, Option<Ending>), Met> {
        if *route != Route::Direct && self.has_direct() && self.has_public_address {
            sleep(HEAD_START).await;
        }
        let tunnel = match (route, &self.tunneling) {
            (Route::Direct, _) | (_, None) => {
                let stream = to.address.connect(to.deadline).await.map_err(Met::Ssh)?;
                pushed(to).await?;
                return Session::connect(stream, to.user, to.identity, to.policy, to.deadline)
                    .await
                    .map(|session| (session, None))
                    .map_err(Met::Ssh);
            }
            (Route::Endpoint(choice), Some(with)) => {
                with.eic.open(choice, &with.tunnels, to.deadline).await
            }
            (Route::Session, Some(with)) => {
                with.ssm.open(&with.host, &with.tunnels, to.deadline).await
            }
        };
        let tunnel: Tunnel = tunnel.map_err(Met::Tunnel)?;
        let ending = tunnel.ending();
        pushed(to).await?;
        let connected =
            Session::connect(tunnel, to.user, to.identity, to.policy, to.deadline).await;
        match connected {
            Ok(session) => Ok((session, Some(ending))),
            // A tunnel that ended says more than SSH about its end.
            Err(error) => Err(ending.reason().map_or(Met::Ssh(error), Met::Tunnel)),
        }
    }

    /// What opens streams to servers of AWS's, where there may be tunnels.
    pub(crate) fn dialer(&self) -> Option<&Dialer> {
        self.tunneling.as_ref().map(|with| &with.dialer)
    }

    /// Whether the host is reached over a session of Session Manager, which carries a MiB or two a second.
    pub(crate) fn is_session(&self) -> bool {
        let taken = self.taken();
        taken
            .last()
            .is_some_and(|taken| taken.transport == Transport::Ssm)
    }

    /// Whether the way to the host ends within the time that is needed, and a new connection would last longer.
    pub(crate) fn ends_within(&self, needed: Duration) -> bool {
        let taken = self.taken();
        taken.last().is_some_and(|taken| {
            taken.transport == Transport::Eic && ends_within(taken.since.elapsed(), needed)
        })
    }

    /// The way to the host and why the others were not taken; none where there was no choice.
    pub(crate) fn way(&self) -> Option<String> {
        self.taken().last().and_then(|taken| taken.told.clone())
    }

    /// Why the tunnel that carried the deployment ended, where it did so by itself.
    pub(crate) fn broken(&self) -> Option<TunnelError> {
        let taken = self.taken();
        let endings = taken.iter().rev().filter_map(|taken| taken.ending.as_ref());
        endings.filter_map(Ending::reason).next()
    }

    /// Ends every tunnel, also the one that carried the deployment. What is left behind is told.
    pub(crate) async fn close(&self) -> Vec<String> {
        match &self.tunneling {
            Some(with) => with.tunnels.close(Instant::now() + ENDING).await,
            None => Vec::new(),
        }
    }
}

async fn pushed(to: &To<'_>) -> Result<(), Met> {
    let pushed = (to.push)().await;
    pushed.map_err(|failure| Met::Final(Box::new(failure)))
}

/// What is connected to.
pub(crate) struct To<'a> {
    pub(crate) address: &'a Address,
    pub(crate) user: &'a str,
    pub(crate) identity: &'a Identity,
    pub(crate) policy: &'a HostKeyPolicy,
    pub(crate) deadline: Instant,
    /// Lets the key in, just before it is used.
    pub(crate) push: &'a (dyn Fn() -> Pushing<'a> + Sync),
}

/// The answer of [`To::push`].
pub(crate) type Pushing<'a> =
    std::pin::Pin<Box<dyn Future<Output = Result<(), Failure>> + Send + 'a>>;

/// Why one way did not come about.
#[derive(Debug, Clone)]
pub(crate) enum Met {
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

fn without_address(seen: &InstanceInfo) -> Failure {
    Failure::refused(format!("instance {} has no address", seen.id))
        .hint("set DEPLOY_APP_ADDRESS, or another DEPLOY_APP_TRANSPORT")
}

fn nowhere(seen: &InstanceInfo, wanted: Transport, excluded: &[(Transport, String)]) -> Failure {
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

#[cfg(test)]
mod tests {
    use super::ends_within;
    use std::time::Duration;

    #[test]
    fn a_tunnel_is_opened_anew_when_it_is_old_enough_and_would_end_too_early() {
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        for (age, needed, is_due) in [
            (Duration::from_secs(5), minutes(60), false),
            (Duration::from_secs(11), minutes(60), true),
            (minutes(20), minutes(34), false),
            (minutes(20), minutes(36), true),
            (minutes(58), minutes(1), true),
        ] {
            assert_eq!(ends_within(age, needed), is_due, "{age:?} {needed:?}");
        }
    }
}
