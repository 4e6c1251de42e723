//! S3 sources whose body breaks off.

use harness::{FakeAws, Reply};

use super::{BUILDSPEC, PIPELINE, program, source};
use crate::world::serve_stacks;

/// The object in one version.
fn object(version: &str, body: Vec<u8>) -> Reply {
    Reply::bytes(body)
        .header("x-amz-version-id", version)
        .header("etag", format!("\"{version}\""))
}

/// The versions that were asked for.
fn asked(fake: &FakeAws) -> Vec<Option<String>> {
    let version = |request: &harness::Request| {
        let mut query = request.query.iter();
        let found = query.find(|(name, _)| name == "versionId");
        found.map(|(_, value)| value.clone())
    };
    fake.requests_for("s3:GetObject")
        .iter()
        .map(version)
        .collect()
}

#[test]
fn it_is_asked_for_again_in_the_same_version() {
    let fake = FakeAws::start();
    let body = source(BUILDSPEC);
    let whole = body.len();
    // At once, in the middle, before the last byte.
    for sent in [0, whole / 2, whole - 1] {
        fake.first(
            "s3:GetObject",
            [object("version-7", body.clone()).broken_off(sent)],
        );
    }
    fake.on("s3:GetObject", [object("version-7", body)]);
    serve_stacks(&fake, None, &["CREATE_COMPLETE"]);
    let folder = tempfile::tempdir().unwrap();
    let ran = program(folder.path(), PIPELINE).envs(fake.env()).run();
    ran.assert_code(0)
        .assert_stderr("its body broke off")
        .assert_stderr(&format!("version version-7, {whole} bytes"));
    let version = Some("version-7".to_owned());
    assert_eq!(
        asked(&fake),
        [None, version.clone(), version.clone(), version]
    );
}

#[test]
fn and_not_for_ever() {
    let fake = FakeAws::start();
    fake.on(
        "s3:GetObject",
        [object("version-7", source(BUILDSPEC)).broken_off(9)],
    );
    let folder = tempfile::tempdir().unwrap();
    let program = program(folder.path(), PIPELINE).envs(fake.env());
    let ran = program.run();
    ran.assert_code(4)
        .assert_stderr("cannot fetch s3://source/template.zip in eu-west-1")
        .assert_stderr("the body broke off 5 times");
    assert_eq!(fake.requests_for("s3:GetObject").len(), 5);
    // The deadline bounds all of it.
    let ran = program.args(["--timeout", "1s"]).run();
    ran.assert_code(6)
        .assert_stderr("the deadline passed before s3://source/template.zip");
}

#[test]
fn a_body_that_is_not_what_its_checksum_says_is_no_source() {
    let fake = FakeAws::start();
    // The SHA-256 of nothing.
    let checksum = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    let spoilt = object("version-7", source(BUILDSPEC));
    let spoilt = spoilt.header("x-amz-checksum-sha256", checksum);
    fake.on("s3:GetObject", [spoilt]);
    let folder = tempfile::tempdir().unwrap();
    let ran = program(folder.path(), PIPELINE).envs(fake.env()).run();
    ran.assert_code(4).assert_stderr("checksum");
}
