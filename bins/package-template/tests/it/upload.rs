//! The way to the bucket and back.

use std::io::Cursor;

use aws_smithy_types::base64;
use bundle::digest::Digest;
use harness::program::exports_of;
use harness::{FakeAws, Reply};

use crate::world::{Bucket, TEMPLATE, project, uploading, versioning, write};

#[test]
fn the_first_upload_is_one_proven_conditional_put() {
    let (aws, folder) = (FakeAws::start(), project());
    let bucket = Bucket::in_fake(&aws);
    let ran = uploading(&folder, &aws)
        .args(["dev.json=config.json", "app=src"])
        .args([
            "--bucket-owner",
            "123456789012",
            "--kms-key",
            "alias/pipeline",
        ])
        .env("CODEBUILD_RESOLVED_SOURCE_VERSION", "0a1b2c3d")
        .run();
    ran.assert_code(0);
    let object = bucket.current().unwrap();
    let exports = ran.exports();
    assert_eq!(exports["TEMPLATE_VERSION_ID"], "version-1");
    assert_eq!(exports["TEMPLATE_CHANGED"], "1");
    assert_eq!(
        exports["TEMPLATE_DIGEST"],
        object.metadata["x-amz-meta-package-template-digest"]
    );
    assert_eq!(exports.len(), 3);

    let calls = ["s3:GetBucketVersioning", "s3:HeadObject", "s3:PutObject"];
    assert_eq!(aws.operations(), calls);
    for request in aws.requests() {
        assert_eq!(
            request.header("x-amz-expected-bucket-owner"),
            Some("123456789012"),
            "{}",
            request.name()
        );
    }
    let put = &aws.requests_for("s3:PutObject")[0];
    assert_eq!(
        put.bucket_and_key(),
        ("source-bucket".to_owned(), "template.zip".to_owned())
    );
    assert_eq!(put.header("if-none-match"), Some("*"));
    assert_eq!(put.header("if-match"), None);
    assert_eq!(put.header("content-type"), Some("application/zip"));
    assert_eq!(put.header("x-amz-acl"), None);
    assert_eq!(put.header("x-amz-server-side-encryption"), Some("aws:kms"));
    assert_eq!(
        put.header("x-amz-server-side-encryption-aws-kms-key-id"),
        Some("alias/pipeline")
    );
    let summary = put
        .header("x-amz-meta-codepipeline-artifact-revision-summary")
        .unwrap();
    assert!(
        summary.starts_with("commit 0a1b2c3d (content "),
        "{summary}"
    );
    let sha256 = Digest::of(&object.body);
    assert_eq!(
        put.header("x-amz-checksum-sha256"),
        Some(base64::encode(sha256.as_bytes()).as_str())
    );

    let mut zip = zip::ZipArchive::new(Cursor::new(object.body)).unwrap();
    let names: Vec<_> = zip
        .file_names()
        .map(|name| name.unwrap().into_owned())
        .collect();
    assert_eq!(names, ["app.yml", "config.json", "src/run"]);
    let template = std::io::read_to_string(zip.by_name("app.yml").unwrap()).unwrap();
    assert_eq!(template, TEMPLATE, "the template is not touched");
}

#[test]
fn twice_changes_nothing() {
    let (aws, folder) = (FakeAws::start(), project());
    let bucket = Bucket::in_fake(&aws);
    let program = uploading(&folder, &aws);
    let first = program.run().assert_code(0).exports();
    write(folder.path(), "cfn/app.yml", TEMPLATE);
    let second = program.run().assert_code(0).exports();
    assert_eq!(second["TEMPLATE_CHANGED"], "0");
    assert_eq!(second["TEMPLATE_VERSION_ID"], first["TEMPLATE_VERSION_ID"]);
    assert_eq!(second["TEMPLATE_DIGEST"], first["TEMPLATE_DIGEST"]);
    assert_eq!(aws.requests_for("s3:PutObject").len(), 1);
    assert!(
        aws.requests_for("s3:GetObject").is_empty(),
        "the checksum says it"
    );

    let forced = program
        .clone()
        .arg("--force")
        .run()
        .assert_code(0)
        .exports();
    assert_eq!(
        (
            forced["TEMPLATE_CHANGED"].as_str(),
            forced["TEMPLATE_VERSION_ID"].as_str()
        ),
        ("1", "version-2")
    );
    write(
        folder.path(),
        "cfn/app.yml",
        &format!("# a comment\n{TEMPLATE}"),
    );
    let third = program.run().assert_code(0).exports();
    assert_eq!(third["TEMPLATE_VERSION_ID"], "version-3");
    assert_ne!(third["TEMPLATE_DIGEST"], first["TEMPLATE_DIGEST"]);
    let put = &aws.requests_for("s3:PutObject")[2];
    assert_eq!(
        put.header("if-match"),
        Some("\"etag-2\""),
        "only what was compared is replaced"
    );
    assert_eq!(bucket.current().unwrap().number, 3);
}

