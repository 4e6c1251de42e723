//! A project on disk, the program in it, and one versioned bucket that keeps its objects.

use std::collections::BTreeMap;
use std::fs;
use std::io::Cursor;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex};

use aws_smithy_types::base64;
use bundle::digest::Digest;
use harness::{FakeAws, Program, Reply, Request};
use tempfile::TempDir;

/// A small valid template.
pub(crate) const TEMPLATE: &str = "Parameters:
  AMIId: {Type: AWS::EC2::Image::Id}
Resources:
  Lt:
    Type: AWS::EC2::LaunchTemplate
    Properties: {LaunchTemplateData: {ImageId: !Ref AMIId}}
";

/// A folder with `cfn/app.yml`, `dev.json` and `app/run`.
pub(crate) fn project() -> TempDir {
    let folder = TempDir::new().unwrap();
    write(folder.path(), "cfn/app.yml", TEMPLATE);
    write(
        folder.path(),
        "dev.json",
        r#"{"Parameters": {"AMIId": "ami-0123456789abcdef0"}}"#,
    );
    write(folder.path(), "app/run", "#!/bin/sh\n");
    let run = folder.path().join("app/run");
    fs::set_permissions(run, fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

pub(crate) fn write(folder: &Path, name: &str, content: &str) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// The program in a project.
pub(crate) fn program(folder: &TempDir) -> Program {
    Program::new(env!("CARGO_BIN_EXE_package-template")).dir(folder.path())
}

/// The program on its way to a bucket; retries are few so that refusals come soon.
pub(crate) fn uploading(folder: &TempDir, aws: &FakeAws) -> Program {
    program(folder)
        .envs(aws.env())
        .env("AWS_MAX_ATTEMPTS", "2")
        .env("PACKAGE_TEMPLATE_BUCKET", "source-bucket")
        .arg("cfn/app.yml")
}

/// What was put last.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    pub(crate) body: Vec<u8>,
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) number: u32,
}

impl Object {
    pub(crate) fn version(&self) -> String {
        format!("version-{}", self.number)
    }

    fn etag(&self) -> String {
        format!("\"etag-{}\"", self.number)
    }

    fn described(&self, reply: Reply) -> Reply {
        let reply = reply
            .header("etag", self.etag())
            .header("x-amz-version-id", self.version());
        self.metadata
            .iter()
            .fold(reply, |reply, (name, value)| reply.header(name, value))
    }
}

/// The current version of the one key of a versioned bucket; compare-and-swap as S3 does it.
#[derive(Clone, Default)]
pub(crate) struct Bucket(Arc<Mutex<Option<Object>>>);

impl Bucket {
    /// Installs the bucket in a fake.
    pub(crate) fn in_fake(aws: &FakeAws) -> Self {
        let bucket = Self::default();
        aws.on("s3:GetBucketVersioning", [versioning("Enabled")]);
        let world = bucket.clone();
        aws.on_call("s3:HeadObject", move |request| world.head(request));
        let world = bucket.clone();
        aws.on_call("s3:GetObject", move |_| match &*world.0.lock().unwrap() {
            None => Reply::error(404, "NoSuchKey", "The specified key does not exist."),
            Some(object) => object.described(Reply::bytes(object.body.clone())),
        });
        let world = bucket.clone();
        aws.on_call("s3:PutObject", move |request| world.put(request));
        bucket
    }

    pub(crate) fn current(&self) -> Option<Object> {
        self.0.lock().unwrap().clone()
    }

    /// Somebody deletes it.
    pub(crate) fn delete(&self) {
        *self.0.lock().unwrap() = None;
    }

    /// Another writer stores something.
    pub(crate) fn overwrite(&self) {
        let mut current = self.0.lock().unwrap();
        let number = current.as_ref().map_or(1, |object| object.number + 1);
        *current = Some(Object {
            body: b"theirs".to_vec(),
            metadata: BTreeMap::new(),
            number,
        });
    }

