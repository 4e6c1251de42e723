//! EC2 as the programs see it: its resources, the XML it answers with, and a small world that
//! keeps them.

mod image;
mod image_scan;
mod instance;
mod launch_template;
mod outcome;
mod snapshot;
mod time;
mod world;
mod xml;

/// Text pairs, as tags are.
type Tags = Vec<(String, String)>;

pub use image::{Image, Watermark};
pub use image::Image;
pub use image_scan::{ImageFinding, ImageScan};
pub use instance::{Instance, Volume, state_code};
pub use launch_template::LaunchTemplate;
pub use outcome::{Course, End, Outcome, Progress};
pub use snapshot::Snapshot;
pub use time::iso;
pub(crate) use world::ACCOUNT;
pub use world::Ec2World;
pub use xml::{
    create_image, describe_images, describe_instances, describe_snapshots, done, instance_changes,
};
