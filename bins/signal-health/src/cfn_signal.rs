//! The program under the name `cfn-signal`: a drop-in for that of aws-cfn-bootstrap, with its flags.
//!
//! It signals a resource of a stack, or a wait condition by the presigned address of its handle. Unlike the Python program
//! it needs no interpreter, retries until one deadline, and treats a stack that waits for no signal as no failure.
//! <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/cfn-signal.html>

mod settings;
mod wait_condition;

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use action::failure::Failure;
use action::program::{self, Context, Output, Permission, Program};
use action::settings::layers::{Origin, Variable};
use aws::session::Session;
use aws_credential_types::Credentials;
use aws_sdk_cloudformation::Client;

use crate::identity::{self, Sender};
use crate::signal;
use crate::verdict::Verdict;
pub use settings::Raw;
use settings::{Checked, Keys, Target};

/// What `cfn-signal` is.
pub const PROGRAM: Program = Program {
    name: "cfn-signal",
    about: "Signal a resource or a wait condition of a CloudFormation stack, with the flags of aws-cfn-bootstrap",
    version: env!("CARGO_PKG_VERSION"),
    prefix: "CFN_SIGNAL_",
    plain: &[],
    none_when_empty: &[],
    commands: &[],
    secret_names_field: None,
    timeout: "5m",
    // It tells of failures, too, so that a failed build phase does not stop it.
    changes_the_world: false,
    exports: &[],
    permissions: &[Permission {
        action: "cloudformation:SignalResource",
        purpose: "on the stack itself, with --resource; the handle of a wait condition needs no permission",
    }],
    examples: "At the end of user data:\n  \
               cfn-signal -e $? --stack ${AWS::StackName} --resource AutoScalingGroup --region ${AWS::Region}\n\n\
               A wait condition:\n  cfn-signal -e $? -r 'the database is loaded' '${WaitHandle}'",
};

/// Runs the program on the process's arguments and environment.
pub(crate) fn main() -> ExitCode {
    program::run::<Raw, _, _>(&PROGRAM, run)
}

async fn run(settings: Checked, mut context: Context) -> Result<Output, Failure> {
    for (name, address) in &settings.proxies {
        let variable = Variable {
            value: address.into(),
            origin: Origin::Flag,
        };
        context.environment.insert((*name).to_owned(), variable);
    }
    let verdict = match settings.succeeded {
        true => Verdict::Healthy,
        false => Verdict::Unhealthy("as it was told".to_owned()),
    };
    match &settings.target {
        Target::Handle(url) => {
            let id = own_id(&settings, &context).await?;
            let news = wait_condition::News {
                succeeded: settings.succeeded,
                reason: settings.reason.as_deref(),
                data: settings.data.as_deref(),
                id: &id,
            };
            if context.dry_run {
                let text = format!(
                    "plan: signal {} for {id} to the wait condition at {}\n",
                    news.status(),
                    url.host
                );
                context.show_plan(&text, &news.json())?;
                return Ok(Output::Nothing);
            }
            wait_condition::send(url, &news, &context).await?;
        }
        Target::Resource(resource) => {
            let keys = keys(settings.keys.as_ref())?;
            let session = Session::open_as(&context, settings.region.as_deref(), keys).await?;
            let mut configured = aws_sdk_cloudformation::config::Builder::from(&session.config);
            if let Some(endpoint) = &settings.endpoint {
                configured = configured.endpoint_url(endpoint);
            }
            let client = Client::from_conf(configured.build());
            let instance = own_id(&settings, &context).await?;
            let sender = Sender { session, instance };
            if context.dry_run {
                let text = format!(
                    "plan: signal {} for {} to {resource} in {}\n",
                    if settings.succeeded {
                        "SUCCESS"
                    } else {
                        "FAILURE"
                    },
                    sender.instance,
                    sender.region()
                );
                let plan = serde_json::json!({
                    "succeeded": settings.succeeded, "id": sender.instance, "stack": resource.stack,
                    "resource": resource.logical_id, "region": sender.region(),
                });
                context.show_plan(&text, &plan)?;
                return Ok(Output::Nothing);
            }
            signal::send(
                &client,
                &sender,
                resource,
                &verdict,
                false,
                &context.interrupt,
            )
            .await?;
        }
    }
    Ok(Output::Nothing)
}

/// The id to signal with: the one given, the instance's, or the name of this host.
async fn own_id(settings: &Checked, context: &Context) -> Result<String, Failure> {
    if let Some(id) = &settings.id {
        return Ok(id.clone());
    }
    let client = Session::http_client(context).await?;
    let found = context
        .interrupt
        .race(identity::own_id(client))
        .await
        .map_err(|signal| {
            Failure::interrupted(signal, "stopped while the instance's id was asked for")
        })?;
    found.or_else(|failure| {
        let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        match name.trim() {
            "" => Err(failure.hint("give an id with --id")),
            name => {
                tracing::info!(
                    "this is not an EC2 instance, so the id is the name of this host: {name}"
                );
                Ok(name.to_owned())
            }
        }
    })
}

fn keys(given: Option<&Keys>) -> Result<Option<Credentials>, Failure> {
    let (id, secret) = match given {
        None => return Ok(None),
        Some(Keys::Pair { id, secret }) => (id.clone(), secret.reveal().to_owned()),
        Some(Keys::File(path)) => read_keys(path)?,
    };
    Ok(Some(Credentials::new(id, secret, None, None, "cfn-signal")))
}

/// A file with `AWSAccessKeyId=` and `AWSSecretKey=`, as aws-cfn-bootstrap reads it.
fn read_keys(path: &Path) -> Result<(String, String), Failure> {
    let text = fs::read_to_string(path).map_err(|error| {
        Failure::refused(format!(
            "cannot read the credential file {}",
            path.display()
        ))
        .cause(error)
    })?;
    let value = |name: &str| {
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        pairs
            .filter(|(key, _)| key.trim() == name)
            .map(|(_, value)| value.trim().to_owned())
            .find(|value| !value.is_empty())
    };
    value("AWSAccessKeyId").zip(value("AWSSecretKey")).ok_or_else(|| {
        Failure::refused(format!(
            "the credential file {} does not have the lines AWSAccessKeyId=… and AWSSecretKey=…",
            path.display()
        ))
    })
}
