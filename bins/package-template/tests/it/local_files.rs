//! Templates that name files of this machine.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::{Arc, Mutex};

use harness::{FakeAws, Reply};
use tempfile::TempDir;

use crate::world::{
    Bucket, program, project, recompressed, uploading, versioning, with_checksum, write,
    wrong_checksum,
};

const TEMPLATE: &str = "# The application.
Resources:
  Nested:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: ../nested/n.yml   # packaged
  F:
    Type: AWS::Lambda::Function
    Properties: {Code: ../src, Handler: index.handler}
";

const NESTED: &str = "Resources:\n  Job: {Type: AWS::Glue::Job, Properties: {Command: {ScriptLocation: 'job.py'}}}\n";

fn with_local_files() -> TempDir {
    let folder = project();
    write(folder.path(), "cfn/app.yml", TEMPLATE);
    write(folder.path(), "nested/n.yml", NESTED);
    write(folder.path(), "nested/job.py", "print(1)\n");
    write(folder.path(), "src/index.py", "def handler(): pass\n");
    folder
}

type Objects = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

/// A versioned bucket with many keys, which keeps S3's conditions.
fn bucket(aws: &FakeAws) -> Objects {
    let objects = Objects::default();
    aws.on("s3:GetBucketVersioning", [versioning("Enabled")]);
    let world = Arc::clone(&objects);
    aws.on_call("s3:HeadObject", move |request| {
        let Some(body) = world.lock().unwrap().get(&request.path).cloned() else {
            return Reply::empty(404);
        };
        let reply = Reply::empty(200)
            .header("etag", "\"e\"")
            .header("x-amz-version-id", "v");
        with_checksum(reply, request, &body)
    });
    let world = Arc::clone(&objects);
    aws.on_call("s3:GetObject", move |request| {
        Reply::bytes(world.lock().unwrap()[&request.path].clone())
    });
    let world = Arc::clone(&objects);
    aws.on_call("s3:PutObject", move |request| {
        if let Some(refusal) = wrong_checksum(request) {
            return refusal;
        }
        let mut world = world.lock().unwrap();
        if request.header("if-none-match") == Some("*") && world.contains_key(&request.path) {
            return Reply::error(412, "PreconditionFailed", "no");
        }
        world.insert(request.path.clone(), request.body.clone());
        Reply::empty(200)
            .header("etag", "\"e\"")
            .header("x-amz-version-id", "v")
            .header(
                "x-amz-checksum-sha256",
                request.header("x-amz-checksum-sha256").unwrap_or_default(),
            )
    });
    objects
}

fn template_in(archive: &[u8]) -> String {
    let mut zip = zip::ZipArchive::new(Cursor::new(archive)).unwrap();
    std::io::read_to_string(zip.by_name("app.yml").unwrap()).unwrap()
}

#[test]
fn they_are_stored_first_and_only_their_paths_change() {
    let (aws, folder) = (FakeAws::start(), with_local_files());
    let objects = bucket(&aws);
    let program =
        uploading(&folder, &aws).args(["--bucket-owner", "123456789012", "--kms-key", "alias/k"]);
    program.run().assert_code(0);
    let puts = aws.requests_for("s3:PutObject");
    let keys: Vec<String> = puts.iter().map(|put| put.bucket_and_key().1).collect();
    assert_eq!(keys.len(), 4, "{keys:?}");
    assert_eq!(
        keys[3], "template.zip",
        "the archive comes after what it names"
    );
    for put in &puts {
        assert_eq!(put.header("if-none-match"), Some("*"));
        assert_eq!(
            put.header("x-amz-expected-bucket-owner"),
            Some("123456789012")
        );
        assert_eq!(
            put.header("x-amz-server-side-encryption-aws-kms-key-id"),
            Some("alias/k")
        );
    }
    let key = |end: &str| keys.iter().find(|key| key.ends_with(end)).unwrap();
    let (job, code, nested) = (key(".py"), key(".zip"), key(".yml"));
    assert!(job.starts_with("assets/") && code != "template.zip");
    let url = format!("https://source-bucket.s3.eu-west-1.amazonaws.com/{nested}");
    let expected = TEMPLATE.replace("../nested/n.yml", &url).replace(
        "../src",
        &format!("{{\"S3Bucket\": \"source-bucket\", \"S3Key\": \"{code}\"}}"),
    );
    let objects = objects.lock().unwrap();
    let stored = |key: &str| {
        let found = objects.iter().find(|(path, _)| path.ends_with(key));
        found.unwrap().1.clone()
    };
    assert_eq!(template_in(&stored("/template.zip")), expected);
    let nested = String::from_utf8(stored(nested)).unwrap();
    assert_eq!(
        nested,
        NESTED.replace("job.py", &format!("s3://source-bucket/{job}"))
    );
    drop(objects);

    // The archive is written again; nothing else is.
    program.clone().arg("--force").run().assert_code(0);
    assert_eq!(aws.requests_for("s3:PutObject").len(), 5);
}

