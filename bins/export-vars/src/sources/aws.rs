//! Values from AWS: stack outputs and exports, parameters, tags. All calls are read-only.

use crate::settings::Checked;
use crate::settings::place::{Export, Parameter, Stack, Tag};
use crate::variable::{Found, Variable, whole};
use action::failure::Failure;
use action::program::Context;
use action::wait;
use aws::error::AwsError;
use aws::session::Session;
use aws_sdk_ssm::types::{Parameter as Stored, ParameterType};
use contract::finding::did_you_mean;
use std::collections::BTreeMap;

/// How many names `GetParameters` takes:
/// <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameters.html>.
const MAX_PARAMETERS: usize = 10;

/// How many values a filter of EC2 takes:
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html>.
const MAX_FILTER_VALUES: usize = 200;

/// Asks for everything that the settings name there.
pub(crate) async fn collect(settings: &Checked, context: &Context) -> Result<Vec<Found>, Failure> {
    let before = "values were read from AWS";
    wait::in_time(context.deadline, &context.interrupt, before, async {
        let session = Session::open(context).await?;
        let mut found = Vec::new();
        found.extend(stacks(&session, &settings.from_stack).await?);
        found.extend(apart(exports(&session, &settings.from_export).await?));
        found.extend(apart(parameters(&session, &settings.from_ssm).await?));
        found.extend(apart(tags(&session, &settings.from_tag).await?));
        Ok(found)
    })
    .await
}

async fn stacks(session: &Session, wanted: &[Stack]) -> Result<Vec<Found>, Failure> {
    let client = aws_sdk_cloudformation::Client::new(&session.config);
    let mut known: BTreeMap<&str, BTreeMap<String, String>> = BTreeMap::new();
    let mut found = Vec::new();
    for one in wanted {
        let stack = one.stack.as_str();
        if !known.contains_key(stack) {
            known.insert(stack, outputs(&client, stack, &session.region).await?);
        }
        let outputs = &known[stack];
        found.push(output(one, outputs, &session.region));
    }
    Ok(found)
}

/// The outputs of one stack.
async fn outputs(
    client: &aws_sdk_cloudformation::Client,
    stack: &str,
    region: &str,
) -> Result<BTreeMap<String, String>, Failure> {
    let deed = format!("cannot read the outputs of stack {stack} in {region}");
    let described = client.describe_stacks().stack_name(stack).send().await;
    let described = described.map_err(|error| {
        let error = AwsError::of(&error);
        let failure = error.failure(&deed, "cloudformation:DescribeStacks");
        if error.is("ValidationError") {
            // CloudFormation's word for a stack that is not there.
            return failure.with_exit(action::exit::Exit::Refused).hint(
                "a stack of another account or region looks absent: check AWS_REGION and the role",
            );
        }
        failure
    })?;
    let mut stacks = described.stacks().iter();
    let is_asked = |one: &&aws_sdk_cloudformation::types::Stack| {
        one.stack_name() == Some(stack) || one.stack_id() == Some(stack)
    };
    let Some(found) = stacks.find(is_asked) else {
        let cause = format!("CloudFormation answered without a stack {stack}");
        return Err(Failure::refused(deed).cause(cause));
    };
    let status = found
        .stack_status()
        .map_or("unknown", |status| status.as_str());
    let settled = ["CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"];
    if !settled.contains(&status) {
        tracing::warn!("stack {stack} is {status}: its outputs may be those of an earlier state");
    }
    let pairs = found.outputs().iter().filter_map(|output| {
        let (key, value) = (output.output_key()?, output.output_value()?);
        Some((key.to_owned(), value.to_owned()))
    });
    Ok(pairs.collect())
}

