//! CreateSnapshots: snapshots of an instance's volumes, completed after a time that the test decides.

use std::time::{Duration, SystemTime};

use super::{Answer, State, missing, refuse_dry_run};
use crate::ec2::{Snapshot, Volume, xml};
use crate::fake_aws::{Reply, Request};

/// A snapshot that is on its way by itself.
pub(super) struct OnItsWay {
    pub(super) id: String,
    /// When it is completed, from the beginning; an error where that is said instead.
    pub(super) due: Duration,
    pub(super) fails: bool,
    /// The bytes that it has then.
    pub(super) bytes: u64,
}

/// EC2's least distance between two snapshots of a volume.
const APART: Duration = Duration::from_secs(15);
/// How many snapshots of a volume may be pending.
const PENDING: usize = 5;

impl State {
    pub(super) fn create_snapshots(&mut self, request: &Request) -> Answer {
        let id = request.param("InstanceSpecification.InstanceId");
        let id = id.ok_or_else(|| missing("InstanceSpecification.InstanceId"))?;
        let instance = self.instance(id)?.clone();
        let without_root = request.flag("InstanceSpecification.ExcludeBootVolume");
        let left_out = request.list("InstanceSpecification.ExcludeDataVolumeId");
        let is_root = |volume: &Volume| volume.device == instance.root_device;
        for id in &left_out {
            let volume = instance.volumes.iter().find(|volume| volume.id == *id);
            if volume.is_none_or(is_root) {
                // Its page refuses the root volume there; which code EC2 gives is unproven.
                let message = format!("{id} is no data volume of the instance");
                return Err(Reply::error(400, "InvalidParameterValue", message));
            }
        }
        let wanted: Vec<Volume> = instance
            .volumes
            .iter()
            .filter(|volume| !left_out.contains(&volume.id))
            .filter(|volume| !(without_root && is_root(volume)))
            .cloned()
            .collect();
        for volume in &wanted {
            self.refuse_too_many(&volume.id)?;
        }
        refuse_dry_run(request)?;
        self.created += 1;
        let now = self.rules.elapsed();
        let mut made = Vec::new();
        for (n, volume) in wanted.iter().enumerate() {
            let snapshot = Snapshot {
                volume: volume.id.clone(),
                size: volume.size,
                description: request.param("Description").unwrap_or("").to_owned(),
                started: self.rules.written(now),
                encrypted: volume.encrypted,
                kms_key: volume.kms_key.clone(),
                tags: request.tags_for("snapshot"),
                ..Snapshot::pending(&format!("snap-{:015x}{n:02x}", self.created), 0)
            };
            self.here.on_their_way.push(OnItsWay {
                id: snapshot.id.clone(),
                due: now + self.rules.snapshots_take,
                fails: self.rules.snapshots_fail,
                bytes: volume.written,
            });
            self.here.snapshots.push(snapshot.clone());
            made.push(snapshot);
        }
        Ok(xml::create_snapshots(&made))
    }

    fn refuse_too_many(&self, volume: &str) -> Result<(), Reply> {
        let of_volume = || {
            self.here
                .snapshots
                .iter()
                .filter(|one| one.volume == volume)
        };
        if of_volume().filter(|one| one.state == "pending").count() >= PENDING {
            let message = "Maximum allowed in-progress snapshots for a single volume exceeded.";
            return Err(Reply::error(
                400,
                "ConcurrentSnapshotLimitExceeded",
                message,
            ));
        }
        let now = self.rules.now();
        let is_young = |one: &Snapshot| {
            let started: Option<jiff::Timestamp> = one.started.parse().ok();
            let started = started.map(SystemTime::from);
            started.is_some_and(|at| now.duration_since(at).is_ok_and(|age| age < APART))
        };
        if of_volume().any(is_young) {
            let message = "The maximum per volume CreateSnapshot request rate has been exceeded.";
            let code = "SnapshotCreationPerVolumeRateExceeded";
            return Err(Reply::error(400, code, message));
        }
        Ok(())
    }

    /// Brings the snapshots that go by themselves to where they are now.
    pub(super) fn pass_time_of_snapshots(&mut self) {
        let now = self.rules.elapsed();
        let (done, on) = std::mem::take(&mut self.here.on_their_way)
            .into_iter()
            .partition(|one| one.due <= now);
        self.here.on_their_way = on;
        let done: Vec<OnItsWay> = done;
        for OnItsWay {
            id,
            due,
            fails,
            bytes,
        } in done
        {
            if !fails {
                self.complete(&id, bytes, due);
            } else if let Ok(snapshot) = self.snapshot(&id) {
                "error".clone_into(&mut snapshot.state);
            }
        }
    }
}
