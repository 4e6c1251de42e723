//! How images and their snapshots get on, by readings and by the clock.

use std::time::Duration;

use super::State;
use crate::ec2::outcome::{Course, End, Outcome};

/// An image that is on its way.
pub(super) struct UnderWay {
    /// How many readings there were so far.
    readings: u32,
    outcome: Outcome,
    /// The world's time when it was begun.
    begun: Duration,
    /// Each snapshot's id, its size in GiB, and the bytes it has when it is completed.
    snapshots: Vec<(String, u32, u64)>,
    /// Whether the image has come to its end.
    has_ended: bool,
}

impl State {
    /// Sets an image that was just added on its way; `snapshots` are id, size and bytes.
    pub(super) fn begin(
        &mut self,
        image: &str,
        outcome: Outcome,
        snapshots: Vec<(String, u32, u64)>,
    ) {
        let under_way = UnderWay {
            readings: 0,
            outcome,
            begun: self.rules.elapsed(),
            snapshots,
            has_ended: false,
        };
        self.here.under_way.insert(image.to_owned(), under_way);
    }

    /// One reading of an image goes by; whether it is to be seen.
    pub(super) fn advance(&mut self, id: &str) -> bool {
        let invisible = self.rules.invisible_polls;
        let Some(under_way) = self.here.under_way.get_mut(id) else {
            return true;
        };
        let seen = under_way.readings;
        under_way.readings += 1;
        if seen < invisible {
            return false;
        }
        let seen = seen - invisible;
        if matches!(under_way.outcome, Outcome::Timed(_)) {
            return true;
        }
        let polls = under_way.outcome.polls();
        let is_done = polls.is_some_and(|pending| seen >= pending);
        let progress = match polls {
            _ if is_done => 100,
            Some(pending) => seen * 100 / pending.max(1),
            None => seen.min(99),
        };
        let end = under_way.outcome.end();
        let snapshots = under_way.snapshots.clone();
        let is_good = is_done && matches!(end, End::Available);
        for (snapshot, _, bytes) in &snapshots {
            self.set_progress(snapshot, progress);
            if is_good {
                self.complete(snapshot, *bytes, self.rules.elapsed());
            }
        }
        if is_done {
            self.here.under_way.remove(id);
            self.finish(id, end);
        }
        self.here.images.iter().any(|image| image.id == id)
    }

    /// Brings everything that goes by the clock to where it is now.
    pub(super) fn pass_time(&mut self) {
        self.pass_time_of_snapshots();
        let now = self.rules.elapsed();
        let mut timed = Vec::new();
        for (id, under_way) in &self.here.under_way {
            if let Outcome::Timed(course) = &under_way.outcome {
                let elapsed = now.saturating_sub(under_way.begun);
                let snapshots = under_way.snapshots.clone();
                timed.push((id.clone(), course.clone(), elapsed, snapshots));
            }
        }
        for (id, course, elapsed, snapshots) in timed {
            self.pass(&id, &course, elapsed, &snapshots);
        }
    }

    fn pass(
        &mut self,
        id: &str,
        course: &Course,
        elapsed: Duration,
        snapshots: &[(String, u32, u64)],
    ) {
        let now = self.rules.elapsed();
        let is_over = elapsed >= course.after;
        let is_good = matches!(course.end, End::Available);
        let sizes = snapshots.iter().map(|(_, size, _)| *size);
        let largest = sizes.max().unwrap_or(0);
        for (snapshot, size, bytes) in snapshots {
            let due = course.completion(*size, largest);
            if is_good && elapsed >= due {
                self.complete(snapshot, *bytes, now.saturating_sub(elapsed - due));
            } else if !is_over || !self.has_ended(id) {
                let fraction = elapsed.as_secs_f64() / due.as_secs_f64().max(f64::MIN_POSITIVE);
                self.set_progress(snapshot, course.progress.at(fraction).min(99));
            }
        }
        if !is_over || self.has_ended(id) {
            return;
        }
        if let Some(message) = &course.snapshot_error {
            for (id, _, _) in snapshots {
                if let Ok(snapshot) = self.snapshot(id) {
                    "error".clone_into(&mut snapshot.state);
                    snapshot.state_message = Some(message.clone());
                }
            }
        }
        self.finish(id, course.end.clone());
        // It stays on its way as long as it may be invisible still.
        if let Some(under_way) = self.here.under_way.get_mut(id) {
            under_way.has_ended = !matches!(course.end, End::Never);
        }
    }

    fn has_ended(&self, image: &str) -> bool {
        let under_way = self.here.under_way.get(image);
        under_way.is_some_and(|under_way| under_way.has_ended)
    }

    fn set_progress(&mut self, snapshot: &str, percent: u32) {
        if let Ok(snapshot) = self.snapshot(snapshot)
            && snapshot.state == "pending"
        {
            snapshot.progress = percent;
        }
    }

    /// Completes a snapshot that is still pending, at that time of the world.
    pub(super) fn complete(&mut self, id: &str, bytes: u64, at: Duration) {
        let time = self.rules.written(at);
        if let Ok(snapshot) = self.snapshot(id)
            && snapshot.state == "pending"
        {
            "completed".clone_into(&mut snapshot.state);
            snapshot.progress = 100;
            snapshot.completed = Some(time);
            snapshot.full_size = Some(bytes);
        }
    }

    /// Brings an image that is still pending to its end; a test may have changed it.
    fn finish(&mut self, id: &str, end: End) {
        let Ok(image) = self.image(id) else { return };
        if image.state != "pending" {
            return;
        }
        match end {
            End::Available => "available".clone_into(&mut image.state),
            End::Failed { code, message } => {
                "failed".clone_into(&mut image.state);
                image.state_reason = Some((code, message));
            }
            End::Becomes(state) => image.state = state,
            End::Never => {}
            End::Vanishes => self.here.images.retain(|image| image.id != id),
        }
    }
}
