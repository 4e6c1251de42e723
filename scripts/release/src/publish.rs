//! Puts a packed release into the release bucket.
//!
//! Files go under their own sums and are never written over. Then comes the version's list of
//! sums with its signature, which names only what is there by now, and which no second release of
//! that version can replace. Last, `latest` moves on, by compare-and-swap and never backwards.
//! Interrupted anywhere, a second run completes it; whoever reads meanwhile finds a whole release.

use action::exit::Exit;
use action::failure::Failure;
use action::interrupt::Interrupt;
use action::program::{Context, Output, Permission, Program};
use aws::error::{AwsError, Kind};
use aws::session::Session;
use aws_sdk_s3::Client;
use aws_sdk_s3::operation::put_object::PutObjectError;
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_types::base64;
use bundle::digest::Digest;
use tokio::time::Instant;

use crate::settings::{Checked, Place};
use crate::tree::{self, Release};
use crate::version::Version;

/// What this program is.
pub const PROGRAM: Program = Program {
    name: "release-publish",
    about: "Put a packed release into the release bucket",
    version: env!("CARGO_PKG_VERSION"),
    prefix: "RELEASE_PUBLISH_",
    plain: &[],
    none_when_empty: &[],
    commands: &[],
    secret_names_field: None,
    timeout: "30m",
    changes_the_world: true,
    exports: &[],
    permissions: &[
        Permission {
            action: "s3:GetObject",
            purpose: "what is there already",
        },
        Permission {
            action: "s3:PutObject",
            purpose: "files, list of sums, `latest`",
        },
        Permission {
            action: "s3:ListBucket",
            purpose: "to be told that something is not there yet",
        },
    ],
    examples: "After scripts/pack-release:\n  release-publish build/release --to s3://my-releases/programs",
};

/// What must happen with `latest`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pointer {
    /// It names this version already.
    Keep,
    /// It names a later one, which stays.
    Later(Version),
    /// There is none: write it where nothing is.
    Create,
    /// Write over this entity tag.
    Replace(String),
}

/// Decides from what `latest` holds now: its entity tag and text.
///
/// # Errors
/// What is there is no version.
pub fn pointer(ours: &Version, now: Option<(&str, &str)>) -> Result<Pointer, String> {
    let Some((etag, text)) = now else {
        return Ok(Pointer::Create);
    };
    let there: Version = text.trim().parse()?;
    Ok(match there.cmp(ours) {
        std::cmp::Ordering::Equal => Pointer::Keep,
        std::cmp::Ordering::Greater => Pointer::Later(there),
        std::cmp::Ordering::Less => Pointer::Replace(etag.to_owned()),
    })
}

/// Publishes.
///
/// # Errors
/// A folder that is no whole release; what S3 refuses; [`Exit::Lost`] where another release came in between.
pub async fn publish(settings: Checked, context: Context) -> Result<Output, Failure> {
    let release = tree::read(&settings.folder)?;
    let bucket = Bucket::open(settings.to, &context).await?;
    if context.dry_run {
        return plan(&release, &bucket, settings.latest, &context).await;
    }
    let mut written = 0;
    for (sum, path) in &release.blobs {
        let bytes = std::fs::read(path).map_err(|error| {
            Failure::failed(format!("cannot read {}", path.display())).cause(error)
        })?;
        written += usize::from(bucket.put_once(&format!("blobs/{sum}"), bytes).await?);
    }
    let folder = format!("releases/{}", release.version);
    // The signature first: whoever finds a list finds its signature.
    for (name, bytes) in [
        ("SHA256SUMS.minisig", &release.signature),
        ("SHA256SUMS", &release.sums),
    ] {
        bucket
            .put_once(&format!("{folder}/{name}"), bytes.clone())
            .await?;
    }
    tracing::info!(
        "release {} is at {}: {} files, {written} of them new",
        release.version,
        bucket.place("releases"),
        release.blobs.len()
    );
    if settings.latest {
        bucket.move_latest(&release.version).await?;
    }
    Ok(Output::Nothing)
}

