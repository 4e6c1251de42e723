//! A job's artifacts: down with its own credentials, unpacked without trust; up with its own key.

use crate::api::{Api, ApiError, Patience};
use crate::job::{Artifact, JobCredentials, JobData};
use action::exit::Exit;
use action::failure::Failure;
use aws::error::AwsError;
use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::SharedCredentialsProvider;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ServerSideEncryption;
use bundle::tree::{Litter, Rules, Source};
use bundle::unpack::{self, Limits, UnpackError};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use tokio::io::AsyncWriteExt as _;

/// The largest object of one PutObject: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>.
const LARGEST: u64 = 5 << 30;

/// How often expired credentials are renewed for one object.
const RENEWALS: u32 = 3;

/// The file with the exports that each output artifact has, for `Fn::GetParam` and template configurations.
const EXPORTS: &str = "exports.json";

/// The way to a job's artifacts.
pub(crate) struct Store<'a> {
    pub(crate) config: &'a SdkConfig,
    pub(crate) path_style: bool,
    pub(crate) api: &'a Api,
    pub(crate) job: &'a str,
    pub(crate) limits: Limits,
}

/// What goes wrong with an artifact.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArtifactError {
    /// S3's word.
    #[error("cannot {deed} artifact {artifact}\n  cause: {error}")]
    S3 {
        deed: &'static str,
        artifact: String,
        error: AwsError,
    },
    /// The credentials could not be renewed.
    #[error("the credentials of the job have expired and could not be renewed\n  cause: {0}")]
    Renewal(ApiError),
    /// The job came without credentials.
    #[error("the job has artifacts and no credentials for them")]
    NoCredentials,
    /// What came down is no archive that can be taken.
    #[error("cannot unpack artifact {artifact}\n  cause: {error}")]
    Unpack {
        artifact: String,
        error: UnpackError,
    },
    /// What the program made cannot be packed.
    #[error("cannot pack output artifact {artifact}\n  cause: {error}")]
    Pack { artifact: String, error: String },
    /// Two artifacts that would lie in one folder, or a name that is none.
    #[error("{0:?} cannot be the folder of an artifact, or two artifacts have this name")]
    Name(String),
    /// The body broke off, or the disk is full.
    #[error("cannot {deed} artifact {artifact}\n  cause: {error}")]
    Io {
        deed: &'static str,
        artifact: String,
        error: String,
    },
}

impl ArtifactError {
    /// The failure type for CodePipeline.
    pub(crate) fn kind(&self) -> &'static str {
        let exit = match self {
            ArtifactError::S3 { error, .. } => error.exit(),
            ArtifactError::Renewal(ApiError::Refused(_)) => Exit::NotPermitted,
            ArtifactError::Renewal(_) => Exit::Unavailable,
            ArtifactError::NoCredentials
            | ArtifactError::Unpack { .. }
            | ArtifactError::Name(_) => Exit::Refused,
            ArtifactError::Pack { .. } | ArtifactError::Io { .. } => Exit::Failed,
        };
        exit.failure_type().unwrap_or("JobFailed")
    }

    /// Whether CodePipeline has given the job up.
    pub(crate) fn is_given_up(&self) -> bool {
        matches!(self, ArtifactError::Renewal(ApiError::Gone(_)))
    }
}

/// The folders of a job's artifacts, all beside each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Folders {
    pub(crate) root: PathBuf,
    /// The working folder: that of the first input artifact.
    pub(crate) work: PathBuf,
}

impl Folders {
    /// Where the artifacts of a job lie below `root`.
    pub(crate) fn of(root: &Path, data: &JobData) -> Self {
        let root = root.join("artifacts");
        let first = data.inputs.first().map_or("work", |one| one.name.as_str());
        Self {
            work: root.join(first),
            root,
        }
    }

