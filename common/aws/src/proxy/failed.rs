//! A request that failed on its way through a proxy.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::result::ConnectorError;
use std::error::Error;
use std::fmt;

/// Why a request through a proxy has no answer. A proxy that wants other credentials (407) and one that cannot reach
/// the server look alike here: the HTTP client keeps the difference to itself.
#[derive(Debug)]
pub(crate) struct ProxyFailed {
    /// The variable that names the proxy.
    pub(crate) variable: &'static str,
    source: BoxError,
}

impl fmt::Display for ProxyFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "through the proxy of {}", self.variable)
    }
}

impl Error for ProxyFailed {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

/// The same error, of the same kind, with the proxy named.
pub(super) fn failed(error: ConnectorError, variable: &'static str) -> ConnectorError {
    let make = match (error.is_io(), error.is_timeout(), error.is_user()) {
        (true, ..) => ConnectorError::io,
        (_, true, _) => ConnectorError::timeout,
        (.., true) => ConnectorError::user,
        _ => {
            let kind = error.as_other();
            return with_proxy(error, variable, |source| {
                ConnectorError::other(source, kind)
            });
        }
    };
    with_proxy(error, variable, make)
}

fn with_proxy(
    error: ConnectorError,
    variable: &'static str,
    make: impl FnOnce(BoxError) -> ConnectorError,
) -> ConnectorError {
    let connection = error.connection_metadata().cloned();
    let source = error.into_source();
    let error = make(ProxyFailed { variable, source }.into());
    match connection {
        Some(connection) => error.with_connection(connection),
        None => error,
    }
}
