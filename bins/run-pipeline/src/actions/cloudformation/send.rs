//! The one call that creates or updates, and how its answer is read.

use action::exit::Exit;
use action::failure::Failure;
use aws::error::AwsError;
use aws_sdk_cloudformation::types::{Capability, Parameter, Tag};

use super::deployment::Deployment;
use super::request::Request;
use super::state::{Kind, Move};
use crate::stack_texts;

/// What became of a call that creates or updates.
#[derive(Debug)]
pub(super) enum Sent {
    /// CloudFormation took it.
    Accepted,
    /// There is nothing to update. So it says also to the retry of a call whose answer was lost.
    Unchanged,
    /// It failed. An earlier try of it may have been taken all the same.
    Failed {
        failure: Failure,
        /// Whether CloudFormation answered the last try.
        answered: bool,
    },
}

/// Fills in a create or an update, which have the same fields and no common type.
macro_rules! filled {
    ($call:expr, $request:expr, $token:expr) => {
        $call
            .stack_name(&$request.stack)
            .set_template_body($request.template.body.clone())
            .set_template_url($request.template.url.clone())
            .set_parameters(Some(parameters($request)))
            .set_tags(Some(tags($request)))
            .set_capabilities(Some(capabilities($request)))
            .set_stack_policy_body($request.policy.clone())
            .set_role_arn($request.role.clone())
            .client_request_token($token)
    };
}

impl Deployment {
    /// Sends the one call of an operation. Neither a signal nor the deadline drops the call half-way.
    pub(super) async fn send(&self, kind: &Kind, next: Move, token: &str) -> Sent {
        let (client, request) = (&self.client, &self.request);
        let call = async {
            if let Kind::Execute(name) = kind {
                let call = client.execute_change_set().stack_name(&request.stack);
                let call = call.change_set_name(name).client_request_token(token);
                call.send()
                    .await
                    .map(drop)
                    .map_err(|error| AwsError::of(&error))
            } else if next == Move::Delete {
                let call = client.delete_stack().stack_name(&request.stack);
                let call = call
                    .set_role_arn(request.role.clone())
                    .client_request_token(token);
                call.send()
                    .await
                    .map(drop)
                    .map_err(|error| AwsError::of(&error))
            } else if next == Move::Create {
                let answer = filled!(client.create_stack(), request, token).send().await;
                answer.map(drop).map_err(|error| AwsError::of(&error))
            } else {
                let answer = filled!(client.update_stack(), request, token).send().await;
                answer.map(drop).map_err(|error| AwsError::of(&error))
            }
        };
        let error = match self.last_word(call).await {
            Ok(Ok(())) => return Sent::Accepted,
            Ok(Err(error)) => error,
            Err(failure) => {
                return Sent::Failed {
                    failure,
                    answered: false,
                };
            }
        };
        let (verb, action) = match next {
            Move::Create => ("create", "cloudformation:CreateStack"),
            Move::Delete => ("delete", "cloudformation:DeleteStack"),
            Move::Execute { .. } => (
                "execute the change set of",
                "cloudformation:ExecuteChangeSet",
            ),
            _ => ("update", "cloudformation:UpdateStack"),
        };
        let deed = format!("cannot {verb} {}", self.what());
        read(&error, error.failure(deed, action))
    }
}

/// Reads CloudFormation's error to a create or an update.
fn read(error: &AwsError, failure: Failure) -> Sent {
    if error.is("ValidationError") && stack_texts::is_no_update(&error.to_string()) {
        return Sent::Unchanged;
    }
    let is_lost_race =
        error.is("AlreadyExistsException") || error.is("TokenAlreadyExistsException");
    Sent::Failed {
        failure: if is_lost_race {
            failure
                .with_exit(Exit::Lost)
                .hint("another deployment came in between; run again when it has ended")
        } else {
            failure
        },
        // Of a 500 nobody knows what was done before it.
        answered: error.code.is_some() && error.status != Some(500),
    }
}

pub(super) fn parameters(request: &Request) -> Vec<Parameter> {
    let one = |(key, value): &(String, String)| {
        Parameter::builder()
            .parameter_key(key)
            .parameter_value(value)
            .build()
    };
    request.parameters.iter().map(one).collect()
}

pub(super) fn tags(request: &Request) -> Vec<Tag> {
    let one = |(key, value): &(String, String)| Tag::builder().key(key).value(value).build();
    request.tags.iter().map(one).collect()
}

pub(super) fn capabilities(request: &Request) -> Vec<Capability> {
    request
        .capabilities
        .iter()
        .map(|one| Capability::from(one.as_str()))
        .collect()
}