    /// Makes the folders, empty.
    ///
    /// # Errors
    /// Names that cannot be folders, and the file system's.
    pub(crate) fn make(&self, data: &JobData) -> Result<(), ArtifactError> {
        let mut seen = Vec::new();
        for artifact in data.inputs.iter().chain(&data.outputs) {
            let is_folder = !artifact.name.is_empty()
                && artifact.name.len() <= 100
                && artifact
                    .name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
            if !is_folder || seen.contains(&artifact.name) {
                return Err(ArtifactError::Name(artifact.name.clone()));
            }
            seen.push(artifact.name.clone());
        }
        let fault = |error: std::io::Error| ArtifactError::Io {
            deed: "make the folders of",
            artifact: self.root.display().to_string(),
            error: error.to_string(),
        };
        match std::fs::remove_dir_all(&self.root) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(fault(error)),
            _ => {}
        }
        std::fs::create_dir_all(&self.work).map_err(fault)?;
        for artifact in data.inputs.iter().chain(&data.outputs) {
            std::fs::create_dir_all(self.root.join(&artifact.name)).map_err(fault)?;
        }
        Ok(())
    }
}

impl Store<'_> {
    /// Brings every input artifact down and unpacks it into its folder.
    pub(crate) async fn bring(
        &self,
        data: &mut JobData,
        folders: &Folders,
    ) -> Result<(), ArtifactError> {
        for artifact in data.inputs.clone() {
            let archive = folders.root.join(format!("{}.zip", artifact.name));
            self.with_credentials(data, async |client| {
                download(client, &artifact, &archive).await
            })
            .await?;
            let (into, limits) = (folders.root.join(&artifact.name), self.limits);
            let packed = archive.clone();
            let unpacking = tokio::task::spawn_blocking(move || {
                let file = File::open(&packed).map_err(|source| UnpackError::Write {
                    path: packed.clone(),
                    source,
                })?;
                unpack::unpack(file, &into, limits)
            });
            let unpacked = unpacking.await.map_err(|error| ArtifactError::Io {
                deed: "unpack",
                artifact: artifact.to_string(),
                error: error.to_string(),
            })?;
            let count = unpacked.map_err(|error| ArtifactError::Unpack {
                artifact: artifact.to_string(),
                error,
            })?;
            tracing::debug!("artifact {artifact}: {count} entries");
            drop(std::fs::remove_file(&archive));
        }
        Ok(())
    }

    /// Packs the folder of every output artifact, with the exports in it, and uploads it.
    pub(crate) async fn hand_over(
        &self,
        data: &mut JobData,
        folders: &Folders,
        exports: &BTreeMap<String, String>,
    ) -> Result<(), ArtifactError> {
        for artifact in data.outputs.clone() {
            let folder = folders.root.join(&artifact.name);
            let exports = serde_json::json!(exports);
            let packing = tokio::task::spawn_blocking(move || pack(&folder, &exports));
            let packed = packing.await.map_err(|error| error.to_string());
            let bytes = packed
                .and_then(|packed| packed)
                .map_err(|error| ArtifactError::Pack {
                    artifact: artifact.to_string(),
                    error,
                })?;
            let key = data.key.clone();
            self.with_credentials(data, async |client| {
                upload(client, &artifact, &bytes, key.as_deref()).await
            })
            .await?;
        }
        Ok(())
    }

    /// Does something with the job's credentials, with new ones when they have expired.
    async fn with_credentials(
        &self,
        data: &mut JobData,
        mut work: impl AsyncFnMut(&Client) -> Result<(), ArtifactError>,
    ) -> Result<(), ArtifactError> {
        let mut renewals = 0;
        loop {
            let credentials = data.credentials.as_ref();
            let credentials = credentials.ok_or(ArtifactError::NoCredentials)?;
            match work(&self.client(credentials)).await {
                Err(ArtifactError::S3 { error, .. })
                    if renewals < RENEWALS && has_expired(&error) =>
                {
                    renewals += 1;
                    tracing::info!(
                        "[job {}] its credentials have expired; asking for new ones",
                        self.job
                    );
                    let renewed = self.api.details(self.job, Patience::UntilAnswered).await;
                    let renewed = renewed.map_err(ArtifactError::Renewal)?;
                    data.credentials = renewed.credentials;
                }
                done => return done,
            }
        }
    }

    fn client(&self, credentials: &JobCredentials) -> Client {
        let credentials = Credentials::new(
            &credentials.access_key_id,
            &credentials.secret_access_key,
            Some(credentials.session_token.clone()),
            None,
            "CodePipeline job",
        );
        let config = aws_sdk_s3::config::Builder::from(self.config)
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .force_path_style(self.path_style)
            .build();
        Client::from_conf(config)
    }
}

