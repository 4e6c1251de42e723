//! Asks an application over HTTP whether it is healthy.
//!
//! It speaks over any stream of bytes: a TCP connection from here, or a channel that an SSH server forwards. Redirects
//! are not followed: a redirect is an answer like any other.

mod probe;
mod request;
mod row;
mod statuses;
#[cfg(feature = "tls")]
mod tls;
mod trust;
mod url;

pub use probe::{Probe, Unhealthy};
pub use request::{Answer, BODY_LIMIT, Content, Header, Headers, Request, RequestError, request};
pub use row::in_a_row;
pub use statuses::Statuses;
pub use trust::Trust;
pub use url::{HttpUrl, Scheme};
