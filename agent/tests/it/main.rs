//! The built `deploy-agent`, spoken to over pipes.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod alone;
mod client;
mod commands;
mod connections;
mod ends;
mod hello;
mod locks;
