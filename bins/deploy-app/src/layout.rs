//! Where things are on the host, in either layout.

pub use filesync::{Layout, Paths};
