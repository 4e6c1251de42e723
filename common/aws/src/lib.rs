//! AWS as our programs see it: [`session`] sets up clients, [`authorities`] say which servers they
//! trust, [`limit`] holds every call to the deadline and its answer to being whole, [`error`] says honestly
//! what went wrong with a call, [`body`] reads what is streamed, [`dial`] opens a stream that is no call.

mod answer;

pub mod authorities;
pub mod body;
pub mod dial;
pub mod error;
pub mod limit;
pub mod session;
mod unanswered;

mod environment;
mod proxy;
