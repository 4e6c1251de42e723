//! Releases that go through a bucket, because Session Manager is slow. The bucket is that of the scripted AWS, and the host's
//! own curl and wget fetch from it.

use crate::transports::Private;
use harness::sshd::Options;
use harness::tunnel::Behaviour;
use harness::{FakeAws, Program, Ran, Reply};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

type Objects = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

/// A host behind Session Manager, and a bucket.
struct Transfer {
    private: Private,
    objects: Objects,
}

impl Transfer {
    fn start() -> Option<Self> {
        Self::start_with(Vec::new())
    }

    /// With these variables in the environment of the host's commands.
    fn start_with(mut env: Vec<String>) -> Option<Self> {
        let aws = FakeAws::start_tls();
        let authority = aws.ca_bundle();
        env.push(format!("CURL_CA_BUNDLE={}", authority.display()));
        let wgetrc = authority.with_file_name("wgetrc");
        let line = format!("ca_certificate = {}\n", authority.display());
        std::fs::write(&wgetrc, line).unwrap();
        env.push(format!("WGETRC={}", wgetrc.display()));
        let options = Options {
            env,
            ..Options::default()
        };
        let private = Private::start_with(&options, aws, &Behaviour::default())?;
        let objects = Objects::default();
        let held = Arc::clone(&objects);
        private.aws.on_call("s3:PutObject", move |request| {
            let (bucket, key) = request.bucket_and_key();
            assert_eq!(bucket, "transfers");
            held.lock().unwrap().insert(key, request.body.clone());
            Reply::empty(200)
        });
        let held = Arc::clone(&objects);
        private.aws.on_call("s3:GetObject", move |request| {
            // Signed by its address alone, for the host has no credentials.
            assert!(request.header("authorization").is_none());
            let (_, key) = request.bucket_and_key();
            match held.lock().unwrap().get(&key) {
                Some(content) => Reply::bytes(content.clone()),
                None => Reply::error(404, "NoSuchKey", "there is none"),
            }
        });
        let held = Arc::clone(&objects);
        private.aws.on_call("s3:DeleteObject", move |request| {
            held.lock().unwrap().remove(&request.bucket_and_key().1);
            Reply::empty(204)
        });
        let transfer = Self { private, objects };
        transfer.write(6 << 20);
        Some(transfer)
    }

    /// Puts so many bytes into the application that no compression makes fewer.
    fn write(&self, bytes: usize) {
        let content = crate::noise::noise(bytes);
        std::fs::write(self.private.world.source().join("large"), content).unwrap();
    }

    fn over(&self, transport: &str) -> Program {
        self.private
            .over(transport)
            .env("DEPLOY_APP_TRANSFER_BUCKET", "transfers")
    }

    /// A deployment that ends well, with what was sent there; nothing is left anywhere.
    fn deploys(&self, transport: &str) -> Ran {
        let ran = self.over(transport).run();
        ran.assert_code(0);
        let world = &self.private.world;
        let there = std::fs::read(world.target().join("current/large")).unwrap();
        let sent = std::fs::read(world.source().join("large")).unwrap();
        assert!(there == sent, "the file is another one");
        self.assert_nothing_left(&ran);
        ran
    }

    fn assert_nothing_left(&self, ran: &Ran) {
        assert_eq!(self.objects.lock().unwrap().len(), 0, "{ran}");
        assert!(!ran.stderr.contains("X-Amz-Signature"), "{ran}");
        let releases = self.private.world.releases();
        let is_fetched = |name: &String| name.ends_with(".fetched");
        assert!(!releases.iter().any(is_fetched), "{releases:?}");
    }

    /// The calls of S3.
    fn calls(&self) -> Vec<String> {
        let mut calls = self.private.aws.operations();
        calls.retain(|call| call.starts_with("s3:"));
        calls
    }
}

/// What is called of S3, for the policy.
pub(crate) fn called() -> Vec<String> {
    let Some(transfer) = Transfer::start() else {
        return Vec::new();
    };
    transfer.deploys("ssm");
    transfer.calls()
}

#[test]
fn a_large_release_goes_through_the_bucket_and_nothing_stays_there() {
    let Some(transfer) = Transfer::start() else {
        return;
    };
    let ran = transfer.deploys("ssm");
    ran.assert_stderr(" B as s3://transfers/deploy-app/")
        .assert_stderr("the host fetched it from S3");
    assert_eq!(
        transfer.calls(),
        ["s3:PutObject", "s3:GetObject", "s3:DeleteObject"]
    );
    let put = &transfer.private.aws.requests_for("s3:PutObject")[0];
    assert!(put.header("x-amz-checksum-sha256").is_some());
}