#[test]
fn a_dry_run_reads_only_and_tells_the_plan() {
    let (aws, folder) = (FakeAws::start(), project());
    let bucket = Bucket::in_fake(&aws);
    let plan = folder.path().join("plan.json");
    let dry = uploading(&folder, &aws)
        .args(["app", "--dry-run", "--plan-file"])
        .arg(&plan);
    let ran = dry.run();
    ran.assert_code(0).assert_stdout("");
    ran.assert_stderr("app/run")
        .assert_stderr("app.yml  <- template");
    for size in [
        &format!("{:>10} of 1000000 bytes of template", TEMPLATE.len()),
        "         1 of 500 resources",
        "         1 of 200 parameters",
        "         0 of 200 outputs",
        "of 256000000 bytes of archive",
    ] {
        ran.assert_stderr(size);
    }
    ran.assert_stderr("would upload s3://source-bucket/template.zip, which does not exist yet");
    assert_eq!(
        aws.operations(),
        ["s3:GetBucketVersioning", "s3:HeadObject"]
    );
    assert!(bucket.current().is_none());
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(&plan).unwrap()).unwrap();
    assert_eq!(json["action"], "upload");
    assert_eq!(json["entries"][1]["path"], "app/run");
    assert_eq!(json["entries"][1]["mode"], "100755");

    uploading(&folder, &aws).arg("app").run().assert_code(0);
    dry.run()
        .assert_code(0)
        .assert_stderr("would upload nothing");
    uploading(&folder, &aws)
        .args(["app", "--dry-run", "--force"])
        .run()
        .assert_stderr("changes: none but formatting")
        .assert_stderr("over version version-1");
    assert_eq!(aws.requests_for("s3:PutObject").len(), 1);
}

#[test]
fn a_dry_run_tells_what_changes_against_the_version_in_the_bucket() {
    let (aws, folder) = (FakeAws::start(), project());
    let bucket = Bucket::in_fake(&aws);
    uploading(&folder, &aws).arg("app").run().assert_code(0);
    let template = TEMPLATE
        .replace("AMIId:", "Image:")
        .replace("!Ref AMIId", "!Ref Image");
    let template = format!("# only a comment\n{template}  New: {{Type: AWS::SNS::Topic}}\n");
    write(folder.path(), "cfn/app.yml", &template);
    let plan = folder.path().join("plan.json");
    let ran = uploading(&folder, &aws)
        .args(["dev.json", "--dry-run", "--plan-file"])
        .arg(&plan)
        .run();
    ran.assert_code(0);
    for line in [
        "  + file dev.json",
        "  - file app/run",
        "  ~ file app.yml",
        "  + Parameters Image",
        "  - Parameters AMIId",
        "  + Resources New",
        "  ~ Resources Lt",
    ] {
        ran.assert_stderr(line);
    }
    let plan: serde_json::Value = serde_json::from_slice(&std::fs::read(&plan).unwrap()).unwrap();
    assert_eq!(plan["changes"]["template"]["Resources"]["added"][0], "New");
    let get = &aws.requests_for("s3:GetObject")[0];
    assert!(
        get.query
            .contains(&("versionId".to_owned(), "version-1".to_owned()))
    );

    // Whatever else stands there is said, and no reason to fail.
    bucket.overwrite();
    uploading(&folder, &aws)
        .arg("--dry-run")
        .run()
        .assert_code(0)
        .assert_stderr("cannot compare with the present object: cannot read the archive");
}

#[test]
fn a_bucket_in_another_region_is_found_there() {
    let (aws, folder) = (FakeAws::start(), project());
    Bucket::in_fake(&aws);
    let moved = || {
        Reply::error(301, "PermanentRedirect", "The bucket you are attempting to access must be addressed using the specified endpoint.")
            .header("x-amz-bucket-region", "ap-southeast-2")
    };
    aws.first("s3:GetBucketVersioning", [moved()]);
    let ran = uploading(&folder, &aws).run();
    ran.assert_code(0)
        .assert_stderr("the bucket source-bucket is in ap-southeast-2");
    let put = &aws.requests_for("s3:PutObject")[0];
    assert!(
        put.header("authorization")
            .unwrap()
            .contains("/ap-southeast-2/s3/")
    );
    // Who names a region means it.
    aws.first("s3:GetBucketVersioning", [moved()]);
    let ran = uploading(&folder, &aws)
        .args(["--region", "eu-west-1"])
        .run();
    ran.assert_code(2).assert_stderr("is in another region");
}

