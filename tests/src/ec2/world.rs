//! A small EC2 that keeps instances, images and snapshots, and refuses what EC2 refuses.
//!
//! Time is counted in readings: an image is `pending` for so many DescribeImages calls that show
//! it. Nothing here is shared with the programs; messages and codes are EC2's own, from
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html>.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

use super::resources::{Image, Instance, Outcome, Snapshot};
use super::xml;
use crate::fake_aws::{FakeAws, Reply, Request};

/// The account that owns everything unless a test says otherwise.
pub(super) const ACCOUNT: &str = "123456789012";

/// A shared EC2; clones are the same one.
#[derive(Clone, Default)]
pub struct Ec2World(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    instances: Vec<Instance>,
    images: Vec<Image>,
    snapshots: Vec<Snapshot>,
    /// What becomes of the images created next; the last one stays.
    outcomes: Vec<Outcome>,
    /// Images on their way: readings so far and what becomes of them.
    under_way: HashMap<String, (u32, Outcome)>,
    /// How many readings do not show a new image yet.
    invisible_polls: u32,
    /// How many readings an instance needs to start.
    start_polls: u32,
    starting: HashMap<String, u32>,
    created: u32,
}

/// The XML of an answer, or the error.
type Answer = Result<String, Reply>;

/// What an operation does to the world.
type Operation = fn(&mut State, &Request) -> Answer;

impl Ec2World {
    /// An EC2 with nothing in it; an image that is created is available at the second reading.
    pub fn new() -> Self {
        Self::default()
    }

    /// An EC2 that holds `instances`.
    pub fn with(instances: impl IntoIterator<Item = Instance>) -> Self {
        let world = Self::new();
        world.state().instances.extend(instances);
        world
    }

    /// Adds an image with its snapshots.
    pub fn add_image(&self, image: Image) {
        let mut state = self.state();
        for id in image.snapshots() {
            let snapshot = Snapshot {
                owner: image.owner.clone(),
                tags: image.tags.clone(),
                ..Snapshot::completed(&id)
            };
            state.snapshots.push(snapshot);
        }
        state.images.push(image);
    }

    /// Decides what becomes of the images that are created from now on, one after the other; the
    /// last outcome stays.
    pub fn outcomes(&self, outcomes: impl IntoIterator<Item = Outcome>) {
        self.state().outcomes = outcomes.into_iter().collect();
    }

    /// Hides a new image from the first `polls` readings, as a service that is consistent only in
    /// the end does.
    pub fn hide_new_images(&self, polls: u32) {
        self.state().invisible_polls = polls;
    }

    /// Lets an instance be `pending` for `polls` readings before it runs.
    pub fn slow_starts(&self, polls: u32) {
        self.state().start_polls = polls;
    }

    /// Changes an instance in the middle of a test.
    ///
    /// # Panics
    /// When there is no such instance.
    pub fn change_instance(&self, id: &str, change: impl FnOnce(&mut Instance)) {
        let mut state = self.state();
        let found = state
            .instances
            .iter_mut()
            .find(|instance| instance.id == id);
        change(found.expect("an instance of the world"));
    }

    /// Changes an image in the middle of a test.
    ///
    /// # Panics
    /// When there is no such image.
    pub fn change_image(&self, id: &str, change: impl FnOnce(&mut Image)) {
        let mut state = self.state();
        let found = state.images.iter_mut().find(|image| image.id == id);
        change(found.expect("an image of the world"));
    }

    /// Every instance as it is now.
    pub fn instances(&self) -> Vec<Instance> {
        self.state().instances.clone()
    }

    /// Every image as it is now, without the deregistered.
    pub fn images(&self) -> Vec<Image> {
        self.state().images.clone()
    }

    /// Every snapshot as it is now, without the deleted.
    pub fn snapshots(&self) -> Vec<Snapshot> {
        self.state().snapshots.clone()
    }

