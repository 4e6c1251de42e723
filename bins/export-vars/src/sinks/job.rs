//! The output variables of a CodePipeline job: of a custom action, or of a Lambda function that an
//! action invoked.

use crate::settings::Checked;
use crate::variable::Variable;
use action::exit::Exit;
use action::failure::Failure;
use action::program::{Context, Output};
use action::wait;
use aws::error::AwsError;
use aws::session::Session;

/// Reports that the job succeeded, with the variables; or, with a continuation token, that it goes
/// on. <https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_PutJobSuccessResult.html>
pub(crate) async fn report(
    variables: &[Variable],
    settings: &Checked,
    context: &Context,
) -> Result<Output, Failure> {
    let Some(id) = &settings.job_id else {
        return Err(Failure::refused("--format job needs the id of the job"));
    };
    let before = "the job was reported";
    wait::in_time(context.deadline, &context.interrupt, before, async {
        let session = Session::open(context).await?;
        let client = aws_sdk_codepipeline::Client::new(&session.config);
        let mut call = client.put_job_success_result().job_id(id);
        match &settings.continuation_token {
            Some(token) => call = call.continuation_token(token),
            None => {
                for Variable { name, value, .. } in variables {
                    call = call.output_variables(name, value);
                }
            }
        }
        let deed = format!("cannot report success of job {id} in {}", session.region);
        call.send().await.map_err(|error| {
            let error = AwsError::of(&error);
            let failure = error.failure(deed, "codepipeline:PutJobSuccessResult");
            match error.code.as_deref() {
                Some("InvalidJobStateException") => failure.with_exit(Exit::Lost).hint(
                    "the job has ended already: by an earlier try whose answer was lost, by another worker, or because it timed out",
                ),
                Some("JobNotFoundException" | "ValidationException") => failure.with_exit(Exit::Refused).hint(
                    "a job is known only to the account and region of its pipeline, and a third-party job not at all here",
                ),
                _ => failure,
            }
        })?;
        match &settings.continuation_token {
            Some(_) => tracing::info!("job {id} goes on"),
            None => {
                let names: Vec<_> = variables.iter().map(|one| one.name.as_str()).collect();
                tracing::info!("job {id} succeeded with {}", names.join(", "));
            }
        }
        Ok(Output::Nothing)
    })
    .await
}
