//! AWS as our programs see it: [`session`] sets up clients, [`error`] says honestly what went
//! wrong with a call, [`wait`] waits for a state with one deadline.

pub mod error;
pub mod session;
pub mod wait;