#[test]
fn a_dry_run_tells_of_them_and_a_bucket_of_their_own_takes_them() {
    let (aws, folder) = (FakeAws::start(), with_local_files());
    bucket(&aws);
    aws.on("s3:HeadBucket", [Reply::empty(200)]);
    let program = uploading(&folder, &aws).args([
        "--asset-bucket",
        "asset-bucket",
        "--asset-prefix",
        "cfn/x",
    ]);
    let ran = program.clone().arg("--dry-run").run();
    ran.assert_code(0)
        .assert_stderr("would store s3://asset-bucket/cfn/x/")
        .assert_stderr("nested/job.py)");
    assert_eq!(aws.requests_for("s3:PutObject").len(), 0);
    program.run().assert_code(0);
    let puts = aws.requests_for("s3:PutObject");
    let buckets: Vec<String> = puts.iter().map(|put| put.bucket_and_key().0).collect();
    assert_eq!(
        buckets,
        [
            "asset-bucket",
            "asset-bucket",
            "asset-bucket",
            "source-bucket"
        ]
    );
}

#[test]
fn their_bucket_may_be_in_another_region() {
    let (aws, folder) = (FakeAws::start(), with_local_files());
    let objects = bucket(&aws);
    let moved = |status| Reply::empty(status).header("x-amz-bucket-region", "ap-southeast-2");
    for status in [200, 301] {
        aws.on("s3:HeadBucket", [moved(status)]);
        let ran = uploading(&folder, &aws)
            .args(["--asset-bucket", "asset-bucket", "--force"])
            .run();
        ran.assert_code(0)
            .assert_stderr("the bucket asset-bucket is in ap-southeast-2");
    }
    for put in aws.requests_for("s3:PutObject") {
        let of_assets = put.bucket_and_key().0 == "asset-bucket";
        let signed = put.header("authorization").unwrap();
        assert_eq!(
            signed.contains("/ap-southeast-2/s3/"),
            of_assets,
            "{signed}"
        );
    }
    let objects = objects.lock().unwrap();
    let archive = objects
        .iter()
        .find(|(path, _)| path.ends_with("/template.zip"));
    let template = template_in(archive.unwrap().1);
    assert!(
        template.contains("https://asset-bucket.s3.ap-southeast-2.amazonaws.com/assets/"),
        "{template}"
    );
    drop(objects);

    aws.on("s3:HeadBucket", [Reply::empty(404)]);
    let ran = uploading(&folder, &aws)
        .args(["--asset-bucket", "asset-bucket"])
        .run();
    ran.assert_code(2)
        .assert_stderr("correct PACKAGE_TEMPLATE_ASSET_BUCKET");
    aws.on("s3:HeadBucket", [Reply::empty(501)]);
    let ran = uploading(&folder, &aws)
        .args(["--asset-bucket", "asset-bucket"])
        .run();
    ran.assert_code(2).refute_stderr("running again is safe");
}

