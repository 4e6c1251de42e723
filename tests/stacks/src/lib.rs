//! The stacks in `cfn/` as values: templates resolved over parameters ([`stack`]), what must hold of
//! them ([`conventions`]), the IAM statements in them ([`statements`]), and copies to break
//! ([`copy`]).
//!
//! What cfn-lint, cfn-guard and checkov see in the text alone is theirs (`scripts/cfn-check`). Here is
//! what depends on parameters, what moto ignores, and what ties the stacks to the programs.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "this crate is only linked into tests, where a panic is a failure with a place"
)]

pub mod conventions;
pub mod copy;
pub mod faults;
pub mod stack;
pub mod statements;
