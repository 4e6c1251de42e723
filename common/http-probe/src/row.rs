use action::failure::Failure;
use action::wait::{self, Ended, Limits, Look, Pace};

/// Asks until there were `count` good answers in a row. `ask` returns an error of its own for what no further question
/// can mend, and otherwise what is wrong with the answer, in words.
///
/// # Errors
/// [`Ended`]: at the deadline, with what was seen last; at a signal; or with the error of `ask`.
pub async fn in_a_row(
    what: &str,
    count: u32,
    limits: &Limits,
    pace: Pace,
    mut ask: impl AsyncFnMut() -> Result<Result<(), String>, Failure>,
) -> Result<(), Ended> {
    let mut good = 0;
    let asked = async || {
        let seen = match ask().await? {
            Ok(()) => {
                good += 1;
                if good >= count {
                    return Ok(Look::There(()));
                }
                // One that answers is not kept waiting for the rest of the proof.
                let seen = format!("{good} of {count} good answers");
                return Ok(Look::NotYetFor(seen, pace.first / 4));
            }
            Err(seen) => seen,
        };
        good = 0;
        Ok(Look::NotYet(seen))
    };
    wait::until(what, limits.deadline, &limits.interrupt, pace, asked).await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::in_a_row;
    use action::failure::Failure;
    use action::interrupt::{Interrupt, Signal};
    use action::wait::{Ended, Limits, Pace};
    use std::time::Duration;
    use tokio::time::Instant;

    const PACE: Pace = Pace {
        first: Duration::from_secs(1),
        longest: Duration::from_secs(1),
    };

    fn limits(seconds: u64) -> Limits {
        Limits {
            deadline: Instant::now() + Duration::from_secs(seconds),
            interrupt: Interrupt::never(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_bad_answer_starts_the_row_again() {
        let mut answers = [false, true, true, false, true, true, true].into_iter();
        let mut ask = || {
            answers.next().map_or(Err("unasked".to_owned()), |good| {
                good.then_some(()).ok_or("503".to_owned())
            })
        };
        let row = in_a_row("x", 3, &limits(60), PACE, async || Ok(ask())).await;
        assert!(row.is_ok());
        assert_eq!(answers.next(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_deadline_says_what_was_seen_last() {
        let row = in_a_row("x", 3, &limits(60), PACE, async || {
            Ok(Err("503".to_owned()))
        })
        .await;
        assert!(matches!(row, Err(Ended::Deadline(seen)) if seen == "503"));
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_be_mended_and_a_signal_end_it_at_once() {
        let started = Instant::now();
        let gone = async || Err(Failure::failed("the connection is gone"));
        let row = in_a_row("x", 3, &limits(60), PACE, gone).await;
        assert!(matches!(row, Err(Ended::Failed(_))));
        let (tell, interrupt) = Interrupt::manual();
        tell.send(Some(Signal::Terminate)).unwrap();
        let limits = Limits {
            interrupt,
            ..limits(60)
        };
        let row = in_a_row("x", 3, &limits, PACE, async || Ok(Err("503".to_owned()))).await;
        assert!(matches!(row, Err(Ended::Signal(Signal::Terminate))));
        assert_eq!(started.elapsed(), Duration::ZERO);
    }
}
