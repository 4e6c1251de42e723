//! A version is believed by S3's checksum of its bytes, or by the bytes, and by nothing else.

use harness::{FakeAws, Fate, Reply, Request};

use crate::world::{Bucket, project, recompressed, uploading, versioning, write};

const OTHER: &str = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

/// An upload that was changed on its way, and is confirmed with another checksum, or with none.
fn spoils(aws: &FakeAws, bucket: &Bucket, checksum: Option<&'static str>) {
    let bucket = bucket.clone();
    aws.on_call("s3:PutObject", move |request| {
        bucket.put(request);
        let reply = Reply::empty(200)
            .header("etag", "\"etag-1\"")
            .header("x-amz-version-id", bucket.spoil());
        match checksum {
            Some(checksum) => reply.header("x-amz-checksum-sha256", checksum),
            None => reply,
        }
    });
}

/// A bucket that works again.
fn mend(aws: &FakeAws, bucket: &Bucket) {
    let bucket = bucket.clone();
    aws.on_call("s3:PutObject", move |request| bucket.put(request));
}

/// HeadObject tells no checksum, as of servers that have none.
fn silent(aws: &FakeAws, bucket: &Bucket) {
    let bucket = bucket.clone();
    aws.on_call("s3:HeadObject", move |request| {
        let mut request = request.clone();
        request
            .headers
            .retain(|(name, _)| name != "x-amz-checksum-mode");
        bucket.head(&request)
    });
}

#[test]
fn what_one_run_could_not_prove_the_next_one_does_not_believe() {
    for checksum in [None, Some(OTHER)] {
        for tells_checksums in [true, false] {
            let (aws, folder) = (FakeAws::start(), project());
            let bucket = Bucket::in_fake(&aws);
            if !tells_checksums {
                silent(&aws, &bucket);
            }
            spoils(&aws, &bucket, checksum);
            let program = uploading(&folder, &aws);
            program
                .run()
                .assert_code(5)
                .assert_stderr("aws s3api delete-object --bucket source-bucket")
                .assert_stderr("--version-id version-1");
            // CodeBuild makes the next run by itself; the metadata of that version says the right thing.
            mend(&aws, &bucket);
            let ran = program.run();
            ran.assert_code(0)
                .assert_stderr("claims to hold this content, but holds other content");
            let exports = ran.exports();
            assert_eq!(exports["TEMPLATE_VERSION_ID"], "version-2");
            assert_eq!(exports["TEMPLATE_CHANGED"], "1");
        }
    }
}

#[test]
fn a_lost_answer_to_a_spoilt_upload_is_not_adopted() {
    let (aws, folder) = (FakeAws::start(), project());
    let bucket = Bucket::in_fake(&aws);
    spoils(&aws, &bucket, None);
    aws.lose_reply("s3:PutObject");
    aws.intercept(move |request| {
        if request.name() == "s3:PutObject" {
            return Fate::Answered(Reply::error(412, "PreconditionFailed", "it is there"));
        }
        Fate::Served
    });
    let ran = uploading(&folder, &aws).run();
    ran.assert_code(7).assert_stdout("(exit 7)\n");
}

#[test]
fn a_server_without_checksums_is_read_back() {
    let (aws, folder) = (FakeAws::start(), project());
    let bucket = Bucket::in_fake(&aws);
    silent(&aws, &bucket);
    let world = bucket.clone();
    aws.on_call("s3:PutObject", move |request| {
        world.put(request);
        let version = world.current().unwrap().version();
        Reply::empty(200).header("x-amz-version-id", version)
    });
    let program = uploading(&folder, &aws);
    let exports = program.run().assert_code(0).exports();
    assert_eq!(exports["TEMPLATE_CHANGED"], "1");
    assert_eq!(aws.requests_for("s3:GetObject").len(), 1);
    let exports = program.run().assert_code(0).exports();
    assert_eq!(exports["TEMPLATE_CHANGED"], "0");
    assert_eq!(exports["TEMPLATE_VERSION_ID"], "version-1");
    let gets = aws.requests_for("s3:GetObject");
    assert_eq!(gets.len(), 2);
    assert_eq!(gets[1].header("if-match"), Some("\"etag-1\""));
    assert_eq!(aws.requests_for("s3:PutObject").len(), 1);
}

#[test]
fn a_checksum_of_parts_is_none_of_the_content() {
    let (aws, folder) = (FakeAws::start(), project());
    let bucket = Bucket::in_fake(&aws);
    let program = uploading(&folder, &aws);
    program.run().assert_code(0);
    for (checksum, kind) in [
        (OTHER.to_owned(), "COMPOSITE"),
        (format!("{OTHER}-3"), "COMPOSITE"),
    ] {
        let world = bucket.clone();
        aws.on_call("s3:HeadObject", move |request| {
            let mut request: Request = request.clone();
            request
                .headers
                .retain(|(name, _)| name != "x-amz-checksum-mode");
            world
                .head(&request)
                .header("x-amz-checksum-sha256", checksum.clone())
                .header("x-amz-checksum-type", kind)
        });
        let exports = program.run().assert_code(0).exports();
        assert_eq!(exports["TEMPLATE_CHANGED"], "0");
    }
    assert_eq!(aws.requests_for("s3:GetObject").len(), 2);
}

