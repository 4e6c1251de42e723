//! What every step needs: the settings, the build around us, EC2, the clock.

use crate::settings::Checked;
use action::failure::{Failure, Resource, ResourceKind};
use action::program::Context;
use action::wait;
use aws::session::Session;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::config::Region;
use jiff::Timestamp;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// One run of the program.
#[derive(Debug)]
pub struct Job {
    /// What we are told.
    pub settings: Checked,
    /// What surrounds us; its deadline is the build's own where that comes first.
    pub context: Context,
    /// The account and region.
    pub session: Session,
    /// EC2 where the instance is.
    pub home: Regional,
    /// The time.
    pub clock: Clock,
    /// How long after the deadline an image that is ready may still be handed over: the build lives on for
    /// longer than that.
    pub spare: Duration,
}

/// How long undoing may take when the deadline is near or over: what a failed run made must not stay.
const UNDO_WITHIN: Duration = Duration::from_secs(300);

/// Without a build's limit.
const SPARE: Duration = Duration::from_secs(60);

/// EC2 in a Region.
#[derive(Debug, Clone)]
pub struct Regional {
    /// The client.
    pub ec2: Client,
    /// The Region's name.
    pub region: String,
}

impl Regional {
    /// A resource of this Region, as something that may remain.
    pub fn resource(&self, kind: ResourceKind, id: &str) -> Resource {
        Resource::new(kind, id, &self.region)
    }
}

impl Job {
    /// A run in an account.
    pub fn new(settings: Checked, context: Context, session: Session) -> Self {
        let home = Regional {
            ec2: Client::new(&session.config),
            region: session.region.clone(),
        };
        Self {
            settings,
            context,
            session,
            home,
            clock: Clock::start(),
            spare: SPARE,
        }
    }

    /// When the hand-over of an image that is ready must have come.
    pub fn hand_over_by(&self) -> Instant {
        self.context.deadline + self.spare
    }

    /// Moves the run's deadline, and with it that of every call.
    pub fn move_deadline(&mut self, deadline: Instant) {
        self.context.deadline = deadline;
        self.session.limit.move_to(deadline);
    }

    /// Gives calls so much time from now on, whether the deadline comes or not: for what must not be
    /// left half done.
    pub fn give_time(&self, time: Duration) {
        self.session.limit.extend(Instant::now() + time);
    }

    /// Gives calls the time to undo. `clean`, whose job that is, keeps to its deadline.
    pub fn give_time_to_undo(&self) {
        if self.context.command.as_deref() != Some("clean") {
            self.give_time(UNDO_WITHIN);
        }
    }

    /// EC2 in another Region, with the same account.
    pub fn regional(&self, region: &str) -> Regional {
        if region == self.home.region {
            return self.home.clone();
        }
        let config = self.session.config.to_builder();
        let config = config.region(Region::new(region.to_owned())).build();
        Regional {
            ec2: Client::new(&config),
            region: region.to_owned(),
        }
    }

    /// Work that changes nothing, and so may be dropped at any point: by the deadline or a signal.
    pub fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> impl Future<Output = Result<T, Failure>> {
        let (deadline, interrupt) = (self.context.deadline, &self.context.interrupt);
        wait::in_time(deadline, interrupt, "anything was made", work)
    }

    /// A call of a deed that a signal may drop: what it may have done is undone, or harms nobody.
    pub async fn unless_stopped<T>(
        &self,
        operation: &str,
        call: impl Future<Output = T>,
    ) -> Result<T, Failure> {
        let called = self.context.interrupt.race(call).await;
        called.map_err(|signal| Failure::interrupted(signal, operation))
    }

    /// A pause that a signal or the deadline ends; the caller looks at both.
    pub async fn pause(&self, pause: Duration) {
        let rest = self
            .context
            .deadline
            .saturating_duration_since(Instant::now())
            .min(pause);
        let _woken_by_a_signal = self.context.interrupt.race(sleep(rest)).await;
    }
}

/// The time of day, which goes on with the clock that waits use.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    started: Instant,
    time_of_day: Timestamp,
}

impl Clock {
    /// Starts now.
    pub fn start() -> Self {
        Self {
            started: Instant::now(),
            time_of_day: Timestamp::now(),
        }
    }

    /// Since the run began.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// The time of day.
    pub fn now(&self) -> Timestamp {
        self.time_of_day
            .saturating_add(jiff::SignedDuration::try_from(self.elapsed()).unwrap_or_default())
            .unwrap_or(self.time_of_day)
    }

    /// When the run began.
    pub fn began(&self) -> Timestamp {
        self.time_of_day
    }

    /// When the run began, to the nanosecond: no two tries of a run begin at once.
    pub fn start_nanos_key(&self) -> String {
        self.time_of_day.to_string()
    }

    /// As `20261123T093300Z`.
    pub fn utc(&self) -> String {
        self.now().strftime("%Y%m%dT%H%M%SZ").to_string()
    }
}

/// A time of the SDK's as one of ours.
pub(crate) fn timestamp(time: &aws_sdk_ec2::primitives::DateTime) -> Timestamp {
    Timestamp::from_second(time.secs()).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// A time as EC2 writes it in images.
pub(crate) fn timestamp_of(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}
