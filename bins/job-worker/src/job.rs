//! A job of CodePipeline, and what it is about.

use aws_sdk_codepipeline::types;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;

/// A job that was offered.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) id: String,
    /// What acknowledges it; a Lambda function's job needs none.
    pub(crate) nonce: String,
    pub(crate) data: JobData,
}

/// What a job is about.
#[derive(Debug, Clone, Default)]
pub(crate) struct JobData {
    pub(crate) configuration: BTreeMap<String, String>,
    pub(crate) inputs: Vec<Artifact>,
    pub(crate) outputs: Vec<Artifact>,
    pub(crate) credentials: Option<JobCredentials>,
    /// The KMS key that outputs are encrypted with, where the pipeline names one.
    pub(crate) key: Option<String>,
    pub(crate) token: Option<String>,
    pub(crate) place: Place,
}

/// Where in which pipeline a job belongs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) pipeline: Option<String>,
    pub(crate) stage: Option<String>,
    pub(crate) action: Option<String>,
    /// The execution of the pipeline, which a retry of the stage keeps.
    pub(crate) execution: Option<String>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [&self.pipeline, &self.stage, &self.action];
        let parts: Vec<_> = parts.into_iter().flatten().map(String::as_str).collect();
        match parts.is_empty() {
            true => f.write_str("an unnamed action"),
            false => f.write_str(&parts.join("/")),
        }
    }
}

/// An artifact, and the object that holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Artifact {
    pub(crate) name: String,
    pub(crate) bucket: String,
    pub(crate) object: String,
}

impl fmt::Display for Artifact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (s3://{}/{})", self.name, self.bucket, self.object)
    }
}

/// The credentials of a job, for its artifacts alone. They cannot be printed.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JobCredentials {
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
    pub(crate) session_token: String,
}

impl fmt::Debug for JobCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl From<&types::JobData> for JobData {
    fn from(data: &types::JobData) -> Self {
        let configuration = data.action_configuration();
        let configuration = configuration.and_then(|found| found.configuration());
        let context = data.pipeline_context();
        Self {
            configuration: configuration
                .into_iter()
                .flatten()
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
            inputs: data.input_artifacts().iter().filter_map(artifact).collect(),
            outputs: data
                .output_artifacts()
                .iter()
                .filter_map(artifact)
                .collect(),
            credentials: data.artifact_credentials().map(|found| JobCredentials {
                access_key_id: found.access_key_id().to_owned(),
                secret_access_key: found.secret_access_key().to_owned(),
                session_token: found.session_token().to_owned(),
            }),
            key: data.encryption_key().map(|key| key.id().to_owned()),
            token: data.continuation_token().map(str::to_owned),
            place: Place {
                pipeline: context
                    .and_then(|one| one.pipeline_name())
                    .map(str::to_owned),
                stage: context
                    .and_then(|one| one.stage()?.name())
                    .map(str::to_owned),
                action: context
                    .and_then(|one| one.action()?.name())
                    .map(str::to_owned),
                execution: context
                    .and_then(|one| one.pipeline_execution_id())
                    .map(str::to_owned),
            },
        }
    }
}

fn artifact(found: &types::Artifact) -> Option<Artifact> {
    let location = found.location()?.s3_location()?;
    Some(Artifact {
        name: found.name()?.to_owned(),
        bucket: location.bucket_name().to_owned(),
        object: location.object_key().to_owned(),
    })
}

/// The event that a Lambda function gets from an invoke action:
/// <https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-Lambda.html>.
#[derive(Deserialize)]
struct LambdaEvent {
    #[serde(rename = "CodePipeline.job")]
    job: LambdaJob,
}

#[derive(Deserialize)]
struct LambdaJob {
    id: String,
    data: LambdaData,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LambdaData {
    action_configuration: LambdaConfiguration,
    #[serde(default)]
    input_artifacts: Vec<LambdaArtifact>,
    #[serde(default)]
    output_artifacts: Vec<LambdaArtifact>,
    artifact_credentials: Option<JobCredentials>,
    continuation_token: Option<String>,
    encryption_key: Option<LambdaKey>,
}

#[derive(Deserialize)]
struct LambdaConfiguration {
    #[serde(default)]
    configuration: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct LambdaArtifact {
    name: String,
    location: LambdaLocation,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LambdaLocation {
    s3_location: LambdaObject,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LambdaObject {
    bucket_name: String,
    object_key: String,
}

#[derive(Deserialize)]
struct LambdaKey {
    id: String,
}

impl Job {
    /// The job of a Lambda function's event. Its settings are the JSON object in the action's `UserParameters`.
    ///
    /// # Errors
    /// An event that no invoke action sent.
    pub(crate) fn of_event(event: &[u8]) -> Result<Self, serde_json::Error> {
        let LambdaEvent { job } = serde_json::from_slice(event)?;
        let data = job.data;
        let artifacts = |all: Vec<LambdaArtifact>| {
            all.into_iter()
                .map(|one| Artifact {
                    name: one.name,
                    bucket: one.location.s3_location.bucket_name,
                    object: one.location.s3_location.object_key,
                })
                .collect()
        };
        let mut configuration = data.action_configuration.configuration;
        configuration.remove("FunctionName");
        // The same name as in an action type of ours.
        if let Some(settings) = configuration.remove("UserParameters") {
            configuration.insert(crate::request::SETTINGS.to_owned(), settings);
        }
        Ok(Self {
            id: job.id,
            nonce: String::new(),
            data: JobData {
                configuration,
                inputs: artifacts(data.input_artifacts),
                outputs: artifacts(data.output_artifacts),
                credentials: data.artifact_credentials,
                key: data.encryption_key.map(|key| key.id),
                token: data.continuation_token,
                place: Place::default(),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::Job;

    #[test]
    fn the_event_of_an_invoke_action_is_read_and_its_credentials_are_not_printed() {
        let event = r#"{"CodePipeline.job": {"id": "11111111-abcd-1111-abcd-111111abcdef", "accountId": "111122223333",
            "data": {"actionConfiguration": {"configuration": {"FunctionName": "F", "UserParameters": "{\"AMI_NAME\":\"x\"}"}},
            "inputArtifacts": [{"location": {"s3Location": {"bucketName": "b", "objectKey": "k.zip"}, "type": "S3"},
            "revision": null, "name": "App"}], "outputArtifacts": [],
            "artifactCredentials": {"secretAccessKey": "wJalrXUtnFEMI", "sessionToken": "MIICiTCCAf", "accessKeyId": "AKIAIOSFODNN7EXAMPLE"},
            "continuationToken": "t", "encryptionKey": {"id": "arn:aws:kms:eu-west-1:1:key/k", "type": "KMS"}}}}"#;
        let job = Job::of_event(event.as_bytes()).unwrap();
        assert_eq!(job.data.inputs[0].object, "k.zip");
        assert_eq!(job.data.configuration["Settings"], "{\"AMI_NAME\":\"x\"}");
        assert!(!job.data.configuration.contains_key("FunctionName"));
        assert_eq!(
            job.data.key.as_deref(),
            Some("arn:aws:kms:eu-west-1:1:key/k")
        );
        let shown = format!("{job:?}");
        assert!(
            !shown.contains("wJalr") && !shown.contains("MIIC"),
            "{shown}"
        );
        assert!(Job::of_event(b"{}").is_err());
    }
}
