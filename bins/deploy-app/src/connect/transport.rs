//! The ways that lead to the SSH port of the host, and connecting over them. `candidates` finds out which ones may, and
//! `tried` says what came of each.

mod candidates;
mod route;
mod tried;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use action::failure::Failure;
use action::program::Context;
use aws::dial::Dialer;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use ssh::{Address, ConnectError, HostKeyPolicy, Identity, Session};
use tokio::time::{Instant, sleep};
use tunnel::stream::Ending;
use tunnel::{Tunnel, TunnelError};

use self::candidates::Tunneling;
use self::route::Route;
use self::tried::Met;
pub(crate) use self::tried::{Main, Tried, hint};
use super::cloud::Cloud;
use super::instance::InstanceInfo;
use crate::settings::{Checked, Transport};

/// A direct connection to a public address is tried alone for so long: it is the fastest way, and costs no session.
const HEAD_START: Duration = Duration::from_secs(2);
/// What ends tunnels may take this long, also when the deadline is over.
const ENDING: Duration = Duration::from_secs(12);

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
                None => Err(candidates::without_address(seen)),
            };
        }
        if !settings.jumps.is_empty() {
            return Err(Failure::refused(format!(
                "DEPLOY_APP_TRANSPORT={wanted} connects to the instance itself, but a jump host is set; nothing was connected to"
            ))
            .hint("keep one of the two"));
        }
        let dialer = Dialer::of(context).await?;
        let tunneling = Tunneling::of(cloud, seen, dialer);
        let (routes, excluded) = candidates::of(wanted, address, &tunneling, seen).await;
        if routes.is_empty() {
            return Err(candidates::nowhere(seen, wanted, &excluded));
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
        Err(Tried::new(met, self.routes.len() > 1))
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
