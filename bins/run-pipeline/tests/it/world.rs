//! A small CloudFormation and S3, as far as a pipeline calls them.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::{Arc, Mutex};

use harness::{FakeAws, Reply};

/// A zip with these files.
pub(crate) fn zip(files: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in files {
        zip.start_file(*name, zip::write::SimpleFileOptions::default())
            .unwrap();
        zip.write_all(content.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// What the stacks look like.
#[derive(Debug, Default)]
pub(crate) struct Stacks {
    /// The states that DescribeStacks shows one after the other; the last one stays.
    pub(crate) states: Vec<&'static str>,
    /// The parameters of the last create or update.
    pub(crate) parameters: BTreeMap<String, String>,
}

/// Serves a versioned bucket with one object.
pub(crate) fn serve_source(fake: &FakeAws, object: Vec<u8>) {
    fake.on(
        "s3:GetObject",
        [Reply::bytes(object)
            .header("x-amz-version-id", "version-7")
            .header("etag", "\"e7\"")],
    );
}

/// Serves one stack that goes through `states` after each create or update.
pub(crate) fn serve_stacks(
    fake: &FakeAws,
    first: Option<&'static str>,
    states: &'static [&'static str],
) -> Arc<Mutex<Stacks>> {
    let stacks = Arc::new(Mutex::new(Stacks {
        states: first.into_iter().collect(),
        ..Stacks::default()
    }));
    let world = Arc::clone(&stacks);
    fake.on_call("cloudformation:DescribeStacks", move |request| {
        let mut world = world.lock().unwrap();
        let name = request.param("StackName").unwrap().to_owned();
        let state = match world.states.as_slice() {
            [] => return Reply::error(400, "ValidationError", format!("Stack with id {name} does not exist")),
            [last] => *last,
            [_, ..] => world.states.remove(0),
        };
        let ami = world.parameters.get("AMIId").cloned().unwrap_or_default();
        Reply::xml(format!(
            "<DescribeStacksResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\"><DescribeStacksResult><Stacks><member>\
             <StackName>{name}</StackName><StackId>arn:aws:cloudformation:x</StackId><CreationTime>2026-01-01T00:00:00Z</CreationTime>\
             <StackStatus>{state}</StackStatus><StackStatusReason>reason of {state}</StackStatusReason>\
             <Outputs><member><OutputKey>Image</OutputKey><OutputValue>{ami}</OutputValue></member></Outputs>\
             </member></Stacks></DescribeStacksResult></DescribeStacksResponse>"
        ))
    });
    for operation in ["CreateStack", "UpdateStack"] {
        let world = Arc::clone(&stacks);
        fake.on_call(&format!("cloudformation:{operation}"), move |request| {
            let mut world = world.lock().unwrap();
            world.states = states.to_vec();
            world.parameters.clear();
            for index in 1.. {
                let part = |what: &str| request.param(&format!("Parameters.member.{index}.{what}")).map(str::to_owned);
                let (Some(key), Some(value)) = (part("ParameterKey"), part("ParameterValue")) else { break };
                world.parameters.insert(key, value);
            }
            Reply::xml(format!(
                "<{operation}Response xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\"><{operation}Result><StackId>arn:aws:cloudformation:x</StackId></{operation}Result></{operation}Response>"
            ))
        });
    }
    let world = Arc::clone(&stacks);
    fake.on_call("cloudformation:DescribeStackEvents", move |_| {
        let world = world.lock().unwrap();
        let events: String = world
            .states
            .iter()
            .map(|state| {
                let failed = state.starts_with("ROLLBACK");
                let (id, status) = if failed { ("e2", "CREATE_FAILED") } else { ("e1", "CREATE_IN_PROGRESS") };
                format!("<member><EventId>{id}</EventId><StackId>x</StackId><StackName>s</StackName><LogicalResourceId>Group</LogicalResourceId>\
                         <ResourceType>AWS::AutoScaling::AutoScalingGroup</ResourceType><Timestamp>2026-01-01T00:00:00Z</Timestamp>\
                         <ResourceStatus>{status}</ResourceStatus><ResourceStatusReason>no capacity</ResourceStatusReason></member>")
            })
            .collect();
        Reply::xml(format!(
            "<DescribeStackEventsResponse xmlns=\"http://cloudformation.amazonaws.com/doc/2010-05-15/\"><DescribeStackEventsResult><StackEvents>{events}</StackEvents></DescribeStackEventsResult></DescribeStackEventsResponse>"
        ))
    });
    stacks
}
