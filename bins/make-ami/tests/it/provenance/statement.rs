//! The statement of how an image was made.

use crate::INSTANCE;
use crate::inside::{Cloud, Run};
use action::codebuild::CodeBuild;
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use data_encoding::BASE64;
use harness::ec2::Image;
use harness::{Fate, Reply};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

const AWAY: &str = "us-east-1";
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const DIGEST: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const BASE: &str = "ami-0000000000000ba5e";

/// An account whose instance was started from an image that is there, and a folder for statements.
fn account() -> (Cloud, TempDir) {
    let cloud = Cloud::new();
    cloud.world.add_image(Image::available(BASE, "base"));
    (cloud, tempfile::tempdir().unwrap())
}

/// The path of a file in a folder, as a setting.
fn path(folder: &TempDir) -> String {
    let path = folder.path().join("statement.json");
    path.to_str().unwrap().to_owned()
}

fn read(folder: &TempDir) -> Value {
    let text = std::fs::read_to_string(path(folder)).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// A run that writes a statement with all that it may hold.
fn stating<'a>(cloud: &'a Cloud, folder: &TempDir) -> Run<'a> {
    let build = CodeBuild {
        build_id: Some("web:1".to_owned()),
        build_arn: Some("arn:aws:codebuild:eu-west-1:123456789012:build/web:1".to_owned()),
        initiator: Some("codepipeline/web-prod".to_owned()),
        resolved_source_version: Some(COMMIT.to_owned()),
        ..CodeBuild::default()
    };
    cloud.run().build(build).all([
        ("statement", path(folder).as_str()),
        ("release_id", "20261123094308-1a2b3c4"),
        ("template_digest", DIGEST),
        ("watermark", "approved"),
        ("app", "web"),
        ("copy_to", AWAY),
    ])
}

/// A new key as PEM: private, public.
fn new_key() -> (String, String) {
    let pair = Ed25519KeyPair::generate().unwrap();
    let pem = |label: &str, der: &[u8]| {
        let text = BASE64.encode(der);
        format!("-----BEGIN {label} KEY-----\n{text}\n-----END {label} KEY-----\n")
    };
    let private = pair.to_pkcs8v1().unwrap();
    let public = pair.public_key().as_der().unwrap();
    (
        pem("PRIVATE", private.as_ref()),
        pem("PUBLIC", public.as_ref()),
    )
}

fn verify<'a>(cloud: &'a Cloud, image: &str, folder: &TempDir) -> Run<'a> {
    let run = cloud.run().go_on("verify", image);
    run.set("statement", path(folder))
}

#[tokio::test(start_paused = true)]
async fn the_statement_binds_image_copy_snapshots_instance_release_template_commit_and_build() {
    let (cloud, folder) = account();
    let ended = stating(&cloud, &folder).end().await;
    ended.assert_code(0);
    let statement = read(&folder);
    assert_eq!(statement["_type"], "https://in-toto.io/Statement/v1");
    assert_eq!(statement["predicateType"], "https://slsa.dev/provenance/v1");
    let image = cloud.image(ended.ami());
    let copy = &cloud.world.images_in(AWAY)[0];
    for (at, region, one) in [(0, "eu-west-1", &image), (1, AWAY, copy)] {
        let subject = &statement["subject"][at];
        assert_eq!(subject["name"], format!("{region}/{}", one.id));
        let digest = subject["digest"]["sha256"].as_str().unwrap();
        assert_eq!(digest.len(), 64);
    }
    let predicate = &statement["predicate"];
    let parameters = &predicate["buildDefinition"]["externalParameters"];
    assert_eq!(parameters["instanceId"], INSTANCE);
    assert_eq!(parameters["releaseId"], "20261123094308-1a2b3c4");
    assert_eq!(parameters["templateDigest"], DIGEST);
    assert_eq!(parameters["watermarks"], json!(["approved"]));
    let dependencies = &predicate["buildDefinition"]["resolvedDependencies"];
    let expected = [
        json!({ "name": "instance", "uri": format!("urn:ec2:eu-west-1:instance/{INSTANCE}") }),
        json!({ "name": "ancestor", "uri": format!("urn:ec2:eu-west-1:image/{BASE}") }),
        json!({ "name": "source", "digest": { "gitCommit": COMMIT } }),
        json!({ "name": "release", "uri": "urn:pipeline-actions:release:20261123094308-1a2b3c4" }),
        json!({ "name": "template", "uri": format!("urn:pipeline-actions:template:{DIGEST}") }),
    ];
    assert_eq!(dependencies, &json!(expected));
    let details = &predicate["runDetails"];
    assert_eq!(
        details["metadata"]["invocationId"],
        "arn:aws:codebuild:eu-west-1:123456789012:build/web:1"
    );
    let snapshot = format!("urn:ec2:eu-west-1:snapshot/{}", image.snapshots()[0]);
    assert_eq!(details["byproducts"][0]["uri"], snapshot);
}

