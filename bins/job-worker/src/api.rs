//! CodePipeline's job API, each call behind the one gate.

use crate::gate::Gate;
use crate::job::{Job, JobData};
use crate::report::{Outcome, Report};
use crate::settings::{ActionType, Category};
use aws::error::{AwsError, Kind};
use aws_config::SdkConfig;
use aws_sdk_codepipeline::Client;
use aws_sdk_codepipeline::config::http::HttpResponse;
use aws_sdk_codepipeline::config::retry::RetryConfig;
use aws_sdk_codepipeline::config::timeout::TimeoutConfig;
use aws_sdk_codepipeline::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_codepipeline::types::{
    ActionCategory, ActionOwner, ActionTypeId, ExecutionDetails, FailureDetails, FailureType,
    JobStatus,
};
use std::error::Error;
use std::time::Duration;

/// How long one attempt may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// The job API for one action type.
#[derive(Debug)]
pub(crate) struct Api {
    client: Client,
    gate: Gate,
    action_type: Option<ActionTypeId>,
}

/// Why a call could not be made, after all attempts that make sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ApiError {
    /// Another worker has acknowledged the job.
    #[error("another worker has it: {0}")]
    Taken(AwsError),
    /// CodePipeline does not know the job any more, or it has ended.
    #[error("CodePipeline has no such job in progress: {0}")]
    Gone(AwsError),
    /// The output variables are too large for CodePipeline.
    #[error("{0}")]
    TooLarge(AwsError),
    /// No answer for now.
    #[error("{0}")]
    Unavailable(AwsError),
    /// Refused: no permission, no such action type, a request that makes no sense.
    #[error("{0}")]
    Refused(AwsError),
}

/// What an acknowledgement found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Acknowledged {
    /// The job is this worker's; `certain` unless an earlier attempt may have arrived.
    Ours { certain: bool },
    /// It has ended, perhaps in the hands of another worker.
    Ended,
    /// It has run out of time: nobody works on it any more.
    TimedOut,
}

/// What a report found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reported {
    /// It arrived.
    Heard,
    /// The job has ended, by this very report perhaps: an earlier attempt had no answer.
    EndedPerhapsByUs,
    /// The job had ended before.
    Ended,
}

/// How long to go on trying.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// One attempt.
    Once,
    /// Until there is an answer.
    UntilAnswered,
}

impl Api {
    /// The API in an account. Attempts are counted here, so that it is known which had no answer.
    pub(crate) fn new(config: &SdkConfig, action_type: Option<&ActionType>) -> Self {
        let config = aws_sdk_codepipeline::config::Builder::from(config)
            .retry_config(RetryConfig::disabled())
            .timeout_config(
                TimeoutConfig::builder()
                    .operation_attempt_timeout(ANSWER_WITHIN)
                    .build(),
            )
            .build();
        Self {
            client: Client::from_conf(config),
            gate: Gate::new(),
            action_type: action_type.and_then(|one| {
                ActionTypeId::builder()
                    .category(match one.category {
                        Category::Build => ActionCategory::Build,
                        Category::Deploy => ActionCategory::Deploy,
                        Category::Test => ActionCategory::Test,
                        Category::Invoke => ActionCategory::Invoke,
                    })
                    .owner(ActionOwner::Custom)
                    .provider(&one.provider)
                    .version(&one.version)
                    .build()
                    .ok()
            }),
        }
    }

    /// Asks for jobs, `most` at once.
    pub(crate) async fn poll(&self, most: usize) -> Result<Vec<Job>, ApiError> {
        let most = i32::try_from(most.max(1)).unwrap_or(i32::MAX);
        let call = || {
            self.client
                .poll_for_jobs()
                .set_action_type_id(self.action_type.clone())
                .max_batch_size(most)
                .send()
        };
        let answer = self.call(Patience::Once, call).await?;
        let jobs = answer.jobs().iter();
        Ok(jobs
            .filter_map(|job| {
                Some(Job {
                    id: job.id()?.to_owned(),
                    nonce: job.nonce()?.to_owned(),
                    data: job.data().map(JobData::from).unwrap_or_default(),
                })
            })
            .collect())
    }

    /// Takes a job. `uncertain` says that an earlier attempt may have arrived.
    ///
    /// Whether a second acknowledgement with the same nonce is answered as the first one or refused is unproven; both
    /// are taken for ours when the first one had no answer, since a job that nobody reports blocks its pipeline.
    /// To settle it: acknowledge a job twice with `aws codepipeline acknowledge-job`.
    pub(crate) async fn acknowledge(
        &self,
        id: &str,
        nonce: &str,
        uncertain: bool,
    ) -> Result<Acknowledged, ApiError> {
        let call = || self.client.acknowledge_job().job_id(id).nonce(nonce).send();
        let mut uncertain = uncertain;
        let patience = Patience::UntilAnswered;
        match self.call_noting(patience, &mut uncertain, call).await {
            Ok(answer) => Ok(match answer.status() {
                Some(JobStatus::TimedOut) => Acknowledged::TimedOut,
                Some(JobStatus::Failed | JobStatus::Succeeded) => Acknowledged::Ended,
                _ => Acknowledged::Ours { certain: true },
            }),
            Err(ApiError::Taken(_)) if uncertain => Ok(Acknowledged::Ours { certain: false }),
            Err(ApiError::Gone(_)) => Ok(Acknowledged::Ended),
            Err(error) => Err(error),
        }
    }

