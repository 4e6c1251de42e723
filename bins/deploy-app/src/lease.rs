//! Holding the lock of the target folder: waiting for it, renewing it, losing it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use action::exit::Exit;
use action::failure::Failure;
use action::interrupt::Signal;
use action::program::Context;
use action::wait::Limits;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout_at};

use crate::release;
use crate::release::lock::{self, Claim, Holder, Locked};
use crate::release::scripts;
use crate::remote::Remote;
use ssh::{OutputMode as Show, Session, Stdin as Input};

/// Between two tries for a held lock.
const PAUSE: Duration = Duration::from_secs(2);
/// A waiting line is printed this often.
const HEARTBEAT: Duration = Duration::from_secs(30);
/// How long a lock may take to be given back of which it is not known whether it was taken.
const GIVE_BACK: Duration = Duration::from_secs(10);
/// AWS is asked this often whether the holder's build still runs.
const ASK: Duration = Duration::from_secs(15);

/// The lock, held.
#[derive(Debug)]
pub struct Lease {
    claim: Claim,
    target: String,
    lost: Arc<AtomicBool>,
    renewal: JoinHandle<()>,
}

/// Takes the lock, waiting for whoever holds it. What a [`release::quick_look`] by its holder printed comes with
/// it, for [`Remote::seen`].
///
/// # Errors
/// [`Exit::Lost`] when it is still held at the end of the wait.
pub async fn take(
    remote: &Remote<'_>,
    context: &Context,
    digest: &str,
    limits: &Limits,
) -> Result<(Lease, Vec<u8>), Failure> {
    let settings = remote.settings;
    let paths = &settings.paths;
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let claim = Claim {
        owner: owner(context),
        build: context.codebuild.build_id.clone(),
        token: format!("{:x}{:x}", now.as_nanos(), std::process::id()),
        ttl_secs: settings.lease.as_secs().max(1),
    };
    let until = limits.deadline.min(Instant::now() + settings.lock_wait);
    let (mut said, mut asked): (Option<Instant>, Option<Instant>) = (None, None);
    let mut dead: Option<String> = None;
    let look = release::quick_look(paths, digest);
    loop {
        let script = lock::take(&paths.target, paths.store(), &claim, dead.as_deref(), &look);
        let taken = remote
            .script("take the deployment lock", &script, Input::Empty, limits)
            .await;
        let output = match taken {
            Ok(output) => output,
            Err(failure) => {
                // It may be ours by now, and nobody would give it back before it expires.
                let script = lock::give_back(&paths.target, &claim.token);
                let limits = Limits::cleanup(GIVE_BACK);
                let session = &remote.session;
                drop(
                    session
                        .exec(&script, Input::Empty, Show::Nothing, &limits)
                        .await,
                );
                return Err(failure);
            }
        };
        let holder = match Locked::parse(&String::from_utf8_lossy(&output.stdout)) {
            Some(Locked::Taken { from }) => {
                if let Some(from) = from {
                    tracing::warn!("took over the lock of {from}, which is gone");
                }
                let lease = Lease::held(claim, paths.target.clone(), remote.session.clone());
                return Ok((lease, output.stdout));
            }
            Some(Locked::Held(holder)) => holder,
            None => {
                return Err(Failure::failed(format!(
                    "cannot take the deployment lock on {}",
                    remote.shown
                ))
                .cause("the answer makes no sense"));
            }
        };
        let now = Instant::now();
        if now >= until {
            return Err(held(remote, &holder));
        }
        if said.is_none_or(|said| now >= said + HEARTBEAT) {
            tracing::info!(
                "waiting for another deployment: {} holds the lock, for {} s more unless it renews it",
                holder.owner,
                holder.expires_in
            );
            said = Some(now);
        }
        if let (Some(build), Some((cloud, _))) = (&holder.build, remote.way.instance)
            && asked.is_none_or(|asked| now >= asked + ASK)
        {
            asked = Some(now);
            let asking = timeout_at(until, cloud.is_in_progress(build));
            let in_progress = limits.interrupt.race(asking).await.map_err(stopped)?;
            if in_progress == Ok(Some(false)) {
                tracing::warn!("build {build} holds the lock and is not in progress any more");
                dead = Some(holder.token.clone());
                continue;
            }
        }
        let pause = PAUSE.min(until - now).max(Duration::from_millis(50));
        let rested = limits.interrupt.race(sleep(pause)).await;
        rested.map_err(stopped)?;
    }
}

