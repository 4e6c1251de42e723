//! A small CloudFormation and S3, as far as a pipeline calls them.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::{Arc, Mutex};

use harness::{FakeAws, Reply, Request};

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

/// One stack, as CloudFormation shows it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stacks {
    /// The states that DescribeStacks shows one after the other; the last one stays.
    pub(crate) states: Vec<&'static str>,
    /// The states after each create or update.
    course: &'static [&'static str],
    /// The parameters of the last create or update.
    pub(crate) parameters: BTreeMap<String, String>,
    /// The oldest first.
    events: Vec<Event>,
    /// The token of the last create or update.
    token: Option<String>,
    /// Whether tokens are known: events bear them, and a call that comes again is taken for the same.
    /// Otherwise it meets what the first one did.
    pub(crate) forgets_tokens: bool,
    /// Events a page; 0 for all.
    pub(crate) page: usize,
    /// How often DescribeStacks does not see an update yet that has begun; that has ended.
    stale: usize,
    stale_at_the_end: usize,
    updates: u32,
    /// Whether it is gone after the next look.
    deleting: bool,
    /// The parameters of its change set.
    change_set: Option<BTreeMap<String, String>>,
    /// Whether CloudFormation does not make it: the reason that it gives.
    pub(crate) change_set_fails: Option<&'static str>,
    /// What was there before it.
    before: Option<Box<Self>>,
    /// What DescribeEvents tells of a stack by its ARN, of a change set by its name.
    pub(crate) failures: BTreeMap<&'static str, Vec<String>>,
    /// Whether the stack is deployed in express mode.
    pub(crate) is_express: bool,
}

/// An event of DescribeEvents: a validation that failed before anything was touched.
pub(crate) fn validation(resource: &str, mode: &str, reason: &str) -> String {
    format!(
        "<member><EventId>v-{resource}</EventId><StackId>{ID}</StackId><EventType>VALIDATION_ERROR</EventType>\
         <LogicalResourceId>{resource}</LogicalResourceId><ResourceType>AWS::S3::Bucket</ResourceType>\
         <Timestamp>2026-01-01T00:00:01Z</Timestamp><ValidationFailureMode>{mode}</ValidationFailureMode>\
         <ValidationName>NAME_CONFLICT_VALIDATION</ValidationName><ValidationStatus>FAILED</ValidationStatus>\
         <ValidationStatusReason>{reason}</ValidationStatusReason><ValidationPath>/Resources/{resource}</ValidationPath></member>"
    )
}

/// An event of DescribeEvents: a resource that failed, by its name, type and id.
pub(crate) fn provisioning((resource, kind, id): (&str, &str, &str), reason: &str) -> String {
    format!(
        "<member><EventId>p-{resource}</EventId><StackId>{ID}</StackId><EventType>PROVISIONING_ERROR</EventType>\
         <LogicalResourceId>{resource}</LogicalResourceId><PhysicalResourceId>{id}</PhysicalResourceId>\
         <ResourceType>{kind}</ResourceType><Timestamp>2026-01-01T00:00:01Z</Timestamp>\
         <ResourceStatus>UPDATE_FAILED</ResourceStatus><ResourceStatusReason>{reason}</ResourceStatusReason></member>"
    )
}

#[derive(Debug, Clone)]
struct Event {
    token: Option<String>,
    resource: &'static str,
    status: String,
}

pub(crate) const ID: &str = "arn:aws:cloudformation:eu-west-1:000000000000:stack/app/1";
const NAMESPACE: &str = "http://cloudformation.amazonaws.com/doc/2010-05-15/";

impl Stacks {
    /// Something happens to a resource, or to the stack itself (`app`).
    pub(crate) fn happens(&mut self, resource: &'static str, status: &str) {
        let token = self.token.clone().filter(|_| !self.forgets_tokens);
        self.events.push(Event {
            token,
            resource,
            status: status.to_owned(),
        });
    }

    /// Somebody else has done something, with a token or without.
    pub(crate) fn happened(&mut self, token: Option<&str>, resource: &'static str, status: &str) {
        self.events.push(Event {
            token: token.map(str::to_owned),
            resource,
            status: status.to_owned(),
        });
    }

    /// DescribeStacks does not see the next update when it has begun, or has ended.
    pub(crate) fn lag(&mut self, at_the_beginning: usize, at_the_end: usize) {
        self.before = None;
        self.stale = at_the_beginning;
        self.stale_at_the_end = at_the_end;
    }

    fn enter(&mut self) {
        let Some(state) = self.states.first().copied() else {
            return;
        };
        if state.starts_with("ROLLBACK") {
            self.happens("Group", "CREATE_FAILED");
        }
        self.happens("app", state);
        if state.ends_with("E_IN_PROGRESS") {
            self.happens("Group", state);
        }
    }