#[test]
fn the_same_content_from_another_compressor_is_unchanged() {
    let (aws, folder) = (FakeAws::start(), project());
    let bucket = Bucket::in_fake(&aws);
    let program = uploading(&folder, &aws).arg("app");
    program.run().assert_code(0);
    bucket.replace(recompressed);
    // The way back may break off, too.
    let object = bucket.current().unwrap();
    aws.first("s3:GetObject", [Reply::bytes(object.body).broken_off(60)]);
    let exports = program.run().assert_code(0).exports();
    assert_eq!(exports["TEMPLATE_CHANGED"], "0");
    assert_eq!(aws.requests_for("s3:GetObject").len(), 2);
    assert_eq!(aws.requests_for("s3:PutObject").len(), 1);
}

#[test]
fn who_may_not_decrypt_proves_nothing_and_is_told_so() {
    let (aws, folder) = (FakeAws::start(), project());
    let bucket = Bucket::in_fake(&aws);
    let program = uploading(&folder, &aws);
    program.run().assert_code(0);
    let world = bucket.clone();
    aws.on_call("s3:HeadObject", move |request| {
        match request.header("x-amz-checksum-mode") {
            Some(_) => Reply::empty(403),
            None => world.head(request),
        }
    });
    let denied = Reply::error(
        403,
        "AccessDenied",
        "not authorized to perform: kms:Decrypt",
    );
    aws.on("s3:GetObject", [denied]);
    let ran = program.run();
    ran.assert_code(3).assert_stdout("(exit 3)\n");
    ran.assert_stderr("and without it its content cannot be verified")
        .assert_stderr("kms:Decrypt on its KMS key");
    // What is replaced needs no proof.
    write(
        folder.path(),
        "cfn/app.yml",
        "Resources: {New: {Type: AWS::SNS::Topic}}\n",
    );
    let exports = program.run().assert_code(0).exports();
    assert_eq!(exports["TEMPLATE_CHANGED"], "1");
}

#[test]
fn what_changes_while_it_is_read_is_a_lost_race() {
    let (aws, folder) = (FakeAws::start(), project());
    let bucket = Bucket::in_fake(&aws);
    let program = uploading(&folder, &aws);
    program.run().assert_code(0);
    silent(&aws, &bucket);
    aws.on(
        "s3:GetObject",
        [Reply::error(412, "PreconditionFailed", "it changed")],
    );
    program
        .run()
        .assert_code(7)
        .assert_stderr("it has changed since it was read");
}

#[test]
fn a_server_without_versions_is_refused_for_good() {
    for reply in [
        Reply::error(
            501,
            "NotImplemented",
            "A header you provided implies functionality that is not implemented",
        ),
        Reply::html(501, "<html>Not Implemented</html>"),
        Reply::empty(501),
        Reply::error(
            405,
            "MethodNotAllowed",
            "The specified method is not allowed against this resource.",
        ),
        Reply::empty(405),
        Reply::error(400, "UnsupportedOperation", "versioning is not supported"),
    ] {
        let (aws, folder) = (FakeAws::start(), project());
        Bucket::in_fake(&aws);
        aws.on("s3:GetBucketVersioning", [reply]);
        let ran = uploading(&folder, &aws).run();
        ran.assert_code(2).assert_stdout("(exit 2)\n");
        ran.assert_stderr("nothing was touched")
            .assert_stderr("or a server that has versions")
            .refute_stderr("running again is safe");
        assert_eq!(aws.operations(), ["s3:GetBucketVersioning"]);
    }
    // One that takes the question for a listing.
    let (aws, folder) = (FakeAws::start(), project());
    let listing = r#"<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>source-bucket</Name></ListBucketResult>"#;
    aws.on("s3:GetBucketVersioning", [Reply::xml(listing)]);
    uploading(&folder, &aws)
        .run()
        .assert_code(2)
        .assert_stderr("is not versioned");
}

#[test]
fn a_server_without_conditions_is_not_asked_to_come_again() {
    let (aws, folder) = (FakeAws::start(), project());
    Bucket::in_fake(&aws);
    aws.on("s3:GetBucketVersioning", [versioning("Enabled")]);
    let message = "A header you provided implies functionality that is not implemented";
    aws.on(
        "s3:PutObject",
        [Reply::error(501, "NotImplemented", message)],
    );
    uploading(&folder, &aws)
        .run()
        .assert_code(1)
        .assert_stderr("this server has no conditional writes")
        .refute_stderr("running again is safe");
}