async fn plan(
    release: &Release,
    bucket: &Bucket,
    latest: bool,
    context: &Context,
) -> Result<Output, Failure> {
    let mut missing = Vec::new();
    for sum in release.blobs.keys() {
        if bucket.get(&format!("blobs/{sum}")).await?.is_none() {
            missing.push(sum.clone());
        }
    }
    let now = bucket.get("latest").await?;
    let moves = latest
        .then(|| bucket.decide(&release.version, now.as_ref()))
        .transpose()?;
    let text = format!(
        "plan: publish release {} to {}\n  files to write: {} of {}\n  latest: {moves:?}\n",
        release.version,
        bucket.place("releases"),
        missing.len(),
        release.blobs.len()
    );
    let json = serde_json::json!({
        "version": release.version.to_string(), "write": missing, "latest": format!("{moves:?}"),
    });
    context.show_plan(&text, &json)?;
    Ok(Output::Nothing)
}

/// An object as it is now.
struct Seen {
    etag: String,
    bytes: Vec<u8>,
}

struct Bucket {
    client: Client,
    to: Place,
    interrupt: Interrupt,
    deadline: Instant,
}

impl Bucket {
    async fn open(to: Place, context: &Context) -> Result<Self, Failure> {
        let session = Session::open(context).await?;
        let config = aws_sdk_s3::config::Builder::from(&session.config)
            .force_path_style(session.has_own_endpoint("S3"))
            .build();
        Ok(Self {
            client: Client::from_conf(config),
            to,
            interrupt: context.interrupt.clone(),
            deadline: context.deadline,
        })
    }

    fn place(&self, name: &str) -> String {
        format!("s3://{}/{}", self.to.bucket, self.to.key(name))
    }

