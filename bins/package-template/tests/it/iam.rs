//! The page's policy is exactly what the code calls, and the policy in `cfn/buckets.yml` grants what an
//! upload into that bucket calls.

use crate::world::{Bucket, program, project, uploading, write};
use harness::{FakeAws, Reply, Request};
use std::collections::BTreeSet;

/// The IAM actions that S3 asks for.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html>
fn actions(request: &Request, is_encrypted: bool) -> Vec<String> {
    let named = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let versioned = request.query.iter().any(|(name, _)| name == "versionId");
    let with_key = request.header("x-amz-server-side-encryption") == Some("aws:kms");
    match request.name().as_str() {
        // S3 tells the checksum of what a KMS key encrypts to who may decrypt it.
        "s3:HeadObject" if is_encrypted && request.header("x-amz-checksum-mode").is_some() => {
            named(&["s3:GetObject", "s3:ListBucket", "kms:Decrypt"])
        }
        // Who may not list gets 403, not 404, for a key that is not there.
        "s3:HeadObject" => named(&["s3:GetObject", "s3:ListBucket"]),
        "s3:GetObject" if versioned => named(&["s3:GetObjectVersion"]),
        "s3:PutObject" if with_key => named(&["s3:PutObject", "kms:GenerateDataKey"]),
        other => named(&[other]),
    }
}

fn called(aws: &FakeAws, is_encrypted: bool) -> BTreeSet<String> {
    let requests = aws.requests();
    let actions = requests.iter().map(|one| actions(one, is_encrypted));
    actions.flatten().collect()
}

/// Runs everything that the settings can ask for.
#[test]
fn the_documented_policy_is_exactly_what_is_called() {
    let (aws, folder) = (FakeAws::start(), project());
    Bucket::in_fake(&aws);
    let encrypted = ["--kms-key", "alias/pipeline"];
    uploading(&folder, &aws)
        .args(encrypted)
        .run()
        .assert_code(0);
    write(
        folder.path(),
        "cfn/app.yml",
        "Resources: {New: {Type: AWS::SNS::Topic}}\n",
    );
    uploading(&folder, &aws)
        .arg("--dry-run")
        .run()
        .assert_code(0);
    let gone = Reply::error(400, "PipelineNotFoundException", "no pipeline demo");
    aws.on("codepipeline:GetPipeline", [gone]);
    program(&folder)
        .envs(aws.env())
        .args(["check", "cfn/app.yml", "--pipeline", "live:demo"])
        .run();
    let permissions = package_template::PROGRAM.permissions.iter();
    let documented: BTreeSet<String> = permissions.map(|one| one.action.to_owned()).collect();
    assert_eq!(called(&aws, true), documented);
}

/// What `PackagePolicy` grants.
fn granted() -> BTreeSet<String> {
    let template = concat!(env!("CARGO_MANIFEST_DIR"), "/../../cfn/buckets.yml");
    harness::policy::granted(template, "PackagePolicy:")
}

/// Encrypted with S3's own keys, as the bucket is, and checked against a file.
#[test]
fn the_packaging_policy_grants_exactly_what_an_upload_calls() {
    let (aws, folder) = (FakeAws::start(), project());
    Bucket::in_fake(&aws);
    uploading(&folder, &aws).run().assert_code(0);
    write(
        folder.path(),
        "cfn/app.yml",
        "Resources: {New: {Type: AWS::SNS::Topic}}\n",
    );
    let again = uploading(&folder, &aws);
    again.clone().arg("--dry-run").run().assert_code(0);
    again.run().assert_code(0);
    assert_eq!(called(&aws, false), granted());
}