#[tokio::test(start_paused = true)]
async fn verify_compares_the_image_and_its_copy_with_the_statement() {
    let (cloud, folder) = account();
    let made = stating(&cloud, &folder).end().await;
    let image = made.assert_code(0).ami();
    let copy = cloud.world.images_in(AWAY)[0].id.clone();
    let before = read(&folder);
    let ended = verify(&cloud, image, &folder).end().await;
    ended
        .assert_code(0)
        .assert_said("who made the statement is not known");
    let elsewhere = verify(&cloud, &copy, &folder).at(AWAY).end().await;
    elsewhere.assert_code(0);
    let other = verify(&cloud, image, &folder).set("release_id", "r-2");
    let other = other.end().await;
    other
        .assert_code(1)
        .assert_said("its statement names release 20261123094308-1a2b3c4, and not r-2");
    // Of another image, and of the same one with other snapshots.
    let second = cloud.run().set("ami_name", "web-43").end().await;
    let foreign = verify(&cloud, second.ami(), &folder).end().await;
    foreign.assert_code(1).assert_said(&format!(
        "its statement is not about eu-west-1/{}",
        second.ami()
    ));
    let theirs = cloud.image(second.ami()).devices;
    cloud
        .world
        .change_image(image, |image| image.devices = theirs);
    let changed = verify(&cloud, image, &folder).end().await;
    changed
        .assert_code(1)
        .assert_said("its statement is about an image with other snapshots");
    assert_eq!(read(&folder), before, "verify leaves the statement alone");
}

#[tokio::test(start_paused = true)]
async fn a_signed_statement_is_believed_only_with_the_key_that_signed_it() {
    let (cloud, folder) = account();
    let (private, public) = new_key();
    let file = |name: &str, pem: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, pem).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let key = file("private.pem", &private);
    let public = file("public.pem", &public);
    let run = stating(&cloud, &folder).set("statement_key", &key);
    let made = run.end().await;
    made.assert_code(0);
    let line = private.lines().nth(1).unwrap();
    made.refute_said(line);
    let verify = |key: &str| {
        let run = verify(&cloud, made.ami(), &folder);
        run.set("statement_key", key).end()
    };
    for key in [&public, &key] {
        let ended = verify(key).await;
        ended
            .assert_code(0)
            .refute_said("who made the statement is not known");
    }
    verify(&file("other.pem", &new_key().1))
        .await
        .assert_code(1)
        .assert_said("its statement was not signed with the key of MAKE_AMI_STATEMENT_KEY");
    let mut envelope = read(&folder);
    let payload = envelope["payload"].as_str().unwrap();
    let payload = BASE64.decode(payload.as_bytes()).unwrap();
    std::fs::write(path(&folder), payload).unwrap();
    verify(&public)
        .await
        .assert_code(1)
        .assert_said("its statement is not signed");
    envelope["payload"] = "e30=".into();
    std::fs::write(path(&folder), envelope.to_string()).unwrap();
    verify(&public).await.assert_code(1);
    std::fs::write(path(&folder), "{").unwrap();
    verify(&public)
        .await
        .assert_code(1)
        .assert_said("is no in-toto statement");
    std::fs::remove_file(path(&folder)).unwrap();
    verify(&public)
        .await
        .assert_code(2)
        .assert_said("cannot read the statement");
}