    /// Waits for a call no longer than the deadline, and not after a signal.
    async fn bounded<T>(&self, deed: &str, call: impl Future<Output = T>) -> Result<T, Failure> {
        match self
            .interrupt
            .race(tokio::time::timeout_at(self.deadline, call))
            .await
        {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(_)) => Err(Failure::new(
                Exit::Deadline,
                format!("the deadline passed before {deed}"),
            )
            .hint("running again goes on from what is there")),
            Err(signal) => Err(Failure::interrupted(
                signal,
                format!("stopped before {deed}"),
            )),
        }
    }

    async fn get(&self, name: &str) -> Result<Option<Seen>, Failure> {
        let deed = format!("cannot read {}", self.place(name));
        let ask = async || {
            let call = self.client.get_object().bucket(&self.to.bucket);
            match call.key(self.to.key(name)).send().await {
                Ok(reply) => Ok((Some(reply.e_tag.unwrap_or_default()), reply.body)),
                Err(error) => {
                    let error = AwsError::of(&error);
                    if error.is("NoSuchKey") || (error.code.is_none() && error.status == Some(404))
                    {
                        return Ok((None, ByteStream::default()));
                    }
                    Err(error.failure(&deed, "s3:GetObject and s3:ListBucket"))
                }
            }
        };
        let call = async {
            let (etag, bytes) = aws::body::whole(&deed, ask).await?;
            Ok(etag.map(|etag| Seen {
                etag,
                bytes: bytes.to_vec(),
            }))
        };
        self.bounded(&format!("{} was read", self.place(name)), call)
            .await?
    }

    /// Writes under a condition. The inner error is S3's.
    async fn put(
        &self,
        name: &str,
        bytes: Vec<u8>,
        over: Option<&str>,
    ) -> Result<Result<(), AwsError>, Failure> {
        let put = self
            .client
            .put_object()
            .bucket(&self.to.bucket)
            .key(self.to.key(name))
            .checksum_sha256(base64::encode(Digest::of(&bytes).as_bytes()))
            .body(ByteStream::from(bytes));
        let put = match over {
            None => put.if_none_match("*"),
            Some(etag) => put.if_match(etag),
        };
        let reply = self
            .bounded(&format!("{} was written", self.place(name)), put.send())
            .await?;
        Ok(reply
            .map(drop)
            .map_err(|error: aws_sdk_s3::error::SdkError<PutObjectError>| AwsError::of(&error)))
    }

    /// Writes where nothing is; whether it was written now. What is there already must be the same.
    async fn put_once(&self, name: &str, bytes: Vec<u8>) -> Result<bool, Failure> {
        let Err(error) = self.put(name, bytes.clone(), None).await? else {
            return Ok(true);
        };
        // Also after a lost answer: it may have been our own write that was there first.
        let taken = matches!(error.status, Some(409 | 412));
        if taken || matches!(error.kind, Kind::Lost | Kind::Unavailable | Kind::Nonsense) {
            match self.get(name).await {
                Ok(Some(seen)) if seen.bytes == bytes => return Ok(false),
                Ok(Some(_)) if taken => {
                    return Err(Failure::refused(format!(
                        "{} is there already with other content",
                        self.place(name)
                    ))
                    .hint("a version is released once: raise the version in Cargo.toml"));
                }
                _ => {}
            }
        }
        Err(self.cannot_write(name, &error))
    }

    fn cannot_write(&self, name: &str, error: &AwsError) -> Failure {
        error
            .failure(format!("cannot write {}", self.place(name)), "s3:PutObject")
            .hint("what was written stays and harms nobody; running again completes it")
    }

    fn decide(&self, ours: &Version, now: Option<&Seen>) -> Result<Pointer, Failure> {
        let text = now.map(|seen| (seen.etag.as_str(), String::from_utf8_lossy(&seen.bytes)));
        let now = text.as_ref().map(|(etag, text)| (*etag, text.as_ref()));
        pointer(ours, now).map_err(|cause| {
            Failure::refused(format!(
                "{} does not name a version; it stays as it is",
                self.place("latest")
            ))
            .cause(cause)
            .hint("--latest=no publishes without it")
        })
    }

    async fn move_latest(&self, version: &Version) -> Result<(), Failure> {
        let now = self.get("latest").await?;
        let over = match self.decide(version, now.as_ref())? {
            Pointer::Keep => return Ok(()),
            Pointer::Later(there) => {
                tracing::warn!("latest stays {there}, which is later than {version}");
                return Ok(());
            }
            Pointer::Create => None,
            Pointer::Replace(etag) => Some(etag),
        };
        let bytes = format!("{version}\n").into_bytes();
        match self.put("latest", bytes.clone(), over.as_deref()).await? {
            Ok(()) => {}
            Err(error) => match self.get("latest").await {
                Ok(Some(seen)) if seen.bytes == bytes => {}
                _ if matches!(error.status, Some(409 | 412)) => {
                    return Err(Failure::new(
                        Exit::Lost,
                        format!("{} changed since it was read", self.place("latest")),
                    )
                    .cause(&error)
                    .hint("another release came in between; run again to compare with it"));
                }
                _ => return Err(self.cannot_write("latest", &error)),
            },
        }
        tracing::info!("{} is {version}", self.place("latest"));
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::{Pointer, pointer};

    #[test]
    fn latest_moves_forward_only() {
        let decide = |now: Option<&str>| {
            let now = now.map(|text| ("\"e\"", text));
            pointer(&"1.2.0".parse().unwrap(), now)
        };
        assert_eq!(decide(None), Ok(Pointer::Create));
        assert_eq!(decide(Some("1.2.0\n")), Ok(Pointer::Keep));
        assert_eq!(
            decide(Some("1.1.9\n")),
            Ok(Pointer::Replace("\"e\"".to_owned()))
        );
        assert_eq!(
            decide(Some("1.2.0-rc.1\n")),
            Ok(Pointer::Replace("\"e\"".to_owned()))
        );
        assert_eq!(
            decide(Some("1.10.0\n")),
            Ok(Pointer::Later("1.10.0".parse().unwrap()))
        );
        assert!(decide(Some("<html>")).is_err());
    }
}
