//! What CodePipeline of an account, or of an emulator, says of a pipeline and its executions.

use std::collections::BTreeMap;

use action::failure::Failure;
use action::program::Context;
use aws::error::AwsError;
use aws_sdk_codepipeline::Client;
use aws_sdk_codepipeline::primitives::DateTime;
use aws_sdk_codepipeline::types::{
    ActionExecutionDetail, ActionExecutionFilter, ExecutionType, PipelineDeclaration,
};

use crate::aws_access;
use crate::settings::Checked;

/// A pipeline of an account.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) client: Client,
    pub(crate) pipeline: String,
    pub(crate) region: String,
}

/// An execution as it is seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ExecutionSeen {
    /// `InProgress`, `Succeeded`, `Failed`, `Stopping`, `Stopped`, `Superseded` or `Cancelled`.
    pub(crate) status: String,
    pub(crate) summary: Option<String>,
    /// The execution that it rolls a stage back to; nothing when it is no roll-back.
    pub(crate) rolls_back_to: Option<String>,
}

/// One try of an action.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ActionSeen {
    pub(crate) id: String,
    pub(crate) stage: String,
    pub(crate) action: String,
    /// `InProgress`, `Succeeded`, `Failed` or `Abandoned`.
    pub(crate) status: String,
    pub(crate) provider: String,
    pub(crate) region: Option<String>,
    /// The number of the pipeline's version that it runs.
    pub(crate) version: Option<i32>,
    /// With the variables in it resolved.
    pub(crate) configuration: BTreeMap<String, String>,
    pub(crate) namespace: Option<String>,
    /// The names and places of its input artifacts.
    pub(crate) inputs: Vec<(String, Place)>,
    pub(crate) variables: BTreeMap<String, String>,
    /// What it runs: the id of a build, the ARN of a stack.
    pub(crate) external: Option<String>,
    pub(crate) url: Option<String>,
    pub(crate) summary: Option<String>,
    /// Code and message.
    pub(crate) error: Option<String>,
    /// The log stream of a Commands action.
    pub(crate) log_stream: Option<String>,
    pub(crate) started: Option<DateTime>,
    pub(crate) updated: Option<DateTime>,
}

/// Where an artifact is stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) bucket: String,
    pub(crate) key: String,
}

/// What an execution was given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Revisions {
    /// The versions of source artifacts by name.
    pub(crate) artifacts: BTreeMap<String, String>,
    /// The pipeline's variables.
    pub(crate) variables: Vec<(String, String)>,
}

impl ExecutionSeen {
    pub(crate) fn is_over(&self) -> bool {
        !matches!(self.status.as_str(), "InProgress" | "Stopping" | "")
    }
}

impl ActionSeen {
    pub(crate) fn is_over(&self) -> bool {
        self.status != "InProgress"
    }

    /// `Stage/Action`.
    pub(crate) fn name(&self) -> String {
        format!("{}/{}", self.stage, self.action)
    }
}

impl Account {
    /// The pipeline that the settings name.
    pub(crate) async fn open(settings: &Checked, context: &Context) -> Result<Self, Failure> {
        let session =
            aws_access::session(context, settings.allow_aws, "CodePipeline", None).await?;
        Ok(Self {
            client: Client::new(&session.config),
            pipeline: settings.pipeline_name.clone().unwrap_or_default(),
            region: session.region,
        })
    }

    pub(crate) fn what(&self, execution: &str) -> String {
        format!(
            "the execution {execution} of the pipeline {}",
            self.pipeline
        )
    }

    /// The definition, of a version or the newest one.
    pub(crate) async fn definition(
        &self,
        version: Option<i32>,
    ) -> Result<PipelineDeclaration, Failure> {
        let call = self.client.get_pipeline().name(&self.pipeline);
        let answer = call.set_version(version).send().await.map_err(|error| {
            AwsError::of(&error).failure(
                format!(
                    "cannot read the pipeline {} in {}",
                    self.pipeline, self.region
                ),
                "codepipeline:GetPipeline",
            )
        })?;
        answer.pipeline.ok_or_else(|| {
            Failure::failed(format!("the pipeline {} has no definition", self.pipeline))
        })
    }

