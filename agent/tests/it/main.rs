//! The built `deploy-agent`, spoken to over pipes.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod client;
mod commands;
mod ends;
mod hello;
mod locks;
