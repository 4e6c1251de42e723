//! A proxy between the program and AWS.

use crate::program;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;

/// A proxy that answers every request with `answer`; its address.
fn proxy(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
                head.push(byte[0]);
            }
            drop(stream.write_all(answer.as_bytes()));
        }
    });
    format!("http://me:hunter2@127.0.0.1:{port}")
}

#[test]
fn a_proxy_that_wants_other_credentials_is_named_by_its_variable() {
    let answer = "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"] {
        let ran = program()
            .env("AWS_REGION", "eu-west-1")
            .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_MAX_ATTEMPTS", "1")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env(variable, proxy(answer))
            .args(["--from-ssm", "A=/a"])
            .run();
        ran.assert_code(4)
            .assert_stderr(&format!("through the proxy of {variable}"))
            .assert_stderr(&format!("check {variable}: the proxy's address"));
        assert!(!ran.stderr.contains("hunter2"), "{ran}");
        assert_eq!(ran.stdout, "(exit 4)\n");
    }
}
