use std::fmt;
use std::str::FromStr;

use hyper::Uri;

/// With or without TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Plain HTTP.
    Http,
    /// HTTP over TLS.
    Https,
}

impl Scheme {
    const fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "http",
            Self::Https => "https",
        })
    }
}

/// An `http://` or `https://` address, taken apart. It holds no user and no fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpUrl {
    /// With or without TLS.
    pub scheme: Scheme,
    /// A name or an address, IPv6 without brackets.
    pub host: String,
    /// The port: 80 or 443 unless the address names another.
    pub port: u16,
    /// Path and query, with the leading slash.
    pub path: String,
}

impl HttpUrl {
    /// The same server, another path.
    #[must_use]
    pub fn at(&self, path: &str) -> Self {
        Self {
            path: path.to_owned(),
            ..self.clone()
        }
    }

    /// Host and port as the `Host` header has them: the port of the scheme is left out.
    #[must_use]
    pub fn authority(&self) -> String {
        let host = match self.host.contains(':') {
            true => format!("[{}]", self.host),
            false => self.host.clone(),
        };
        match self.port == self.scheme.port() {
            true => host,
            false => format!("{host}:{}", self.port),
        }
    }
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.authority(), self.path)
    }
}

/// The address itself is not repeated in an error: it may hold a password.
impl FromStr for HttpUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        const UNUSABLE: &str =
            "not a host and port that can be asked, as in http://127.0.0.1:8001/collection";
        const NO_SCHEME: &str = "does not start with http:// or https://";
        let scheme = match text.split_once("://") {
            Some(("http", _)) => Scheme::Http,
            Some(("https", _)) => Scheme::Https,
            _ => return Err(NO_SCHEME),
        };
        let uri: Uri = text.parse().map_err(|_| UNUSABLE)?;
        let authority = uri.authority().ok_or(UNUSABLE)?;
        let host = authority.host();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        // What follows the host is a port or nothing; `Uri` takes `h:` and `h:99999` for a host without one.
        let has_port = !authority.as_str().ends_with(authority.host());
        let port = match (has_port, uri.port_u16()) {
            (false, _) => scheme.port(),
            (true, Some(port)) if port != 0 => port,
            (true, _) => return Err(UNUSABLE),
        };
        if host.is_empty() || authority.as_str().contains('@') {
            return Err(UNUSABLE);
        }
        Ok(Self {
            scheme,
            host: host.to_owned(),
            port,
            path: uri
                .path_and_query()
                .map_or_else(|| "/".to_owned(), ToString::to_string),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::HttpUrl;

    #[test]
    fn addresses_are_taken_apart() {
        for (text, host, port, path, shown) in [
            (
                "http://127.0.0.1:8001/collection",
                "127.0.0.1",
                8001,
                "/collection",
                "http://127.0.0.1:8001/collection",
            ),
            (
                "http://localhost",
                "localhost",
                80,
                "/",
                "http://localhost/",
            ),
            ("http://[::1]:80?x", "::1", 80, "/?x", "http://[::1]/?x"),
            (
                "http://[::1]:81/a?b=c",
                "::1",
                81,
                "/a?b=c",
                "http://[::1]:81/a?b=c",
            ),
            ("https://h/a#frag", "h", 443, "/a", "https://h/a"),
            ("https://h:8443", "h", 8443, "/", "https://h:8443/"),
        ] {
            let url: HttpUrl = text.parse().unwrap();
            assert_eq!(
                (&*url.host, url.port, &*url.path),
                (host, port, path),
                "{text}"
            );
            assert_eq!(url.to_string(), shown);
            assert_eq!(url.to_string().parse(), Ok(url));
        }
        for text in [
            "",
            "127.0.0.1:80",
            "/collection",
            "ftp://h/",
            "http://",
            "http://:80/",
            "http://h:/",
            "http://h:0/",
            "http://h:99999/",
            "http://user@h/",
            "http://user:pw@h/",
            "http://h/a b",
            "http://h/a\nb",
        ] {
            assert!(text.parse::<HttpUrl>().is_err(), "{text}");
        }
    }
}
