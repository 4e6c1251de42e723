//! Where an SSH server listens.

use std::fmt;
use std::str::FromStr;

/// Where an SSH server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// A name or an address, IPv6 without brackets.
    pub host: String,
    /// The port, 22 unless said otherwise.
    pub port: u16,
}

/// What is wrong with the text of an [`Address`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// An IPv6 address that is not closed.
    #[error("`{0}` has `[` without `]`")]
    Bracket(String),
    /// Neither a name nor an address.
    #[error("`{0}` is not `host` or `host:port`")]
    Host(String),
    /// What stands after the colon.
    #[error("`{port}` in `{text}` is not a port")]
    Port {
        /// That part.
        port: String,
        /// The whole text.
        text: String,
    },
}

impl FromStr for Address {
    type Err = AddressError;

    /// Reads `host`, `host:port`, `[ipv6]:port` or a bare IPv6 address.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (host, port) = if let Some(rest) = text.strip_prefix('[') {
            match rest.split_once(']') {
                Some((host, "")) => (host, None),
                Some((host, port)) => (host, port.strip_prefix(':')),
                None => return Err(AddressError::Bracket(text.to_owned())),
            }
        } else if text.matches(':').count() > 1 {
            (text, None)
        } else {
            match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            }
        };
        if host.is_empty() || host.contains(|c: char| c.is_whitespace() || c == '/' || c == '@') {
            return Err(AddressError::Host(text.to_owned()));
        }
        let port = match port {
            None => 22,
            Some(port) => match port.parse() {
                Ok(port) if port != 0 => port,
                _ => {
                    return Err(AddressError::Port {
                        port: port.to_owned(),
                        text: text.to_owned(),
                    });
                }
            },
        };
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Address;

    #[test]
    fn addresses_are_read_with_and_without_port() {
        for (text, expected) in [
            ("web", "web:22"),
            ("web:2222", "web:2222"),
            ("10.0.0.7", "10.0.0.7:22"),
            ("::1", "[::1]:22"),
            ("[::1]:2222", "[::1]:2222"),
            ("[::1]", "[::1]:22"),
        ] {
            assert_eq!(
                text.parse::<Address>().map(|address| address.to_string()),
                Ok(expected.to_owned())
            );
        }
        for text in [
            "",
            ":22",
            "web:",
            "web:0",
            "web:ssh",
            "a b",
            "[::1",
            "user@web",
            "http://web",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}
