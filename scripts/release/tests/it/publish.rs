//! `release-publish` into a bucket of our own making, which keeps conditions as S3 does, and into moto's.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use bundle::digest::Digest;
use harness::moto::Moto;
use harness::{FakeAws, Program, Reply};
use tempfile::TempDir;

/// A packed release of two files; `content` is in one of them.
fn packed(version: &str, content: &str) -> TempDir {
    let folder = TempDir::with_prefix("release").unwrap();
    let at = folder.path();
    let list = at.join("releases").join(version);
    fs::create_dir_all(at.join("blobs")).unwrap();
    fs::create_dir_all(&list).unwrap();
    let mut sums = String::new();
    for (name, bytes) in [
        ("make-ami", content),
        ("notices", "the same in every release"),
    ] {
        let sum = Digest::of(bytes.as_bytes()).to_string();
        fs::write(at.join("blobs").join(&sum), bytes).unwrap();
        sums.push_str(&format!("{sum}  {name}\n"));
    }
    fs::write(list.join("SHA256SUMS"), sums).unwrap();
    let signature =
        format!("untrusted comment: x\nRUQ\ntrusted comment: pipeline-actions {version}\nsig\n");
    fs::write(list.join("SHA256SUMS.minisig"), signature).unwrap();
    fs::write(at.join("latest"), format!("{version}\n")).unwrap();
    folder
}

fn publish(folder: &Path) -> Program {
    Program::new(env!("CARGO_BIN_EXE_release-publish"))
        .env("AWS_MAX_ATTEMPTS", "2")
        .arg(folder)
        .args(["--to", "s3://releases/programs"])
}

type Objects = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

/// A bucket in the fake. An object's entity tag is its digest.
fn bucket(aws: &FakeAws) -> Objects {
    let objects = Objects::default();
    let etag = |bytes: &[u8]| format!("\"{}\"", Digest::of(bytes));
    let world = Arc::clone(&objects);
    aws.on_call("s3:GetObject", move |request| {
        match world.lock().unwrap().get(&request.bucket_and_key().1) {
            None => Reply::error(404, "NoSuchKey", "The specified key does not exist."),
            Some(bytes) => Reply::bytes(bytes.clone()).header("etag", etag(bytes)),
        }
    });
    let world = Arc::clone(&objects);
    aws.on_call("s3:PutObject", move |request| {
        let mut objects = world.lock().unwrap();
        let key = request.bucket_and_key().1;
        let fits = match (
            request.header("if-none-match"),
            request.header("if-match"),
            objects.get(&key),
        ) {
            (Some("*"), None, None) => true,
            (None, Some(wanted), Some(bytes)) => wanted == etag(bytes),
            // Every write of ours has a condition.
            _ => false,
        };
        if !fits {
            return Reply::error(
                412,
                "PreconditionFailed",
                "At least one of the pre-conditions you specified did not hold",
            );
        }
        objects.insert(key, request.body.clone());
        Reply::empty(200).header("etag", "\"x\"")
    });
    objects
}

/// A bucket that holds the release 1.0.0.
fn released() -> (FakeAws, Objects) {
    let aws = FakeAws::start();
    let objects = bucket(&aws);
    publish(packed("1.0.0", "one").path())
        .envs(aws.env())
        .run()
        .assert_code(0);
    (aws, objects)
}

#[test]
fn a_release_goes_up_by_content_then_its_list_then_latest() {
    let aws = FakeAws::start();
    let objects = bucket(&aws);
    let first = packed("1.0.0", "one");
    publish(first.path())
        .envs(aws.env())
        .run()
        .assert_code(0)
        .assert_stderr(
            "release 1.0.0 is at s3://releases/programs/releases: 2 files, 2 of them new",
        );
    let keys: Vec<String> = aws
        .requests_for("s3:PutObject")
        .iter()
        .map(|request| request.bucket_and_key().1)
        .collect();
    let one = Digest::of(b"one");
    assert!(
        keys[..2].contains(&format!("programs/blobs/{one}")),
        "{keys:?}"
    );
    assert_eq!(
        keys[2..],
        [
            "programs/releases/1.0.0/SHA256SUMS.minisig",
            "programs/releases/1.0.0/SHA256SUMS",
            "programs/latest"
        ]
    );
    for request in aws.requests_for("s3:PutObject") {
        assert!(request.header("x-amz-checksum-sha256").is_some());
    }
    // Again: nothing changes.
    let before = objects.lock().unwrap().clone();
    publish(first.path())
        .envs(aws.env())
        .run()
        .assert_code(0)
        .assert_stderr("0 of them new");
    assert_eq!(*objects.lock().unwrap(), before);
    // The next one shares what is the same.
    let second = packed("1.1.0", "two");
    publish(second.path())
        .envs(aws.env())
        .run()
        .assert_code(0)
        .assert_stderr("1 of them new")
        .assert_stderr("latest is 1.1.0");
    // An older one later: published, and not the latest.
    let patch = packed("1.0.1", "patched");
    publish(patch.path())
        .envs(aws.env())
        .run()
        .assert_code(0)
        .assert_stderr("latest stays 1.1.0, which is later than 1.0.1");
    let objects = objects.lock().unwrap();
    assert_eq!(objects["programs/latest"], b"1.1.0\n");
    assert!(objects.contains_key("programs/releases/1.0.1/SHA256SUMS"));
    aws.assert_all_scripted();
}

