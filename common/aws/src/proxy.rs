//! Which way a request goes: directly, or by a proxy.
//!
//! The variables are those of curl and boto3: `http_proxy`, `https_proxy`, `all_proxy` and `no_proxy`, in
//! capitals too; small letters win, and empty is unset. In a CGI program `HTTP_PROXY` is a header of the
//! request (<https://httpoxy.org>), so it is not read where `REQUEST_METHOD` is set. `no_proxy` leaves out
//! what either of the two leaves out:
//!
//! | entry | means |
//! |---|---|
//! | `*` | everything |
//! | `example.com`, `.example.com` | that host and all below it |
//! | `10.1.2.3`, `fd00::1`, `[fd00::1]` | that address |
//! | `10.0.0.0/8`, `fd00::/8` | these addresses |
//! | any of them with `:PORT` | the same on that port only |
//!
//! Commas or white space stand between entries. Credentials never go by a proxy, whatever it says: link-local
//! addresses, the instance's own addresses in `fd00:ec2::/32`, and what
//! `AWS_CONTAINER_CREDENTIALS_FULL_URI` and `AWS_EC2_METADATA_SERVICE_ENDPOINT` name. Another machine would
//! answer them with a role of its own, or not at all.

mod failed;

pub(crate) use failed::ProxyFailed;

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_runtime_api::client::connector_metadata::ConnectorMetadata;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use hyper::Uri;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// The proxies of the environment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Proxies {
    http: Option<Proxy>,
    https: Option<Proxy>,
    left_out: Vec<Entry>,
    asked_directly: Vec<Address>,
}

/// A proxy. Its address may hold a password, so it cannot be printed.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Proxy {
    variable: &'static str,
    address: Uri,
}

impl Proxy {
    pub(crate) fn address(&self) -> Uri {
        self.address.clone()
    }

    /// The variable that names it.
    pub(crate) fn variable(&self) -> &'static str {
        self.variable
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proxy")
    }
}

/// Where a request goes: a host in small letters, without brackets, and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    host: String,
    port: u16,
}

impl Address {
    /// That of an `http://` or `https://` address; nothing for any other text.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let address: Uri = text.parse().ok()?;
        let default = match address.scheme_str()? {
            "http" => 80,
            "https" => 443,
            _ => return None,
        };
        Some(Self {
            host: plain(address.host()?),
            port: address.port_u16().unwrap_or(default),
        })
    }

    /// `host:port`, as a connection takes it.
    pub(crate) fn authority(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }

    /// An address that only this machine, or its own link, can answer.
    fn is_near(&self) -> bool {
        match self.host.parse() {
            Ok(IpAddr::V4(ip)) => ip.is_link_local(),
            Ok(IpAddr::V6(ip)) => {
                ip.is_unicast_link_local() || ip.segments()[..2] == [0xfd00, 0x0ec2]
            }
            Err(_) => false,
        }
    }
}

/// A host without brackets, a last dot, or capitals.
fn plain(host: &str) -> String {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.trim_end_matches('.').to_ascii_lowercase()
}

/// An entry of `no_proxy`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    hosts: Hosts,
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Hosts {
    All,
    /// A name and all below it.
    Below(String),
    /// The addresses whose first bits are these.
    Network(IpAddr, u32),
}

impl Entry {
    fn read(text: &str) -> Self {
        let (host, port) = split_port(text);
        Self {
            hosts: Hosts::read(host),
            port,
        }
    }

    fn holds(&self, to: &Address) -> bool {
        self.port.is_none_or(|port| port == to.port) && self.hosts.hold(&to.host)
    }
}

impl Hosts {
    fn read(text: &str) -> Self {
        if text == "*" {
            return Self::All;
        }
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, bits.parse().ok()),
            None => (text, Some(128)),
        };
        match (plain(address).parse::<IpAddr>(), bits) {
            (Ok(ip), Some(bits)) => Self::Network(ip, bits),
            _ => Self::Below(plain(text).trim_start_matches('.').to_owned()),
        }
    }

    fn hold(&self, host: &str) -> bool {
        match self {
            Self::All => true,
            Self::Below(name) => host
                .strip_suffix(name.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.')),
            Self::Network(network, bits) => match (network, host.parse()) {
                (IpAddr::V4(network), Ok(IpAddr::V4(ip))) => {
                    let rest = 32u32.saturating_sub(*bits);
                    let shifted = |ip: u32| ip.checked_shr(rest).unwrap_or_default();
                    shifted(network.to_bits()) == shifted(ip.to_bits())
                }
                (IpAddr::V6(network), Ok(IpAddr::V6(ip))) => {
                    let rest = 128u32.saturating_sub(*bits);
                    let shifted = |ip: u128| ip.checked_shr(rest).unwrap_or_default();
                    shifted(network.to_bits()) == shifted(ip.to_bits())
                }
                _ => false,
            },
        }
    }
}

/// `host:port`; a bare IPv6 address has more than one colon.
fn split_port(text: &str) -> (&str, Option<u16>) {
    match text.rsplit_once(':') {
        Some((host, port)) if host.ends_with(']') || !host.contains(':') => match port.parse() {
            Ok(port) => (host, Some(port)),
            Err(_) => (text, None),
        },
        _ => (text, None),
    }
}

