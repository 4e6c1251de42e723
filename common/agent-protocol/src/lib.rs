//! What `deploy-app` and `deploy-agent` say to each other over one channel.
//!
//! Each side first sends a [`hello`] of a fixed length. After it come [`frame`]s, each with one [`message`].
//! A request has a number that the client chose. Everything that belongs to the request bears the number, so that
//! several requests are under way at once. A request ends with its one answer.
//!
//! A request's data flows under a [`window`]: the sender sends no more than the receiver has taken in already.
//! So one slow stream keeps nothing else waiting.
//!
//! This crate does no input or output.

pub mod frame;
pub mod hello;
pub mod message;
pub mod plan;
pub mod window;