    /// The newest execution's id.
    pub(crate) async fn newest(&self) -> Result<String, Failure> {
        let newest = self.newest_of(1).await?.into_iter().next();
        newest.map(|(id, _)| id).ok_or_else(|| {
            Failure::refused(format!(
                "the pipeline {} has no execution yet",
                self.pipeline
            ))
            .hint("--start-execution begins one")
        })
    }

    /// Whether the stage of an action is rolled back when it fails.
    pub(crate) async fn rolls_back(&self, action: &ActionSeen) -> Result<bool, Failure> {
        let definition = self.definition(action.version).await?;
        let stages = definition.stages().iter();
        let mut stage = stages.filter(|stage| stage.name() == action.stage);
        let result = stage.next().and_then(|stage| stage.on_failure()?.result());
        Ok(result.is_some_and(|result| result.as_str() == "ROLLBACK"))
    }

    /// The newest execution that a failure of this one has begun, to roll a stage back.
    pub(crate) async fn rollback_of(&self, execution: &str) -> Result<Option<String>, Failure> {
        let newest = self.newest_of(10).await?.into_iter();
        let mut newer = newest.take_while(|(id, _)| id != execution);
        Ok(newer.find(|(_, by_failure)| *by_failure).map(|(id, _)| id))
    }

    /// The newest executions, and whether a failure began each to roll a stage back.
    async fn newest_of(&self, count: i32) -> Result<Vec<(String, bool)>, Failure> {
        let call = self.client.list_pipeline_executions();
        let call = call.pipeline_name(&self.pipeline).max_results(count);
        let answer = call.send().await.map_err(|error| {
            AwsError::of(&error).failure(
                format!(
                    "cannot list the executions of the pipeline {} in {}",
                    self.pipeline, self.region
                ),
                "codepipeline:ListPipelineExecutions",
            )
        })?;
        let all = answer.pipeline_execution_summaries.unwrap_or_default();
        Ok(all
            .into_iter()
            .filter_map(|one| {
                let kind = one.trigger.and_then(|trigger| trigger.trigger_type);
                let by_failure = kind.is_some_and(|kind| kind.as_str() == "AutomatedRollback");
                Some((one.pipeline_execution_id?, by_failure))
            })
            .collect())
    }

    /// An execution; nothing when there is none (yet).
    pub(crate) async fn execution(&self, id: &str) -> Result<Option<ExecutionSeen>, Failure> {
        let call = self.client.get_pipeline_execution();
        let call = call.pipeline_name(&self.pipeline).pipeline_execution_id(id);
        let answer = match call.send().await {
            Ok(answer) => answer,
            Err(error) => {
                let error = AwsError::of(&error);
                if error.is("PipelineExecutionNotFoundException") {
                    return Ok(None);
                }
                let deed = format!("cannot look up {}", self.what(id));
                return Err(error.failure(deed, "codepipeline:GetPipelineExecution"));
            }
        };
        let Some(found) = answer.pipeline_execution else {
            return Ok(None);
        };
        let is_rollback = found.execution_type == Some(ExecutionType::Rollback);
        let target = found
            .rollback_metadata
            .and_then(|one| one.rollback_target_pipeline_execution_id);
        Ok(Some(ExecutionSeen {
            status: found
                .status
                .map(|status| status.as_str().to_owned())
                .unwrap_or_default(),
            summary: found.status_summary.filter(|text| !text.is_empty()),
            rolls_back_to: is_rollback.then(|| target.unwrap_or_else(|| "?".to_owned())),
        }))
    }

