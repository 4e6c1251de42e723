//! A server of others as a process: started on a free loopback port, asked over plain HTTP, stopped
//! with its value.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::children;
use crate::free_port;

/// How long a server may take to answer for the first time; these are Python and take 2 to 10 s.
const START_LIMIT: Duration = Duration::from_secs(90);

/// A running server; dropping it stops it.
pub struct Server {
    name: &'static str,
    child: Child,
    port: u16,
    _folder: TempDir,
}

/// How a server is started.
pub(crate) struct Start<'a> {
    /// What it is called in messages.
    pub(crate) name: &'static str,
    /// Gives the command that listens on a port of 127.0.0.1, with a folder for its files.
    pub(crate) command: &'a dyn Fn(u16, &Path) -> Command,
    /// A path that it answers with 200 once it is ready.
    pub(crate) ready: &'static str,
}

impl Server {
    pub(crate) fn start(start: &Start<'_>) -> Self {
        // Between closing the port here and opening it there, another test might take it.
        (0..3)
            .find_map(|_| Self::start_on(start, free_port()))
            .unwrap_or_else(|| panic!("{} found no free port in three tries", start.name))
    }

    /// `None` when another process took the port.
    fn start_on(start: &Start<'_>, port: u16) -> Option<Self> {
        let folder = TempDir::with_prefix(start.name).expect("cannot make a temporary folder");
        let log = folder.path().join("log");
        let output = std::fs::File::create(&log).expect("cannot write the log");
        let mut command = (start.command)(port, folder.path());
        command
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("cannot share the log"))
            .stderr(output);
        let child = children::spawn(&mut command)
            .unwrap_or_else(|error| panic!("cannot run {}: {error}", start.name));
        let mut server = Self {
            name: start.name,
            child,
            port,
            _folder: folder,
        };
        if server.answers(start.ready) {
            return Some(server);
        }
        let log = std::fs::read_to_string(log).unwrap_or_default();
        assert!(
            log.contains("in use"),
            "{} did not start:\n{log}",
            start.name
        );
        None
    }

    /// The endpoint, such as `http://127.0.0.1:5000`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The environment that sends a program here.
    pub fn env(&self) -> Vec<(String, String)> {
        vec![("AWS_ENDPOINT_URL".to_owned(), self.url())]
    }

    /// Calls an operation of the query protocol: `query("ec2", "RunInstances", &[("ImageId", …)])`;
    /// hands over the XML.
    ///
    /// # Panics
    /// When it answers with anything but 200.
    #[track_caller]
    pub fn query(&self, service: &str, action: &str, params: &[(&str, &str)]) -> String {
        let (status, body) = self.try_query(service, action, params);
        assert_eq!(
            status, 200,
            "{} refuses {service}:{action}: {body}",
            self.name
        );
        body
    }

    /// As [`Server::query`], with the status of whatever it answers.
    ///
    /// # Panics
    /// When the connection fails.
    #[track_caller]
    pub fn try_query(&self, service: &str, action: &str, params: &[(&str, &str)]) -> (u16, String) {
        let version = match service {
            "ec2" => "2016-11-15",
            "autoscaling" => "2011-01-01",
            "cloudformation" => "2010-05-15",
            "elasticloadbalancing" => "2015-12-01",
            "iam" => "2010-05-08",
            "sts" => "2011-06-15",
            other => panic!("{other} is not a query service known here"),
        };
        let mut form = format!("Action={action}&Version={version}");
        for (name, value) in params {
            let _ = write!(form, "&{}={}", encoded(name), encoded(value));
        }
        let kind = (
            "content-type",
            "application/x-www-form-urlencoded".to_owned(),
        );
        self.request("POST", "/", &[kind, signed(service)], form.as_bytes())
    }

    /// Calls an operation of a JSON protocol: `json("acm", "CertificateManager.RequestCertificate", …)`.
    ///
    /// # Panics
    /// When it answers with anything but 200 and JSON.
    #[track_caller]
    pub fn json(&self, service: &str, target: &str, body: &serde_json::Value) -> serde_json::Value {
        let (status, answer) = self.try_json(service, target, body);
        assert_eq!(status, 200, "{} refuses {target}: {answer}", self.name);
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{target}: {error}: {answer}"))
    }

    /// As [`Server::json`], with the status of whatever it answers.
    ///
    /// # Panics
    /// When the connection fails.
    pub fn try_json(&self, service: &str, target: &str, body: &serde_json::Value) -> (u16, String) {
        let headers = [
            ("content-type", "application/x-amz-json-1.1".to_owned()),
            ("x-amz-target", target.to_owned()),
            signed(service),
        ];
        self.request("POST", "/", &headers, body.to_string().as_bytes())
    }

    /// Sends any request as if signed for `service` and hands over status and body.
    ///
    /// # Panics
    /// When the connection fails.
    pub fn rest(&self, service: &str, method: &str, target: &str, body: &[u8]) -> (u16, String) {
        self.request(method, target, &[signed(service)], body)
    }

    /// Sends any request as if signed for S3 and hands over status and body: `s3("PUT", "/bucket", b"")`.
    pub fn s3(&self, method: &str, target: &str, body: &[u8]) -> (u16, String) {
        self.rest("s3", method, target, body)
    }

    /// The headers of an object, names in lower case: `head("/bucket/key")`.
    ///
    /// # Panics
    /// When it answers with anything but 200.
    #[track_caller]
    pub fn head(&self, target: &str) -> Vec<(String, String)> {
        let (status, headers, _) = exchange(self.port, "HEAD", target, &[signed("s3")], b"")
            .unwrap_or_else(|error| panic!("cannot call {}: {error}", self.name));
        assert_eq!(status, 200, "{} does not know {target}", self.name);
        headers
    }

    /// Sends one request over a connection of its own; status and body of the answer.
    ///
    /// # Panics
    /// When the connection fails.
    pub fn request(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, String)],
        body: &[u8],
    ) -> (u16, String) {
        let (status, _, body) = exchange(self.port, method, target, headers, body)
            .unwrap_or_else(|error| panic!("cannot call {}: {error}", self.name));
        (status, String::from_utf8_lossy(&body).into_owned())
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    fn answers(&mut self, path: &str) -> bool {
        let deadline = Instant::now() + START_LIMIT;
        while Instant::now() < deadline {
            if self
                .child
                .try_wait()
                .expect("cannot ask for a child")
                .is_some()
            {
                return false;
            }
            let first = exchange(self.port, "GET", path, &[], b"");
            if first.is_ok_and(|(status, ..)| status == 200) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        false
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        children::kill(&mut self.child);
    }
}

/// The program that `variable` names, or the one at `path` in the build folder; `None`, after
/// [`crate::missing()`], when it is not installed.
pub(crate) fn installed(variable: &str, path: &str) -> Option<PathBuf> {
    let named = std::env::var_os(variable).map(PathBuf::from);
    let program = named.unwrap_or_else(|| build_folder().join(path));
    if program.is_file() {
        return Some(program);
    }
    crate::missing(path);
    None
}

/// The build folder of the workspace, where `scripts/setup` puts what tests need.
pub fn build_folder() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    std::env::var_os("BUILD_DIR").map_or_else(|| workspace.join("build"), PathBuf::from)
}

