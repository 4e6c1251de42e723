//! What a run tells about itself: its stages with their times, and what explains a failure, in the failure bundle.

pub(crate) mod bundle;
pub(crate) mod collector;
pub(crate) mod timings;