fn has_expired(error: &AwsError) -> bool {
    // <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>
    error.is("ExpiredToken") || error.is("TokenRefreshRequired")
}

async fn download(client: &Client, artifact: &Artifact, to: &Path) -> Result<(), ArtifactError> {
    let deed = "download";
    let call = client
        .get_object()
        .bucket(&artifact.bucket)
        .key(&artifact.object);
    let answer = call.send().await.map_err(|error| ArtifactError::S3 {
        deed,
        artifact: artifact.to_string(),
        error: AwsError::of(&error),
    })?;
    let fault = |error: String| ArtifactError::Io {
        deed,
        artifact: artifact.to_string(),
        error,
    };
    let mut file = tokio::fs::File::create(to)
        .await
        .map_err(|error| fault(error.to_string()))?;
    let mut body = answer.body;
    loop {
        match body.try_next().await {
            Ok(Some(bytes)) => file
                .write_all(&bytes)
                .await
                .map_err(|error| fault(error.to_string()))?,
            Ok(None) => break,
            Err(error) => return Err(fault(aws::error::chain(&error))),
        }
    }
    file.flush().await.map_err(|error| fault(error.to_string()))
}

async fn upload(
    client: &Client,
    artifact: &Artifact,
    bytes: &[u8],
    key: Option<&str>,
) -> Result<(), ArtifactError> {
    // Without a key of the pipeline it is the account's own for S3, `aws/s3`: what an S3 bucket of CodePipeline's asks for.
    // <https://docs.aws.amazon.com/codepipeline/latest/userguide/actions-create-custom-action.html>
    let call = client
        .put_object()
        .bucket(&artifact.bucket)
        .key(&artifact.object)
        .content_type("application/zip")
        .server_side_encryption(ServerSideEncryption::AwsKms)
        .set_ssekms_key_id(key.map(str::to_owned))
        .body(ByteStream::from(bytes.to_vec()));
    let answer = call.send().await.map_err(|error| ArtifactError::S3 {
        deed: "upload",
        artifact: artifact.to_string(),
        error: AwsError::of(&error),
    });
    answer.map(drop)
}

fn pack(folder: &Path, exports: &serde_json::Value) -> Result<Vec<u8>, String> {
    let file = folder.join(EXPORTS);
    // A file of the program's own stays as it is.
    if !file.exists() {
        std::fs::write(&file, format!("{exports:#}\n")).map_err(|error| error.to_string())?;
    }
    let rules = Rules {
        litter: Litter::Take,
        ..Rules::everything()
    };
    let manifest = bundle::tree::read(&[Source::root(folder)], &rules);
    let manifest = manifest.map_err(|error| error.to_string())?;
    bundle::pack::pack(&manifest, LARGEST).map_err(|error| error.to_string())
}

/// The words of a fault with a hint, as the message of a failure.
pub(crate) fn message(error: &ArtifactError, made: &str) -> String {
    let failure = Failure::failed(error.to_string());
    let failure = match error {
        ArtifactError::S3 { error, .. } if error.kind == aws::error::Kind::NotPermitted => failure.hint(
            "the job's credentials are the pipeline's: its role needs the artifact bucket, and the key of the artifacts must allow it",
        ),
        ArtifactError::Unpack { .. } => failure.hint("artifacts are ZIP archives, as CodePipeline and CodeBuild write them"),
        _ => failure,
    };
    match made.is_empty() {
        true => failure.to_string(),
        false => format!("{failure}\nthe program had succeeded, and what it made remains: {made}"),
    }
}
