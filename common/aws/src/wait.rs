//! Waiting for a state: one deadline, adaptive polls with jitter, a line at least every 30 s.

use action::exit::Exit;
use action::failure::Failure;
use action::interrupt::{Interrupt, Signal};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// The longest silence of a wait.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// How often to look: first after `first`, then slower by a half each time, up to `longest`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// The first pause.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
}

impl Pace {
    fn slower(self, pause: Duration) -> Duration {
        (pause * 3 / 2).min(self.longest)
    }
}

/// What a look at the world found.
#[derive(Debug)]
pub enum Look<T> {
    /// The state that was waited for.
    There(T),
    /// Not yet: what was seen instead, for the log.
    NotYet(String),
}

/// Why a wait ended without its state.
#[derive(Debug)]
pub enum Ended {
    /// The deadline came; what was seen last.
    Deadline(String),
    /// A signal came.
    Signal(Signal),
    /// Looking itself failed, or a terminal state was seen.
    Failed(Failure),
}

impl Ended {
    /// As a failure of waiting for `what`; add the command that resumes.
    pub fn into_failure(self, what: &str) -> Failure {
        match self {
            Ended::Deadline(seen) => {
                Failure::new(Exit::Deadline, format!("the deadline came before {what}"))
                    .detail(format!("last seen: {seen}"))
            }
            Ended::Signal(signal) => {
                Failure::interrupted(signal, format!("stopped waiting for {what}"))
            }
            Ended::Failed(failure) => failure,
        }
    }
}

/// Looks until `look` finds what is waited for.
///
/// # Errors
/// [`Ended`].
pub async fn until<T>(
    what: &str,
    deadline: Instant,
    interrupt: &Interrupt,
    pace: Pace,
    mut look: impl AsyncFnMut() -> Result<Look<T>, Failure>,
) -> Result<T, Ended> {
    let started = Instant::now();
    let mut said = started;
    let mut last = String::new();
    let mut pause = pace.first;
    loop {
        let seen = match interrupt.race(look()).await.map_err(Ended::Signal)? {
            Ok(Look::There(found)) => return Ok(found),
            Ok(Look::NotYet(seen)) => seen,
            Err(failure) => return Err(Ended::Failed(failure)),
        };
        let now = Instant::now();
        if seen != last || now + pause > said + HEARTBEAT {
            let waited = humane(now - started);
            tracing::info!("waiting for {what}: {seen} ({waited} so far)");
            said = now;
        }
        last = seen;
        if now >= deadline {
            return Err(Ended::Deadline(last));
        }
        let rest = jittered(pause).min(deadline - now).min(HEARTBEAT);
        interrupt.race(sleep(rest)).await.map_err(Ended::Signal)?;
        pause = pace.slower(pause);
    }
}

/// Up to a tenth less or more, so that builds started together do not poll together.
fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(0.9 + 0.2 * fastrand::f64())
}

/// Whole seconds, in words.
fn humane(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::{Ended, Look, Pace, until};
    use action::failure::Failure;
    use action::interrupt::{Interrupt, Signal};
    use std::time::Duration;
    use tokio::time::Instant;

    const PACE: Pace = Pace {
        first: Duration::from_secs(1),
        longest: Duration::from_secs(15),
    };

    #[tokio::test(start_paused = true)]
    async fn finds_a_state_after_six_hours_with_few_looks() {
        let started = Instant::now();
        let there = started + Duration::from_secs(6 * 3600);
        let mut looks = 0;
        let deadline = started + Duration::from_secs(7 * 3600);
        until("x", deadline, &Interrupt::never(), PACE, async || {
            looks += 1;
            Ok(if Instant::now() >= there {
                Look::There(())
            } else {
                Look::NotYet("pending".to_owned())
            })
        })
        .await
        .unwrap();
        assert!(Instant::now() - there < Duration::from_secs(17));
        assert!(looks < 6 * 3600 / 13, "{looks} looks");
    }

    #[tokio::test(start_paused = true)]
    async fn the_deadline_is_kept_and_says_what_was_seen() {
        let deadline = Instant::now() + Duration::from_secs(100);
        let ended = until("x", deadline, &Interrupt::never(), PACE, async || {
            Ok(Look::<()>::NotYet("stopped".to_owned()))
        })
        .await
        .unwrap_err();
        assert!(matches!(&ended, Ended::Deadline(seen) if seen == "stopped"));
        assert!(Instant::now() - deadline < Duration::from_secs(1));
        assert_eq!(ended.into_failure("x to run").exit().code(), 6);
    }

    #[tokio::test(start_paused = true)]
    async fn a_signal_ends_the_pause() {
        let (tell, interrupt) = Interrupt::manual();
        let started = Instant::now();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(20)).await;
            tell.send(Some(Signal::Terminate)).unwrap();
            tell.closed().await;
        });
        let deadline = started + Duration::from_secs(1000);
        let ended = until("x", deadline, &interrupt, PACE, async || {
            Ok(Look::<()>::NotYet("pending".to_owned()))
        })
        .await
        .unwrap_err();
        assert!(matches!(ended, Ended::Signal(Signal::Terminate)));
        assert_eq!((Instant::now() - started).as_secs(), 20);
    }

    #[tokio::test(start_paused = true)]
    async fn a_terminal_state_ends_it_at_once() {
        let deadline = Instant::now() + Duration::from_secs(1000);
        let ended = until("x", deadline, &Interrupt::never(), PACE, async || {
            Err::<Look<()>, _>(Failure::failed("terminated"))
        })
        .await
        .unwrap_err();
        assert_eq!(ended.into_failure("x").deed(), "terminated");
    }
}