#[test]
fn a_version_is_released_once() {
    let (aws, objects) = released();
    let list = objects.lock().unwrap()["programs/releases/1.0.0/SHA256SUMS"].clone();
    let other = packed("1.0.0", "other");
    publish(other.path())
        .envs(aws.env())
        .run()
        .assert_code(2)
        .assert_stderr("SHA256SUMS is there already with other content")
        .assert_stderr("a version is released once");
    assert_eq!(
        objects.lock().unwrap()["programs/releases/1.0.0/SHA256SUMS"],
        list
    );
}

#[test]
fn another_release_in_between_is_not_written_over() {
    let (aws, objects) = released();
    // Somebody releases 1.2.0 after we read latest and before we write it.
    let world = Arc::clone(&objects);
    aws.on_call("s3:GetObject", move |request| {
        let mut objects = world.lock().unwrap();
        let key = request.bucket_and_key().1;
        let Some(bytes) = objects.get(&key).cloned() else {
            return Reply::error(404, "NoSuchKey", "The specified key does not exist.");
        };
        if key == "programs/latest" {
            objects.insert(key, b"1.2.0\n".to_vec());
        }
        Reply::bytes(bytes.clone()).header("etag", format!("\"{}\"", Digest::of(&bytes)))
    });
    publish(packed("1.1.0", "two").path())
        .envs(aws.env())
        .run()
        .assert_code(7)
        .assert_stderr("programs/latest changed since it was read");
    assert_eq!(objects.lock().unwrap()["programs/latest"], b"1.2.0\n");
}

#[test]
fn a_lost_answer_is_looked_up() {
    let aws = FakeAws::start();
    bucket(&aws);
    aws.lose_reply("s3:PutObject");
    publish(packed("1.0.0", "one").path())
        .envs(aws.env())
        .run()
        .assert_code(0)
        .assert_stderr("latest is 1.0.0");
}

#[test]
fn what_breaks_off_while_it_is_compared_is_read_again() {
    let (aws, _) = released();
    let half = || {
        Reply::bytes(b"1.0.0\n".to_vec())
            .header("etag", "\"x\"")
            .broken_off(3)
    };
    aws.first("s3:GetObject", [half(), half()]);
    publish(packed("1.0.0", "one").path())
        .envs(aws.env())
        .run()
        .assert_code(0)
        .assert_stderr("its body broke off");
}

#[test]
fn a_dry_run_writes_nothing_and_says_what_it_would() {
    let aws = FakeAws::start();
    bucket(&aws);
    publish(packed("1.0.0", "one").path())
        .envs(aws.env())
        .arg("--dry-run")
        .run()
        .assert_code(0)
        .assert_stderr("files to write: 2 of 2");
    assert!(aws.requests_for("s3:PutObject").is_empty());
}

#[test]
fn what_is_no_whole_release_is_refused_before_a_call() {
    let aws = FakeAws::start();
    let refused = |spoil: &dyn Fn(&Path), said: &str| {
        let folder = packed("1.0.0", "one");
        spoil(folder.path());
        publish(folder.path())
            .envs(aws.env())
            .run()
            .assert_code(2)
            .assert_stderr(said)
            .assert_stderr("nothing was published");
    };
    let blob = Digest::of(b"one").to_string();
    refused(
        &|at| fs::write(at.join("blobs").join(&blob), "tampered").unwrap(),
        "is not what its name says",
    );
    refused(
        &|at| fs::remove_file(at.join("blobs").join(&blob)).unwrap(),
        "cannot read",
    );
    refused(
        &|at| fs::remove_file(at.join("releases/1.0.0/SHA256SUMS.minisig")).unwrap(),
        "cannot read",
    );
    refused(
        &|at| fs::write(at.join("releases/1.0.0/SHA256SUMS"), "nonsense\n").unwrap(),
        "SHA256SUMS has a line \"nonsense\"",
    );
    refused(
        &|at| fs::write(at.join("latest"), "../1\n").unwrap(),
        "is not a version",
    );
    refused(
        &|at| {
            let file = at.join("releases/1.0.0/SHA256SUMS.minisig");
            let text = fs::read_to_string(&file).unwrap();
            fs::write(&file, text.replace("1.0.0", "0.9.0")).unwrap();
        },
        "the signature is not one of release 1.0.0",
    );
    assert!(aws.requests().is_empty());
}

#[test]
fn moto_takes_a_release_too() {
    let Some(moto) = Moto::start() else { return };
    let location = r#"<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>"#;
    assert_eq!(moto.s3("PUT", "/releases", location.as_bytes()).0, 200);
    for (version, content) in [("1.0.0", "one"), ("1.1.0", "two"), ("1.1.0", "two")] {
        publish(packed(version, content).path())
            .envs(moto.env())
            .run()
            .assert_code(0);
    }
    publish(packed("1.1.0", "other").path())
        .envs(moto.env())
        .run()
        .assert_code(2)
        .assert_stderr("is there already with other content");
    assert_eq!(
        moto.s3("GET", "/releases/programs/latest", b""),
        (200, "1.1.0\n".to_owned())
    );
}