#[test]
fn what_was_deleted_is_stored_again_beside_an_archive_that_is_unchanged() {
    let (aws, folder) = (FakeAws::start(), with_local_files());
    let archive = Bucket::in_fake(&aws);
    let is_asset = |request: &harness::Request| request.bucket_and_key().1.starts_with("assets/");
    let world = archive.clone();
    aws.on_call("s3:HeadObject", move |request| {
        if is_asset(request) {
            Reply::empty(404)
        } else {
            world.head(request)
        }
    });
    let world = archive.clone();
    aws.on_call("s3:PutObject", move |request| {
        if !is_asset(request) {
            return world.put(request);
        }
        wrong_checksum(request).unwrap_or_else(|| {
            let checksum = request.header("x-amz-checksum-sha256").unwrap();
            Reply::empty(200).header("x-amz-checksum-sha256", checksum)
        })
    });
    let program = uploading(&folder, &aws);
    program.run().assert_code(0);
    assert_eq!(aws.requests_for("s3:PutObject").len(), 4);
    let ran = program.run();
    assert_eq!(ran.assert_code(0).exports()["TEMPLATE_CHANGED"], "0");
    ran.assert_stderr("stored nested/job.py as s3://source-bucket/assets/");
    assert_eq!(aws.requests_for("s3:PutObject").len(), 7);
}

#[test]
fn what_is_under_their_keys_is_proven_and_replaced_where_it_is_something_else() {
    let (aws, folder) = (FakeAws::start(), with_local_files());
    let objects = bucket(&aws);
    let program = uploading(&folder, &aws);
    program.run().assert_code(0);
    let keys: Vec<String> = objects.lock().unwrap().keys().cloned().collect();
    let asset = |end: &str| {
        let mut keys = keys.iter();
        let found = keys.find(|key| key.contains("/assets/") && key.ends_with(end));
        found.unwrap().clone()
    };
    let (job, code) = (asset(".py"), asset(".zip"));
    // The same files by another compressor are the same asset: a zip is named by what it holds.
    let other = recompressed(&objects.lock().unwrap()[&code]);
    objects.lock().unwrap().insert(code.clone(), other);
    let ran = program.run();
    ran.assert_code(0).refute_stderr("stored ");
    assert_eq!(aws.requests_for("s3:PutObject").len(), 4);
    assert_eq!(aws.requests_for("s3:GetObject").len(), 1);

    // What was spoilt on its way is not believed because of its key, with a checksum or without.
    for has_checksums in [true, false] {
        let world = Arc::clone(&objects);
        if !has_checksums {
            aws.on_call("s3:HeadObject", move |request| {
                let there = world.lock().unwrap().contains_key(&request.path);
                Reply::empty(if there { 200 } else { 404 })
                    .header("etag", "\"e\"")
                    .header("x-amz-version-id", "v")
            });
        }
        for key in [&job, &code] {
            objects
                .lock()
                .unwrap()
                .insert(key.clone(), b"spoilt".to_vec());
        }
        let before = aws.requests_for("s3:PutObject").len();
        let dry = program.clone().arg("--dry-run").run();
        dry.assert_code(0)
            .assert_stderr("would store s3://source-bucket/assets/");
        let ran = program.run();
        ran.assert_code(0)
            .assert_stderr("does not match its key; it is replaced");
        assert_eq!(objects.lock().unwrap()[&job], b"print(1)\n");
        let puts = aws.requests_for("s3:PutObject");
        for put in &puts[before..before + 2] {
            assert_eq!(
                put.header("if-match"),
                Some("\"e\""),
                "only what was looked at"
            );
        }
    }
}

#[test]
fn a_server_that_tells_no_checksum_is_read_back() {
    let (aws, folder) = (FakeAws::start(), with_local_files());
    let objects = bucket(&aws);
    let silent = || {
        Reply::empty(200)
            .header("etag", "\"e\"")
            .header("x-amz-version-id", "v")
    };
    let world = Arc::clone(&objects);
    aws.on_call("s3:HeadObject", move |request| {
        match world.lock().unwrap().contains_key(&request.path) {
            true => silent(),
            false => Reply::empty(404),
        }
    });
    let spoils = Arc::new(Mutex::new(false));
    let (world, spoiling) = (Arc::clone(&objects), Arc::clone(&spoils));
    aws.on_call("s3:PutObject", move |request| {
        let body = match *spoiling.lock().unwrap() {
            true => b"spoilt".to_vec(),
            false => request.body.clone(),
        };
        world.lock().unwrap().insert(request.path.clone(), body);
        silent()
    });
    let program = uploading(&folder, &aws);
    // Of assets: the archive of this world has no metadata.
    let ran = program.run();
    ran.assert_stderr("stored nested/job.py as");
    *spoils.lock().unwrap() = true;
    objects.lock().unwrap().clear();
    program
        .run()
        .assert_code(5)
        .assert_stderr("(none given)")
        .assert_stderr("aws s3api delete-object");
}