    /// Makes `fake` answer EC2's operations out of this world. Scripts registered afterwards, or
    /// with [`FakeAws::first`], take precedence.
    pub fn serve(&self, fake: &FakeAws) {
        let operations: [(&str, Operation); 10] = [
            ("DescribeInstances", State::describe_instances),
            ("StartInstances", State::start_instances),
            ("StopInstances", State::stop_instances),
            ("CreateImage", State::create_image),
            ("DescribeImages", State::describe_images),
            ("DescribeSnapshots", State::describe_snapshots),
            ("CreateTags", State::create_tags),
            ("DeleteTags", State::delete_tags),
            ("DeregisterImage", State::deregister_image),
            ("DeleteSnapshot", State::delete_snapshot),
        ];
        for (name, operation) in operations {
            let world = self.clone();
            fake.on_call(&format!("ec2:{name}"), move |request| {
                operation(&mut world.state(), request).map_or_else(|refusal| refusal, Reply::xml)
            });
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

impl State {
    fn describe_instances(&mut self, request: &Request) -> Answer {
        let ids = request.list("InstanceId");
        for id in &ids {
            self.instance(id)?;
        }
        self.advance_starts();
        let filters = request.filters();
        let matches = |instance: &&Instance| {
            (ids.is_empty() || ids.contains(&instance.id))
                && filters.iter().all(|(name, wanted)| {
                    let has = match name.as_str() {
                        "instance-id" => vec![instance.id.clone()],
                        "instance-state-name" => vec![instance.state.clone()],
                        _ => tagged(name, &instance.tags),
                    };
                    accepts(wanted, &has)
                })
        };
        let found: Vec<_> = self.instances.iter().filter(matches).cloned().collect();
        Ok(xml::describe_instances(&found))
    }

    fn start_instances(&mut self, request: &Request) -> Answer {
        let polls = self.start_polls;
        let changes = self.change_states(request, |state| match state {
            "stopped" => Ok("pending"),
            "running" | "pending" => Ok("running"),
            _ => Err(()),
        })?;
        for (id, _, _) in &changes {
            self.starting.insert(id.clone(), polls);
        }
        Ok(xml::instance_changes("StartInstances", &changes))
    }

    fn stop_instances(&mut self, request: &Request) -> Answer {
        let changes = self.change_states(request, |state| match state {
            "running" | "pending" | "stopped" => Ok("stopped"),
            _ => Err(()),
        })?;
        Ok(xml::instance_changes("StopInstances", &changes))
    }

    /// Moves every instance asked for, or none; id, state before, state now.
    fn change_states(
        &mut self,
        request: &Request,
        next: impl Fn(&str) -> Result<&'static str, ()>,
    ) -> Result<Vec<(String, String, String)>, Reply> {
        let mut changes = Vec::new();
        for id in request.list("InstanceId") {
            let before = self.instance(&id)?.state.clone();
            let Ok(now) = next(&before) else {
                let message = format!(
                    "The instance '{id}' is not in a state from which it can be started or stopped."
                );
                return Err(Reply::error(400, "IncorrectInstanceState", message));
            };
            changes.push((id, before, now.to_owned()));
        }
        refuse_dry_run(request)?;
        for (id, _, now) in &changes {
            for instance in self
                .instances
                .iter_mut()
                .filter(|instance| instance.id == *id)
            {
                instance.state.clone_from(now);
                instance.state_reason = None;
                if now == "stopped" {
                    instance.public_ip = None;
                }
            }
        }
        Ok(changes)
    }

    fn advance_starts(&mut self) {
        for instance in &mut self.instances {
            match self.starting.get_mut(&instance.id) {
                Some(0) => {
                    self.starting.remove(&instance.id);
                    instance.state = "running".to_owned();
                    let address = || "203.0.113.10".to_owned();
                    instance.public_ip = instance.public_ip.take().or_else(|| Some(address()));
                }
                Some(left) => *left -= 1,
                None => {}
            }
        }
    }

    fn create_image(&mut self, request: &Request) -> Answer {
        let id = request.param("InstanceId").unwrap_or("");
        let instance = self.instance(id)?.clone();
        let name = request.param("Name").unwrap_or("").to_owned();
        if !(3..=128).contains(&name.chars().count()) {
            let message = "AMI names must be between 3 and 128 characters long, and may contain letters, numbers, '(', ')', '.', '-', '/' and '_'";
            return Err(Reply::error(400, "InvalidAMIName.Malformed", message));
        }
        if !["running", "stopped"].contains(&instance.state.as_str()) {
            let message = format!("Instance '{id}' is not in state 'running' or 'stopped'");
            return Err(Reply::error(400, "IncorrectInstanceState", message));
        }
        if let Some(owner) = self.images.iter().find(|image| image.name == name) {
            let message = format!("AMI name {name} is already in use by AMI {}", owner.id);
            return Err(Reply::error(400, "InvalidAMIName.Duplicate", message));
        }
        refuse_dry_run(request)?;
        self.created += 1;
        let image = format!("ami-{:017x}", self.created);
        let mut devices = Vec::new();
        for (n, volume) in instance.volumes.iter().enumerate() {
            let snapshot = Snapshot {
                state: "pending".to_owned(),
                progress: 0,
                volume: volume.id.clone(),
                size: volume.size,
                description: format!("Created by CreateImage({id}) for {image}"),
                tags: request.tags_for("snapshot"),
                ..Snapshot::completed(&format!("snap-{:015x}{n:02x}", self.created))
            };
            devices.push((
                volume.device.clone(),
                Some(snapshot.id.clone()),
                volume.size,
            ));
            self.snapshots.push(snapshot);
        }
        self.images.push(Image {
            state: "pending".to_owned(),
            description: request.param("Description").unwrap_or("").to_owned(),
            source_instance: Some(id.to_owned()),
            root_device: instance.root_device.clone(),
            devices,
            tags: request.tags_for("image"),
            ..Image::available(&image, &name)
        });
        let outcome = match self.outcomes.len() {
            0 => Outcome::Available { after_polls: 1 },
            1 => self.outcomes[0].clone(),
            _ => self.outcomes.remove(0),
        };
        self.under_way.insert(image.clone(), (0, outcome));
        Ok(xml::create_image(&image))
    }

    fn describe_images(&mut self, request: &Request) -> Answer {
        let ids = request.list("ImageId");
        for id in &ids {
            if !id.starts_with("ami-") {
                let message = format!("Invalid id: \"{id}\" (expecting \"ami-...\")");
                return Err(Reply::error(400, "InvalidAMIID.Malformed", message));
            }
        }
        let filters = request.filters();
        let wanted = |image: &Image| {
            (ids.is_empty() || ids.contains(&image.id))
                && (image.state != "disabled" || request.param("IncludeDisabled") == Some("true"))
                && filters.iter().all(|(name, wanted)| {
                    let has = match name.as_str() {
                        "image-id" => vec![image.id.clone()],
                        "name" => vec![image.name.clone()],
                        "state" => vec![image.state.clone()],
                        "source-instance-id" => image.source_instance.iter().cloned().collect(),
                        _ => tagged(name, &image.tags),
                    };
                    accepts(wanted, &has)
                })
        };
        let seen: Vec<String> = self
            .images
            .iter()
            .filter(|image| wanted(image))
            .map(|image| image.id.clone())
            .collect();
        let shown: Vec<String> = seen.into_iter().filter(|id| self.advance(id)).collect();
        if let Some(id) = ids.iter().find(|id| !shown.contains(id)) {
            let message = format!("The image id '[{id}]' does not exist");
            return Err(Reply::error(400, "InvalidAMIID.NotFound", message));
        }
        let found: Vec<_> = self
            .images
            .iter()
            .filter(|image| shown.contains(&image.id))
            .cloned()
            .collect();
        Ok(xml::describe_images(&found))
    }

    /// One reading of an image goes by; whether it is to be seen.
    fn advance(&mut self, id: &str) -> bool {
        let Some((polls, outcome)) = self.under_way.get_mut(id) else {
            return true;
        };
        let seen = *polls;
        *polls += 1;
        if seen < self.invisible_polls {
            return false;
        }
        let seen = seen - self.invisible_polls;
        let is_done = outcome.polls().is_some_and(|pending| seen >= pending);
        let progress = match outcome.polls() {
            _ if is_done => 100,
            Some(pending) => seen * 100 / pending.max(1),
            None => seen.min(99),
        };
        let outcome = outcome.clone();
        let Some(image) = self.images.iter_mut().find(|image| image.id == id) else {
            return false;
        };
        let snapshots = image.snapshots();
        if is_done {
            match &outcome {
                Outcome::Available { .. } => image.state = "available".to_owned(),
                Outcome::Failed { code, message, .. } => {
                    image.state = "failed".to_owned();
                    image.state_reason = Some((code.clone(), message.clone()));
                }
                Outcome::Becomes { state, .. } => image.state.clone_from(state),
                Outcome::Vanishes { .. } => self.images.retain(|image| image.id != id),
                Outcome::Never => {}
            }
            self.under_way.remove(id);
        }
        let is_good = is_done && matches!(outcome, Outcome::Available { .. });
        for snapshot in self
            .snapshots
            .iter_mut()
            .filter(|found| snapshots.contains(&found.id))
        {
            snapshot.progress = progress;
            if is_good {
                snapshot.state = "completed".to_owned();
            }
        }
        !(is_done && matches!(outcome, Outcome::Vanishes { .. }))
    }

    fn describe_snapshots(&mut self, request: &Request) -> Answer {
        let ids = request.list("SnapshotId");
        for id in &ids {
            self.snapshot(id)?;
        }
        let filters = request.filters();
        let matches = |snapshot: &&Snapshot| {
            (ids.is_empty() || ids.contains(&snapshot.id))
                && filters.iter().all(|(name, wanted)| {
                    let has = match name.as_str() {
                        "snapshot-id" => vec![snapshot.id.clone()],
                        "volume-id" => vec![snapshot.volume.clone()],
                        "status" => vec![snapshot.state.clone()],
                        "description" => vec![snapshot.description.clone()],
                        _ => tagged(name, &snapshot.tags),
                    };
                    accepts(wanted, &has)
                })
        };
        let found: Vec<_> = self.snapshots.iter().filter(matches).cloned().collect();
        Ok(xml::describe_snapshots(&found))
    }

    fn create_tags(&mut self, request: &Request) -> Answer {
        let added = request.tags("Tag");
        self.change_tags(request, |tags| {
            tags.retain(|(key, _)| !added.iter().any(|(new, _)| new == key));
            tags.extend(added.iter().cloned());
        })?;
        Ok(xml::done("CreateTags"))
    }

    fn delete_tags(&mut self, request: &Request) -> Answer {
        let removed = request.tags("Tag");
        self.change_tags(request, |tags| {
            tags.retain(|(key, _)| !removed.iter().any(|(gone, _)| gone == key));
        })?;
        Ok(xml::done("DeleteTags"))
    }

    fn change_tags(
        &mut self,
        request: &Request,
        change: impl Fn(&mut Vec<(String, String)>),
    ) -> Result<(), Reply> {
        let ids = request.list("ResourceId");
        let instances = self
            .instances
            .iter_mut()
            .map(|found| (&found.id, &mut found.tags));
        let images = self
            .images
            .iter_mut()
            .map(|found| (&found.id, &mut found.tags));
        let snapshots = self
            .snapshots
            .iter_mut()
            .map(|found| (&found.id, &mut found.tags));
        let mut found: HashMap<&String, &mut Vec<(String, String)>> =
            instances.chain(images).chain(snapshots).collect();
        if let Some(id) = ids.iter().find(|id| !found.contains_key(id)) {
            let message = format!("The ID '{id}' is not valid");
            return Err(Reply::error(400, "InvalidID", message));
        }
        refuse_dry_run(request)?;
        for id in &ids {
            if let Some(tags) = found.get_mut(id) {
                change(tags);
            }
        }
        Ok(())
    }

    fn deregister_image(&mut self, request: &Request) -> Answer {
        let id = request.param("ImageId").unwrap_or("");
        let Some(at) = self.images.iter().position(|image| image.id == id) else {
            let message = format!("The image id '[{id}]' does not exist");
            return Err(Reply::error(400, "InvalidAMIID.NotFound", message));
        };
        refuse_dry_run(request)?;
        let image = self.images.remove(at);
        self.under_way.remove(&image.id);
        if request.param("DeleteAssociatedSnapshots") == Some("true") {
            let gone = image.snapshots();
            self.snapshots
                .retain(|snapshot| !gone.contains(&snapshot.id));
        }
        Ok(xml::done("DeregisterImage"))
    }

    fn delete_snapshot(&mut self, request: &Request) -> Answer {
        let id = request.param("SnapshotId").unwrap_or("").to_owned();
        self.snapshot(&id)?;
        if let Some(image) = self
            .images
            .iter()
            .find(|image| image.snapshots().contains(&id))
        {
            let message = format!("The snapshot {id} is currently in use by {}", image.id);
            return Err(Reply::error(400, "InvalidSnapshot.InUse", message));
        }
        refuse_dry_run(request)?;
        self.snapshots.retain(|snapshot| snapshot.id != id);
        Ok(xml::done("DeleteSnapshot"))
    }

    fn instance(&self, id: &str) -> Result<&Instance, Reply> {
        if !id.starts_with("i-") {
            let message = format!("Invalid id: \"{id}\"");
            return Err(Reply::error(400, "InvalidInstanceID.Malformed", message));
        }
        self.instances
            .iter()
            .find(|instance| instance.id == id)
            .ok_or_else(|| {
                let message = format!("The instance ID '{id}' does not exist");
                Reply::error(400, "InvalidInstanceID.NotFound", message)
            })
    }

    fn snapshot(&self, id: &str) -> Result<&Snapshot, Reply> {
        self.snapshots
            .iter()
            .find(|snapshot| snapshot.id == id)
            .ok_or_else(|| {
                let message = format!("The snapshot '{id}' does not exist.");
                Reply::error(400, "InvalidSnapshot.NotFound", message)
            })
    }
}

/// EC2 answers a permitted dry run with this error.
fn refuse_dry_run(request: &Request) -> Result<(), Reply> {
    if request.param("DryRun") == Some("true") {
        let message = "Request would have succeeded, but DryRun flag is set.";
        return Err(Reply::error(412, "DryRunOperation", message));
    }
    Ok(())
}

/// The values that a `tag:KEY` or `tag-key` filter looks at.
fn tagged(filter: &str, tags: &[(String, String)]) -> Vec<String> {
    if filter == "tag-key" {
        return tags.iter().map(|(key, _)| key.clone()).collect();
    }
    let key = filter
        .strip_prefix("tag:")
        .unwrap_or_else(|| panic!("the fake EC2 does not know the filter {filter:?}; teach it"));
    tags.iter()
        .filter(|(found, _)| found == key)
        .map(|(_, value)| value.clone())
        .collect()
}

/// Whether one of `wanted`, with EC2's wildcards, is one of `has`.
fn accepts(wanted: &[String], has: &[String]) -> bool {
    wanted.iter().any(|pattern| {
        has.iter()
            .any(|value| like(pattern.as_bytes(), value.as_bytes()))
    })
}

/// `*` stands for any text, `?` for one character.
fn like(pattern: &[u8], value: &[u8]) -> bool {
    match (pattern.split_first(), value.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => {
            like(rest, value)
                || value
                    .split_first()
                    .is_some_and(|(_, tail)| like(pattern, tail))
        }
        (Some((b'?', rest)), Some((_, tail))) => like(rest, tail),
        (Some((one, rest)), Some((other, tail))) => one == other && like(rest, tail),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::like;

    #[test]
    fn filters_know_wildcards() {
        assert!(like(b"web-*", b"web-42") && like(b"*", b"") && like(b"w?b", b"web"));
        assert!(!like(b"web-*", b"api-42") && !like(b"w?b", b"wb") && !like(b"web", b"web-1"));
    }
}
