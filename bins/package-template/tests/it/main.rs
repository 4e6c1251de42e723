//! The built program, as a build runs it: against a scripted S3, against moto, and without either.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod contract;
mod faults;
mod iam;
mod local_files;
mod moto;
mod offline;
mod page;
mod proof;
mod reports;
mod sdk_settings;
mod secret_settings;
mod upload;
mod world;
