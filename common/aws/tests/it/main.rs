//! What every client of every program promises: an answer is whole or none, a call keeps to the
//! deadline, and no wait is silent.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod calls;
mod cut;
mod deadline;
