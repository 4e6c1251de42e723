//! EC2 as the programs see it: its resources, the XML it answers with, and a small world that
//! keeps them.

mod resources;
mod world;
mod xml;

pub use resources::{Image, Instance, Outcome, Snapshot, Volume};
pub use world::Ec2World;
pub use xml::{
    create_image, describe_images, describe_instances, describe_snapshots, done, instance_changes,
};
