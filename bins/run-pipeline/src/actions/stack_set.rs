//! The two actions of stack sets: one makes or updates the set, the other makes instances of it. Both wait for the
//! operation that they begin.
//!
//! Source: CodePipeline user guide, "AWS CloudFormation StackSets action reference". That an update names the targets of
//! the action, and fails for one that has no instance yet, is not proven.

mod operation;
mod targets;

use action::failure::Failure;
use aws::error::AwsError;
use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::types::{
    AutoDeployment, CallAs, Capability, PermissionModels, RegionConcurrencyType,
    StackSetOperationPreferences,
};

use crate::action_io::{ActionInput, ActionOutput};
use crate::ids::random_id;
use crate::template_argument::ReadTemplate;
use operation::StackSet;
use targets::Targets;

/// `CloudFormationStackSet`: makes the set, with its first instances, or updates it.
pub(super) async fn run(input: &ActionInput<'_>) -> Result<ActionOutput, Failure> {
    let targets = Targets::read(input)?;
    let parameters = targets::parameters(input, "Parameters")?;
    let preferences = preferences(input)?;
    let template = ReadTemplate::of(input)?.argument(input).await?;
    let set = open(input).await?;
    let token = token(input)?;
    let capabilities = input.optional("Capabilities").unwrap_or_default();
    let capabilities = targets::listed(capabilities).map(Capability::from);
    let capabilities: Vec<Capability> = capabilities.collect();
    let text = |key: &str| input.optional(key).map(str::to_owned);
    let model = input
        .optional("PermissionModel")
        .map(PermissionModels::from);
    /// The fields that creating and updating share, which have no common type.
    macro_rules! filled {
        ($call:expr) => {
            $call
                .stack_set_name(&set.name)
                .set_description(text("Description"))
                .set_template_body(template.body.clone())
                .set_template_url(template.url.clone())
                .set_parameters(Some(parameters.clone()))
                .set_capabilities(Some(capabilities.clone()))
                .set_permission_model(model.clone())
                .set_administration_role_arn(text("AdministrationRoleArn"))
                .set_execution_role_name(text("ExecutionRoleName"))
                .set_auto_deployment(auto_deployment(input))
                .set_call_as(set.call_as.clone())
        };
    }
    let found = input
        .limits
        .in_time(&format!("{} was looked at", set.what()), set.find())
        .await?;
    let is_new = found.is_none();
    let (id, operation) = if let Some(id) = found {
        tracing::info!("updating {}", set.what());
        let call = filled!(set.client.update_stack_set())
            .set_accounts(targets.plain_accounts())
            .set_deployment_targets(targets.of_organization())
            .set_regions(targets.regions())
            .set_operation_preferences(preferences)
            .operation_id(&token);
        let sent = call.send().await.map(|answer| answer.operation_id);
        let sent = sent.map_err(|error| AwsError::of(&error));
        let operation = set.took(sent, token, "update", "cloudformation:UpdateStackSet")?;
        (id, Some(operation))
    } else {
        let call = filled!(set.client.create_stack_set()).client_request_token(&token);
        let answer = call.send().await.map_err(|error| {
            AwsError::of(&error).failure(
                format!("cannot create {}", set.what()),
                "cloudformation:CreateStackSet",
            )
        })?;
        tracing::info!("created {}", set.what());
        let id = answer.stack_set_id.unwrap_or_default();
        let operation = if targets.is_empty() {
            None
        } else {
            let made = set
                .create_instances(&targets, Vec::new(), preferences, token)
                .await;
            Some(made.map_err(|failure| set.left_behind(failure))?)
        };
        (id, operation)
    };
    if let Some(operation) = &operation {
        let ended = set.wait(operation, &input.limits).await;
        ended.map_err(|failure| match is_new {
            true => set.left_behind(failure),
            false => failure,
        })?;
    }
    Ok(output(id, operation))
}

/// `CloudFormationStackInstances`: makes instances of a set that is there.
pub(super) async fn run_instances(input: &ActionInput<'_>) -> Result<ActionOutput, Failure> {
    let targets = Targets::read(input)?;
    if targets.is_empty() {
        return Err(Failure::refused(format!(
            "{} names no DeploymentTargets and Regions",
            input.name()
        )));
    }
    let overrides = targets::parameters(input, "ParameterOverrides")?;
    let preferences = preferences(input)?;
    let set = open(input).await?;
    let found = input
        .limits
        .in_time(&format!("{} was looked at", set.what()), set.find())
        .await?;
    let id = found.ok_or_else(|| Failure::failed(format!("{} is not there", set.what())))?;
    let token = token(input)?;
    let operation = set
        .create_instances(&targets, overrides, preferences, token)
        .await?;
    set.wait(&operation, &input.limits).await?;
    Ok(output(id, Some(operation)))
}

fn output(id: String, operation: Option<String>) -> ActionOutput {
    let mut variables = vec![("StackSetId".to_owned(), id)];
    variables.extend(operation.map(|one| ("OperationId".to_owned(), one)));
    ActionOutput::of(variables)
}

async fn open(input: &ActionInput<'_>) -> Result<StackSet, Failure> {
    let name = input.required("StackSetName")?.to_owned();
    let session = input.session("CloudFormation").await?;
    Ok(StackSet {
        client: Client::new(&session.config),
        region: session.region,
        name,
        call_as: input.optional("CallAs").map(CallAs::from),
    })
}

/// What makes a call that comes again the same call.
fn token(input: &ActionInput<'_>) -> Result<String, Failure> {
    let cannot = |error| Failure::failed(format!("{} cannot deploy", input.name())).cause(error);
    let id = random_id().map_err(cannot)?;
    Ok(format!("run-pipeline-{id}"))
}

fn preferences(input: &ActionInput<'_>) -> Result<Option<StackSetOperationPreferences>, Failure> {
    let percent = |key: &str| {
        let text = input.optional(key);
        text.map(str::parse)
            .transpose()
            .map_err(|_| Failure::refused(format!("{}: {key} is not a percentage", input.name())))
    };
    let tolerance = percent("FailureTolerancePercentage")?;
    let concurrent = percent("MaxConcurrentPercentage")?;
    let order = input
        .optional("RegionConcurrencyType")
        .map(RegionConcurrencyType::from);
    if tolerance.is_none() && concurrent.is_none() && order.is_none() {
        return Ok(None);
    }
    let preferences = StackSetOperationPreferences::builder()
        .set_failure_tolerance_percentage(tolerance)
        .set_max_concurrent_percentage(concurrent)
        .set_region_concurrency_type(order)
        .build();
    Ok(Some(preferences))
}

fn auto_deployment(input: &ActionInput<'_>) -> Option<AutoDeployment> {
    let text = input.optional("OrganizationsAutoDeployment")?;
    let is_enabled = text != "Disabled";
    let retained = (is_enabled).then(|| text == "EnabledWithStackRetention");
    Some(
        AutoDeployment::builder()
            .enabled(is_enabled)
            .set_retain_stacks_on_account_removal(retained)
            .build(),
    )
}