#[test]
fn what_is_small_or_goes_another_way_needs_no_bucket() {
    let Some(transfer) = Transfer::start() else {
        return;
    };
    transfer.deploys("eic");
    transfer.write(1 << 20);
    transfer.deploys("ssm");
    // What compresses well is small, too.
    let zeros = vec![0; 6 << 20];
    std::fs::write(transfer.private.world.source().join("large"), zeros).unwrap();
    transfer.deploys("ssm");
    assert_eq!(transfer.calls(), Vec::<String>::new());
}

#[test]
fn a_host_that_cannot_fetch_gets_the_release_over_the_session() {
    let Some(transfer) = Transfer::start() else {
        return;
    };
    let aws = &transfer.private.aws;
    aws.first(
        "s3:GetObject",
        [Reply::error(
            403,
            "AccessDenied",
            "no permission s3:GetObject",
        )],
    );
    transfer
        .deploys("ssm")
        .assert_stderr("the host cannot fetch s3://transfers/deploy-app/")
        .assert_stderr("403")
        .assert_stderr("; the release is sent through the session instead");
    // Nothing of the release before is in it.
    let mut other = crate::noise::noise(6 << 20);
    other.reverse();
    std::fs::write(transfer.private.world.source().join("large"), other).unwrap();
    aws.first(
        "s3:PutObject",
        [Reply::error(
            403,
            "AccessDenied",
            "no permission s3:PutObject",
        )],
    );
    transfer
        .deploys("ssm")
        .assert_stderr("cannot store s3://transfers/deploy-app/")
        .assert_stderr("AccessDenied");
}

/// All programs of this machine but one, as a `PATH` for the host.
fn without(program: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::TempDir::with_prefix("path").unwrap();
    for programs in ["/bin", "/usr/bin"] {
        for entry in std::fs::read_dir(programs).unwrap() {
            let name = entry.unwrap().file_name();
            if name != program {
                let from = std::path::Path::new(programs).join(&name);
                // Both may be the same folder.
                drop(std::os::unix::fs::symlink(from, folder.path().join(name)));
            }
        }
    }
    let path = format!("PATH={}", folder.path().display());
    (folder, path)
}

#[test]
fn wget_does_where_there_is_no_curl() {
    let (_folder, path) = without("curl");
    let Some(transfer) = Transfer::start_with(vec![path]) else {
        return;
    };
    transfer
        .deploys("ssm")
        .assert_stderr("the host fetched it from S3");
}

#[test]
fn what_is_not_what_was_stored_is_not_taken() {
    let Some(transfer) = Transfer::start() else {
        return;
    };
    let content = crate::noise::noise(5 << 20);
    transfer
        .private
        .aws
        .on("s3:GetObject", [Reply::bytes(content)]);
    let ran = transfer.over("ssm").run();
    ran.assert_code(1)
        .assert_stderr("is not what was stored for the host");
    transfer.assert_nothing_left(&ran);
    assert_eq!(transfer.private.world.current(), None);
}

#[test]
fn an_interrupt_while_the_host_fetches_leaves_nothing() {
    let Some(transfer) = Transfer::start() else {
        return;
    };
    let slow = Reply::hang(Duration::from_secs(60));
    transfer.private.aws.on("s3:GetObject", [slow]);
    let running = transfer.over("ssm").spawn();
    running.wait_for_stderr("for the host to fetch", Duration::from_secs(60));
    running.signal(15);
    let ran = running.finish();
    ran.assert_code(143);
    transfer.assert_nothing_left(&ran);
    assert_eq!(transfer.private.agent.left_open(), Vec::<String>::new());
}

#[test]
fn an_object_that_cannot_be_deleted_is_named_with_the_command_that_deletes_it() {
    let Some(transfer) = Transfer::start() else {
        return;
    };
    transfer.private.aws.on(
        "s3:DeleteObject",
        [Reply::error(
            403,
            "AccessDenied",
            "no permission s3:DeleteObject",
        )],
    );
    transfer
        .over("ssm")
        .run()
        .assert_code(0)
        .assert_stderr("left behind: s3://transfers/deploy-app/")
        .assert_stderr(": aws s3 rm s3://transfers/deploy-app/");
}
