//! What tests start and look through: the built programs as a user runs them, a scripted fake AWS,
//! an SSH host, emulators by others and a proxy that spoils their answers, and the real shells.
//!
//! A test that needs a server starts it itself, on a free loopback port; dropping the value stops
//! it. The crate depends on none of ours, so that every one of ours may depend on it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "this crate is only linked into tests, where a panic is a failure with a place"
)]

pub mod codebuild;
pub mod codepipeline;
pub mod cut_proxy;
pub mod dropbear;
pub mod ebs;
pub mod ec2;
pub mod fake_aws;
pub mod inspector;
pub mod jobs;
pub mod kms;
pub mod microburst;
pub mod ministack;
pub mod missing;
pub mod moto;
pub mod page;
pub mod policy;
pub mod program;
pub mod readers;
pub mod schema;
pub mod sdk_settings;
pub mod secret_settings;
pub mod server;
pub mod shells;
pub mod slow_link;
pub mod sshd;
pub mod ssm;
pub mod tunnel;
pub mod xml;

mod children;
mod free_port;

pub use fake_aws::{FakeAws, Fate, Reply, Request};
pub use free_port::free_port;
pub use missing::missing;
pub use program::{Program, Ran, Running};
pub use server::build_folder;