    pub(crate) fn describe(&mut self, name: &str) -> Reply {
        if let Some(before) = &mut self.before {
            let left = match self.states.len() {
                1 => &mut self.stale_at_the_end,
                _ => &mut self.stale,
            };
            if *left > 0 {
                *left -= 1;
                return before.describe(name);
            }
        }
        let state = match self.states.as_slice() {
            [] => {
                let message = format!("Stack with id {name} does not exist");
                return Reply::error(400, "ValidationError", message);
            }
            ["DELETE_IN_PROGRESS"] if self.deleting => {
                self.states.clear();
                self.parameters.clear();
                self.deleting = false;
                "DELETE_IN_PROGRESS"
            }
            [last] => *last,
            [first, ..] => {
                let first = *first;
                self.states.remove(0);
                self.enter();
                first
            }
        };
        let ami = self.parameters.get("AMIId").cloned().unwrap_or_default();
        let updated = match self.updates {
            0 => String::new(),
            minutes => format!("<LastUpdatedTime>2026-01-01T00:{minutes:02}:00Z</LastUpdatedTime>"),
        };
        let express = match self.is_express {
            true => "<DeploymentConfig><Mode>EXPRESS</Mode></DeploymentConfig>",
            false => "",
        };
        Reply::xml(format!(
            "<DescribeStacksResponse xmlns=\"{NAMESPACE}\"><DescribeStacksResult><Stacks><member>\
             <StackName>{name}</StackName><StackId>{ID}</StackId><CreationTime>2026-01-01T00:00:00Z</CreationTime>{updated}\
             <StackStatus>{state}</StackStatus><StackStatusReason>reason of {state}</StackStatusReason>{express}\
             <Outputs><member><OutputKey>Image</OutputKey><OutputValue>{ami}</OutputValue></member></Outputs>\
             </member></Stacks></DescribeStacksResult></DescribeStacksResponse>"
        ))
    }

    pub(crate) fn deploy(&mut self, operation: &str, request: &Request) -> Reply {
        let refused = |code: &str, message: &str| Reply::error(400, code, message);
        let token = request.param("ClientRequestToken").map(str::to_owned);
        let parameters = parameters(request);
        let is_again = token.is_some() && token == self.token && !self.forgets_tokens;
        if !is_again {
            match (operation, self.states.is_empty()) {
                ("CreateStack", false) => {
                    return refused("AlreadyExistsException", "Stack [app] already exists");
                }
                ("UpdateStack", _) if parameters == self.parameters => {
                    return refused("ValidationError", "No updates are to be performed.");
                }
                _ => {}
            }
            if operation == "UpdateStack" {
                self.before = Some(Box::new(self.clone()));
                self.updates += 1;
            }
            self.token = token;
            self.parameters = parameters;
            self.states = self.course.to_vec();
            self.enter();
        }
        Reply::xml(format!(
            "<{operation}Response xmlns=\"{NAMESPACE}\"><{operation}Result><StackId>{ID}</StackId></{operation}Result></{operation}Response>"
        ))
    }

    fn delete(&mut self, request: &Request) -> Reply {
        self.token = request.param("ClientRequestToken").map(str::to_owned);
        self.states = vec!["DELETE_IN_PROGRESS"];
        self.deleting = true;
        self.enter();
        answer("DeleteStack", "")
    }

    fn change_set(&mut self, operation: &str, request: &Request) -> Reply {
        match operation {
            "CreateChangeSet" => {
                self.change_set = Some(parameters(request));
                if self.states.is_empty() {
                    self.states = vec!["REVIEW_IN_PROGRESS"];
                }
                answer(operation, "<Id>arn:change-set</Id>")
            }
            "DeleteChangeSet" => {
                self.change_set = None;
                answer(operation, "")
            }
            "DescribeChangeSet" => match &self.change_set {
                Some(_) if let Some(reason) = self.change_set_fails => answer(
                    operation,
                    &format!("<Status>FAILED</Status><StatusReason>{reason}</StatusReason>"),
                ),
                None => Reply::error(404, "ChangeSetNotFound", "ChangeSet does not exist"),
                Some(same) if *same == self.parameters => answer(
                    operation,
                    "<Status>FAILED</Status><StatusReason>The submitted information didn't contain changes. Submit \
                     different information to create a change set.</StatusReason>",
                ),
                Some(_) => answer(
                    operation,
                    "<Status>CREATE_COMPLETE</Status><Changes><member><Type>Resource</Type><ResourceChange><Action>Modify</Action>\
                     <LogicalResourceId>Topic</LogicalResourceId><ResourceType>AWS::SNS::Topic</ResourceType>\
                     <Replacement>True</Replacement></ResourceChange></member></Changes>",
                ),
            },
            _ => {
                let wanted = self.change_set.take().expect("a change set");
                if self.states != ["REVIEW_IN_PROGRESS"] {
                    self.updates += 1;
                }
                self.token = request.param("ClientRequestToken").map(str::to_owned);
                self.parameters = wanted;
                self.states = self.course.to_vec();
                self.enter();
                answer(operation, "")
            }
        }
    }

