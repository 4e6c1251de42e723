//! The stacks as they are, broken on purpose, and deployed into moto and ministack.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod broken;
mod custom_actions;
mod deployed;
mod handlers;
mod own_pipeline;
mod page;
mod strategies;
mod whole;
