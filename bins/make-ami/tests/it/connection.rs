//! The way to AWS: endpoints, authorities, proxies, credentials.

use crate::{INSTANCE, account, program};
use harness::ec2::{Ec2World, Instance};
use harness::{FakeAws, Reply};

#[test]
fn an_endpoint_that_answers_html_is_named_as_such() {
    let (fake, _) = account();
    fake.on(
        "ec2:DescribeInstances",
        [Reply::html(500, "<html>Bad gateway</html>")],
    );
    program(&fake)
        .env("AWS_MAX_ATTEMPTS", "1")
        .run()
        .assert_code(4)
        .assert_stderr("HTTP 500, body is text/html")
        .assert_stderr("check AWS_ENDPOINT_URL");
}

#[test]
fn an_endpoint_that_closes_the_connection_is_unavailable() {
    let (fake, _) = account();
    fake.on("ec2:DescribeInstances", [Reply::close()]);
    program(&fake)
        .env("AWS_MAX_ATTEMPTS", "1")
        .run()
        .assert_code(4)
        .assert_stderr("cannot look up instance")
        .refute_stderr("service error");
}

#[test]
fn no_credentials_is_a_refusal() {
    let (fake, _) = account();
    let ran = program(&fake)
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY")
        .run();
    ran.assert_code(2)
        .assert_stderr("no AWS credentials were found; nothing was touched");
    assert!(fake.requests().is_empty());
}

#[test]
fn works_over_https_with_an_authority_of_its_own() {
    let fake = FakeAws::start_tls();
    let world = Ec2World::with([Instance::running(INSTANCE)]);
    world.serve(&fake);
    program(&fake).run().assert_code(0);
    program(&fake)
        .env("AWS_MAX_ATTEMPTS", "1")
        .env_remove("AWS_CA_BUNDLE")
        .run()
        .assert_code(4)
        .assert_stderr("hint: where the endpoint has an authority of its own, AWS_CA_BUNDLE");
}

#[test]
fn an_authority_file_without_certificates_is_refused() {
    let (fake, _) = account();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, "not a certificate").unwrap();
    program(&fake)
        .env("AWS_CA_BUNDLE", &file)
        .run()
        .assert_code(2)
        .assert_stderr("cannot use AWS_CA_BUNDLE");
}

#[test]
fn proxies_are_used_and_no_proxy_goes_around_them() {
    let fake = FakeAws::start_tls();
    let world = Ec2World::with([Instance::running(INSTANCE)]);
    world.serve(&fake);
    // Nothing listens on port 1, so a call that takes the proxy fails.
    let proxied = || {
        program(&fake)
            .env("AWS_MAX_ATTEMPTS", "1")
            .env("HTTPS_PROXY", "http://127.0.0.1:1")
            .arg("--dry-run")
    };
    proxied().run().assert_code(4);
    assert!(fake.requests().is_empty());
    let place = fake.url().trim_start_matches("https://").to_owned();
    for (name, entries) in [
        ("NO_PROXY", "127.0.0.1"),
        ("NO_PROXY", "*"),
        ("no_proxy", "127.0.0.0/8"),
        ("no_proxy", place.as_str()),
    ] {
        proxied().env(name, entries).run().assert_code(0);
    }
    proxied()
        .env("NO_PROXY", "*")
        .env("no_proxy", "example.com")
        .run()
        .assert_code(4);
}

#[test]
fn an_authority_that_the_client_would_panic_on_is_refused() {
    let (fake, _) = account();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    let certificate = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n";
    std::fs::write(&file, certificate).unwrap();
    program(&fake)
        .env("AWS_CA_BUNDLE", &file)
        .run()
        .assert_code(2)
        .assert_stderr("cannot use AWS_CA_BUNDLE")
        .assert_stderr("certificate 1 of the file cannot be read");
    program(&fake)
        .env("SSL_CERT_FILE", &file)
        .run()
        .assert_code(2)
        .assert_stderr("SSL_CERT_FILE contains none");
}

#[test]
fn an_empty_variable_of_the_sdk_is_unset() {
    let (fake, _) = account();
    [
        "AWS_PROFILE",
        "AWS_MAX_ATTEMPTS",
        "AWS_RETRY_MODE",
        "AWS_USE_FIPS_ENDPOINT",
        "AWS_ENDPOINT_URL_EC2",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_SESSION_TOKEN",
        "SSL_CERT_FILE",
    ]
    .into_iter()
    .fold(program(&fake), |program, name| program.env(name, ""))
    .arg("--dry-run")
    .run()
    .assert_code(0)
    .refute_stderr("invalid");
}

#[test]
fn an_endpoint_of_one_service_beats_the_general_one() {
    let (fake, world) = account();
    program(&fake)
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        .env("AWS_ENDPOINT_URL_EC2", fake.url())
        .run()
        .assert_code(0);
    assert_eq!(world.images().len(), 1);
}

/// CodeBuild gives a build its role's credentials through the container provider.
#[test]
fn credentials_come_from_the_container_provider_as_in_a_build() {
    use std::io::{Read as _, Write as _};
    let (fake, _) = account();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let place = format!("http://{}/role", listener.local_addr().unwrap());
    // Asked more than once: before anything else, and again by the client.
    std::thread::spawn(move || {
        for peer in listener.incoming() {
            let mut peer = peer.unwrap();
            let mut request = [0; 4096];
            let _read = peer.read(&mut request).unwrap();
            let body = r#"{"AccessKeyId":"FROMTHEROLE","SecretAccessKey":"s","Token":"t","Expiration":"2099-01-01T00:00:00Z"}"#;
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            peer.write_all(format!("{head}{body}").as_bytes()).unwrap();
        }
    });
    // Nothing listens there: neither the role's keys nor what NO_PROXY names are asked for by it.
    program(&fake)
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY")
        .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", place)
        .env("HTTP_PROXY", "http://127.0.0.1:1")
        .env("NO_PROXY", fake.url().trim_start_matches("http://"))
        .run()
        .assert_code(0);
    let signed = fake.requests()[0]
        .header("authorization")
        .unwrap()
        .to_owned();
    assert!(signed.contains("Credential=FROMTHEROLE/"), "{signed}");
}

/// A proxy is another machine: it would answer with its own role, or learn the role's keys.
#[test]
fn the_keys_of_a_role_are_never_asked_for_by_a_proxy() {
    let (proxy, _) = account();
    let asking = program(&proxy)
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_SECRET_ACCESS_KEY")
        .env("HTTP_PROXY", proxy.url())
        .limit(std::time::Duration::from_secs(120));
    for (name, value) in [
        (
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
            "/v2/credentials/0a",
        ),
        ("AWS_EC2_METADATA_DISABLED", "false"),
    ] {
        let ran = asking.clone().env(name, value).run();
        // What stands at these addresses, and what it answers, is the machine's own.
        assert!(matches!(ran.code, Some(2..=4)), "{name}: {ran}");
        ran.assert_stderr("AWS credentials");
        assert!(proxy.requests().is_empty(), "{name}: {ran}");
    }
}
