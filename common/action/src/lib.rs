//! What every program of this workspace shares: the contract between a program and the build
//! that runs it. Knows no AWS.
//!
//! Reading order: [`program`] runs an action from its arguments to its exit code; on the way it
//! uses [`settings`] (flags, environment and env files become checked values), [`codebuild`] (the
//! build around us), [`log`] and [`interrupt`]; the action ends in an [`export`] or in a
//! [`failure`], and [`exit`] gives either its code. [`page`] renders all of it for the
//! documentation, so that pages and code cannot disagree.

pub mod codebuild;
pub mod env_file;
pub mod exit;
pub mod export;
pub mod failure;
pub mod interrupt;
pub mod log;
pub mod page;
pub mod program;
pub mod redact;
pub mod settings;
pub mod wait;
