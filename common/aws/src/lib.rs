//! AWS as our programs see it: [`session`] sets up clients, [`authorities`] say which servers they
//! trust, [`error`] says honestly what went wrong with a call, [`body`] reads what is streamed, [`wait`]
//! waits for a state with one deadline.

pub mod authorities;
pub mod body;
pub mod error;
pub mod session;
pub mod wait;

mod environment;
mod proxy;
