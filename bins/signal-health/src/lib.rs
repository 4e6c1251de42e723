//! Waits until the application answers on this instance, and tells CloudFormation.
//!
//! An Auto Scaling group with a creation or update policy waits for a signal of each instance; an instance refresh
//! waits for a lifecycle hook. Here both mean that the application answered, nothing less: `identity` finds out who is
//! signalling, `health` asks the application, `signal` tells the stack, `lifecycle_hook` the group. The program is a
//! single static file, so an image needs neither Python nor the AWS CLI for it.

pub mod cfn_signal;
mod health;
mod identity;
mod lifecycle_hook;
mod settings;
mod signal;
mod verdict;

use action::failure::Failure;
use action::program::{self, Context, Output, Permission, Program};
use action::wait::Limits;
use aws::session::Session;
use aws_sdk_cloudformation::Client;
use serde_json::json;
use std::ffi::OsStr;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use crate::identity::Sender;
use crate::settings::Checked;
pub use crate::settings::Raw;
use crate::verdict::{Told, Verdict};

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
    permissions: &[
        Permission {
            action: "cloudformation:SignalResource",
            purpose: "on the stack itself, with a stack: tell it that the application answers, or that it does not",
        },
        Permission {
            action: "autoscaling:DescribeAutoScalingInstances",
            purpose: "with a lifecycle hook: find the group of this instance, and whether it waits",
        },
        Permission {
            action: "autoscaling:CompleteLifecycleAction",
            purpose: "on the group, with a lifecycle hook: let this instance into service, or have it replaced",
        },
    ],
    examples: "In the user data of a launch template, with Fn::Sub:\n  \
               signal-health --stack ${AWS::StackName} --resource AutoScalingGroup --timeout 25m\n\n\
               On an instance, telling nobody:\n  signal-health --stack rag-app-dev --resource AutoScalingGroup --dry-run",
};

/// Runs the program on the process's arguments and environment; called `cfn-signal`, it is that.
pub fn main() -> ExitCode {
    let called = std::env::args_os().next().unwrap_or_default();
    if Path::new(&called).file_name() == Some(OsStr::new(cfn_signal::PROGRAM.name)) {
        return cfn_signal::main();
    }
    program::run::<Raw, _, _>(&PROGRAM, run)
}

async fn run(settings: Checked, context: Context) -> Result<Output, Failure> {
    // Looking again, as below, would not mend it.
    Session::check(&context).await?;
    let sender = identity::find(&settings, &context).await?;
    if context.dry_run {
        show_plan(&settings, &sender, &context).await?;
        return Ok(Output::Nothing);
    }
    let until = context.deadline - for_the_signal(context.timeout);
    let verdict = health::prove(&settings, until, &context.interrupt).await?;
    let told = tell(&settings, &sender, &verdict, &context).await;
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
        Ok(heard) => heard.into_iter().fold(failure, Failure::changed),
        Err(unsent) => failure.cause(format!("and the failure could not be signalled: {unsent}")),
    }
    .hint("look at the application's own log on this instance; an image whose application does not start at boot never answers"))
}

/// Tells everybody who waits: the hook first, for a stack whose group is refreshed may refuse the signal. One that cannot
/// be told does not keep the other from being told. Gives a line for each who heard of an application that does not answer.
async fn tell(
    settings: &Checked,
    sender: &Sender,
    verdict: &Verdict,
    context: &Context,
) -> Result<Vec<String>, Failure> {
    let limits = Limits {
        deadline: context.deadline,
        interrupt: context.interrupt.clone(),
    };
    let mut heard = Vec::new();
    let mut failed: Option<Failure> = None;
    if let Some(hook) = &settings.hook {
        match lifecycle_hook::complete(sender, hook, verdict, &limits).await {
            Ok(Told::Heard) => heard.push(format!(
                "the lifecycle hook {hook} was completed with ABANDON; the group ends this instance"
            )),
            Ok(Told::NobodyWaits) => {}
            Err(failure) => failed = Some(failure),
        }
    }
    if let Some(resource) = &settings.resource {
        let client = Client::new(&sender.session.config);
        let hook_took_it = !heard.is_empty();
        let sent = signal::send(
            &client,
            sender,
            resource,
            verdict,
            hook_took_it,
            &context.interrupt,
        );
        match sent.await {
            Ok(Told::Heard) => heard.push(format!(
                "FAILURE was signalled to {resource}; CloudFormation rolls back"
            )),
            Ok(Told::NobodyWaits) => {}
            Err(failure) => {
                failed = Some(match failed {
                    None => failure,
                    Some(first) => first.cause(format!("and {failure}")),
                });
            }
        }
    }
    match failed {
        None => Ok(heard),
        Some(failure) => Err(failure),
    }
}

async fn show_plan(settings: &Checked, sender: &Sender, context: &Context) -> Result<(), Failure> {
    let Checked {
        probe,
        count,
        hook,
        resource,
        ..
    } = settings;
    let seen = match health::ask(probe).await {
        Ok(status) => format!("it answers {status}"),
        Err(error) => error,
    };
    let signal = resource
        .as_ref()
        .map(|resource| format!("signal SUCCESS for {} to {resource}", sender.instance));
    let complete = hook
        .as_ref()
        .map(|hook| format!("complete the lifecycle hook {hook} of {}", sender.instance));
    let told: Vec<String> = complete.into_iter().chain(signal).collect();
    let text = format!(
        "plan: when {} has answered {} {count} times in a row, {} in {}; after {:?} without that, tell them of the failure\n\
         now: {seen}\n",
        probe.url,
        probe.statuses,
        told.join(" and "),
        sender.region(),
        context.timeout,
    );
    let plan = json!({
        "url": probe.url.to_string(), "statuses": probe.statuses.to_string(), "now": seen, "count": count,
        "instance": sender.instance, "region": sender.region(), "lifecycle_hook": hook,
        "stack": resource.as_ref().map(|resource| &resource.stack),
        "resource": resource.as_ref().map(|resource| &resource.logical_id),
    });
    context.show_plan(&text, &plan)
}

/// What of the time is kept for telling the stack that the application does not answer.
fn for_the_signal(timeout: Duration) -> Duration {
    (timeout / 10).min(Duration::from_secs(30))
}
