//! The lock of the target folder: the agent holds it for as long as it lives, or until it is told to give it back.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use action::exit::Exit;
use action::failure::Failure;
use action::program::Context;
use action::wait::Limits;
use agent_protocol::message::{self, AgentError, Answer, Holder, Judging, Request};
use agent_protocol::plan::Plan;
use bundle::digest::Digest;
use filesync::{Decision, Operation};
use jiff::Timestamp;
use ssh::ExecError;
use tokio::time::{Instant, interval_at, sleep_until};

use super::Remote;
use super::state::State;

/// A waiting line is printed this often.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// The lock, taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lock {
    folder: String,
    owner: String,
    token: String,
}

impl Lock {
    fn request(&self, waits: bool) -> Request {
        let holder = Holder {
            owner: self.owner.clone(),
            token: self.token.clone(),
            since: 0,
            process: 0,
            lease_secs: None,
            judging: None,
        };
        let folder = self.folder.clone();
        Request::Lock {
            lock: message::Lock { folder, holder },
            waits,
        }
    }
}

/// Takes the lock, waiting for whoever holds it. What its holder sees without reading a file comes with it.
/// Fails with [`Exit::Lost`] when it is still held at the end of the wait.
pub(crate) async fn take(
    remote: &Remote<'_>,
    context: &Context,
    digest: Digest,
    limits: &Limits,
) -> Result<(Lock, State), Failure> {
    let paths = &remote.settings.paths;
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let lock = Lock {
        folder: paths.target.clone(),
        owner: owner(context),
        token: format!("{:x}{:x}", now.as_nanos(), std::process::id()),
    };
    let until = limits
        .deadline
        .min(Instant::now() + remote.settings.lock_wait);
    let left_by = match ask(remote, lock.request(false), limits).await? {
        Answer::Locked { left_by } => left_by,
        Answer::Held(holder) => wait(remote, &lock, holder, until, limits).await?,
        _ => return Err(no_sense(remote)),
    };
    if let Some(left_by) = left_by {
        tracing::warn!(
            "{} held the lock before and ended without giving it back",
            left_by.owner
        );
    }
    let state = remote.make_store(digest, limits).await?;
    Ok((lock, state))
}

/// Waits for a held lock. Gives who had it and did not give it back.
async fn wait(
    remote: &Remote<'_>,
    lock: &Lock,
    mut holder: Holder,
    until: Instant,
    limits: &Limits,
) -> Result<Option<Holder>, Failure> {
    let waiting = ask(remote, lock.request(true), limits);
    tokio::pin!(waiting);
    let mut heartbeat = interval_at(Instant::now(), HEARTBEAT);
    loop {
        tokio::select! {
            biased;
            answer = &mut waiting => return match answer? {
                Answer::Locked { left_by } => Ok(left_by),
                _ => Err(no_sense(remote)),
            },
            () = sleep_until(until) => return Err(held(remote, &holder)),
            _ = heartbeat.tick() => {
                if let Some(now) = self::holder(remote, limits).await? {
                    holder = now;
                }
                tracing::info!("waiting for another deployment: {}", shown(&holder));
            }
        }
    }
}

/// Who holds the lock.
pub(crate) async fn holder(
    remote: &Remote<'_>,
    limits: &Limits,
) -> Result<Option<Holder>, Failure> {
    let folder = remote.settings.paths.target.clone();
    match ask(remote, Request::Holder { folder }, limits).await? {
        Answer::Held(holder) => Ok(Some(holder)),
        _ => Ok(None),
    }
}

/// Takes the lock again over another connection, after the one with the agent that held it broke. Gives what that agent
/// decided alone meanwhile, where it had a plan. Fails with [`Exit::Lost`] when somebody else has the lock, or had it in
/// between.
pub(crate) async fn retake(
    remote: &Remote<'_>,
    lock: &Lock,
    limits: &Limits,
) -> Result<Option<Decision>, Failure> {
    let is_ours = |holder: &Holder| holder.token == lock.token;
    let left_by = match ask(remote, lock.request(false), limits).await? {
        Answer::Locked { left_by } => left_by,
        // The agent ends by itself, and so does one that decides alone.
        Answer::Held(holder) if is_ours(&holder) => {
            wait(remote, lock, holder, limits.deadline, limits).await?
        }
        Answer::Held(_) => return Err(lost(&lock.folder)),
        _ => return Err(no_sense(remote)),
    };
    let decision = remote.look(None, limits).await?.decision;
    match (decision, left_by) {
        (Some(decision), _) if decision.token == lock.token => Ok(Some(decision)),
        (_, Some(left_by)) if is_ours(&left_by) => Ok(None),
        // Whoever took it may have changed everything, and has it no more.
        _ => {
            drop(give_back(remote, false, limits).await);
            Err(lost(&lock.folder))
        }
    }
}

