//! Older images of the application: which go, how far, and what still refers to them.

pub(crate) mod recycle_bin;
pub(crate) mod references;
pub(crate) mod retire;
pub(crate) mod select;
pub(crate) mod usage;
