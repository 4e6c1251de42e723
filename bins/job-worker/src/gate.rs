//! The one gate before CodePipeline: when it throttles one call, all calls wait.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// The first pause after a throttle or an outage.
const FIRST: Duration = Duration::from_secs(1);
/// The longest one.
const LONGEST: Duration = Duration::from_secs(60);

/// The gate. It opens by itself.
#[derive(Debug)]
pub(crate) struct Gate {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    closed_until: Instant,
    pause: Duration,
    /// When the call began whose answer closed the gate last.
    since: Instant,
}

impl Gate {
    /// An open gate. Must be made inside a tokio runtime.
    pub(crate) fn new() -> Self {
        let now = Instant::now();
        Self {
            state: Mutex::new(State {
                closed_until: now,
                pause: FIRST,
                since: now,
            }),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the gate is open; gives when the call begins.
    pub(crate) async fn pass(&self) -> Instant {
        loop {
            let until = self.state().closed_until;
            let now = Instant::now();
            if now >= until {
                return now;
            }
            sleep_until(until).await;
        }
    }

    /// Closes the gate for everybody, longer each time. What began before it was closed last changes nothing:
    /// many calls that were on their way together are one throttle.
    pub(crate) fn close(&self, began: Instant) {
        let mut state = self.state();
        if began < state.since {
            return;
        }
        let pause = state.pause.mul_f64(0.75 + 0.5 * fastrand::f64());
        state.since = Instant::now() + Duration::from_nanos(1);
        state.closed_until = Instant::now() + pause;
        state.pause = (state.pause * 2).min(LONGEST);
    }

    /// A call went well: the next pause is short again.
    pub(crate) fn went_well(&self) {
        self.state().pause = FIRST;
    }
}

#[cfg(test)]
mod tests {
    use super::Gate;
    use std::time::Duration;
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn one_throttle_holds_all_and_many_at_once_are_one() {
        let gate = Gate::new();
        let began = gate.pass().await;
        for _ in 0..10 {
            gate.close(began);
        }
        let before = Instant::now();
        gate.pass().await;
        let waited = before.elapsed();
        assert!(
            waited >= Duration::from_millis(750) && waited < Duration::from_secs(2),
            "{waited:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_to_a_minute_and_are_short_again_when_it_is_over() {
        let gate = Gate::new();
        for _ in 0..12 {
            let began = gate.pass().await;
            gate.close(began);
        }
        let before = Instant::now();
        let began = gate.pass().await;
        assert!(before.elapsed() >= Duration::from_secs(45));
        gate.went_well();
        gate.close(began);
        let before = Instant::now();
        gate.pass().await;
        assert!(before.elapsed() < Duration::from_secs(2));
    }
}