    /// The versions of artifacts and the variables of an execution.
    pub(crate) async fn revisions(&self, id: &str) -> Result<Revisions, Failure> {
        let call = self.client.get_pipeline_execution();
        let call = call.pipeline_name(&self.pipeline).pipeline_execution_id(id);
        let answer = call.send().await.map_err(|error| {
            let deed = format!("cannot look up {}", self.what(id));
            AwsError::of(&error).failure(deed, "codepipeline:GetPipelineExecution")
        })?;
        let found = answer.pipeline_execution;
        let artifacts = found.as_ref().map(|one| one.artifact_revisions());
        let variables = found.as_ref().map(|one| one.variables());
        Ok(Revisions {
            artifacts: artifacts
                .into_iter()
                .flatten()
                .filter_map(|one| Some((one.name.clone()?, one.revision_id.clone()?)))
                .collect(),
            variables: variables
                .into_iter()
                .flatten()
                .filter_map(|one| Some((one.name.clone()?, one.resolved_value.clone()?)))
                .collect(),
        })
    }

    /// The actions of an execution that have begun, the oldest first.
    pub(crate) async fn actions(&self, execution: &str) -> Result<Vec<ActionSeen>, Failure> {
        let filter = ActionExecutionFilter::builder()
            .pipeline_execution_id(execution)
            .build();
        let call = self.client.list_action_executions();
        let call = call.pipeline_name(&self.pipeline).filter(filter);
        let mut pages = call.into_paginator().send();
        let mut all = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| {
                AwsError::of(&error).failure(
                    format!("cannot list the actions of {}", self.what(execution)),
                    "codepipeline:ListActionExecutions",
                )
            })?;
            let details = page.action_execution_details.unwrap_or_default();
            all.extend(details.into_iter().map(seen));
        }
        all.reverse();
        Ok(all)
    }
}

fn seen(detail: ActionExecutionDetail) -> ActionSeen {
    let input = detail.input;
    let output = detail.output;
    let result = output.as_ref().and_then(|one| one.execution_result.clone());
    let error = result.as_ref().and_then(|one| one.error_details.clone());
    let kind = input.as_ref().and_then(|one| one.action_type_id.as_ref());
    let configuration = input.as_ref().and_then(|one| {
        let resolved = one.resolved_configuration.clone();
        resolved.or_else(|| one.configuration.clone())
    });
    let artifacts = input.as_ref().and_then(|one| one.input_artifacts.clone());
    let text = |text: Option<String>| text.filter(|text| !text.is_empty());
    ActionSeen {
        id: detail.action_execution_id.unwrap_or_default(),
        stage: detail.stage_name.unwrap_or_default(),
        action: detail.action_name.unwrap_or_default(),
        status: detail
            .status
            .map(|status| status.as_str().to_owned())
            .unwrap_or_default(),
        provider: kind.map_or_else(|| "?".to_owned(), |kind| kind.provider.clone()),
        region: input.as_ref().and_then(|one| text(one.region.clone())),
        version: detail.pipeline_version,
        configuration: configuration.unwrap_or_default().into_iter().collect(),
        namespace: input.as_ref().and_then(|one| text(one.namespace.clone())),
        inputs: artifacts
            .unwrap_or_default()
            .into_iter()
            .filter_map(|one| {
                let place = one.s3_location?;
                let (bucket, key) = (place.bucket?, place.key?);
                Some((one.name?, Place { bucket, key }))
            })
            .collect(),
        variables: output
            .and_then(|one| one.output_variables)
            .unwrap_or_default()
            .into_iter()
            .collect(),
        external: result
            .as_ref()
            .and_then(|one| text(one.external_execution_id.clone())),
        url: result
            .as_ref()
            .and_then(|one| text(one.external_execution_url.clone())),
        summary: result
            .as_ref()
            .and_then(|one| text(one.external_execution_summary.clone())),
        log_stream: result.and_then(|one| text(one.log_stream_arn)),
        error: error.map(|one| {
            let parts = [one.code, one.message];
            let parts: Vec<String> = parts.into_iter().flatten().collect();
            parts.join(": ")
        }),
        started: detail.start_time,
        updated: detail.last_update_time,
    }
}
