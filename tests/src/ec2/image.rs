//! Images with the attributes that the programs read.

use std::time::SystemTime;

use super::Tags;
use super::image_scan::ImageScan;
use super::time::LONG_AGO;
use super::world::ACCOUNT;

/// A watermark of an image: its key, and the image to which it was attached first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watermark {
    /// Account and name, such as `123456789012:approved`.
    pub key: String,
    /// Where the image is to which it was attached.
    pub region: String,
    /// The image to which it was attached.
    pub image: String,
}

/// An image.
#[derive(Debug, Clone)]
pub struct Image {
    /// Such as `ami-0123456789abcdef0`.
    pub id: String,
    /// Unique among the account's images of the region.
    pub name: String,
    /// The description given when it was created.
    pub description: String,
    /// `pending`, `available`, `failed`, `error`, `invalid`, `deregistered`, `disabled`, `transient`.
    pub state: String,
    /// Why it failed: code and message.
    pub state_reason: Option<(String, String)>,
    /// ISO 8601 in UTC, as EC2 writes it.
    pub created: String,
    /// When it is deprecated, as EC2 writes it.
    pub deprecation: Option<String>,
    /// Whether deregistration protection is on.
    pub protected: bool,
    /// Whether the protection lasts for 24 hours after it is turned off.
    pub cooldown: bool,
    /// The metadata service that it asks of its instances: `v2.0`.
    pub imds: Option<String>,
    /// The devices whose volumes outlive an instance of it.
    pub kept_devices: Vec<String>,
    /// The instance types that it may be launched on; any where there is none.
    pub instance_types: Vec<String>,
    /// Within how many minutes a copy's snapshots are to be completed.
    pub copied_within: Option<String>,
    /// When it was last launched, as EC2 writes it.
    pub last_launched: Option<String>,
    /// The instance it was made of.
    pub source_instance: Option<String>,
    /// The image it was copied from, or its instance was started from: region and id.
    pub source_image: Option<(String, String)>,
    /// Its watermarks, those included that it inherited.
    pub watermarks: Vec<Watermark>,
    /// `amazon`, `aws-marketplace` or `aws-backup-vault`.
    pub owner_alias: Option<String>,
    /// `uefi`, where CreateImage was told so.
    pub boot_mode: Option<String>,
    /// `local` or `regional`, where CreateImage was told so.
    pub snapshot_location: Option<String>,
    /// The device of the root volume.
    pub root_device: String,
    /// Device and snapshot of each mapping; the snapshot is unknown early in `pending`.
    pub devices: Vec<(String, Option<String>, u32)>,
    /// Its scans for vulnerabilities, the last one last.
    pub scans: Vec<ImageScan>,
    /// Its tags.
    pub tags: Tags,
    /// The account that owns it.
    pub owner: String,
    /// Who may launch it: accounts by id, organisations and their units by ARN.
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
            created: LONG_AGO.to_owned(),
            deprecation: None,
            protected: false,
            cooldown: false,
            imds: None,
            kept_devices: Vec::new(),
            instance_types: Vec::new(),
            copied_within: None,
            last_launched: None,
            source_instance: None,
            source_image: None,
            watermarks: Vec::new(),
            owner_alias: None,
            boot_mode: None,
            snapshot_location: None,
            root_device: "/dev/xvda".to_owned(),
            devices: vec![(
                "/dev/xvda".to_owned(),
                Some(id.replacen("ami-", "snap-", 1)),
                8,
            )],
            scans: Vec::new(),
            tags: Vec::new(),
            owner: ACCOUNT.to_owned(),
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

    /// Names the instance it was made of.
    #[must_use]
    pub fn of_instance(mut self, id: &str) -> Self {
        self.source_instance = Some(id.to_owned());
        self
    }

    /// Names the image it descends from, of the home region.
    #[must_use]
    pub fn descends_from(mut self, id: &str) -> Self {
        self.source_image = Some(("eu-west-1".to_owned(), id.to_owned()));
        self
    }

    /// Gives it a watermark by its key, such as `123456789012:approved`, which was attached to it.
    #[must_use]
    pub fn watermark(mut self, key: &str) -> Self {
        self.watermarks.push(Watermark {
            key: key.to_owned(),
            region: "eu-west-1".to_owned(),
            image: self.id.clone(),
        });
        self
    }

    /// The keys of its watermarks.
    pub fn watermark_keys(&self) -> Vec<&str> {
        let watermarks = self.watermarks.iter();
        watermarks.map(|watermark| watermark.key.as_str()).collect()
    }

    /// Changes the owner's alias, such as `amazon`.
    #[must_use]
    pub fn owner_alias(mut self, alias: &str) -> Self {
        self.owner_alias = Some(alias.to_owned());
        self
    }

    /// Replaces its mappings: device, snapshot and size in GiB of each.
    #[must_use]
    pub fn mapping<'a>(
        mut self,
        devices: impl IntoIterator<Item = (&'a str, &'a str, u32)>,
    ) -> Self {
        self.devices = devices
            .into_iter()
            .map(|(device, snapshot, size)| (device.to_owned(), Some(snapshot.to_owned()), size))
            .collect();
        self
    }

    /// Shares it with an account, an organisation or a unit of one.
    #[must_use]
    pub fn shared_with(mut self, who: &str) -> Self {
        self.shared_with.push(who.to_owned());
        self
    }

    /// Changes the account that owns it.
    #[must_use]
    pub fn owner(mut self, account: &str) -> Self {
        self.owner = account.to_owned();
        self
    }

    /// The scan that EC2 shows.
    pub(super) fn scan_shown(&self, now: SystemTime) -> Option<&ImageScan> {
        let mut scans = self.scans.iter().rev();
        scans.find(|scan| scan.shown_from <= now)
    }

    /// The ids of its snapshots, as far as they are known.
    pub fn snapshots(&self) -> Vec<String> {
        self.devices
            .iter()
            .filter_map(|(_, snapshot, _)| snapshot.clone())
            .collect()
    }
}
