//! Tunnels against servers that speak the other side, with a host behind them that sends back what it gets.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod eic;
mod ssm;
mod world;