/// Leaves a plan for the agent should the connection be lost from now on, or takes it back.
pub(crate) async fn plan(
    remote: &Remote<'_>,
    plan: Option<Box<Plan>>,
    limits: &Limits,
) -> Result<(), Failure> {
    let deed = "leave a plan with the agent";
    let answer = remote.session.ask(Request::Plan(plan), limits).await;
    let answer = answer.map_err(|error| remote.no_result(deed, &error))?;
    answer
        .map(drop)
        .map_err(|error| refused(remote, deed, &error))
}

/// Gives the lock back; with `writes`, waits then until everything is on the disk.
pub(crate) async fn give_back(
    remote: &Remote<'_>,
    writes: bool,
    limits: &Limits,
) -> Result<(), Failure> {
    let answer = remote.session.ask(Request::Unlock, limits).await;
    let deed = "give back the lock";
    let answer = answer.map_err(|error| remote.no_result(deed, &error))?;
    answer.map_err(|error| refused(remote, deed, &error))?;
    match writes {
        true => {
            let deed = "write everything to disk";
            remote
                .files::<()>(deed, Operation::WriteToDisk, limits)
                .await?;
            tracing::info!("everything is on the host's disk");
            Ok(())
        }
        false => Ok(()),
    }
}

async fn ask(remote: &Remote<'_>, request: Request, limits: &Limits) -> Result<Answer, Failure> {
    let answer = remote.session.ask(request, limits).await;
    match answer {
        Ok(answer) => answer.map_err(|error| refused(remote, "take the deployment lock", &error)),
        Err(ExecError::Interrupted(signal)) => Err(Failure::interrupted(
            signal,
            "stopped waiting for the deployment lock",
        )),
        Err(error) => Err(remote.no_result("take the deployment lock", &error)),
    }
}

/// The failure of something that the agent may not do, or cannot.
fn refused(remote: &Remote<'_>, deed: &str, error: &AgentError) -> Failure {
    let deed = format!("cannot {deed} on {}", remote.shown);
    match error {
        AgentError::Denied { .. } => Failure::new(Exit::NotPermitted, deed)
            .cause(error)
            .hint(remote.make_by_hand_hint()),
        _ => Failure::failed(deed).cause(error),
    }
}

fn no_sense(remote: &Remote<'_>) -> Failure {
    Failure::failed(format!(
        "cannot take the deployment lock on {}",
        remote.shown
    ))
    .cause("the agent gave an unexpected answer")
}

fn held(remote: &Remote<'_>, holder: &Holder) -> Failure {
    let target = &remote.settings.paths.target;
    let failure = Failure::new(
        Exit::Lost,
        format!(
            "another deployment to {target} on {} is going on",
            remote.shown
        ),
    )
    .detail(format!("held by {}", shown(holder)));
    if holder.judging.is_some() {
        return failure
            .hint("run again when it has decided, or wait longer with DEPLOY_APP_LOCK_WAIT");
    }
    let wait = "run again when it is done, or wait longer with DEPLOY_APP_LOCK_WAIT";
    match holder.lease_secs {
        Some(_) => failure.hint(format!("{wait}; its lock ends by itself when it is dead")),
        None => failure.hint(format!(
            "{wait}; the lock ends with its process, on the host: kill {}",
            holder.process
        )),
    }
}

/// A holder in words.
pub(crate) fn shown(holder: &Holder) -> String {
    let owner = &holder.owner;
    if let Some(Judging { release, until }) = &holder.judging {
        return format!(
            "{owner} lost its connection, and the agent decides alone on release {release}, until {} at the latest (process {} on the host)",
            moment(*until),
            holder.process
        );
    }
    match holder.lease_secs {
        Some(left) => format!(
            "{owner}, with an older version of deploy-app, holds the lock for {left} s more unless it renews it"
        ),
        None => {
            let since = moment(holder.since);
            format!(
                "{owner} has held the lock since {since} (process {} on the host)",
                holder.process
            )
        }
    }
}

/// A moment of the host's clock, in seconds since 1970.
fn moment(seconds: u64) -> Timestamp {
    let seconds = i64::try_from(seconds).unwrap_or_default();
    Timestamp::from_second(seconds).unwrap_or_default()
}

/// The failure of a deployment whose lock somebody else took.
pub(crate) fn lost(target: &str) -> Failure {
    Failure::new(
        Exit::Lost,
        format!("the deployment lock of {target} was lost to another deployment"),
    )
    .hint("the connection broke, and the lock ended with it; run again")
}

/// Who deploys, in words.
pub(crate) fn owner(context: &Context) -> String {
    match &context.codebuild.build_id {
        Some(build) => format!("build {build}"),
        None => {
            let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
            format!("process {} on {}", std::process::id(), host.trim())
        }
    }
}