    /// The same version with other bytes.
    pub(crate) fn replace(&self, change: impl FnOnce(&[u8]) -> Vec<u8>) {
        let mut current = self.0.lock().unwrap();
        let object = current.as_mut().unwrap();
        object.body = change(&object.body);
    }

    /// What is there was spoilt on its way, metadata and all; gives its version.
    pub(crate) fn spoil(&self) -> String {
        let mut current = self.0.lock().unwrap();
        let object = current.as_mut().unwrap();
        let middle = object.body.len() / 2;
        object.body[middle] ^= 1;
        object.version()
    }

    /// The answer to HeadObject.
    pub(crate) fn head(&self, request: &Request) -> Reply {
        match &*self.0.lock().unwrap() {
            None => Reply::empty(404),
            Some(object) => {
                let reply = object.described(Reply::empty(200));
                with_checksum(reply, request, &object.body)
            }
        }
    }

    /// The answer to PutObject.
    pub(crate) fn put(&self, request: &Request) -> Reply {
        if let Some(refusal) = wrong_checksum(request) {
            return refusal;
        }
        let mut current = self.0.lock().unwrap();
        let fits = match (
            request.header("if-none-match"),
            request.header("if-match"),
            &*current,
        ) {
            (Some("*"), None, None) => true,
            (None, Some(etag), Some(object)) => etag == object.etag(),
            (None, None, _) => true,
            _ => false,
        };
        if current.is_none() && request.header("if-match").is_some() {
            return Reply::error(404, "NoSuchKey", "The specified key does not exist.");
        }
        if !fits {
            return Reply::error(
                412,
                "PreconditionFailed",
                "At least one of the pre-conditions you specified did not hold",
            );
        }
        let metadata = request
            .headers
            .iter()
            .filter(|(name, _)| name.starts_with("x-amz-meta-"));
        let object = Object {
            body: request.body.clone(),
            metadata: metadata.cloned().collect(),
            number: current.as_ref().map_or(1, |object| object.number + 1),
        };
        let checksum = request.header("x-amz-checksum-sha256").unwrap_or_default();
        let reply = object
            .described(Reply::empty(200))
            .header("x-amz-checksum-sha256", checksum);
        *current = Some(object);
        reply
    }
}

/// The same archive, as another version of the compressor makes it.
pub(crate) fn recompressed(archive: &[u8]) -> Vec<u8> {
    let mut old = zip::ZipArchive::new(Cursor::new(archive)).unwrap();
    let mut new = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for at in 0..old.len() {
        let mut entry = old.by_index(at).unwrap();
        let options = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored)
            .unix_permissions(entry.unix_mode().unwrap());
        new.start_file(entry.name().unwrap(), options).unwrap();
        std::io::copy(&mut entry, &mut new).unwrap();
    }
    new.finish().unwrap().into_inner()
}

/// HeadObject's answer with the checksum of the body, which S3 tells to those who ask for it.
pub(crate) fn with_checksum(reply: Reply, request: &Request, body: &[u8]) -> Reply {
    if request.header("x-amz-checksum-mode") != Some("ENABLED") {
        return reply;
    }
    reply
        .header(
            "x-amz-checksum-sha256",
            base64::encode(Digest::of(body).as_bytes()),
        )
        .header("x-amz-checksum-type", "FULL_OBJECT")
}

/// What S3 says to a body that is not the one whose SHA-256 was announced.
pub(crate) fn wrong_checksum(request: &Request) -> Option<Reply> {
    let right = base64::encode(Digest::of(&request.body).as_bytes());
    let refusal = || {
        Reply::error(
            400,
            "BadDigest",
            "The SHA256 you specified did not match the calculated checksum.",
        )
    };
    (request.header("x-amz-checksum-sha256") != Some(right.as_str())).then(refusal)
}

pub(crate) fn versioning(status: &str) -> Reply {
    let status = if status.is_empty() {
        String::new()
    } else {
        format!("<Status>{status}</Status>")
    };
    Reply::xml(format!(
        r#"<?xml version="1.0" encoding="UTF-8"?><VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">{status}</VersioningConfiguration>"#
    ))
}
