//! x
pub mod ssm;
