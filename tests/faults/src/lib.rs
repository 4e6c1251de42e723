//! The programs as they were built, behind proxies that spoil what AWS answers, over two emulators.
//!
//! `faults.txt` is the table: which call of which job is spoilt, how, and how the program must end.
//! [`table`] reads it, [`fault`] says what each kind of fault is, [`jobs`] what each job makes and must
//! hand on, and [`run`] holds every run to what docs/promises.md promises of every program.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "this crate is only linked into tests, where a panic is a failure with a place"
)]

pub mod fault;
pub mod jobs;
pub mod run;
pub mod table;
