//! The table of faults, run; what each emulator lacks; and the pages that name these tests.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod demo;
mod faults;
mod lacks;
mod promises;