fn output(one: &Stack, outputs: &BTreeMap<String, String>, region: &str) -> Found {
    let place = |key: &str| format!("output {key} of stack {} in {region}", one.stack);
    let variable = |name: &str, key: &str, value: &str| Variable {
        name: name.to_owned(),
        value: value.to_owned(),
        place: place(key),
        passed_on: false,
    };
    match &one.output {
        None if outputs.is_empty() => Err(vec![format!(
            "stack {} in {region} has no outputs",
            one.stack
        )]),
        None => Ok(outputs
            .iter()
            .map(|(key, value)| variable(key, key, value))
            .collect()),
        Some(key) => match outputs.get(key) {
            Some(value) => Ok(vec![variable(
                one.name.as_deref().unwrap_or(key),
                key,
                value,
            )]),
            None => {
                let hint = did_you_mean(key, outputs.keys().map(String::as_str));
                let hint = hint.map_or_else(String::new, |hint| format!(" ({hint})"));
                Err(vec![format!("there is no {}{hint}", place(key))])
            }
        },
    }
}

async fn exports(session: &Session, wanted: &[Export]) -> Result<Found, Failure> {
    if wanted.is_empty() {
        return Ok(Ok(Vec::new()));
    }
    let client = aws_sdk_cloudformation::Client::new(&session.config);
    let mut values: BTreeMap<String, String> = BTreeMap::new();
    let mut pages = client.list_exports().into_paginator().items().send();
    while let Some(export) = pages.next().await {
        let export = export.map_err(|error| {
            let deed = format!("cannot list the exports of stacks in {}", session.region);
            AwsError::of(&error).failure(deed, "cloudformation:ListExports")
        })?;
        if let (Some(name), Some(value)) = (export.name(), export.value()) {
            values.insert(name.to_owned(), value.to_owned());
        }
    }
    Ok(each(wanted, |one| {
        let place = format!("export {} in {}", one.export, session.region);
        match values.get(&one.export) {
            Some(value) => Ok(variable(&one.name, value, place)),
            None => {
                let hint = did_you_mean(&one.export, values.keys().map(String::as_str));
                let hint = hint.map_or_else(String::new, |hint| format!(" ({hint})"));
                Err(format!("there is no {place}{hint}"))
            }
        }
    }))
}

async fn parameters(session: &Session, wanted: &[Parameter]) -> Result<Found, Failure> {
    let client = aws_sdk_ssm::Client::new(&session.config);
    let mut answers: BTreeMap<&str, Result<Stored, String>> = BTreeMap::new();
    for call in calls(wanted) {
        let names = call.iter().map(|one| one.parameter.clone()).collect();
        let got = client
            .get_parameters()
            .set_names(Some(names))
            .with_decryption(false)
            .send()
            .await
            .map_err(|error| {
                let deed = format!("cannot read parameters in {}", session.region);
                AwsError::of(&error).failure(deed, "ssm:GetParameters")
            })?;
        for one in call {
            answers.insert(&one.parameter, answer(one, got.parameters()).cloned());
        }
    }
    Ok(each(wanted, |one| {
        let place = format!("parameter {} in {}", one.parameter, session.region);
        let answer = match answers.get(one.parameter.as_str()) {
            Some(Ok(answer)) => answer,
            Some(Err(why)) => return Err(format!("there is no {place}{why}")),
            None => return Err(format!("{place} was not asked for")),
        };
        if answer.r#type() == Some(&ParameterType::SecureString) {
            return Err(format!(
                "{place} is a SecureString; a secret is not exported: let its consumer read it \
                 (a buildspec's env/parameter-store, `{{{{resolve:ssm-secure:…}}}}` in a template)"
            ));
        }
        Ok(variable(
            &one.name,
            answer.value().unwrap_or_default(),
            place,
        ))
    }))
}

/// What to ask for in each call. No call names a parameter twice, so that no version can be taken for another one.
fn calls(wanted: &[Parameter]) -> Vec<Vec<&Parameter>> {
    let mut calls: Vec<Vec<&Parameter>> = Vec::new();
    for one in wanted {
        if calls
            .iter()
            .flatten()
            .any(|asked| asked.parameter == one.parameter)
        {
            continue;
        }
        let has_room = |call: &&mut Vec<&Parameter>| {
            call.len() < MAX_PARAMETERS && call.iter().all(|asked| asked.path() != one.path())
        };
        match calls.iter_mut().find(has_room) {
            Some(call) => call.push(one),
            None => calls.push(vec![one]),
        }
    }
    calls
}

