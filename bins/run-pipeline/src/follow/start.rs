//! `--start-execution`: begins an execution, with sources pinned to the versions that are given.
//!
//! Source: the API's StartPipelineExecution and SourceRevisionOverride. That CodeCommit, GitHub and connections take a
//! commit id, S3 a version id and ECR a digest is from their documentation; no account was asked.

use action::failure::Failure;
use action::program::Context;
use action::wait::Limits;
use aws::error::AwsError;
use aws_sdk_codepipeline::types::{
    PipelineDeclaration, PipelineVariable, SourceRevisionOverride, SourceRevisionType,
};
use contract::finding::did_you_mean;
use contract::variables::PIPELINE_NAMESPACE;
use serde_json::json;

use crate::account::Account;
use crate::ids::random_id;
use crate::settings::Checked;

/// Begins one and gives its id; nothing when it is only shown.
pub(super) async fn start(
    account: &Account,
    settings: &Checked,
    context: &Context,
    limits: &Limits,
) -> Result<Option<String>, Failure> {
    let pipeline = &account.pipeline;
    let revisions = match settings.follow.revisions.as_slice() {
        [] => Vec::new(),
        given => {
            let before = format!("the definition of {pipeline} was read");
            let definition = limits.in_time(&before, account.definition(None)).await?;
            revisions(&definition, given)?
        }
    };
    let of_pipeline = settings
        .variables
        .iter()
        .filter(|(namespace, _, _)| namespace == PIPELINE_NAMESPACE);
    let mut variables = Vec::new();
    for (_, name, value) in of_pipeline {
        let built = PipelineVariable::builder().name(name).value(value).build();
        variables.push(built.map_err(|error| {
            Failure::refused(format!("the variable {name} cannot be sent")).cause(error)
        })?);
    }
    if context.dry_run {
        let mut text = format!("start the pipeline {pipeline} in {}\n", account.region);
        for one in &revisions {
            text.push_str(&format!(
                "  {} at {} ({})\n",
                one.action_name,
                one.revision_value,
                one.revision_type.as_str()
            ));
        }
        let pinned = revisions.iter().map(|one| json!({"action": one.action_name, "type": one.revision_type.as_str(), "value": one.revision_value}));
        let pinned: Vec<_> = pinned.collect();
        context.show_plan(
            &text,
            &json!({"start": pipeline, "sourceRevisions": pinned}),
        )?;
        return Ok(None);
    }
    let cannot = |error| Failure::failed(format!("cannot start {pipeline}")).cause(error);
    let call = account
        .client
        .start_pipeline_execution()
        .name(pipeline)
        .client_request_token(random_id().map_err(cannot)?)
        .set_source_revisions((!revisions.is_empty()).then_some(revisions))
        .set_variables((!variables.is_empty()).then_some(variables));
    // A signal does not drop this call: whether an execution began must be known.
    let answer = call.send().await.map_err(|error| {
        let deed = format!("cannot start the pipeline {pipeline} in {}", account.region);
        AwsError::of(&error).failure(deed, "codepipeline:StartPipelineExecution")
    })?;
    let id = answer.pipeline_execution_id.ok_or_else(|| {
        Failure::failed(format!("the pipeline {pipeline} was started without an id"))
    })?;
    tracing::info!("started the pipeline {pipeline}: {id}");
    Ok(Some(id))
}

/// The revisions with their types, which follow from the providers.
fn revisions(
    definition: &PipelineDeclaration,
    given: &[(String, String)],
) -> Result<Vec<SourceRevisionOverride>, Failure> {
    let actions = definition.stages().iter().flat_map(|stage| stage.actions());
    let sources: Vec<(&str, &str)> = actions
        .filter_map(|action| {
            let kind = action.action_type_id()?;
            (kind.category().as_str() == "Source").then(|| (action.name(), kind.provider()))
        })
        .collect();
    let mut all = Vec::new();
    for (name, value) in given {
        let Some((_, provider)) = sources.iter().find(|(known, _)| known == name) else {
            let near = did_you_mean(name, sources.iter().map(|(known, _)| *known));
            let deed = format!("the pipeline {} has no source {name}", definition.name());
            let failure = Failure::refused(deed);
            return Err(match near {
                Some(near) => failure.hint(near),
                None => failure,
            });
        };
        let kind = match *provider {
            "S3" => SourceRevisionType::S3ObjectVersionId,
            "ECR" => SourceRevisionType::ImageDigest,
            _ => SourceRevisionType::CommitId,
        };
        let one = SourceRevisionOverride::builder()
            .action_name(name)
            .revision_type(kind)
            .revision_value(value)
            .build();
        all.push(one.map_err(|error| {
            Failure::refused(format!("the revision of {name} cannot be sent")).cause(error)
        })?);
    }
    Ok(all)
}
