//! The way to one object, and what was seen there.

use action::failure::Failure;
use action::interrupt::Interrupt;
use action::program::Context;
use action::wait;
use aws::session::Session;
use aws_sdk_s3::Client;
use bundle::digest::Digest;
use tokio::time::Instant;

use crate::settings::Bucket;
use crate::upload::summary;

/// The metadata entry with the digest: `x-amz-meta-package-template-digest`.
pub(crate) const DIGEST_KEY: &str = "package-template-digest";

/// What a key holds now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Its entity tag, quotes included: what `If-Match` compares.
    pub etag: String,
    /// Its version; none for an object older than the bucket's versioning.
    pub version: Option<String>,
    /// The digest that its writer gave: a claim, which came with the upload and may be as wrong as that.
    pub claim: Option<Digest>,
    /// The SHA-256 of its bytes, as S3 computed it; not every object has one.
    pub sha256: Option<Digest>,
    /// Its length in bytes.
    pub size: u64,
}

/// The way to one object.
#[derive(Debug)]
pub(crate) struct Uploader<'a> {
    pub(crate) client: Client,
    /// For the bucket of packaged files, when that is in another region.
    pub(crate) shelf: Option<Client>,
    pub(crate) session: Session,
    pub(crate) path_style: bool,
    pub(crate) target: &'a Bucket,
    pub(crate) summary: String,
    pub(crate) interrupt: Interrupt,
    pub(crate) deadline: Instant,
}

impl<'a> Uploader<'a> {
    /// Sets up the client; no call to S3 yet.
    pub(crate) async fn open(target: &'a Bucket, context: &Context) -> Result<Self, Failure> {
        let session = Session::open_in(context, target.region.as_deref()).await?;
        let path_style = session.has_own_endpoint("S3");
        let region = session.region.clone();
        Ok(Self {
            client: client(&session, path_style, &region),
            shelf: None,
            session,
            path_style,
            target,
            summary: summary::revision(target.summary.as_deref(), &context.codebuild),
            interrupt: context.interrupt.clone(),
            deadline: context.deadline,
        })
    }

    pub(crate) fn object(&self) -> String {
        format!("s3://{}/{}", self.target.name, self.target.key)
    }

    /// Waits for a call no longer than the deadline, and not after a signal.
    pub(crate) async fn bounded<T>(
        &self,
        before: &str,
        call: impl Future<Output = T>,
    ) -> Result<T, Failure> {
        let call = async { Ok(call.await) };
        wait::in_time(self.deadline, &self.interrupt, before, call).await
    }
}

pub(crate) fn client(session: &Session, path_style: bool, region: &str) -> Client {
    let config = aws_sdk_s3::config::Builder::from(&session.config)
        .region(aws_sdk_s3::config::Region::new(region.to_owned()))
        .force_path_style(path_style)
        .build();
    Client::from_conf(config)
}
