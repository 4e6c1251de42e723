//! The smallest HTTP client, so that what the fake sends is seen byte for byte.

use std::io::{Read, Write};
use std::net::TcpStream;

use harness::FakeAws;

/// An answer as it came over the wire.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
    /// What `content-length` announced.
    pub(crate) announced: usize,
}

pub(crate) fn connect(fake: &FakeAws) -> TcpStream {
    TcpStream::connect(("127.0.0.1", fake.port())).unwrap()
}

/// Sends an EC2 call; `None` when the connection closes without an answer.
pub(crate) fn ec2(fake: &FakeAws, form: &str) -> Option<Answer> {
    let head = "POST / HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded";
    let body = format!("{form}&Version=2016-11-15");
    call(&mut connect(fake), head, &body)
}

/// Sends a JSON call for `target`.
pub(crate) fn json(fake: &FakeAws, target: &str, body: &str) -> Option<Answer> {
    let head = format!("POST / HTTP/1.1\r\nhost: x\r\nx-amz-target: {target}");
    call(&mut connect(fake), &head, body)
}

/// Sends an S3 call, with more header lines after the first.
pub(crate) fn s3(fake: &FakeAws, line: &str, headers: &str, body: &str) -> Option<Answer> {
    let scope = "Credential=A/20300101/eu-west-1/s3/aws4_request";
    let head =
        format!("{line} HTTP/1.1\r\nhost: x\r\nauthorization: AWS4-HMAC-SHA256 {scope}{headers}");
    call(&mut connect(fake), &head, body)
}

pub(crate) fn call(stream: &mut (impl Read + Write), head: &str, body: &str) -> Option<Answer> {
    let length = body.len();
    let request = format!("{head}\r\ncontent-length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).unwrap();
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).unwrap_or(0) == 0 {
            assert!(bytes.is_empty(), "the head is cut");
            return None;
        }
        bytes.push(byte[0]);
    }
    let head = String::from_utf8(bytes).unwrap();
    let announced = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |length| length.parse().unwrap());
    let mut body = Vec::new();
    if !request.starts_with("HEAD") {
        stream
            .take(announced as u64)
            .read_to_end(&mut body)
            .unwrap();
    }
    Some(Answer {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head,
        body: String::from_utf8(body).unwrap(),
        announced,
    })
}
