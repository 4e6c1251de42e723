//! What EC2 says to a dry run of one call.

use crate::dry_run::carried_out::Operation;
use action::exit::Exit;
use action::failure::Failure;
use aws::error::AwsError;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::http::Response;
use std::fmt;

/// What a dry run found out about one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// EC2 would do it.
    Permitted,
    /// EC2 would not: why.
    Refused(AwsError),
    /// A look that the run needs failed: why.
    Failed(Failure),
    /// It cannot be asked beforehand: why.
    Open(&'static str),
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Answer::Permitted => f.write_str("permitted"),
            Answer::Refused(error) => write!(f, "refused: {error}"),
            Answer::Failed(why) => write!(f, "refused: {}", line(why)),
            Answer::Open(why) => write!(f, "not asked: {why}"),
        }
    }
}

/// One call, and what EC2 says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The IAM action, with the Region where it is not the image's own.
    pub(crate) action: String,
    pub(crate) answer: Answer,
}

impl Finding {
    /// What was found out about `action`.
    pub(crate) fn new(action: impl Into<String>, answer: Answer) -> Self {
        Self {
            action: action.into(),
            answer,
        }
    }

    /// How the run would end because of it, if it would.
    fn exit(&self) -> Option<Exit> {
        match &self.answer {
            Answer::Refused(error) => Some(error.exit()),
            Answer::Failed(why) => Some(why.exit()),
            Answer::Permitted | Answer::Open(_) => None,
        }
    }
}

pub(crate) const NO_IMAGE: &str =
    "there is no image of this instance or application yet to ask with";
pub(crate) const NO_DRY_RUN: &str = "the service has no dry run";

/// Why the asking ended early.
#[derive(Debug)]
pub(crate) enum Ended {
    /// A look failed.
    Failed(Failure),
    /// The endpoint did what it was only asked about.
    CarriedOut(Box<Operation>),
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        Ended::Failed(failure)
    }
}

/// Whether the run could do what it would.
pub(crate) fn verdict(operation: &str, findings: &[Finding]) -> Result<(), Failure> {
    let exits: Vec<Exit> = findings.iter().filter_map(Finding::exit).collect();
    if exits.is_empty() {
        return Ok(());
    }
    let other = exits.iter().find(|exit| **exit != Exit::NotPermitted);
    let exit = other.copied().unwrap_or(Exit::NotPermitted);
    let failure = Failure::new(exit, format!("{operation}; nothing was touched"));
    let failure = findings
        .iter()
        .fold(failure, |failure, finding| match &finding.answer {
            Answer::Refused(error) => failure.cause(format!("{}: {error}", finding.action)),
            Answer::Failed(why) => failure.cause(format!("{}: {}", finding.action, line(why))),
            Answer::Permitted | Answer::Open(_) => failure,
        });
    if exit != Exit::NotPermitted {
        return Err(failure);
    }
    Err(failure.hint("allow these actions for the role that runs this; the page of make-ami has the whole policy"))
}

/// A failure in a line.
fn line(failure: &Failure) -> String {
    let mut text = failure.deed().to_owned();
    for cause in failure.causes() {
        text.push_str(": ");
        text.push_str(cause);
    }
    text
}

/// What EC2 says. Permission is the error `DryRunOperation`; success means that the call was carried out, which
/// `done` puts in words.
pub(crate) fn asked<T, E>(
    reply: Result<T, SdkError<E, Response>>,
    done: impl FnOnce(T) -> Operation,
) -> Result<Answer, Ended>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match reply {
        Ok(reply) => Err(Ended::CarriedOut(Box::new(done(reply)))),
        Err(error) => {
            let error = AwsError::of(&error);
            Ok(match error.is("DryRunOperation") {
                true => Answer::Permitted,
                false => Answer::Refused(error),
            })
        }
    }
}

/// Whose name it is was looked at before: one that is taken here is of an unusable image of this very
/// run, which goes first.
pub(crate) fn name_is_ours(answer: Answer) -> Answer {
    match answer {
        Answer::Refused(error) if error.is("InvalidAMIName.Duplicate") => Answer::Permitted,
        answer => answer,
    }
}

/// The findings for machines: action and answer of each.
pub(crate) fn json(findings: &[Finding]) -> serde_json::Value {
    let each = findings.iter().map(|finding| {
        serde_json::json!({ "action": finding.action, "answer": finding.answer.to_string() })
    });
    each.collect()
}

/// The findings for people.
pub(crate) fn text(findings: &[Finding]) -> String {
    let lines = findings
        .iter()
        .map(|finding| format!("\n  {}: {}", finding.action, finding.answer));
    format!("permissions:{}\n", lines.collect::<String>())
}
