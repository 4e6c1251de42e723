//! A warm start: snapshots of the volumes at the start of the pipeline, beside the deployment.
//!
//! Snapshots of a volume are incremental
//! (<https://docs.aws.amazon.com/ebs/latest/userguide/ebs-snapshots.html>), so that those of the image then only carry what
//! the deployment has changed. `warm` makes them; the run that makes the image measures what they saved and deletes them.

pub(crate) mod create;
mod forecast;
pub(crate) mod measure;
mod saved;
pub(crate) mod snapshots;
