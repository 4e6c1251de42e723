//! Instances, images and snapshots with the attributes that the programs read.

/// Text pairs, as tags are.
type Tags = Vec<(String, String)>;

/// An EBS volume attached to an instance.
#[derive(Debug, Clone)]
pub struct Volume {
    /// Such as `vol-0123456789abcdef0`.
    pub id: String,
    /// Such as `/dev/xvda`.
    pub device: String,
    /// In GiB.
    pub size: u32,
    /// Whether it is encrypted.
    pub encrypted: bool,
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
    /// Its address on the internet, while it runs.
    pub public_ip: Option<String>,
    /// Its address in the subnet.
    pub private_ip: Option<String>,
    /// The image it was started from.
    pub image: String,
    /// Such as `t3.large`.
    pub kind: String,
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
}

impl Instance {
    /// A running instance with a root volume of 8 GiB.
    pub fn running(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            state: "running".to_owned(),
            state_reason: None,
            public_ip: Some("203.0.113.10".to_owned()),
            private_ip: Some("10.0.0.10".to_owned()),
            image: "ami-0000000000000ba5e".to_owned(),
            kind: "t3.large".to_owned(),
            root_device_type: "ebs".to_owned(),
            root_device: "/dev/xvda".to_owned(),
            volumes: vec![Volume {
                id: id.replacen("i-", "vol-", 1),
                device: "/dev/xvda".to_owned(),
                size: 8,
                encrypted: false,
            }],
            tags: Vec::new(),
            owner: super::world::ACCOUNT.to_owned(),
        }
    }

    /// The same instance stopped, without an address on the internet.
    pub fn stopped(id: &str) -> Self {
        Self {
            state: "stopped".to_owned(),
            state_reason: Some((
                "Client.UserInitiatedShutdown".to_owned(),
                "Client.UserInitiatedShutdown: User initiated shutdown".to_owned(),
            )),
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
}

/// An image.
#[derive(Debug, Clone)]
pub struct Image {
    /// Such as `ami-0123456789abcdef0`.
    pub id: String,
    /// Unique among the account's images.
    pub name: String,
    /// The description given when it was created.
    pub description: String,
    /// `pending`, `available`, `failed`, `error`, `invalid`, `deregistered`, `disabled`, `transient`.
    pub state: String,
    /// Why it failed: code and message.
    pub state_reason: Option<(String, String)>,
    /// ISO 8601 in UTC, as EC2 writes it.
    pub created: String,
    /// The instance it was made of.
    pub source_instance: Option<String>,
    /// The device of the root volume.
    pub root_device: String,
    /// Device and snapshot of each mapping; the snapshot is unknown early in `pending`.
    pub devices: Vec<(String, Option<String>, u32)>,
    /// Its tags.
    pub tags: Tags,
    /// The account that owns it.
    pub owner: String,
    /// The accounts that may launch it.
    pub shared_with: Vec<String>,
}

impl Image {
    /// An available image of one snapshot, which is named after it.
    pub fn available(id: &str, name: &str) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            description: String::new(),
            state: "available".to_owned(),
            state_reason: None,
            created: "2030-01-01T00:00:00.000Z".to_owned(),
            source_instance: None,
            root_device: "/dev/xvda".to_owned(),
            devices: vec![(
                "/dev/xvda".to_owned(),
                Some(id.replacen("ami-", "snap-", 1)),
                8,
            )],
            tags: Vec::new(),
            owner: super::world::ACCOUNT.to_owned(),
            shared_with: Vec::new(),
        }
    }

    /// Changes the creation date, such as `2030-01-02T00:00:00.000Z`.
    #[must_use]
    pub fn created(mut self, date: &str) -> Self {
        self.created = date.to_owned();
        self
    }

    /// Changes the state.
    #[must_use]
    pub fn state(mut self, state: &str) -> Self {
        self.state = state.to_owned();
        self
    }

    /// Adds a tag.
    #[must_use]
    pub fn tag(mut self, key: &str, value: &str) -> Self {
        self.tags.push((key.to_owned(), value.to_owned()));
        self
    }

    /// The ids of its snapshots, as far as they are known.
    pub fn snapshots(&self) -> Vec<String> {
        self.devices
            .iter()
            .filter_map(|(_, snapshot, _)| snapshot.clone())
            .collect()
    }
}

/// A snapshot.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Such as `snap-0123456789abcdef0`.
    pub id: String,
    /// `pending`, `completed` or `error`.
    pub state: String,
    /// In percent.
    pub progress: u32,
    /// The volume it was made of.
    pub volume: String,
    /// In GiB.
    pub size: u32,
    /// EC2 writes `Created by CreateImage(i-…) for ami-…`.
    pub description: String,
    /// Its tags.
    pub tags: Tags,
    /// The account that owns it.
    pub owner: String,
}

impl Snapshot {
    /// A completed snapshot of 8 GiB.
    pub fn completed(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            state: "completed".to_owned(),
            progress: 100,
            volume: id.replacen("snap-", "vol-", 1),
            size: 8,
            description: String::new(),
            tags: Vec::new(),
            owner: super::world::ACCOUNT.to_owned(),
        }
    }
}

/// What becomes of an image that is created.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// `pending` for so many readings, then available.
    Available {
        /// How many readings say `pending`.
        after_polls: u32,
    },
    /// `pending` for so many readings, then failed for a reason.
    Failed {
        /// How many readings say `pending`.
        after_polls: u32,
        /// The code, such as `Client.InstanceTerminated`.
        code: String,
        /// The message.
        message: String,
    },
    /// `pending` for so many readings, then any other state, such as `error` or `deregistered`.
    Becomes {
        /// How many readings say `pending`.
        after_polls: u32,
        /// The state.
        state: String,
    },
    /// `pending` as long as anyone looks.
    Never,
    /// `pending` for so many readings, then not to be found.
    Vanishes {
        /// How many readings say `pending`.
        after_polls: u32,
    },
}

impl Outcome {
    /// How many readings say `pending`; all when there is no number.
    pub(super) fn polls(&self) -> Option<u32> {
        match self {
            Self::Available { after_polls }
            | Self::Failed { after_polls, .. }
            | Self::Becomes { after_polls, .. }
            | Self::Vanishes { after_polls } => Some(*after_polls),
            Self::Never => None,
        }
    }
}
