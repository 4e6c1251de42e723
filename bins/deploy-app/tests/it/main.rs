//! The built `deploy-app` against a real OpenSSH server and a scripted AWS.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod aws;
mod compose;
mod deploys;
mod faults;
mod model;
mod page;
mod refusals;
mod world;
