//! Instances and their volumes with the attributes that the programs read.

use super::Tags;
use super::world::ACCOUNT;

/// One GiB in bytes.
const GIB: u64 = 1 << 30;

/// An EBS volume attached to an instance.
#[derive(Debug, Clone)]
pub struct Volume {
    /// Such as `vol-0123456789abcdef0`.
    pub id: String,
    /// Such as `/dev/xvda`.
    pub device: String,
    /// In GiB.
    pub size: u32,
    /// `gp3`, `gp2`, `io1`, `io2`, `st1`, `sc1` or `standard`.
    pub kind: String,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// The ARN of the key that encrypts it.
    pub kms_key: Option<String>,
    /// How many bytes were ever written, which is the full size of a snapshot of it.
    pub written: u64,
    /// Its tags.
    pub tags: Tags,
}

impl Volume {
    /// An unencrypted gp3 volume of `size` GiB, a quarter of it written.
    pub fn new(id: &str, device: &str, size: u32) -> Self {
        Self {
            id: id.to_owned(),
            device: device.to_owned(),
            size,
            kind: "gp3".to_owned(),
            encrypted: false,
            kms_key: None,
            written: u64::from(size) * GIB / 4,
            tags: Vec::new(),
        }
    }

    /// Changes the type, such as `io2`.
    #[must_use]
    pub fn kind(mut self, kind: &str) -> Self {
        self.kind = kind.to_owned();
        self
    }

    /// Encrypts it with the key of this ARN.
    #[must_use]
    pub fn encrypted(mut self, key: &str) -> Self {
        self.encrypted = true;
        self.kms_key = Some(key.to_owned());
        self
    }

    /// Changes how many bytes were ever written.
    #[must_use]
    pub fn written(mut self, bytes: u64) -> Self {
        self.written = bytes;
        self
    }
}

/// An instance.
#[derive(Debug, Clone)]
pub struct Instance {
    /// Such as `i-0123456789abcdef0`.
    pub id: String,
    /// `pending`, `running`, `stopping`, `stopped`, `shutting-down` or `terminated`.
    pub state: String,
    /// Why it is in that state: code and message.
    pub state_reason: Option<(String, String)>,
    /// Why its state changed last, such as `User initiated (2026-01-31 12:00:00 GMT)`; may be empty.
    pub transition_reason: String,
    /// Its address on the internet, while it runs.
    pub public_ip: Option<String>,
    /// Its address in the subnet.
    pub private_ip: Option<String>,
    /// The image it was started from.
    pub image: String,
    /// Such as `t3.large`.
    pub kind: String,
    /// `spot` or `scheduled`; nothing for an instance on demand.
    pub lifecycle: Option<String>,
    /// The kind of a Spot Instance's request: `one-time` or `persistent`.
    pub spot: Option<String>,
    /// Whether it is set up to hibernate.
    pub hibernation: bool,
    /// `ebs` or `instance-store`.
    pub root_device_type: String,
    /// The device of the root volume.
    pub root_device: String,
    /// Its volumes.
    pub volumes: Vec<Volume>,
    /// Its tags.
    pub tags: Tags,
    /// The account that owns it.
    pub owner: String,
    /// How often CreateImage rebooted it.
    pub reboots: u32,
    /// Its zone, such as `eu-west-1a`.
    pub zone: String,
    /// The ARN of its Outpost.
    pub outpost: Option<String>,
    /// `legacy-bios` or `uefi`.
    pub boot_mode: String,
}

impl Instance {
    /// A running instance with a root volume of 8 GiB.
    pub fn running(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            state: "running".to_owned(),
            state_reason: None,
            transition_reason: String::new(),
            public_ip: Some("203.0.113.10".to_owned()),
            private_ip: Some("10.0.0.10".to_owned()),
            image: "ami-0000000000000ba5e".to_owned(),
            kind: "t3.large".to_owned(),
            lifecycle: None,
            spot: None,
            hibernation: false,
            root_device_type: "ebs".to_owned(),
            root_device: "/dev/xvda".to_owned(),
            volumes: vec![Volume::new(&id.replacen("i-", "vol-", 1), "/dev/xvda", 8)],
            tags: Vec::new(),
            owner: ACCOUNT.to_owned(),
            reboots: 0,
            zone: "eu-west-1a".to_owned(),
            outpost: None,
            boot_mode: "legacy-bios".to_owned(),
        }
    }

    /// The same instance stopped, without an address on the internet.
    pub fn stopped(id: &str) -> Self {
        Self {
            state: "stopped".to_owned(),
            state_reason: Some(stopped_by_user()),
            public_ip: None,
            ..Self::running(id)
        }
    }

    /// Adds a tag.
    #[must_use]
    pub fn tag(mut self, key: &str, value: &str) -> Self {
        self.tags.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Puts it into an Auto Scaling group, as its tag says.
    #[must_use]
    pub fn in_group(self, group: &str) -> Self {
        self.tag("aws:autoscaling:groupName", group)
    }

    /// Makes it a Spot Instance of a request that is `one-time` or `persistent`.
    #[must_use]
    pub fn of_spot_request(mut self, kind: &str) -> Self {
        self.lifecycle = Some("spot".to_owned());
        self.spot = Some(kind.to_owned());
        self
    }

    /// Makes it the resource `logical_id` of a CloudFormation stack, as its tags say.
    #[must_use]
    pub fn of_stack(self, stack: &str, logical_id: &str) -> Self {
        self.tag("aws:cloudformation:stack-name", stack)
            .tag("aws:cloudformation:logical-id", logical_id)
    }

    /// Adds a volume.
    #[must_use]
    pub fn volume(mut self, volume: Volume) -> Self {
        self.volumes.push(volume);
        self
    }

    /// Puts it into another zone.
    #[must_use]
    pub fn zone(mut self, zone: &str) -> Self {
        self.zone = zone.to_owned();
        self
    }

    /// Puts it onto an Outpost.
    #[must_use]
    pub fn on_outpost(mut self, arn: &str) -> Self {
        self.outpost = Some(arn.to_owned());
        self
    }

    /// Changes the boot mode that it runs in, such as `uefi`.
    #[must_use]
    pub fn boot_mode(mut self, mode: &str) -> Self {
        self.boot_mode = mode.to_owned();
        self
    }

    /// Changes the image it was started from.
    #[must_use]
    pub fn image(mut self, id: &str) -> Self {
        self.image = id.to_owned();
        self
    }
}

/// The number that EC2 gives each instance state.
pub fn state_code(state: &str) -> u8 {
    match state {
        "pending" => 0,
        "running" => 16,
        "shutting-down" => 32,
        "terminated" => 48,
        "stopping" => 64,
        _ => 80,
    }
}

/// The state reason of an instance that somebody stopped.
pub(super) fn stopped_by_user() -> (String, String) {
    (
        "Client.UserInitiatedShutdown".to_owned(),
        "Client.UserInitiatedShutdown: User initiated shutdown".to_owned(),
    )
}
