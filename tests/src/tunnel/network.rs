//! What happens to messages on their way.

use std::time::{Duration, Instant};

/// How bad the way is. Each percentage is of all messages, in both directions.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// Percent that are lost.
    pub lost: u8,
    /// Percent that come twice.
    pub twice: u8,
    /// Percent that come later than those behind them.
    pub late: u8,
    /// Percent that lie about their length or digest, or whose payload was changed.
    pub spoilt: u8,
    /// The connection is cut after so many messages; one number for each connection, and no cut after the last.
    pub cuts: Vec<usize>,
    /// Where the random numbers begin.
    pub seed: u64,
}

/// Messages on their way, in one direction.
pub(super) struct Way {
    faults: Faults,
    random: fastrand::Rng,
    late: Vec<(Instant, Vec<u8>)>,
}

impl Way {
    pub(super) fn new(faults: &Faults, direction: u64) -> Self {
        Self {
            faults: faults.clone(),
            random: fastrand::Rng::with_seed(faults.seed.wrapping_add(direction)),
            late: Vec::new(),
        }
    }

    /// What arrives at once of a message.
    pub(super) fn carry(&mut self, mut bytes: Vec<u8>) -> Vec<Vec<u8>> {
        let Faults {
            lost,
            twice,
            late,
            spoilt,
            ..
        } = self.faults;
        let dice = self.random.u8(..100);
        let below = |limits: &[u8]| dice < limits.iter().sum();
        if below(&[lost]) {
            return Vec::new();
        }
        if below(&[lost, twice]) {
            return vec![bytes.clone(), bytes];
        }
        if below(&[lost, twice, late]) {
            let pause = Duration::from_millis(self.random.u64(5..60));
            self.late.push((Instant::now() + pause, bytes));
            return Vec::new();
        }
        if below(&[lost, twice, late, spoilt]) {
            // The length of the payload, its digest, or the payload.
            let places: Vec<usize> = (80..112).chain(116..bytes.len()).collect();
            let at = places[self.random.usize(..places.len())];
            bytes[at] ^= 0x5a;
        }
        vec![bytes]
    }

    /// What arrives now of what came late.
    pub(super) fn due(&mut self) -> Vec<Vec<u8>> {
        let now = Instant::now();
        let (due, late) = std::mem::take(&mut self.late)
            .into_iter()
            .partition::<Vec<_>, _>(|(at, _)| *at <= now);
        self.late = late;
        due.into_iter().map(|(_, bytes)| bytes).collect()
    }
}