/// What the page says: anybody can check a signature without this program.
#[tokio::test(start_paused = true)]
async fn openssl_makes_the_keys_and_checks_the_signature() {
    let (cloud, folder) = account();
    let file = |name: &str| -> PathBuf { folder.path().join(name) };
    let openssl = |arguments: &[&str]| {
        let mut command = Command::new("openssl");
        command.args(arguments).current_dir(folder.path());
        command.output()
    };
    if openssl(&["genpkey", "-algorithm", "ed25519", "-out", "key.pem"]).is_err() {
        harness::missing("openssl");
        return;
    }
    let public = openssl(&["pkey", "-in", "key.pem", "-pubout", "-out", "public.pem"]);
    assert!(public.unwrap().status.success());
    let run = stating(&cloud, &folder).set("statement_key", file("key.pem").to_str().unwrap());
    let made = run.end().await;
    made.assert_code(0);
    let run = verify(&cloud, made.ami(), &folder);
    let run = run.set("statement_key", file("public.pem").to_str().unwrap());
    run.end().await.assert_code(0);
    let envelope = read(&folder);
    let decoded = |text: &Value| BASE64.decode(text.as_str().unwrap().as_bytes()).unwrap();
    let payload = decoded(&envelope["payload"]);
    let head = format!("DSSEv1 28 application/vnd.in-toto+json {} ", payload.len());
    std::fs::write(file("signed"), [head.as_bytes(), &payload].concat()).unwrap();
    std::fs::write(file("sig"), decoded(&envelope["signatures"][0]["sig"])).unwrap();
    let check = || {
        let arguments = "pkeyutl -verify -pubin -inkey public.pem -rawin -in signed -sigfile sig";
        let words: Vec<&str> = arguments.split(' ').collect();
        openssl(&words).unwrap().status.success()
    };
    assert!(check());
    std::fs::write(file("signed"), b"other").unwrap();
    assert!(!check());
}

#[tokio::test(start_paused = true)]
async fn a_statement_that_cannot_be_written_is_refused_first_and_later_keeps_the_image() {
    let (cloud, folder) = account();
    let run = cloud.run().set("statement", "/nowhere/statement.json");
    let ended = run.end().await;
    ended
        .assert_code(2)
        .assert_said("there can be no statement; nothing was touched");
    assert!(ended.calls.is_empty(), "{ended}");
    let path = path(&folder);
    let folder = std::sync::Mutex::new(Some(folder));
    cloud.fake.intercept(move |request| {
        if request.operation == "CreateImage" {
            drop(folder.lock().unwrap().take());
        }
        Fate::Served
    });
    let ended = cloud.run().set("statement", path).end().await;
    ended
        .assert_code(5)
        .assert_said("cannot write the statement")
        .assert_said("make-ami wait --image ami-");
    assert!(ended.exports.is_empty());
    assert_eq!(cloud.world.images().len(), 2);
}

/// The statement of an image that is not there would be believed.
#[tokio::test(start_paused = true)]
async fn a_failed_run_leaves_no_statement_not_even_an_old_one() {
    let (cloud, folder) = account();
    std::fs::write(path(&folder), "{}").unwrap();
    cloud.fake.on("ec2:CreateImage", [Reply::unauthorized()]);
    let ended = cloud.run().set("statement", path(&folder)).end().await;
    ended.assert_code(3);
    assert!(!std::fs::exists(path(&folder)).unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_statement_without_the_ancestors_is_better_than_none() {
    let hour = Duration::from_secs(3600);
    for (reply, why) in [
        (Reply::unauthorized(), "not authorized"),
        (Reply::hang(hour), "EC2 did not answer in time"),
    ] {
        let (cloud, folder) = account();
        cloud.fake.on("ec2:GetImageAncestry", [reply]);
        let ended = stating(&cloud, &folder).end().await;
        ended
            .assert_code(0)
            .assert_said("the statement names no ancestors of ami-")
            .assert_said(why);
        assert!(ended.took < hour, "{ended}");
        let text = read(&folder).to_string();
        assert!(!text.contains("ancestor") && text.contains(COMMIT));
    }
}
