//! Waits until the application answers on this instance, and tells CloudFormation.
//!
//! An Auto Scaling group with a creation or update policy waits for a signal of each instance. Here
//! the signal means that the application answered, nothing less: `identity` finds out who is
//! signalling, `health` asks the application, `signal` tells the stack. The program is a single
//! static file, so an image needs neither Python nor the AWS CLI for it.

mod health;
mod identity;
mod settings;
mod signal;

use action::failure::Failure;
use action::program::{self, Context, Output, Permission, Program};
use aws::session::Session;
use serde_json::json;
use std::process::ExitCode;
use std::time::Duration;

use crate::health::Verdict;
use crate::settings::Checked;
pub use crate::settings::Raw;
use crate::signal::{Status, Told};

/// What this program is.
pub const PROGRAM: Program = Program {
    name: "signal-health",
    about: "Wait until the application answers on this instance, then signal CloudFormation",
    version: env!("CARGO_PKG_VERSION"),
    prefix: "SIGNAL_HEALTH_",
    plain: &["INSTANCE_ID"],
    none_when_empty: &[],
    commands: &[],
    secret_names_field: None,
    timeout: "25m",
    changes_the_world: true,
    exports: &[],
    permissions: &[Permission {
        action: "cloudformation:SignalResource",
        purpose: "on the stack itself: tell it that the application answers, or that it does not",
    }],
    examples: "In the user data of a launch template, with Fn::Sub:\n  \
               signal-health --stack ${AWS::StackName} --resource AutoScalingGroup --timeout 25m\n\n\
               On an instance, telling nobody:\n  signal-health --stack rag-app-dev --resource AutoScalingGroup --dry-run",
};

/// Runs the program on the process's arguments and environment.
pub fn main() -> ExitCode {
    program::run::<Raw, _, _>(&PROGRAM, run)
}

async fn run(settings: Checked, context: Context) -> Result<Output, Failure> {
    // Looking again, as below, would not mend it.
    Session::check(&context).await?;
    let sender = identity::find(&settings, &context).await?;
    if context.dry_run {
        let seen = match health::ask(&settings.probe).await {
            Ok(status) => format!("it answers {status}"),
            Err(error) => error,
        };
        let text = format!(
            "plan: when {} has answered {} {} times in a row, signal SUCCESS for {} to {} of the stack {} in {}; \
             after {:?} without that, FAILURE\nnow: {seen}\n",
            settings.probe.url,
            settings.probe.statuses,
            settings.count,
            sender.instance,
            settings.resource,
            settings.stack,
            sender.region(),
            context.timeout,
        );
        let plan = json!({
            "url": settings.probe.url.to_string(), "statuses": settings.probe.statuses.to_string(), "now": seen, "count": settings.count, "instance": sender.instance,
            "stack": settings.stack, "resource": settings.resource, "region": sender.region(),
        });
        context.show_plan(&text, &plan)?;
        return Ok(Output::Nothing);
    }
    let until = context.deadline - for_the_signal(context.timeout);
    let verdict = health::prove(&settings, until, &context.interrupt).await?;
    let status = match &verdict {
        Verdict::Healthy => Status::Success,
        Verdict::Unhealthy(_) => Status::Failure,
    };
    let told = signal::send(&sender, &settings, status, &context.interrupt).await;
    let Verdict::Unhealthy(seen) = verdict else {
        return told.map(|_| Output::Nothing);
    };
    if let Err(stopped) = &told
        && context.interrupt.pending().is_some()
    {
        return Err(stopped.clone().cause(format!("last seen: {seen}")));
    }
    let failure = Failure::failed(format!(
        "{} did not answer {} {} times in a row on {} within {:?}",
        settings.probe.url,
        settings.probe.statuses,
        settings.count,
        sender.instance,
        context.timeout
    ))
    .cause(format!("last seen: {seen}"));
    Err(match told {
        Ok(Told::Heard) => failure.changed(format!(
            "FAILURE was signalled to {} of the stack {}; CloudFormation rolls back",
            settings.resource, settings.stack
        )),
        Ok(Told::NobodyWaits) => failure,
        Err(unsent) => failure.cause(format!("and FAILURE could not be signalled: {unsent}")),
    }
    .hint("look at the application's own log on this instance; an image whose application does not start at boot never answers"))
}

/// What of the time is kept for telling the stack that the application does not answer.
fn for_the_signal(timeout: Duration) -> Duration {
    (timeout / 10).min(Duration::from_secs(30))
}
