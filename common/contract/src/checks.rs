//! The looks at one kind of file that find faults of several rules.

pub mod buildspec;
pub mod capabilities;
mod names;
pub mod pipeline;
pub mod template;
