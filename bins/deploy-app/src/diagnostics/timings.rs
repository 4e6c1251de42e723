//! The stages of a deployment, timed.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Which stage is on, and how long the others took.
#[derive(Debug, Default)]
pub(crate) struct Timings {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    done: Vec<(&'static str, Duration)>,
    current: Option<(&'static str, Instant)>,
}

impl Timings {
    /// Ends the stage that is on, and begins another.
    pub(crate) fn begin(&self, stage: &'static str) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.end();
        tracing::info!("stage {stage}");
        state.current = Some((stage, Instant::now()));
    }

    /// The stage that is on, or the last one once all have ended.
    pub(crate) fn current(&self) -> &'static str {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let last = state.done.last().map(|(stage, _)| *stage);
        let current = state.current.map(|(stage, _)| stage);
        current.or(last).unwrap_or("start")
    }

    /// Ends the last stage and tells what all of them took.
    pub(crate) fn finish(&self) -> String {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.end();
        let all: Duration = state.done.iter().map(|(_, took)| *took).sum();
        let each: Vec<String> = state
            .done
            .iter()
            .map(|(stage, took)| format!("{stage} {:.1} s", took.as_secs_f64()))
            .collect();
        format!("{:.1} s: {}", all.as_secs_f64(), each.join(", "))
    }
}

impl State {
    fn end(&mut self) {
        if let Some((stage, began)) = self.current.take() {
            self.done.push((stage, began.elapsed()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Timings;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn every_stage_has_its_time() {
        let timings = Timings::default();
        assert_eq!(timings.current(), "start");
        timings.begin("connect");
        tokio::time::sleep(Duration::from_millis(1500)).await;
        timings.begin("send");
        assert_eq!(timings.current(), "send");
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(timings.finish(), "3.5 s: connect 1.5 s, send 2.0 s");
        assert_eq!(timings.current(), "send");
    }
}