#[test]
fn of_two_at_once_one_wins_and_the_other_says_so() {
    let (aws, folder) = (FakeAws::start(), project());
    let bucket = Bucket::in_fake(&aws);
    let other = project();
    write(
        other.path(),
        "cfn/app.yml",
        &format!("{TEMPLATE}  More: {{Type: AWS::SNS::Topic}}\n"),
    );
    // Both look before either writes.
    let barrier = std::sync::Barrier::new(2);
    let looks = std::sync::atomic::AtomicUsize::new(0);
    aws.on_call("s3:HeadObject", move |_| {
        if looks.fetch_add(1, std::sync::atomic::Ordering::SeqCst) < 2 {
            barrier.wait();
            return Reply::empty(404);
        }
        // The loser looks again before it speaks.
        Reply::empty(200)
            .header("etag", "\"etag-1\"")
            .header("x-amz-version-id", "version-1")
    });
    let codes: Vec<Option<i32>> = std::thread::scope(|scope| {
        let run = |folder| {
            let program = uploading(folder, &aws);
            scope.spawn(move || program.run())
        };
        let both = [run(&folder), run(&other)];
        let both = both.map(|one| one.join().unwrap());
        both.map(|ran| ran.code).to_vec()
    });
    let mut sorted = codes.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, [Some(0), Some(7)], "{codes:?}");
    assert_eq!(
        bucket.current().unwrap().number,
        1,
        "one was written, and stays"
    );
}

#[test]
fn exports_go_to_a_file_and_an_old_one_never_stays() {
    let (aws, folder) = (FakeAws::start(), project());
    Bucket::in_fake(&aws);
    let exports = folder.path().join(".exports");
    write(
        folder.path(),
        ".exports",
        "export TEMPLATE_VERSION_ID='stale'\n",
    );
    aws.first("s3:HeadObject", [Reply::empty(403), Reply::empty(403)]);
    let program = uploading(&folder, &aws).arg("--export-file").arg(&exports);
    program.run().assert_code(3).assert_stdout("");
    assert!(!exports.exists());
    program.run().assert_code(0).assert_stdout("");
    assert_eq!(exports_of(&exports)["TEMPLATE_VERSION_ID"], "version-1");
}

#[test]
fn a_bucket_without_versions_is_refused_before_anything_is_written() {
    for status in ["", "Suspended"] {
        let (aws, folder) = (FakeAws::start(), project());
        Bucket::in_fake(&aws);
        aws.on("s3:GetBucketVersioning", [versioning(status)]);
        let ran = uploading(&folder, &aws).run();
        ran.assert_code(2).assert_stdout("(exit 2)\n");
        ran.assert_stderr("the bucket source-bucket is not versioned")
            .assert_stderr("put-bucket-versioning");
        assert_eq!(aws.operations(), ["s3:GetBucketVersioning"]);
    }
}

#[test]
fn who_loses_the_race_says_so_and_overwrites_nothing() {
    let (aws, folder) = (FakeAws::start(), project());
    let bucket = Bucket::in_fake(&aws);
    bucket.overwrite();
    // What this run sees is already outdated when it writes.
    let seen = Reply::empty(200)
        .header("etag", "\"etag-0\"")
        .header("x-amz-version-id", "version-0");
    aws.first("s3:HeadObject", [seen]);
    let ran = uploading(&folder, &aws).run();
    ran.assert_code(7).assert_stdout("(exit 7)\n");
    ran.assert_stderr("it changed since it was compared")
        .assert_stderr("PreconditionFailed");
    assert_eq!(bucket.current().unwrap().body, b"theirs");

    uploading(&folder, &aws).run().assert_code(0);
}

#[test]
fn a_conflict_is_tried_again_while_nothing_changed() {
    let conflict = || Reply::error(409, "ConditionalRequestConflict", "conflict");
    let (aws, folder) = (FakeAws::start(), project());
    let bucket = Bucket::in_fake(&aws);
    bucket.overwrite();
    aws.first("s3:PutObject", [conflict(), conflict()]);
    let exports = uploading(&folder, &aws).run().assert_code(0).exports();
    assert_eq!(exports["TEMPLATE_VERSION_ID"], "version-2");
    assert_eq!(aws.requests_for("s3:PutObject").len(), 3);
    // Not for ever.
    let (aws, folder) = (FakeAws::start(), project());
    Bucket::in_fake(&aws);
    aws.on("s3:PutObject", [conflict()]);
    let ran = uploading(&folder, &aws).run();
    ran.assert_code(7)
        .assert_stderr("ConditionalRequestConflict")
        .assert_stderr("run again");
    assert_eq!(aws.requests_for("s3:PutObject").len(), 3);
    // And not over what another one wrote meanwhile.
    let (aws, folder) = (FakeAws::start(), project());
    let bucket = Bucket::in_fake(&aws);
    let other = bucket.clone();
    aws.on_call("s3:PutObject", move |_| {
        other.overwrite();
        Reply::error(409, "ConditionalRequestConflict", "conflict")
    });
    uploading(&folder, &aws).run().assert_code(7);
    assert_eq!(aws.requests_for("s3:PutObject").len(), 1);
    assert_eq!(bucket.current().unwrap().body, b"theirs");
}