fn stopped(signal: Signal) -> Failure {
    Failure::interrupted(signal, "stopped waiting for the deployment lock")
}

fn held(remote: &Remote<'_>, holder: &Holder) -> Failure {
    let target = &remote.settings.paths.target;
    Failure::new(
        Exit::Lost,
        format!("another deployment to {target} on {} is going on", remote.shown),
    )
    .detail(format!(
        "held by {}, for {} s more unless it renews it",
        holder.owner, holder.expires_in
    ))
    .hint(format!(
        "run again when it is done, or wait longer with DEPLOY_APP_LOCK_WAIT; if it is dead, on the host: {}",
        lock::remove_by_hand(target)
    ))
}

impl Lease {
    fn held(claim: Claim, target: String, session: Session) -> Self {
        let lost = Arc::new(AtomicBool::new(false));
        let renewal = tokio::spawn(renew(
            claim.clone(),
            target.clone(),
            session,
            Arc::clone(&lost),
        ));
        Self {
            claim,
            target,
            lost,
            renewal,
        }
    }

    /// The condition for a script that only the holder of the lock may run.
    #[must_use]
    pub fn fence(&self) -> String {
        lock::fence(&self.claim.token)
    }

    /// Whether it is still ours, as far as the last renewal knows.
    ///
    /// # Errors
    /// [`Exit::Lost`].
    pub fn check(&self) -> Result<(), Failure> {
        if self.lost.load(Ordering::Relaxed) {
            return Err(lost(&self.target));
        }
        Ok(())
    }

    /// Asks the host whether it is still ours: before a command that no [`Lease::fence`] can stand in.
    ///
    /// # Errors
    /// [`Exit::Lost`] when it is not; otherwise what kept the host from answering.
    pub async fn confirm(&self, remote: &Remote<'_>, limits: &Limits) -> Result<(), Failure> {
        self.check()?;
        let script = scripts::fenced(&remote.settings.paths, &self.fence(), ":");
        remote
            .release("look at the deployment lock", &script, limits)
            .await
    }

    /// Gives the lock back, over a connection that may be another one by now, and runs `then`.
    ///
    /// # Errors
    /// When the host does not do it; the lock expires by itself then.
    pub async fn give_back(
        &self,
        remote: &Remote<'_>,
        then: &str,
        limits: &Limits,
    ) -> Result<(), Failure> {
        self.renewal.abort();
        let script = lock::give_back(&self.target, &self.claim.token);
        let script = format!("({script}); status=$?; {then}; exit $status");
        remote.release("give back the lock", &script, limits).await
    }

    /// Goes on renewing over another connection.
    pub fn move_to(&mut self, session: Session) {
        self.renewal.abort();
        self.renewal = tokio::spawn(renew(
            self.claim.clone(),
            self.target.clone(),
            session,
            Arc::clone(&self.lost),
        ));
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.renewal.abort();
    }
}

/// The failure of a deployment whose lock somebody else took.
pub fn lost(target: &str) -> Failure {
    Failure::new(
        Exit::Lost,
        format!("the deployment lock of {target} was lost to another deployment"),
    )
    .hint("it did not hear of this one for longer than DEPLOY_APP_LEASE, or was told that its build had ended; run again")
}

/// Renews the lock three times in its life, until the connection ends or somebody else has it.
async fn renew(claim: Claim, target: String, session: Session, lost: Arc<AtomicBool>) {
    let pause = Duration::from_secs(claim.ttl_secs) / 3;
    let script = lock::renew(&target, &claim.token, claim.ttl_secs);
    loop {
        let limits = Limits::cleanup(pause.max(Duration::from_secs(5)));
        let renewed = session
            .exec(&script, Input::Empty, Show::Nothing, &limits)
            .await;
        if renewed.is_ok_and(|output| output.status == lock::LOST) {
            lost.store(true, Ordering::Relaxed);
            return;
        }
        if session.is_closed() {
            return;
        }
        sleep(pause).await;
    }
}

/// Who deploys, in words.
#[must_use]
pub fn owner(context: &Context) -> String {
    match &context.codebuild.build_id {
        Some(build) => format!("build {build}"),
        None => {
            let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
            format!("process {} on {}", std::process::id(), host.trim())
        }
    }
}
