//! Ports for servers that must be told one: no test uses a fixed one.

use std::net::TcpListener;

/// A loopback port that nobody listens on now. Somebody else may take it before the server does, so
/// that a start which fails is worth another try.
///
/// # Panics
/// When loopback has no free port.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("cannot open a loopback port");
    listener
        .local_addr()
        .expect("a bound port has an address")
        .port()
}
