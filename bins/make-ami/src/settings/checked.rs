//! The settings after checking.

use crate::settings::modes::{
    BootMode, Consistency, Imds, OnTimeout, Protect, QuiesceBy, Retire, SnapshotLocation,
    SnapshotTags,
};
use crate::settings::provenance::{Ancestor, Watermark};
use crate::settings::scan::Scan;
use crate::settings::statement_key::StatementKey;
use crate::settings::tags::Tags;
use crate::settings::values::{Price, Principal, StackResource, Target};
use crate::settings::volumes::VolumeChanges;
use action::settings::tags::InstanceTags;
use std::path::PathBuf;
use std::time::Duration;

/// What names the instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// Its id.
    Id(String),
    /// Its tags.
    Tags(InstanceTags),
    /// Its place in a CloudFormation stack.
    Stack(StackResource),
}

/// What quiescing does on the instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quiesce {
    /// The containers that stand still.
    pub containers: Vec<String>,
    /// How.
    pub by: QuiesceBy,
    /// The mount points to freeze.
    pub mounts: Vec<String>,
    /// When the instance thaws by itself.
    pub lease: Duration,
}

/// What happens to an available image.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Publish {
    /// The regions that get a copy.
    pub copy_to: Vec<String>,
    /// Whether copies are waited for.
    pub copy_wait: bool,
    /// Within how many minutes EC2 completes each snapshot of a copy.
    pub copy_within: Option<i64>,
    /// The instance types that the image may be launched on, as names or patterns; any where there is none.
    pub instance_types: Vec<String>,
    /// Which metadata service the image's instances offer.
    pub imds: Imds,
    /// Whether the image itself is encrypted with the key, by a copy within its Region.
    pub encrypt: bool,
    /// The key of the copies.
    pub kms_key: Option<String>,
    /// Whom it is shared with.
    pub share_with: Vec<Principal>,
    /// When it is deprecated, counted from its creation.
    pub deprecate_after: Option<Duration>,
    /// Whether deregistration protection is turned on.
    pub protect: Protect,
    /// Where its id is written.
    pub ssm_parameter: Option<String>,
}

/// What proves where an image comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Provenance {
    /// What is attached to the image, or must be.
    pub watermarks: Vec<Watermark>,
    /// The image must descend from one of these; from any where there is none.
    pub ancestors: Vec<Ancestor>,
    /// Where the statement goes, or is.
    pub statement: Option<PathBuf>,
    /// What signs it, or has signed it.
    pub key: Option<StatementKey>,
    /// The release that runs on the instance.
    pub release_id: Option<String>,
    /// The digest of the template that the image is for.
    pub template_digest: Option<String>,
}

/// Which older images of the application go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// The application.
    pub app: String,
    /// How many of the newest stay whatever their age.
    pub keep: Option<usize>,
    /// How old one may become.
    pub max_age: Option<Duration>,
    /// How they go.
    pub retire: Retire,
    /// For how long nobody may have used a shared one; without it every shared one stays.
    pub unused_for: Option<Duration>,
    /// How old a usage report may be.
    pub usage_report_age: Duration,
}

/// The settings after checking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The instance; always there when an image is made.
    pub instance: Option<Named>,
    /// The name's template.
    pub ami_name: String,
    /// The description's template.
    pub description: Option<String>,
    /// Volumes that the image leaves out or maps otherwise.
    pub volumes: VolumeChanges,
    /// The application.
    pub app: Option<String>,
    /// What makes two tries one run, where the user says it.
    pub run: Option<String>,
    /// How still the instance is.
    pub consistency: Consistency,
    /// What quiescing does.
    pub quiesce: Quiesce,
    /// The user's tags.
    pub tags: Tags,
    /// When snapshots get their tags.
    pub snapshot_tags: SnapshotTags,
    /// The boot mode of the image; without it the instance's.
    pub boot_mode: Option<BootMode>,
    /// Where the snapshots are stored; without it EC2 decides.
    pub snapshot_location: Option<SnapshotLocation>,
    /// What happens at the deadline.
    pub on_timeout: OnTimeout,
    /// The image to go on with.
    pub target: Option<Target>,
    /// How it is scanned.
    pub scan: Scan,
    /// What happens to the available image.
    pub publish: Publish,
    /// Which older images go.
    pub retention: Option<Retention>,
    /// What proves where the image comes from.
    pub provenance: Provenance,
    /// Where the manifest goes.
    pub manifest: Option<PathBuf>,
    /// The price that overrides the table.
    pub price: Option<Price>,
    /// How long the image is kept, for the cost line.
    pub price_for: Duration,
}