impl Proxies {
    /// Those that the variables name, and what is wrong with them. `asked_directly` are the endpoints of
    /// credentials.
    pub(crate) fn read(
        variable: impl Fn(&str) -> Option<String>,
        asked_directly: Vec<Address>,
    ) -> (Self, Vec<String>) {
        let mut faults = Vec::new();
        let either = |names: [&'static str; 2]| {
            let mut set = names
                .into_iter()
                .filter_map(|name| Some((name, variable(name)?)));
            set.next()
        };
        let mut proxy = |names| {
            let (name, text) = either(names)?;
            let proxy = proxy(name, &text);
            if proxy.is_none() {
                faults.push(format!(
                    "{name}: not the address of an HTTP proxy, such as http://proxy.example.com:3128 \
                     (special characters of a password are written as %XX; SOCKS is not spoken)"
                ));
            }
            proxy
        };
        let is_cgi = variable("REQUEST_METHOD").is_some();
        let http = match is_cgi {
            true => proxy(["http_proxy", "http_proxy"]),
            false => proxy(["http_proxy", "HTTP_PROXY"]),
        };
        let https = proxy(["https_proxy", "HTTPS_PROXY"]);
        let all = proxy(["all_proxy", "ALL_PROXY"]);
        let left_out = either(["no_proxy", "NO_PROXY"]).map(|(_, text)| {
            text.split(|c: char| c == ',' || c.is_whitespace())
                .filter(|entry| !entry.is_empty())
                .map(Entry::read)
                .collect()
        });
        let proxies = Self {
            http: http.or_else(|| all.clone()),
            https: https.or(all),
            left_out: left_out.unwrap_or_default(),
            asked_directly,
        };
        (proxies, faults)
    }

    /// The proxy for a request; none where it goes directly.
    pub(crate) fn to(&self, address: &str) -> Option<&Proxy> {
        let proxy = match address.split_once("://")?.0 {
            "http" => self.http.as_ref(),
            "https" => self.https.as_ref(),
            _ => None,
        }?;
        let to = Address::of(address)?;
        let is_direct = to.is_near()
            || self.asked_directly.contains(&to)
            || self.left_out.iter().any(|entry| entry.holds(&to));
        (!is_direct).then_some(proxy)
    }
}

/// Whether what stands behind the host is a port; the reader of addresses takes anything there.
pub(crate) fn has_good_port(address: &Uri) -> bool {
    address.authority().is_some_and(|authority| {
        let place = authority.as_str().rsplit('@').next();
        authority.port().is_some() || place == Some(authority.host())
    })
}

/// Without a scheme it is `http://`, as for curl.
fn proxy(variable: &'static str, text: &str) -> Option<Proxy> {
    let text = text.trim();
    let address: Uri = match text.contains("://") {
        true => text.parse(),
        false => format!("http://{text}").parse(),
    }
    .ok()?;
    // The client's own judgement: http or https, and a host.
    ProxyConfig::all(address.clone()).ok()?;
    // The signs of a password that the client would take for an end of it.
    let is_whole = !text.contains(['#', '?']) && text.matches('@').count() < 2;
    (has_good_port(&address) && is_whole).then_some(Proxy { variable, address })
}

/// The client for each way, chosen for each request.
#[derive(Debug)]
pub(crate) struct ByDestination {
    proxies: Arc<Proxies>,
    direct: SharedHttpClient,
    by_proxy: Vec<(Proxy, SharedHttpClient)>,
}

impl ByDestination {
    /// `client` makes the client that goes by a proxy, or without one directly.
    pub(crate) fn new(
        proxies: Proxies,
        client: impl Fn(Option<&Proxy>) -> SharedHttpClient,
    ) -> Self {
        let mut by_proxy: Vec<(Proxy, SharedHttpClient)> = Vec::new();
        for proxy in [&proxies.http, &proxies.https].into_iter().flatten() {
            if !by_proxy.iter().any(|(known, _)| known == proxy) {
                by_proxy.push((proxy.clone(), client(Some(proxy))));
            }
        }
        Self {
            proxies: Arc::new(proxies),
            direct: client(None),
            by_proxy,
        }
    }
}

impl HttpClient for ByDestination {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let connector = |client: &SharedHttpClient| client.http_connector(settings, components);
        let by_proxy = self
            .by_proxy
            .iter()
            .map(|(proxy, client)| (proxy.clone(), connector(client)));
        SharedHttpConnector::new(Chosen {
            proxies: Arc::clone(&self.proxies),
            direct: connector(&self.direct),
            by_proxy: by_proxy.collect(),
        })
    }

    fn connector_metadata(&self) -> Option<ConnectorMetadata> {
        self.direct.connector_metadata()
    }
}

#[derive(Debug)]
struct Chosen {
    proxies: Arc<Proxies>,
    direct: SharedHttpConnector,
    by_proxy: Vec<(Proxy, SharedHttpConnector)>,
}

impl HttpConnector for Chosen {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let proxy = self.proxies.to(request.uri());
        let known = self.by_proxy.iter();
        let mut known = known.filter(|(known, _)| Some(known) == proxy);
        match known.next() {
            Some((proxy, connector)) => {
                let (variable, answer) = (proxy.variable, connector.call(request));
                HttpConnectorFuture::new(async move {
                    answer
                        .await
                        .map_err(|error| failed::failed(error, variable))
                })
            }
            None => self.direct.call(request),
        }
    }
}

#[cfg(test)]
mod tests;
