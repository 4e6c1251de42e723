//! Runs the built `job-worker` against a scripted job API, with programs that stand in for ours.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod artifacts;
mod faults;
mod killed;
mod lambda;
mod model;
mod page;
mod real;
mod sdk_settings;
mod secret_settings;
mod serve;
mod unit;
mod world;