/// The emulators read the service out of the credential scope and never check the signature.
pub(crate) fn signed(service: &str) -> (&'static str, String) {
    let scope = format!("AKIAIOSFODNN7EXAMPLE/20300101/eu-west-1/{service}/aws4_request");
    let value = format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0");
    ("authorization", value)
}

/// Status, headers with names in lower case, and body.
pub(crate) type Answer = (u16, Vec<(String, String)>, Vec<u8>);

/// One request over a connection of its own.
pub(crate) fn exchange(
    port: u16,
    method: &str,
    target: &str,
    headers: &[(&str, String)],
    body: &[u8],
) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(START_LIMIT))?;
    let mut head = format!("{method} {target} HTTP/1.0\r\nhost: 127.0.0.1:{port}\r\n");
    for (name, value) in headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    let _ = write!(head, "content-length: {}\r\n\r\n", body.len());
    stream.write_all(&[head.as_bytes(), body].concat())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.ok_or_else(|| std::io::Error::other("no end of the headers"))?;
    let body = answer.split_off(end + 4);
    let head = String::from_utf8_lossy(&answer);
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.ok_or_else(|| std::io::Error::other("no HTTP status"))?;
    let headers = head.lines().filter_map(|line| line.split_once(':'));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()));
    Ok((status, headers.collect(), body))
}

fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}
