//! Each kind of reply, the script, the record, TLS.

use std::sync::Arc;
use std::time::{Duration, Instant};

use harness::{FakeAws, Reply};
use rustls::pki_types::ServerName;

use crate::client::{call, connect, ec2, json, s3};

#[test]
fn replies_follow_one_another_and_the_last_repeats() {
    let fake = FakeAws::start();
    fake.on(
        "ec2:DescribeImages",
        [Reply::xml("<a/>"), Reply::xml("<b/>")],
    );
    let bodies = [(); 3].map(|()| ec2(&fake, "Action=DescribeImages").unwrap().body);
    assert_eq!(bodies, ["<a/>", "<b/>", "<b/>"]);
    assert_eq!(fake.operations(), ["ec2:DescribeImages"; 3]);
    fake.assert_all_scripted();
}

#[test]
fn a_closure_decides_by_what_was_asked() {
    let fake = FakeAws::start();
    fake.on_call("ec2:DescribeImages", |request| {
        Reply::xml(format!(
            "<i n='{}'>{}</i>",
            request.turn,
            request.list("ImageId").join("+")
        ))
    });
    let asked = "Action=DescribeImages&ImageId.1=ami-1&ImageId.2=ami-2";
    assert_eq!(ec2(&fake, asked).unwrap().body, "<i n='0'>ami-1+ami-2</i>");
    assert_eq!(ec2(&fake, asked).unwrap().body, "<i n='1'>ami-1+ami-2</i>");
}

#[test]
fn an_error_is_written_in_the_dialect_of_the_service() {
    let fake = FakeAws::start();
    let error = || [Reply::error(400, "Some.Code", "a <message>")];
    for operation in [
        "ec2:CreateImage",
        "s3:PutObject",
        "s3:HeadObject",
        "codepipeline:PollForJobs",
    ] {
        fake.on(operation, error());
    }
    let answer = ec2(&fake, "Action=CreateImage").unwrap();
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains(
        "<Response><Errors><Error><Code>Some.Code</Code><Message>a &lt;message&gt;</Message></Error></Errors>\
         <RequestID>00000000-0000-4000-8000-000000000001</RequestID></Response>"
    ));
    let answer = s3(&fake, "PUT /bucket/key", "", "x").unwrap();
    assert!(
        answer.body.contains("<Error><Code>Some.Code</Code>"),
        "{answer:?}"
    );
    assert!(
        answer
            .head
            .contains("x-amz-request-id: 00000000-0000-4000-8000-000000000002")
    );
    let answer = s3(&fake, "HEAD /bucket/key", "", "").unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (400, ""));
    let answer = json(&fake, "CodePipeline_20150709.PollForJobs", "{}").unwrap();
    assert_eq!(
        answer.body,
        r#"{"__type":"Some.Code","message":"a <message>"}"#
    );
    assert!(
        answer
            .head
            .contains("x-amzn-requestid: 00000000-0000-4000-8000-000000000004")
    );
}

#[test]
fn broken_answers_are_broken_as_asked() {
    let fake = FakeAws::start();
    fake.on(
        "ec2:CreateImage",
        [
            Reply::html(500, "<html>proxy</html>"),
            Reply::close(),
            Reply::cut("<CreateImageResponse>", 7),
            Reply::throttled().header("Retry-After", "1"),
        ],
    );
    let html = ec2(&fake, "Action=CreateImage").unwrap();
    assert_eq!(
        (html.status, html.body.as_str()),
        (500, "<html>proxy</html>")
    );
    assert!(html.head.contains("text/html"));
    assert!(ec2(&fake, "Action=CreateImage").is_none());
    let cut = ec2(&fake, "Action=CreateImage").unwrap();
    assert_eq!((cut.body.as_str(), cut.announced), ("<Create", 21));
    let throttled = ec2(&fake, "Action=CreateImage").unwrap();
    assert_eq!(throttled.status, 503);
    assert!(throttled.head.contains("retry-after: 1"));
}

#[test]
fn a_reply_can_be_late_and_a_hanging_one_ends_with_the_fake() {
    let fake = FakeAws::start();
    let late = Duration::from_millis(150);
    fake.on("ec2:A", [Reply::after(late, Reply::xml("<a/>"))]);
    fake.on("ec2:B", [Reply::hang(Duration::from_secs(3600))]);
    let started = Instant::now();
    assert_eq!(ec2(&fake, "Action=A").unwrap().body, "<a/>");
    assert!(started.elapsed() >= late);
    std::thread::scope(|scope| {
        let mut stream = connect(&fake);
        let head = "POST / HTTP/1.1\r\ncontent-type: application/x-www-form-urlencoded";
        let body = "Action=B&Version=2016-11-15";
        let hanging = scope.spawn(move || call(&mut stream, head, body));
        while fake.requests_for("ec2:B").is_empty() {
            std::thread::yield_now();
        }
        drop(fake);
        assert!(hanging.join().unwrap().is_none());
    });
}

