//! The harness is tested like anything else: each kind of reply as a client sees it, and each
//! server with a client that is not ours.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod client;
mod ec2;
mod ec2_copies;
mod ec2_removal;
mod ec2_time;
mod fake_aws;
mod install_actions;
mod offline;
mod program;
mod sdk;
mod servers;
mod services;
mod ssm;
mod tunnel_clients;
