//! CreateImage.

use super::{Answer, State, missing, next_outcome, refuse_dry_run};
use crate::ec2::{Image, Instance, Snapshot, Volume, xml};
use crate::fake_aws::{Reply, Request};

/// What a request changes in the mapping, by device.
#[derive(Default)]
struct Changes {
    left_out: Vec<String>,
    kept: Vec<String>,
}

/// Reads the mapping of a request, and refuses what CreateImage does not change: its page says that this is all but
/// DeleteOnTermination. Which code EC2 gives is unproven.
fn changes(request: &Request, instance: &Instance) -> Result<Changes, Reply> {
    let invalid = |message: String| Reply::error(400, "InvalidBlockDeviceMapping", message);
    let mut changes = Changes::default();
    for n in 1.. {
        let prefix = format!("BlockDeviceMapping.{n}");
        let Some(device) = request.param(&format!("{prefix}.DeviceName")) else {
            break;
        };
        if !instance
            .volumes
            .iter()
            .any(|volume| volume.device == device)
        {
            return Err(invalid(format!("The device '{device}' is not attached")));
        }
        let fixed = [
            "VolumeSize",
            "VolumeType",
            "Iops",
            "Throughput",
            "Encrypted",
        ];
        let is_given = |name: &&str| request.param(&format!("{prefix}.Ebs.{name}")).is_some();
        if let Some(name) = fixed.into_iter().find(is_given) {
            return Err(invalid(format!("{name} of {device} cannot be changed")));
        }
        if request.param(&format!("{prefix}.NoDevice")).is_some() {
            if device == instance.root_device {
                return Err(invalid(format!(
                    "the root device {device} cannot be left out"
                )));
            }
            changes.left_out.push(device.to_owned());
        } else if request.param(&format!("{prefix}.Ebs.DeleteOnTermination")) == Some("false") {
            changes.kept.push(device.to_owned());
        }
    }
    Ok(changes)
}

impl State {
    pub(super) fn create_image(&mut self, request: &Request) -> Answer {
        let id = request
            .param("InstanceId")
            .ok_or_else(|| missing("InstanceId"))?;
        let instance = self.instance(id)?.clone();
        let name = request.param("Name").unwrap_or("").to_owned();
        self.refuse_name(&name)?;
        if !["running", "stopped"].contains(&instance.state.as_str()) {
            // https://github.com/hashicorp/packer/issues/9579
            let message = "Instance is not in state 'running' or 'stopped'";
            return Err(Reply::error(400, "InvalidParameterValue", message));
        }
        if instance.root_device_type != "ebs" {
            // Which code EC2 gives is unproven.
            let message = format!("The instance '{id}' has no EBS root device");
            return Err(Reply::error(400, "InvalidParameterValue", message));
        }
        let changes = changes(request, &instance)?;
        refuse_dry_run(request)?;
        self.created += 1;
        let image = format!("ami-{:017x}", self.created);
        let now = self.rules.written(self.rules.elapsed());
        let mut devices = Vec::new();
        let mut made = Vec::new();
        let mapped = |volume: &&Volume| !changes.left_out.contains(&volume.device);
        for (n, volume) in instance.volumes.iter().filter(mapped).enumerate() {
            let snapshot = Snapshot {
                volume: volume.id.clone(),
                size: volume.size,
                description: format!("Created by CreateImage({id}) for {image}"),
                started: now.clone(),
                encrypted: volume.encrypted,
                kms_key: volume.kms_key.clone(),
                tags: request.tags_for("snapshot"),
                ..Snapshot::pending(&format!("snap-{:015x}{n:02x}", self.created), 0)
            };
            made.push((snapshot.id.clone(), volume.size, volume.written));
            devices.push((
                volume.device.clone(),
                Some(snapshot.id.clone()),
                volume.size,
            ));
            self.here.snapshots.push(snapshot);
        }
        self.here.images.push(Image {
            state: "pending".to_owned(),
            description: request.param("Description").unwrap_or("").to_owned(),
            created: now,
            source_instance: Some(id.to_owned()),
            root_device: instance.root_device.clone(),
            kept_devices: changes.kept,
            devices,
            tags: request.tags_for("image"),
            ..Image::available(&image, &name)
        });
        if instance.state == "running" && !request.flag("NoReboot") {
            let mut instances = self.here.instances.iter_mut();
            if let Some(instance) = instances.find(|instance| instance.id == id) {
                instance.reboots += 1;
            }
        }
        let outcome = next_outcome(&mut self.rules.outcomes);
        self.begin(&image, outcome, made);
        Ok(xml::create_image(&image))
    }

    /// Refuses a name that EC2 does not take, or that another image of the region has.
    pub(super) fn refuse_name(&self, name: &str) -> Result<(), Reply> {
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || "()[] ./-'@_".contains(c);
        if !(3..=128).contains(&name.chars().count()) || !name.chars().all(is_allowed) {
            let message = "AMI names must be between 3 and 128 characters long, and may contain letters, numbers, '(', ')', '.', '-', '/' and '_'";
            return Err(Reply::error(400, "InvalidAMIName.Malformed", message));
        }
        let holds = |image: &&Image| {
            image.name == name && !(self.rules.failed_free_names && image.state == "failed")
        };
        if let Some(holder) = self.here.images.iter().find(holds) {
            let message = format!("AMI name {name} is already in use by AMI {}", holder.id);
            return Err(Reply::error(400, "InvalidAMIName.Duplicate", message));
        }
        Ok(())
    }
}