#[test]
fn the_first_calls_can_fail_and_a_reply_can_be_lost_after_the_deed() {
    let fake = FakeAws::start();
    fake.on(
        "ec2:CreateImage",
        [Reply::xml("<one/>"), Reply::xml("<two/>")],
    );
    fake.first("ec2:CreateImage", [Reply::throttled()]);
    fake.lose_reply("ec2:CreateImage");
    assert_eq!(ec2(&fake, "Action=CreateImage").unwrap().status, 503);
    assert!(ec2(&fake, "Action=CreateImage").is_none());
    assert_eq!(ec2(&fake, "Action=CreateImage").unwrap().body, "<two/>");
}

#[test]
fn an_operation_without_a_script_is_answered_501_and_listed() {
    let fake = FakeAws::start();
    let answer = ec2(&fake, "Action=RunInstances").unwrap();
    assert_eq!(answer.status, 501);
    assert!(
        answer
            .body
            .contains("<Code>NotScripted</Code><Message>no script for ec2:RunInstances")
    );
    assert_eq!(fake.unscripted(), ["ec2:RunInstances"]);
}

#[test]
fn one_connection_serves_many_calls_and_chunks_are_joined() {
    let fake = FakeAws::start();
    fake.on("s3:PutObject", [Reply::empty(200)]);
    let mut stream = connect(&fake);
    let head = "PUT /b/k HTTP/1.1\r\nauthorization: X Credential=A/d/r/s3/aws4_request";
    for _ in 0..3 {
        assert_eq!(call(&mut stream, head, "plain").unwrap().status, 200);
    }
    let head =
        format!("{head}\r\ncontent-encoding: aws-chunked\r\nx-amz-trailer: x-amz-checksum-crc32");
    let body = "4;chunk-signature=0\r\nabcd\r\n2\r\nef\r\n0\r\nx-amz-checksum-crc32: AAAA\r\n\r\n";
    call(&mut stream, &head, body).unwrap();
    let last = fake.requests().pop().unwrap();
    assert_eq!(last.text(), "abcdef");
    assert_eq!(last.header("x-amz-checksum-crc32"), Some("AAAA"));
    assert_eq!(last.bucket_and_key(), ("b".to_owned(), "k".to_owned()));
}

#[test]
fn many_clients_are_served_at_once() {
    let fake = FakeAws::start();
    fake.on(
        "ec2:A",
        [Reply::after(Duration::from_millis(100), Reply::xml("<a/>"))],
    );
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| assert_eq!(ec2(&fake, "Action=A").unwrap().status, 200));
        }
    });
    assert!(
        started.elapsed() < Duration::from_millis(1500),
        "one after the other"
    );
    assert_eq!(fake.requests().len(), 20);
}

#[test]
fn tls_is_served_to_a_client_that_trusts_the_authority_only() {
    let fake = FakeAws::start_tls();
    fake.on("ec2:A", [Reply::xml("<a/>")]);
    assert!(fake.url().starts_with("https://127.0.0.1:"));
    let mut trusting = rustls::RootCertStore::empty();
    let pem = std::fs::read(fake.ca_bundle()).unwrap();
    for certificate in rustls::pki_types::pem::PemObject::pem_slice_iter(&pem) {
        trusting.add(certificate.unwrap()).unwrap();
    }
    let answer = over_tls(&fake, trusting).unwrap();
    assert!(answer.contains("<a/>"), "{answer}");
    let stranger = FakeAws::start_tls();
    let mut other = rustls::RootCertStore::empty();
    let pem = std::fs::read(stranger.ca_bundle()).unwrap();
    for certificate in rustls::pki_types::pem::PemObject::pem_slice_iter(&pem) {
        other.add(certificate.unwrap()).unwrap();
    }
    let error = over_tls(&fake, other).unwrap_err().to_string();
    assert!(error.contains("certificate"), "{error}");
}

fn over_tls(fake: &FakeAws, roots: rustls::RootCertStore) -> std::io::Result<String> {
    use std::io::{Read as _, Write as _};
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let client = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = rustls::StreamOwned::new(client, connect(fake));
    stream.write_all(
        b"POST / HTTP/1.1\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: 27\r\n\r\nAction=A&Version=2016-11-15",
    )?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"<a/>") {
        let mut chunk = [0; 1024];
        let read = stream.read(&mut chunk)?;
        assert!(read > 0, "the answer ends early");
        answer.extend_from_slice(&chunk[..read]);
    }
    Ok(String::from_utf8(answer).unwrap())
}
