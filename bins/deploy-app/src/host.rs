//! The host as it is asked over its SSH connection.

pub mod http;
