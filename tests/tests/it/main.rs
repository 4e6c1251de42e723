//! The harness is tested like anything else: each kind of reply as a client sees it, and each
//! server with a client that is not ours.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod client;
mod ec2;
mod fake_aws;
mod program;
mod servers;
