//! What a run made and does not keep.

pub(crate) mod clean;
pub(crate) mod keep_policy;
pub(crate) mod undo;
