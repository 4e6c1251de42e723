//! Runs a CodePipeline definition with its buildspecs on this machine.
//!
//! Reading order: [`settings`] and [`definition`] say what to run; [`execution`] runs stage after
//! stage; each action is a file in [`actions`]. A build is [`build`] over [`phases`] over [`item`],
//! with [`build_env`] around it, [`process`] below it and [`missing`] for what it did not export.

pub mod artifacts;
pub mod build;
pub mod build_env;
pub mod findings;
pub mod item;
pub mod missing;
pub mod phases;
pub mod process;
