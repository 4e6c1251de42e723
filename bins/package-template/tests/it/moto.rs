//! The same against an S3 that others wrote.

use harness::Program;
use harness::moto::Moto;

use crate::world::{TEMPLATE, program, project, write};

fn versioned(moto: &Moto, bucket: &str) {
    let location = r#"<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>"#;
    assert_eq!(
        moto.s3("PUT", &format!("/{bucket}"), location.as_bytes()).0,
        200
    );
    let on = r#"<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Status>Enabled</Status></VersioningConfiguration>"#;
    assert_eq!(
        moto.s3("PUT", &format!("/{bucket}?versioning"), on.as_bytes())
            .0,
        200
    );
}

/// The KMS key that moto stored an object with.
fn kms_key(moto: &Moto, object: &str) -> Option<String> {
    let headers = moto.head(object);
    let header = |wanted: &str| {
        let found = headers.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.clone())
    };
    let key = header("x-amz-server-side-encryption-aws-kms-key-id");
    let encrypted = header("x-amz-server-side-encryption");
    assert_eq!(encrypted.as_deref() == Some("aws:kms"), key.is_some());
    key
}

fn run(folder: &tempfile::TempDir, moto: &Moto, bucket: &str) -> Program {
    program(folder)
        .envs(moto.env())
        .args(["cfn/app.yml", "--bucket", bucket])
}

#[test]
fn moto_stores_skips_and_refuses_as_the_fake_does() {
    let Some(moto) = Moto::start() else { return };
    let folder = project();
    versioned(&moto, "source-bucket");
    let first = run(&folder, &moto, "source-bucket")
        .run()
        .assert_code(0)
        .exports();
    assert_eq!(first["TEMPLATE_CHANGED"], "1");
    let again = run(&folder, &moto, "source-bucket")
        .run()
        .assert_code(0)
        .exports();
    assert_eq!(again["TEMPLATE_CHANGED"], "0");
    assert_eq!(again["TEMPLATE_VERSION_ID"], first["TEMPLATE_VERSION_ID"]);
    write(
        folder.path(),
        "cfn/app.yml",
        &format!("{TEMPLATE}# changed\n"),
    );
    let changed = run(&folder, &moto, "source-bucket")
        .run()
        .assert_code(0)
        .exports();
    assert_eq!(changed["TEMPLATE_CHANGED"], "1");
    assert_ne!(changed["TEMPLATE_VERSION_ID"], first["TEMPLATE_VERSION_ID"]);
    assert_eq!(kms_key(&moto, "/source-bucket/template.zip"), None);
    let key = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    let kms = run(&folder, &moto, "source-bucket")
        .args(["--force", "--kms-key", key])
        .run();
    assert_eq!(kms.assert_code(0).exports()["TEMPLATE_CHANGED"], "1");
    assert_eq!(
        kms_key(&moto, "/source-bucket/template.zip").as_deref(),
        Some(key)
    );

    let (status, versions) = moto.s3("GET", "/source-bucket?versions", b"");
    assert_eq!(status, 200);
    assert_eq!(versions.matches("<Version>").count(), 3, "{versions}");

    let location = r#"<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>"#;
    moto.s3("PUT", "/plain-bucket", location.as_bytes());
    run(&folder, &moto, "plain-bucket")
        .run()
        .assert_code(2)
        .assert_stderr("not versioned");
    run(&folder, &moto, "missing-bucket")
        .run()
        .assert_code(2)
        .assert_stderr("create the bucket");
}

/// moto looks neither at the owner nor at the key; that both are sent, and what S3 answers to a wrong one, is
/// in `upload` and `faults`. Here they must not disturb.
#[test]
fn moto_takes_an_owner_and_keeps_packaged_files() {
    let Some(moto) = Moto::start() else { return };
    let folder = project();
    versioned(&moto, "owned-bucket");
    write(folder.path(), "cfn/src/index.py", "def handler(): pass\n");
    write(
        folder.path(),
        "cfn/app.yml",
        "Resources:\n  F: {Type: AWS::Lambda::Function, Properties: {Code: src}}\n",
    );
    let program = run(&folder, &moto, "owned-bucket").args(["--bucket-owner", "999999999999"]);
    let first = program.run().assert_code(0).exports();
    let again = program.run().assert_code(0).exports();
    assert_eq!(
        (
            first["TEMPLATE_CHANGED"].as_str(),
            again["TEMPLATE_CHANGED"].as_str()
        ),
        ("1", "0")
    );
    // What is stored already is found by its key, also when the archive is written again.
    program
        .clone()
        .arg("--force")
        .run()
        .assert_code(0)
        .refute_stderr("stored");
    let (status, listed) = moto.s3("GET", "/owned-bucket?list-type=2", b"");
    assert_eq!(status, 200);
    assert_eq!(listed.matches("<Key>assets/").count(), 1, "{listed}");
    write(
        folder.path(),
        "cfn/src/index.py",
        "def handler(): return 1\n",
    );
    let plan = program.clone().arg("--dry-run").run();
    plan.assert_code(0)
        .assert_stderr("would store s3://owned-bucket/assets/")
        .assert_stderr("~ Resources F");
    program
        .args(["--kms-key", "alias/packaged"])
        .run()
        .assert_code(0);
    let (_, listed) = moto.s3("GET", "/owned-bucket?list-type=2&prefix=assets/", b"");
    let keys = listed.split("<Key>").skip(1);
    let keys = keys.filter_map(|rest| Some(rest.split_once("</Key>")?.0));
    let with_key = keys.filter(|key| kms_key(&moto, &format!("/owned-bucket/{key}")).is_some());
    assert_eq!(with_key.count(), 1, "{listed}");
}
