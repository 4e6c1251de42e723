//! Waiting for a state: one deadline, adaptive polls with jitter, a line at least every 30 s.

use crate::exit::Exit;
use crate::failure::Failure;
use crate::interrupt::{Interrupt, Signal};
use std::pin::pin;
use std::time::Duration;
use tokio::time::{Instant, sleep_until, timeout_at};

/// The longest silence of a wait.
const HEARTBEAT: Duration = Duration::from_secs(30);
/// What a look may still take when the deadline has come. A call to AWS ends before that by itself, and
/// says what AWS said last: which the set-up of the clients sees to.
const LAST_LOOK: Duration = Duration::from_secs(10);
/// When a look is dropped that was begun long before the deadline.
const DROPPED_AFTER: Duration = Duration::from_secs(6);

/// What ends every wait of a piece of work: a moment in time, and a signal.
#[derive(Debug, Clone)]
pub struct Limits {
    /// When it must be over.
    pub deadline: Instant,
    /// Whether we were asked to stop.
    pub interrupt: Interrupt,
}

impl Limits {
    /// For work that a signal must not stop: cleaning up.
    #[must_use]
    pub fn cleanup(limit: Duration) -> Self {
        Self {
            deadline: Instant::now() + limit,
            interrupt: Interrupt::never(),
        }
    }

    /// The same, but over after `limit` at the latest.
    #[must_use]
    pub fn within(&self, limit: Duration) -> Self {
        Self {
            deadline: self.deadline.min(Instant::now() + limit),
            interrupt: self.interrupt.clone(),
        }
    }

    /// Work that may be dropped at any point; `before` says what is not done then.
    ///
    /// # Errors
    /// The signal, the deadline, or the work's own failure.
    pub fn in_time<T>(
        &self,
        before: &str,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> impl Future<Output = Result<T, Failure>> {
        in_time(self.deadline, &self.interrupt, before, work)
    }
}

/// How often to look: first after `first`, then slower by a half each time, up to `longest`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// The first pause.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
}

impl Default for Pace {
    /// For states that change within seconds or minutes.
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            longest: Duration::from_secs(15),
        }
    }
}

impl Pace {
    /// The pause that is due, and a half more the next time.
    fn next(&mut self) -> Duration {
        let pause = self.first;
        self.first = (pause * 3 / 2).min(self.longest);
        pause
    }
}

/// What a look at the world found.
#[derive(Debug)]
pub enum Look<T> {
    /// The state that was waited for.
    There(T),
    /// Not yet: what was seen instead, for the log.
    NotYet(String),
    /// Not yet, and the next look is worth its call only after so long.
    NotYetFor(String, Duration),
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
            Ended::Deadline(seen) => Failure::new(
                Exit::Deadline,
                format!("the deadline passed while waiting for {what}"),
            )
            .detail(format!("last seen: {seen}")),
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
    let mut pace = pace;
    loop {
        // Nobody may answer; a look changes nothing and can be dropped.
        let latest = (deadline + DROPPED_AFTER).max(Instant::now() + LAST_LOOK);
        let mut looking = pin!(timeout_at(latest, look()));
        let looked = loop {
            let beat = sleep_until(said + HEARTBEAT);
            tokio::select! {
                biased;
                looked = interrupt.race(&mut looking) => break looked.map_err(Ended::Signal)?,
                () = beat => {
                    let seen = if last.is_empty() { "no answer yet" } else { &last };
                    tell(what, seen, started);
                    said = Instant::now();
                }
            }
        };
        let (seen, pause) = match looked {
            Ok(Ok(Look::There(found))) => return Ok(found),
            Ok(Ok(Look::NotYet(seen))) => (seen, pace.next()),
            Ok(Ok(Look::NotYetFor(seen, pause))) => (seen, pause),
            // A call of the look was held to the same deadline, and says what AWS said last.
            Ok(Err(failure)) if failure.exit() == Exit::Deadline && Instant::now() >= deadline => {
                let why = failure.causes().join("; ");
                let seen = [last, why].into_iter().filter(|part| !part.is_empty());
                return Err(Ended::Deadline(seen.collect::<Vec<_>>().join("; ")));
            }
            Ok(Err(failure)) => return Err(Ended::Failed(failure)),
            Err(_) if last.is_empty() => return Err(Ended::Deadline("no answer".to_owned())),
            Err(_) => return Err(Ended::Deadline(last)),
        };
        if seen != last {
            tell(what, &seen, started);
            said = Instant::now();
        }
        last = seen;
        if Instant::now() >= deadline {
            return Err(Ended::Deadline(last));
        }
        let until = deadline.min(Instant::now() + jittered(pause));
        while Instant::now() < until {
            let slice = until.min(said + HEARTBEAT);
            interrupt
                .race(sleep_until(slice))
                .await
                .map_err(Ended::Signal)?;
            if Instant::now() >= said + HEARTBEAT {
                tell(what, &last, started);
                said = Instant::now();
            }
        }
    }
}

