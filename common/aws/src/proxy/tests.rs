#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use super::{Address, Proxies};
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

const PROXY: &str = "http://proxy.invalid:3128";

fn read(variables: &[(&str, &str)], direct: &[&str]) -> (Proxies, Vec<String>) {
    let variables: BTreeMap<_, _> = variables.iter().copied().collect();
    let direct = direct.iter().map(|text| Address::of(text).unwrap());
    Proxies::read(
        |name| variables.get(name).map(|text| (*text).to_owned()),
        direct.collect(),
    )
}

fn is_direct(no_proxy: &str, address: &str) -> bool {
    let (proxies, faults) = read(&[("all_proxy", PROXY), ("no_proxy", no_proxy)], &[]);
    assert!(faults.is_empty(), "{faults:?}");
    proxies.to(address).is_none()
}

/// What one of the two leaves out: the entries, the address that is asked, and whether it is asked directly.
/// Link-local addresses have their own test: they are never asked by a proxy here.
const CASES: &[(&str, &str, bool)] = &[
    ("*", "http://example.com/", true),
    ("*", "http://10.1.2.3/", true),
    ("*", "http://[fd00::1]/", true),
    ("example.com", "http://example.com/", true),
    ("example.com", "http://EXAMPLE.com:8080/", true),
    ("EXAMPLE.COM", "http://example.com/", true),
    ("example.com", "http://s3.example.com/", true),
    ("example.com", "http://notexample.com/", false),
    (".example.com", "http://s3.example.com/", true),
    (".example.com", "http://example.com/", true),
    (".example.com", "http://notexample.com/", false),
    ("com", "http://example.com/", true),
    ("s3.example.com", "http://example.com/", false),
    (
        "other.org, example.com ,third.org",
        "http://example.com/",
        true,
    ),
    ("other.org example.com", "http://example.com/", true),
    ("10.1.2.3", "http://10.1.2.3/", true),
    ("10.1.2.3", "http://10.1.2.3:8080/", true),
    ("10.1.2.3", "http://10.1.2.4/", false),
    ("10.1.0.0/16", "http://10.1.2.3/", true),
    ("10.1.0.0/16", "http://10.2.2.3/", false),
    ("10.1.2.3:8080", "http://10.1.2.3:8080/", true),
    ("10.1.2.3:8080", "http://10.1.2.3:8081/", false),
    ("example.com:8080", "http://example.com:8080/", true),
    ("example.com:8080", "http://example.com:8081/", false),
    ("example.com:8080", "http://s3.example.com:8080/", true),
    ("fd00::1", "http://[fd00::1]/", true),
    ("[fd00::1]", "http://[fd00::1]/", true),
    ("[fd00::1]:8080", "http://[fd00::1]:8080/", true),
    ("[fd00::1]:8080", "http://[fd00::1]:8081/", false),
    ("fd00::/16", "http://[fd01::1]/", false),
    ("localhost", "http://localhost:4566/", true),
    ("127.0.0.1", "http://localhost:4566/", false),
    ("localhost", "http://127.0.0.1:4566/", false),
    ("10.1.2.0/33", "http://example.com/", false),
];

#[test]
fn what_no_proxy_names_is_asked_directly() {
    for (entries, address, want) in CASES {
        assert_eq!(
            is_direct(entries, address),
            *want,
            "no_proxy={entries} {address}"
        );
    }
    // curl's manual has it so, and its 7.88 does not do it yet.
    assert!(is_direct("fd00::/16", "http://[fd00::1]/"));
    // Neither of the two takes these. An entry that says everything means it among others too, and the port of
    // an entry may be the one that the scheme stands for.
    assert!(is_direct("localhost,*", "http://example.com/"));
    assert!(is_direct("example.com:443", "https://example.com/"));
}

/// Every case is direct where curl or boto3 goes directly, and by the proxy where both go by it.
#[test]
fn curl_and_boto3_leave_out_the_same() {
    let (Some(curl), Some(boto3)) = (by_curl(), by_boto3()) else {
        return harness::missing("curl and botocore");
    };
    for (at, (entries, address, want)) in CASES.iter().enumerate() {
        let (curl, boto3) = (curl[at], boto3[at]);
        assert_eq!(
            curl || boto3,
            *want,
            "no_proxy={entries} {address}: curl {curl}, boto3 {boto3}"
        );
    }
}

/// For each case whether curl goes to the host itself. `--connect-to` leads it to a server of ours, by a tunnel
/// where it uses the proxy, which is the same server.
fn by_curl() -> Option<Vec<bool>> {
    Command::new("curl").arg("--version").output().ok()?;
    let server = serve();
    let cases = CASES.iter().map(|(entries, address, _)| {
        let output = Command::new("curl")
            .env_clear()
            .env("http_proxy", format!("http://{server}"))
            .env("no_proxy", entries)
            .args([
                "--silent",
                "--max-time",
                "20",
                "--write-out",
                "%{http_code} %{http_connect}",
            ])
            .arg("--connect-to")
            .arg(format!("::{server}"))
            .arg(address)
            .output()
            .unwrap();
        match output.stdout.as_slice() {
            b"200 000" => true,
            b"000 403" => false,
            _ => panic!("no_proxy={entries} {address}: {output:?}"),
        }
    });
    Some(cases.collect())
}