/// The answer to what was asked for, or why none of these is.
fn answer<'a>(one: &Parameter, answers: &'a [Stored]) -> Result<&'a Stored, String> {
    let (asked, selector) = one.split();
    let is_named = |answer: &&Stored| {
        [answer.name(), answer.arn()]
            .into_iter()
            .flatten()
            .any(|name| name == asked || name == one.parameter)
    };
    let mut named = answers.iter().filter(is_named);
    let is_it = |answer: &&Stored| is_version(answer, one, selector);
    if let Some(answer) = named.clone().find(is_it) {
        return Ok(answer);
    }
    Err(match (named.next(), selector) {
        (Some(other), Some(selector)) => format!(
            " that says it is {selector}: the answer is of version {}",
            other.version()
        ),
        _ => ", or no such version of it".to_owned(),
    })
}

/// Whether an answer is of the version that was asked for. Its number is proof enough; SSM names it in `Selector`
/// too, which not every stand-in does. What a label means only an answer that repeats it can tell.
fn is_version(answer: &Stored, one: &Parameter, selector: Option<&str>) -> bool {
    let told = answer.selector().filter(|told| !told.is_empty());
    let told = told.map(|told| told.trim_start_matches(':'));
    match selector {
        None => told.is_none(),
        Some(selector) => match selector.parse::<i64>() {
            Ok(version) => match told {
                // Versions count from 1: none was told.
                Some(told) => told == selector && [version, 0].contains(&answer.version()),
                None => answer.version() == version,
            },
            Err(_) => told == Some(selector) || answer.name() == Some(&one.parameter),
        },
    }
}

async fn tags(session: &Session, wanted: &[Tag]) -> Result<Found, Failure> {
    let client = aws_sdk_ec2::Client::new(&session.config);
    let filter = |name: &str, values: Vec<String>| {
        aws_sdk_ec2::types::Filter::builder()
            .name(name)
            .set_values(Some(values))
            .build()
    };
    let mut values: BTreeMap<(String, String), String> = BTreeMap::new();
    for part in wanted.chunks(MAX_FILTER_VALUES) {
        let mut pages = client
            .describe_tags()
            .filters(filter("resource-id", sorted(part, |one| &one.resource)))
            .filters(filter("key", sorted(part, |one| &one.key)))
            .into_paginator()
            .items()
            .send();
        while let Some(tag) = pages.next().await {
            let tag = tag.map_err(|error| {
                let deed = format!("cannot read tags in {}", session.region);
                AwsError::of(&error).failure(deed, "ec2:DescribeTags")
            })?;
            if let (Some(resource), Some(key)) = (tag.resource_id(), tag.key()) {
                let value = tag.value().unwrap_or_default().to_owned();
                values.insert((resource.to_owned(), key.to_owned()), value);
            }
        }
    }
    Ok(each(wanted, |one| {
        let place = format!("tag {} of {} in {}", one.key, one.resource, session.region);
        match values.get(&(one.resource.clone(), one.key.clone())) {
            Some(value) => Ok(variable(&one.name, value, place)),
            None => Err(format!("there is no {place}, or no such resource")),
        }
    }))
}

/// Distinct values, as a filter wants them.
fn sorted(tags: &[Tag], of: impl Fn(&Tag) -> &String) -> Vec<String> {
    let mut values: Vec<String> = tags.iter().map(|tag| of(tag).clone()).collect();
    values.sort_unstable();
    values.dedup();
    values
}

fn variable(name: &str, value: &str, place: String) -> Variable {
    Variable {
        name: name.to_owned(),
        value: value.to_owned(),
        place,
        passed_on: false,
    }
}

/// Each variable as a source of its own, for each was asked for by a flag of its own.
fn apart(found: Found) -> Vec<Found> {
    match found {
        Ok(variables) => variables.into_iter().map(|one| Ok(vec![one])).collect(),
        faults => vec![faults],
    }
}

/// A variable for each one wanted, or every reason why not.
fn each<T>(wanted: &[T], find: impl Fn(&T) -> Result<Variable, String>) -> Found {
    whole(wanted.iter().map(find))
}
