//! What comes between a program and AWS: cut answers, throttling, credentials that cannot be had.

use std::time::Duration;

use harness::{FakeAws, Reply};

use super::asking;

/// A proxy that counts the length anew, and one that speaks HTTP/1.0: the framing is whole, and the answer is not.
#[test]
fn an_answer_that_lost_its_end_exports_nothing() {
    let whole = "<DescribeStacksResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\"><DescribeStacksResult><Stacks>\
        <member><StackName>net</StackName><CreationTime>2026-11-30T06:00:00Z</CreationTime><StackStatus>CREATE_COMPLETE</StackStatus>\
        <Outputs><member><OutputKey>VpcId</OutputKey><OutputValue>vpc-0123456789abcdef0</OutputValue></member>\
        <member><OutputKey>Url</OutputKey><OutputValue>https://app.example.org</OutputValue></member></Outputs></member></Stacks>\
        </DescribeStacksResult></DescribeStacksResponse>";
    let in_the_value = whole.find("vpc-01234").unwrap() + 9;
    let after_the_first = whole.find("</member><member>").map(|at| at + 9);
    let after_the_first = after_the_first.unwrap_or(whole.rfind("<member>").unwrap());
    let framings: [fn(String) -> Reply; 2] = [Reply::xml, Reply::unframed];
    for framing in framings {
        for cut in [in_the_value, after_the_first, whole.len() - 1] {
            let fake = FakeAws::start();
            fake.on(
                "cloudformation:DescribeStacks",
                [framing(whole[..cut].to_owned())],
            );
            let ran = asking(&fake)
                .env("AWS_MAX_ATTEMPTS", "1")
                .args(["--from-stack", "net"])
                .run();
            ran.assert_code(4)
                .assert_stderr("was incomplete (HTTP 200): it ended after ")
                .assert_stderr("the answer was lost");
            assert_eq!(ran.stdout, "(exit 4)\n");
            // Asked again, it comes whole.
            let fake = FakeAws::start();
            let replies = [framing(whole[..cut].to_owned()), framing(whole.to_owned())];
            fake.on("cloudformation:DescribeStacks", replies);
            let ran = asking(&fake).args(["--from-stack", "net"]).run();
            ran.assert_code(0);
            let exports = ran.exports();
            assert_eq!(exports["VpcId"], "vpc-0123456789abcdef0");
            assert_eq!(exports["Url"], "https://app.example.org");
        }
    }
}

#[test]
fn sigterm_and_the_deadline_are_kept_while_aws_throttles() {
    let fake = FakeAws::start();
    let (tell, asked) = std::sync::mpsc::channel();
    let tell = std::sync::Mutex::new(tell);
    fake.on_call("ssm:GetParameters", move |_| {
        let _ = tell.lock().unwrap().send(());
        Reply::error(400, "ThrottlingException", "Rate exceeded")
    });
    let program = asking(&fake).env_remove("AWS_MAX_ATTEMPTS");
    let program = program.args(["--from-ssm", "A=/a"]);
    let ran = program.clone().args(["--timeout", "4s"]).run();
    ran.assert_code(6)
        .assert_stderr("the deadline passed before values were read from AWS")
        .assert_stderr("ThrottlingException: Rate exceeded");
    assert!(ran.duration < Duration::from_secs(30), "{ran}");
    while asked.try_recv().is_ok() {}
    let running = program.spawn();
    asked.recv_timeout(Duration::from_secs(60)).unwrap();
    let signalled = std::time::Instant::now();
    running.signal(15);
    running.finish().assert_code(143);
    assert!(signalled.elapsed() < Duration::from_secs(20));
}

/// A role that is assumed is asked for at STS, which throttles and denies as every service does.
#[test]
fn credentials_that_sts_does_not_give_are_told_as_what_sts_said() {
    for (status, code, exit) in [
        (400, "Throttling", 4),
        (403, "AccessDenied", 3),
        (403, "ExpiredToken", 3),
    ] {
        let fake = FakeAws::start();
        fake.on(
            "sts:AssumeRole",
            [Reply::error(status, code, "as STS says")],
        );
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("config");
        let profiles = "[profile deploy]\nrole_arn = arn:aws:iam::123456789012:role/deploy\nsource_profile = base\n\
                        [profile base]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = secret\n";
        std::fs::write(&config, profiles).unwrap();
        let ran = asking(&fake)
            .env_remove("AWS_ACCESS_KEY_ID")
            .env_remove("AWS_SECRET_ACCESS_KEY")
            .env("AWS_CONFIG_FILE", config)
            .env("AWS_PROFILE", "deploy")
            .args(["--from-ssm", "A=/a"])
            .run();
        ran.assert_code(exit)
            .assert_stderr("cannot get the AWS credentials; nothing was touched")
            .assert_stderr(&format!("{code}: as STS says"))
            .refute_stderr("Error {");
        assert!(fake.requests_for("ssm:GetParameters").is_empty());
    }
}

/// Answers everything in one way; gives its address.
fn answering(status: &'static str, body: &'static str) -> String {
    use std::io::{BufRead as _, BufReader, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let asked = BufReader::new(stream.try_clone().unwrap());
            let _head = asked
                .lines()
                .take_while(|line| line.as_ref().is_ok_and(|line| !line.is_empty()))
                .count();
            let length = body.len();
            drop(write!(
                stream,
                "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            ));
        }
    });
    format!("http://{address}/credentials")
}

#[test]
fn a_credentials_endpoint_that_fails_is_told_as_what_it_answered() {
    for (status, body, exit) in [
        ("500 Internal Server Error", "", 4),
        ("429 Too Many Requests", "", 4),
        ("403 Forbidden", "", 3),
        ("200 OK", "<html>a portal</html>", 4),
    ] {
        let fake = FakeAws::start();
        let ran = asking(&fake)
            .env_remove("AWS_ACCESS_KEY_ID")
            .env_remove("AWS_SECRET_ACCESS_KEY")
            .env(
                "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                answering(status, body),
            )
            .args(["--from-ssm", "A=/a"])
            .run();
        ran.assert_code(exit)
            .assert_stderr("cannot get the AWS credentials; nothing was touched");
        assert!(fake.requests_for("ssm:GetParameters").is_empty());
    }
}

#[test]
fn a_path_that_leads_nowhere_may_be_a_key_and_is_not_printed() {
    let key =
        "-----BEGIN OPENSSH PRIVATE KEY-----\nc2VudGluZWw\n-----END OPENSSH PRIVATE KEY-----\n";
    let long = key.repeat(100);
    for variable in [
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "AWS_CA_BUNDLE",
        "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
    ] {
        for value in [key, long.as_str()] {
            let fake = FakeAws::start();
            let mut program = asking(&fake).env(variable, value);
            if variable.ends_with("FILE") && variable.starts_with("AWS") {
                // Nobody has it: the message names the files that were read.
                program = program.env("AWS_PROFILE", "deploy");
            }
            let ran = program.args(["--from-ssm", "A=/a"]).run();
            ran.assert_code(2)
                .assert_stderr(variable)
                .refute_stderr("c2VudGluZWw");
        }
    }
}