#[test]
fn a_key_that_is_deleted_meanwhile_is_a_lost_race() {
    let (aws, folder) = (FakeAws::start(), project());
    let bucket = Bucket::in_fake(&aws);
    bucket.overwrite();
    let seen = Reply::empty(200)
        .header("etag", "\"etag-1\"")
        .header("x-amz-version-id", "version-1");
    bucket.delete();
    aws.first("s3:HeadObject", [seen]);
    let ran = uploading(&folder, &aws).run();
    ran.assert_code(7).assert_stdout("(exit 7)\n");
    ran.assert_stderr("it was deleted since it was compared")
        .assert_stderr("NoSuchKey")
        .assert_stderr("run again");
    uploading(&folder, &aws).run().assert_code(0);
}

#[test]
fn the_same_content_from_another_build_is_no_loss() {
    let (aws, folder) = (FakeAws::start(), project());
    Bucket::in_fake(&aws);
    uploading(&folder, &aws).run().assert_code(0);
    aws.first("s3:HeadObject", [Reply::empty(404)]);
    let exports = uploading(&folder, &aws).run().assert_code(0).exports();
    assert_eq!(exports["TEMPLATE_VERSION_ID"], "version-1");
}

#[test]
fn a_lost_reply_is_adopted() {
    let (aws, folder) = (FakeAws::start(), project());
    let bucket = Bucket::in_fake(&aws);
    // S3 stores the object and the answer is lost; the retry then meets our own object.
    aws.lose_reply("s3:PutObject");
    let exports = uploading(&folder, &aws).run().assert_code(0).exports();
    assert_eq!(exports["TEMPLATE_VERSION_ID"], "version-1");
    assert_eq!(exports["TEMPLATE_CHANGED"], "1");
    assert_eq!(bucket.current().unwrap().number, 1);
}

#[test]
fn an_object_older_than_the_versioning_is_replaced() {
    let (aws, folder) = (FakeAws::start(), project());
    Bucket::in_fake(&aws).overwrite();
    let digest = uploading(&folder, &aws)
        .args(["--print-digest"])
        .run()
        .stdout
        .trim()
        .to_owned();
    let old = Reply::empty(200)
        .header("etag", "\"etag-1\"")
        .header("x-amz-version-id", "null")
        .header("x-amz-meta-package-template-digest", digest);
    aws.first("s3:HeadObject", [old]);
    let exports = uploading(&folder, &aws).run().assert_code(0).exports();
    assert_eq!(exports["TEMPLATE_CHANGED"], "1");
}

#[test]
fn a_stored_object_that_is_not_what_was_sent_is_reported_as_a_remainder() {
    for (reply, said) in [
        (
            Reply::empty(200)
                .header("x-amz-version-id", "version-9")
                .header("x-amz-checksum-sha256", "AAAA"),
            "was stored with the SHA-256 AAAA",
        ),
        (Reply::empty(200), "was written without a version"),
        (
            Reply::empty(200).header("x-amz-version-id", "version-9"),
            "holds no SHA-256 to prove what",
        ),
    ] {
        let (aws, folder) = (FakeAws::start(), project());
        Bucket::in_fake(&aws);
        aws.on("s3:PutObject", [reply.header("etag", "\"x\"")]);
        let ran = uploading(&folder, &aws).run();
        ran.assert_code(5).assert_stdout("(exit 5)\n");
        ran.assert_stderr(said)
            .assert_stderr("aws s3api delete-object --bucket source-bucket");
    }
}

#[test]
fn it_works_over_https_with_an_authority_of_its_own() {
    let (aws, folder) = (FakeAws::start_tls(), project());
    Bucket::in_fake(&aws);
    uploading(&folder, &aws).run().assert_code(0);
    let ran = uploading(&folder, &aws).env_remove("AWS_CA_BUNDLE").run();
    ran.assert_code(4);
}