    fn failed_events(&self, request: &Request) -> Reply {
        assert_eq!(request.param("Filters.FailedEvents"), Some("true"));
        let of = request.param("ChangeSetName");
        let of = of.or(request.param("StackName")).unwrap();
        let events = self.failures.get(of).cloned().unwrap_or_default();
        let from = match request.param("NextToken") {
            Some(token) => token.parse().unwrap(),
            None => 0,
        };
        // A page has one event.
        let event = events.get(from).map_or("", String::as_str);
        let next = match from + 1 < events.len() {
            true => format!("<NextToken>{}</NextToken>", from + 1),
            false => String::new(),
        };
        answer(
            "DescribeEvents",
            &format!("<OperationEvents>{event}</OperationEvents>{next}"),
        )
    }

    fn events(&self, request: &Request) -> Reply {
        let from: usize = request
            .param("NextToken")
            .map_or(0, |token| token.parse().unwrap());
        let page = match self.page {
            0 => self.events.len(),
            page => page,
        };
        let all = self.events.iter().enumerate().rev();
        let events: String = all
            .skip(from)
            .take(page)
            .map(|(number, Event { token, resource, status })| {
                let (kind, physical) = match *resource {
                    "app" => ("AWS::CloudFormation::Stack", ID),
                    _ => ("AWS::AutoScaling::AutoScalingGroup", "group-1"),
                };
                let token = token.as_ref().map_or_else(String::new, |token| {
                    format!("<ClientRequestToken>{token}</ClientRequestToken>")
                });
                format!(
                    "<member><EventId>e{number}</EventId><StackId>{ID}</StackId><StackName>app</StackName>\
                     <LogicalResourceId>{resource}</LogicalResourceId><PhysicalResourceId>{physical}</PhysicalResourceId>\
                     <ResourceType>{kind}</ResourceType><Timestamp>2026-01-01T00:00:00Z</Timestamp>{token}\
                     <ResourceStatus>{status}</ResourceStatus><ResourceStatusReason>no capacity</ResourceStatusReason></member>"
                )
            })
            .collect();
        let next = if from + page < self.events.len() {
            format!("<NextToken>{}</NextToken>", from + page)
        } else {
            String::new()
        };
        Reply::xml(format!(
            "<DescribeStackEventsResponse xmlns=\"{NAMESPACE}\"><DescribeStackEventsResult><StackEvents>{events}</StackEvents>{next}\
             </DescribeStackEventsResult></DescribeStackEventsResponse>"
        ))
    }
}

fn answer(operation: &str, result: &str) -> Reply {
    Reply::xml(format!(
        "<{operation}Response xmlns=\"{NAMESPACE}\"><{operation}Result>{result}</{operation}Result></{operation}Response>"
    ))
}

fn parameters(request: &Request) -> BTreeMap<String, String> {
    let part = |index: usize, what: &str| {
        let name = format!("Parameters.member.{index}.{what}");
        request.param(&name).map(str::to_owned)
    };
    (1..)
        .map_while(|index| Some((part(index, "ParameterKey")?, part(index, "ParameterValue")?)))
        .collect()
}

/// Every call that was made is among the permissions of the page.
#[track_caller]
pub(crate) fn assert_documented(fake: &FakeAws) {
    let known = run_pipeline::PROGRAM.permissions;
    for operation in fake.operations() {
        let is_known = known.iter().any(|one| one.action == operation);
        assert!(is_known, "{operation} is called and not documented");
    }
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
        course: states,
        ..Stacks::default()
    }));
    if let Some(state) = first {
        stacks.lock().unwrap().happened(None, "app", state);
    }
    let world = Arc::clone(&stacks);
    fake.on_call("cloudformation:DescribeStacks", move |request| {
        let name = request.param("StackName").unwrap().to_owned();
        world.lock().unwrap().describe(&name)
    });
    for operation in ["CreateStack", "UpdateStack"] {
        let world = Arc::clone(&stacks);
        fake.on_call(&format!("cloudformation:{operation}"), move |request| {
            world.lock().unwrap().deploy(operation, request)
        });
    }
    let world = Arc::clone(&stacks);
    fake.on_call("cloudformation:DeleteStack", move |request| {
        world.lock().unwrap().delete(request)
    });
    for operation in [
        "CreateChangeSet",
        "DeleteChangeSet",
        "DescribeChangeSet",
        "ExecuteChangeSet",
    ] {
        let world = Arc::clone(&stacks);
        fake.on_call(&format!("cloudformation:{operation}"), move |request| {
            world.lock().unwrap().change_set(operation, request)
        });
    }
    let world = Arc::clone(&stacks);
    fake.on_call("cloudformation:DescribeEvents", move |request| {
        world.lock().unwrap().failed_events(request)
    });
    let world = Arc::clone(&stacks);
    fake.on_call("cloudformation:DescribeStackEvents", move |request| {
        world.lock().unwrap().events(request)
    });
    stacks
}