/// Does work that may be dropped at any point, unless a signal or the deadline comes first. `before`
/// says in a clause what is not done then, such as "the stack was read".
///
/// The calls of the work keep to the deadline by themselves and say what AWS said last
/// (the HTTP client of the crate `aws` sees to it); whatever else it waits for is dropped a moment later.
///
/// # Errors
/// The signal, the deadline, or the work's own failure.
pub async fn in_time<T>(
    deadline: Instant,
    interrupt: &Interrupt,
    before: &str,
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let late = || {
        Failure::new(
            Exit::Deadline,
            format!("the deadline passed before {before}"),
        )
        .hint("give --timeout more, or look at why the service does not answer; running again is safe")
    };
    // On the heap: a whole program's work would be copied into each future around it.
    let work = Box::pin(work);
    match interrupt
        .race(timeout_at(deadline + DROPPED_AFTER, work))
        .await
    {
        Ok(Ok(Err(failure))) if failure.exit() == Exit::Deadline && Instant::now() >= deadline => {
            Err(late().and(failure))
        }
        Ok(Ok(done)) => done,
        Ok(Err(_)) => Err(late()),
        Err(signal) => Err(Failure::interrupted(
            signal,
            format!("stopped before {before}"),
        )),
    }
}

fn tell(what: &str, seen: &str, started: Instant) {
    let waited = humane(started.elapsed());
    tracing::info!("waiting for {what}: {seen} ({waited} so far)");
}

/// Up to a tenth less or more, so that builds started together do not poll together.
fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(0.9 + 0.2 * fastrand::f64())
}

/// Whole seconds, in words.
#[must_use]
pub fn humane(duration: Duration) -> String {
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
    use crate::failure::Failure;
    use crate::interrupt::{Interrupt, Signal};
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
    async fn a_look_says_when_the_next_one_is_worth_it() {
        let started = Instant::now();
        let mut looks = 0;
        let deadline = started + Duration::from_secs(3600);
        until("x", deadline, &Interrupt::never(), PACE, async || {
            looks += 1;
            Ok(if started.elapsed() > Duration::from_secs(300) {
                Look::There(())
            } else {
                Look::NotYetFor("42 %".to_owned(), Duration::from_secs(100))
            })
        })
        .await
        .unwrap();
        assert!((4..=5).contains(&looks), "{looks} looks");
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_that_is_never_answered_ends_with_the_deadline() {
        let deadline = Instant::now() + Duration::from_secs(100);
        let ended = until("x", deadline, &Interrupt::never(), PACE, async || {
            std::future::pending::<Result<Look<()>, Failure>>().await
        })
        .await
        .unwrap_err();
        assert!(matches!(&ended, Ended::Deadline(seen) if seen == "no answer"));
        assert!(Instant::now() - deadline < Duration::from_secs(7));
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
