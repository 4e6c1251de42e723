//! Ships an application to an EC2 instance over verified SSH.

pub mod host;