#[test]
fn without_a_bucket_they_are_findings() {
    let folder = with_local_files();
    let ran = program(&folder)
        .bare()
        .args(["cfn/app.yml", "--output", "out.zip"])
        .run();
    ran.assert_code(2)
        .assert_stderr("cfn/app.yml:6:20: TemplateURL of Nested")
        .assert_stderr("cfn/app.yml:9:24: Code of F")
        .assert_stderr("[T302]");
    let check = |more: &[&str]| {
        program(&folder)
            .bare()
            .args(["check", "cfn/app.yml"])
            .args(more)
            .run()
    };
    // The check knows that the files would be packaged.
    let ran = check(&[]);
    let said = &ran.assert_code(0).stdout;
    assert!(said.contains("note[T302]: TemplateURL of Nested"), "{said}");
    check(&["--bucket", "source-bucket"])
        .assert_code(0)
        .assert_stdout("no findings\n");
    std::fs::remove_file(folder.path().join("nested/job.py")).unwrap();
    for more in [&[][..], &["--bucket", "source-bucket"]] {
        let ran = check(more);
        let said = &ran.assert_code(1).stdout;
        assert!(said.contains("there is no nested/job.py"), "{said}");
    }
}

#[test]
fn what_must_not_travel_is_refused_in_their_folders_too() {
    let folder = with_local_files();
    for name in ["src/.env", "src/.DS_Store"] {
        write(folder.path(), name, "x");
    }
    let check = |more: &[&str]| {
        program(&folder)
            .bare()
            .args(["check", "cfn/app.yml", "--bucket", "source-bucket"])
            .args(more)
            .run()
    };
    let ran = check(&[]);
    let said = &ran.assert_code(1).stdout;
    for part in [
        "error[T303]: Code of F (AWS::Lambda::Function) is the local path \"../src\": cannot bundle 2 files",
        "`src/.DS_Store`: it belongs to version control or a file manager",
        "`src/.env`: it is an environment file",
        "--exclude .DS_Store --exclude .env",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    check(&["--exclude", ".DS_Store", "--exclude", ".env"]).assert_code(0);
}

#[test]
fn a_folder_may_be_the_one_that_the_program_runs_in() {
    let folder = project();
    let template = "Resources:\n  F: {Type: AWS::Lambda::Function, Properties: {Code: .}}\n";
    write(folder.path(), "t.yml", template);
    let program = program(&folder).bare();
    let program = program.args(["check", "t.yml", "--bucket", "source-bucket"]);
    program.run().assert_code(0);
    write(folder.path(), ".git/HEAD", "x");
    let ran = program.run();
    let said = &ran.assert_code(1).stdout;
    assert!(said.contains("cannot bundle `./.git`"), "{said}");
}

/// SAM's `Globals`, as `sam package` means them.
#[test]
fn what_globals_name_is_packaged_and_replaced_there() {
    let (aws, folder) = (FakeAws::start(), project());
    let objects = bucket(&aws);
    let text = "Transform: AWS::Serverless-2016-10-31
Globals:
  Function: {CodeUri: ../app, Runtime: python3.13} # for all
Resources:
  F: {Type: AWS::Serverless::Function, Properties: {Handler: a.b}}
";
    write(folder.path(), "cfn/app.yml", text);
    uploading(&folder, &aws).run().assert_code(0);
    let puts = aws.requests_for("s3:PutObject");
    let key = &puts[0].bucket_and_key().1;
    assert!(key.starts_with("assets/") && key.ends_with(".zip"), "{key}");
    let objects = objects.lock().unwrap();
    let (_, archive) = objects
        .iter()
        .find(|(path, _)| path.ends_with("/template.zip"))
        .unwrap();
    let expected = text.replace("../app", &format!("s3://source-bucket/{key}"));
    assert_eq!(template_in(archive), expected);

    let output = |command: &[&str]| program(&folder).bare().args(command).run();
    output(&["cfn/app.yml", "--output", "t.zip"])
        .assert_code(2)
        .assert_stderr(
            "cfn/app.yml:3:23: CodeUri of Globals.Function is the local path \"../app\"",
        );
    assert!(!folder.path().join("t.zip").exists());
}

const ALIASES: &str = "Resources:
  First:
    Type: AWS::SQS::Queue
    Properties: &queue # shared
      VisibilityTimeout: 60
  Second:
    Type: AWS::SQS::Queue
    Properties: *queue
  Third:
    Type: AWS::SQS::Queue
    Properties:
      <<: *queue
      DelaySeconds: 5
";

#[test]
fn aliases_are_refused_with_their_place_before_anything_is_touched() {
    let (aws, folder) = (FakeAws::start(), project());
    bucket(&aws);
    write(folder.path(), "cfn/app.yml", ALIASES);
    uploading(&folder, &aws)
        .run()
        .assert_code(2)
        .assert_stderr(
            "cfn/app.yml:8:17: an alias stands here, and CloudFormation takes none [Y106]",
        )
        .assert_stderr(
            "cfn/app.yml:12:7: `<<` merges, and CloudFormation does not take a merge key [Y105]",
        )
        .assert_stderr("--expand-aliases");
    assert!(aws.requests().is_empty());
    let nested =
        "Resources: {N: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: n.yml}}}\n";
    write(folder.path(), "cfn/n.yml", ALIASES);
    write(folder.path(), "cfn/app.yml", nested);
    uploading(&folder, &aws)
        .run()
        .assert_code(2)
        .assert_stderr("cfn/n.yml:8:17: an alias stands here");
    assert!(aws.requests().is_empty());
}

#[test]
fn aliases_are_written_out_where_that_is_asked_for() {
    let (aws, folder) = (FakeAws::start(), project());
    let objects = bucket(&aws);
    let local = "  F: {Type: AWS::Lambda::Function, Properties: {Code: &code ../app}}\n  \
                 G: {Type: AWS::Lambda::Function, Properties: {Code: *code}}\n";
    write(folder.path(), "cfn/app.yml", &format!("{ALIASES}{local}"));
    let ran = uploading(&folder, &aws).arg("--expand-aliases").run();
    ran.assert_code(0);
    let key = aws.requests_for("s3:PutObject")[0].bucket_and_key().1;
    let objects = objects.lock().unwrap();
    let (_, archive) = objects
        .iter()
        .find(|(path, _)| path.ends_with("/template.zip"))
        .unwrap();
    let place = format!("{{\"S3Bucket\": \"source-bucket\", \"S3Key\": \"{key}\"}}");
    let expected = ALIASES
        .replace("&queue ", "")
        .replace("*queue\n  T", "{VisibilityTimeout: 60}\n  T")
        .replace("<<: *queue", "VisibilityTimeout: 60");
    let local = local
        .replace("&code ../app", &place)
        .replace("*code", &place);
    assert_eq!(template_in(archive), format!("{expected}{local}"));
    drop(objects);

    let check = |more: &[&str]| {
        let all = ["check", "cfn/app.yml"].iter().chain(more).copied();
        program(&folder).bare().args(all.collect::<Vec<_>>()).run()
    };
    check(&["--expand-aliases", "--bucket", "source-bucket"])
        .assert_code(0)
        .assert_stdout("no findings\n");
    check(&["--bucket", "source-bucket"]).assert_code(1);
}

#[test]
fn the_digest_follows_what_they_hold() {
    let folder = with_local_files();
    let digest = |region: &str| {
        let ran = program(&folder)
            .bare()
            .env("AWS_REGION", region)
            .args(["digest", "cfn/app.yml", "--bucket", "source-bucket"])
            .run();
        ran.assert_code(0).stdout.clone()
    };
    let first = digest("eu-west-1");
    assert_eq!(digest("eu-west-1"), first);
    assert_ne!(
        digest("eu-west-2"),
        first,
        "the URL of the nested template holds the region"
    );
    write(folder.path(), "nested/job.py", "print(2)\n");
    assert_ne!(digest("eu-west-1"), first);
}