    /// What a job is about, with new credentials.
    pub(crate) async fn details(&self, id: &str, patience: Patience) -> Result<JobData, ApiError> {
        let call = || self.client.get_job_details().job_id(id).send();
        let answer = self.call(patience, call).await?;
        let data = answer.job_details().and_then(|job| job.data());
        Ok(data.map(JobData::from).unwrap_or_default())
    }

    /// Reports a result. `uncertain` says that an earlier attempt may have arrived.
    pub(crate) async fn report(
        &self,
        id: &str,
        report: &Report,
        uncertain: bool,
    ) -> Result<Reported, ApiError> {
        let mut uncertain = uncertain;
        let patience = Patience::UntilAnswered;
        let details = |summary: &str| {
            ExecutionDetails::builder()
                .summary(summary)
                .external_execution_id(&report.external_id)
                .build()
        };
        let heard = match &report.result {
            Outcome::Succeeded { summary, variables } => {
                let call = || {
                    let variables = variables.clone().into_iter().collect();
                    self.client
                        .put_job_success_result()
                        .job_id(id)
                        .execution_details(details(summary))
                        .set_output_variables(Some(variables))
                        .send()
                };
                let answer = self.call_noting(patience, &mut uncertain, call).await;
                answer.map(drop)
            }
            Outcome::Continues { summary, token } => {
                let call = || {
                    self.client
                        .put_job_success_result()
                        .job_id(id)
                        .execution_details(details(summary))
                        .continuation_token(token)
                        .send()
                };
                let answer = self.call_noting(patience, &mut uncertain, call).await;
                answer.map(drop)
            }
            Outcome::Failed { kind, message } => {
                let failure = FailureDetails::builder()
                    .r#type(FailureType::from(kind.as_str()))
                    .message(message)
                    .external_execution_id(&report.external_id)
                    .build()
                    .ok();
                let call = || {
                    self.client
                        .put_job_failure_result()
                        .job_id(id)
                        .set_failure_details(failure.clone())
                        .send()
                };
                let answer = self.call_noting(patience, &mut uncertain, call).await;
                answer.map(drop)
            }
        };
        match heard {
            Ok(()) => Ok(Reported::Heard),
            Err(ApiError::Gone(_)) if uncertain => Ok(Reported::EndedPerhapsByUs),
            Err(ApiError::Gone(_)) => Ok(Reported::Ended),
            Err(error) => Err(error),
        }
    }

    async fn call<T, E, F>(
        &self,
        patience: Patience,
        call: impl FnMut() -> F,
    ) -> Result<T, ApiError>
    where
        E: ProvideErrorMetadata + Error + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        self.call_noting(patience, &mut false, call).await
    }

    /// Makes a call until it is answered; `uncertain` becomes true when an attempt may have arrived unanswered.
    async fn call_noting<T, E, F>(
        &self,
        patience: Patience,
        uncertain: &mut bool,
        mut call: impl FnMut() -> F,
    ) -> Result<T, ApiError>
    where
        E: ProvideErrorMetadata + Error + 'static,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        loop {
            let began = self.gate.pass().await;
            let error = match call().await {
                Ok(answer) => {
                    self.gate.went_well();
                    return Ok(answer);
                }
                Err(error) => AwsError::of(&error),
            };
            let was_refused =
                error.code.is_some() && error.status.is_some_and(|status| status < 500);
            match error.kind {
                Kind::Unavailable | Kind::Lost | Kind::Nonsense | Kind::Late => {
                    self.gate.close(began);
                    // A throttle is a refusal; without a word of AWS's the call may have been carried out.
                    *uncertain |= !was_refused;
                    if patience == Patience::Once {
                        return Err(ApiError::Unavailable(error));
                    }
                    tracing::warn!("CodePipeline: {error}; trying again");
                }
                Kind::NotPermitted | Kind::Refused => {
                    self.gate.went_well();
                    return Err(kind_of(error));
                }
            }
        }
    }
}

fn kind_of(error: AwsError) -> ApiError {
    match error.code.as_deref() {
        Some("InvalidNonceException") => ApiError::Taken(error),
        Some("JobNotFoundException" | "InvalidJobStateException") => ApiError::Gone(error),
        Some("OutputVariablesSizeExceededException") => ApiError::TooLarge(error),
        _ => match error.kind {
            Kind::NotPermitted | Kind::Refused => ApiError::Refused(error),
            _ => ApiError::Unavailable(error),
        },
    }
}