/// A server on a free port that refuses tunnels and answers all else.
fn serve() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let read = stream.read(&mut request).unwrap_or_default();
            let status = match request[..read].starts_with(b"CONNECT") {
                true => "403 Forbidden",
                false => "200 OK",
            };
            let reply =
                format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
            let _ = stream.write_all(reply.as_bytes());
        }
    });
    address
}

/// The same by the rule of botocore, which is boto3's.
fn by_boto3() -> Option<Vec<bool>> {
    const RULE: &str = "
import json, os, sys
from botocore.utils import should_bypass_proxies
found = []
for entries, address in json.load(sys.stdin):
    os.environ['no_proxy'] = entries
    found.append(bool(should_bypass_proxies(address)))
print(json.dumps(found))
";
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../build/venv/bin/python");
    let build =
        std::env::var_os("BUILD_DIR").map(|folder| Path::new(&folder).join("venv/bin/python"));
    let cases: Vec<_> = CASES
        .iter()
        .map(|(entries, address, _)| (entries, address))
        .collect();
    let mut child = Command::new(build.unwrap_or(python))
        .env_clear()
        .args(["-c", RULE])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .ok()?;
    let input = serde_json::to_vec(&cases).unwrap();
    child.stdin.take()?.write_all(&input).ok()?;
    let output = child.wait_with_output().ok()?;
    serde_json::from_slice(&output.stdout).ok()
}

#[test]
fn credentials_never_go_by_a_proxy() {
    let named = ["http://localhost:8080/role", "http://127.0.0.1:1338/"];
    let (proxies, _) = read(&[("HTTP_PROXY", PROXY)], &named);
    for address in [
        "http://169.254.170.2/v2/credentials/0a",
        "http://169.254.170.23/v1/credentials",
        "http://169.254.169.254/latest/api/token",
        "http://[fd00:ec2::23]/v1/credentials",
        "http://[fd00:ec2::254]/latest/api/token",
        "http://[fe80::1]/",
        "http://localhost:8080/role",
        "http://LOCALHOST:8080/role",
        "http://127.0.0.1:1338/latest/meta-data",
    ] {
        assert_eq!(proxies.to(address), None, "{address}");
    }
    for address in [
        "http://localhost:4566/",
        "http://10.0.0.1/",
        "http://[fd00:ec3::1]/",
    ] {
        assert!(proxies.to(address).is_some(), "{address}");
    }
}

#[test]
fn small_letters_win_and_each_scheme_has_its_own() {
    let one = |variables: &[(&str, &str)], address: &str| {
        let (proxies, faults) = read(variables, &[]);
        assert!(faults.is_empty(), "{faults:?}");
        proxies.to(address).map(|proxy| proxy.address().to_string())
    };
    let (a, b) = ("http://a.invalid:1/", "http://b.invalid:2/");
    let (plain, tls) = ("http://example.com/", "https://example.com/");
    assert_eq!(
        one(&[("http_proxy", a), ("HTTP_PROXY", b)], plain).as_deref(),
        Some(a)
    );
    assert_eq!(
        one(&[("https_proxy", a), ("HTTPS_PROXY", b)], tls).as_deref(),
        Some(a)
    );
    assert_eq!(one(&[("HTTP_PROXY", a)], tls), None);
    assert_eq!(one(&[("HTTPS_PROXY", a)], plain), None);
    assert_eq!(
        one(&[("ALL_PROXY", a), ("HTTPS_PROXY", b)], plain).as_deref(),
        Some(a)
    );
    assert_eq!(
        one(&[("HTTP_PROXY", "a.invalid:1")], plain).as_deref(),
        Some(a)
    );
    let left_out = [
        ("HTTP_PROXY", a),
        ("no_proxy", "other.org"),
        ("NO_PROXY", "*"),
    ];
    assert_eq!(one(&left_out, plain).as_deref(), Some(a));
    // A header `Proxy:` of a CGI request is `HTTP_PROXY`.
    let cgi = [
        ("REQUEST_METHOD", "GET"),
        ("HTTP_PROXY", a),
        ("HTTPS_PROXY", b),
    ];
    assert_eq!(one(&cgi, plain), None);
    assert_eq!(one(&cgi, tls).as_deref(), Some(b));
}

#[test]
fn a_proxy_that_cannot_be_used_is_refused_without_its_password() {
    for text in [
        "socks5://a:1",
        "http://user:se#cret@a:1",
        "http://",
        "http://user:s@cret@a:1",
        "a b",
    ] {
        for name in ["http_proxy", "HTTPS_PROXY", "ALL_PROXY"] {
            let (_, faults) = read(&[(name, text)], &[]);
            assert_eq!(faults.len(), 1, "{text}");
            assert!(
                faults[0].starts_with(name) && !faults[0].contains("cret"),
                "{faults:?}"
            );
        }
    }
    let (proxies, faults) = read(&[("HTTP_PROXY", "http://user:s%40cret@a:1")], &[]);
    assert!(faults.is_empty());
    assert!(!format!("{proxies:?}").contains("cret"));
}
