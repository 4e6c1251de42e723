//! The image itself: asked for once, waited for, checked.

pub(crate) mod create;
pub(crate) mod describe;
pub(crate) mod mapping;
pub(crate) mod passing_limits;
pub(crate) mod poll_schedule;
pub(crate) mod spec;
pub(crate) mod tags;
pub(crate) mod verify;
pub(crate) mod visibility;
pub(crate) mod wait_available;
