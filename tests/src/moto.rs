//! moto, a second opinion on the wire format by people who are not us.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::children;
use crate::free_port;

/// How long the server may take to answer for the first time; it takes 2 to 10 s.
const START_LIMIT: Duration = Duration::from_secs(90);

/// A running `moto_server`; dropping it stops it.
pub struct Moto {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl Moto {
    /// Starts `moto_server` on a free port, with a single small image `ami-12c6146b` in its
    /// catalogue (the whole one takes seconds to load). `None`, after [`crate::missing()`], when it
    /// is not installed.
    ///
    /// The program is the one named by `MOTO_SERVER`, or `venv/bin/moto_server` in the build folder
    /// (`BUILD_DIR`, or `build` in the workspace).
    ///
    /// # Panics
    /// When it is installed but does not start.
    pub fn start() -> Option<Self> {
        let Some(server) = installed() else {
            crate::missing("moto_server");
            return None;
        };
        // Between closing the port here and opening it there, another test might take it.
        (0..3)
            .find_map(|_| Self::start_on(&server, free_port()))
            .or_else(|| {
                panic!("moto found no free port in three tries");
            })
    }

    /// `None` when another process took the port.
    fn start_on(server: &Path, port: u16) -> Option<Self> {
        let folder = TempDir::with_prefix("moto").expect("cannot make a temporary folder");
        let images = folder.path().join("amis.json");
        std::fs::write(&images, IMAGES).expect("cannot write the images");
        let log = folder.path().join("log");
        let output = std::fs::File::create(&log).expect("cannot write the log");
        let mut command = Command::new(server);
        command
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .env("MOTO_AMIS_PATH", &images)
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("cannot share the log"))
            .stderr(output);
        let child = children::spawn(&mut command)
            .unwrap_or_else(|error| panic!("cannot run {}: {error}", server.display()));
        let mut moto = Self {
            child,
            port,
            _folder: folder,
        };
        if moto.answers() {
            return Some(moto);
        }
        let log = std::fs::read_to_string(log).unwrap_or_default();
        assert!(log.contains("in use"), "moto did not start:\n{log}");
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

    /// Forgets everything that was created.
    pub fn reset(&self) {
        let (status, body) = self.request("POST", "/moto-api/reset", &[], b"");
        assert_eq!(status, 200, "moto does not reset: {body}");
    }

    /// Calls an operation of the query protocol: `query("ec2", "RunInstances", &[("ImageId", …)])`;
    /// hands over the XML.
    ///
    /// # Panics
    /// When moto answers with anything but 200.
    #[track_caller]
    pub fn query(&self, service: &str, action: &str, params: &[(&str, &str)]) -> String {
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
        let headers = [kind, signed(service)];
        let (status, body) = self.request("POST", "/", &headers, form.as_bytes());
        assert_eq!(status, 200, "moto refuses {service}:{action}: {body}");
        body
    }

    /// Calls an operation of a JSON protocol: `json("acm", "CertificateManager.RequestCertificate", …)`.
    ///
    /// # Panics
    /// When moto answers with anything but 200 and JSON.
    #[track_caller]
    pub fn json(&self, service: &str, target: &str, body: &serde_json::Value) -> serde_json::Value {
        let headers = [
            ("content-type", "application/x-amz-json-1.1".to_owned()),
            ("x-amz-target", target.to_owned()),
            signed(service),
        ];
        let (status, answer) = self.request("POST", "/", &headers, body.to_string().as_bytes());
        assert_eq!(status, 200, "moto refuses {target}: {answer}");
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{target}: {error}: {answer}"))
    }

    /// Sends any request as if signed for S3 and hands over status and body: `s3("PUT", "/bucket", b"")`.
    pub fn s3(&self, method: &str, target: &str, body: &[u8]) -> (u16, String) {
        self.request(method, target, &[signed("s3")], body)
    }

    /// The headers of an object, names in lower case: `head("/bucket/key")`.
    ///
    /// # Panics
    /// When moto answers with anything but 200.
    #[track_caller]
    pub fn head(&self, target: &str) -> Vec<(String, String)> {
        let (status, headers, _) = exchange(self.port, "HEAD", target, &[signed("s3")], b"")
            .unwrap_or_else(|error| panic!("cannot call moto: {error}"));
        assert_eq!(status, 200, "moto does not know {target}");
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
            .unwrap_or_else(|error| panic!("cannot call moto: {error}"));
        (status, body)
    }

    fn answers(&mut self) -> bool {
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
            let first = exchange(self.port, "GET", "/moto-api/", &[], b"");
            if first.is_ok_and(|(status, ..)| status == 200) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        false
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        children::kill(&mut self.child);
    }
}

/// The build folder of the workspace, where `scripts/setup` puts what tests need.
pub fn build_folder() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    std::env::var_os("BUILD_DIR").map_or_else(|| workspace.join("build"), PathBuf::from)
}

fn installed() -> Option<PathBuf> {
    let named = std::env::var_os("MOTO_SERVER").map(PathBuf::from);
    let server = named.unwrap_or_else(|| build_folder().join("venv/bin/moto_server"));
    server.is_file().then_some(server)
}

/// moto reads the service out of the credential scope and never checks the signature.
fn signed(service: &str) -> (&'static str, String) {
    let scope = format!("AKIAIOSFODNN7EXAMPLE/20300101/eu-west-1/{service}/aws4_request");
    let value = format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0");
    ("authorization", value)
}

/// Status, headers with names in lower case, and body.
type Answer = (u16, Vec<(String, String)>, String);

/// One request over a connection of its own.
fn exchange(
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
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.ok_or_else(|| std::io::Error::other("no HTTP status"))?;
    let headers = head.lines().filter_map(|line| line.split_once(':'));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()));
    Ok((status, headers.collect(), body.to_owned()))
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

const IMAGES: &str = r#"[{
  "ami_id": "ami-12c6146b", "state": "available", "public": true, "owner_id": "801119661308",
  "image_location": "amazon/base", "sriov": "simple", "root_device_type": "ebs",
  "root_device_name": "/dev/sda1", "description": "base", "image_type": "machine",
  "platform": null, "architecture": "x86_64", "name": "base", "virtualization_type": "hvm",
  "hypervisor": "xen"
}]
"#;
