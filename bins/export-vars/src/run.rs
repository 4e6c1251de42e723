//! The job: collect, check, write.

use crate::checks::secrets::is_in;
use crate::checks::surroundings::Surroundings;
use crate::checks::{self, buildspec};
use crate::settings::{Checked, Format};
use crate::{diff, explain, project, sinks, sources, table};
use action::failure::Failure;
use action::program::{Context, Output};
use aws::session::Session;

/// Runs the program.
pub(crate) async fn run(settings: Checked, context: Context) -> Result<Output, Failure> {
    for warning in checks::secrets::unmatched(&settings, &context.environment) {
        tracing::warn!("{warning}");
    }
    match context.command.as_deref() {
        Some("explain") => explain::run(&settings, &context),
        Some("diff") => diff::run(&settings, &context),
        _ => export(&settings, &context).await,
    }
}

async fn export(settings: &Checked, context: &Context) -> Result<Output, Failure> {
    // Success must not be reported for a build that failed.
    if settings.format == Format::Job {
        context.refuse_after_failure("export-vars")?;
    }
    if settings.has_aws_source() || settings.format == Format::Job || project::is_asked(context) {
        Session::check(context).await?;
    }
    let buildspec = buildspec::around(settings)?;
    let collected = sources::collect(settings, context).await?;
    let variables = collected.variables;
    let project = project::secrets(context).await;
    let around = Surroundings {
        environment: &context.environment,
        buildspec: buildspec.as_ref(),
        project: &project,
    };
    let warnings = checks::check(&variables, settings, &around)?;
    for warning in collected.warnings.iter().chain(&warnings) {
        tracing::warn!("{warning}");
    }
    if settings.print {
        let secrets = checks::secrets::of_build(settings, &around);
        context.show(&table::variables(&variables, |value| {
            is_in(value, &secrets)
        }));
    }
    if context.dry_run {
        let (text, json) = sinks::plan(&variables, settings);
        context.show_plan(&text, &json)?;
        return Ok(Output::Nothing);
    }
    match settings.format {
        Format::Job => sinks::job::report(&variables, settings, context).await,
        _ => sinks::render(&variables, settings),
    }
}
