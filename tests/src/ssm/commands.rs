//! Run Command: SendCommand and what becomes of it.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::{Answer, texts};
use crate::fake_aws::{Reply, Request};

/// How much of each output GetCommandInvocation gives
/// (<https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetCommandInvocation.html>).
const SHOWN: usize = 24_000;

/// A time at which everything happened.
const SOME_TIME: f64 = 1_577_836_800.0;

type Run = Box<dyn FnMut(&str, &str) -> Invocation + Send>;

/// How a command ended on an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// `Success`, `Failed`, `TimedOut` or `Cancelled`.
    pub status: String,
    /// The exit code; -1 when there is none.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Invocation {
    /// One that has no exit code, such as `TimedOut`.
    pub fn without_code(status: &str) -> Self {
        Self {
            status: status.to_owned(),
            code: -1,
            stdout: String::new(),
            stderr: String::new(),
        }
    }
}

impl<O: Into<String>, E: Into<String>> From<(i32, O, E)> for Invocation {
    fn from((code, stdout, stderr): (i32, O, E)) -> Self {
        Self {
            status: if code == 0 { "Success" } else { "Failed" }.to_owned(),
            code,
            stdout: stdout.into(),
            stderr: stderr.into(),
        }
    }
}

/// A command that was sent.
#[derive(Debug, Clone)]
pub struct Sent {
    /// Its id.
    pub id: String,
    /// Such as `AWS-RunShellScript`.
    pub document: String,
    /// The lines of the shell script, joined.
    pub script: String,
    /// Every parameter of the document.
    pub parameters: Value,
    /// Where it runs, and how it ends there.
    pub invocations: Vec<(String, Invocation)>,
    /// How long the agent may take to begin, in seconds.
    pub timeout_seconds: Option<u64>,
    /// How often it was asked for.
    readings: u32,
}

pub(super) struct Commands {
    pub(super) run: Option<Run>,
    pub(super) agentless: HashSet<String>,
    /// Readings that see nothing, `Pending` and `InProgress`.
    pub(super) readings: [u32; 3],
    pub(super) sent: Vec<Sent>,
}

impl Default for Commands {
    fn default() -> Self {
        Self {
            run: None,
            agentless: HashSet::new(),
            readings: [1, 0, 0],
            sent: Vec::new(),
        }
    }
}

impl Commands {
    pub(super) fn send(&mut self, request: &Request) -> Answer {
        let asked = request.json();
        let instances = texts(&asked["InstanceIds"]);
        let document = asked["DocumentName"].as_str().unwrap_or("").to_owned();
        if instances.is_empty() || document.is_empty() {
            let message = "InstanceIds and DocumentName are needed; the fake knows no Targets";
            return Err(Reply::error(400, "ValidationException", message));
        }
        if instances.iter().any(|id| self.agentless.contains(id)) {
            let message = "Instances not in a valid state for account";
            return Err(Reply::error(400, "InvalidInstanceId", message));
        }
        let script = texts(&asked["Parameters"]["commands"]).join("\n");
        let mut invocations = Vec::new();
        for instance in instances {
            let ended = match &mut self.run {
                Some(run) => run(&script, &instance),
                None => (0, "", "").into(),
            };
            invocations.push((instance, ended));
        }
        let sent = Sent {
            id: format!("00000000-0000-4000-9000-{:012}", self.sent.len() + 1),
            document,
            script,
            parameters: asked["Parameters"].clone(),
            invocations,
            timeout_seconds: asked["TimeoutSeconds"].as_u64(),
            readings: 0,
        };
        let instances: Vec<&String> = sent.invocations.iter().map(|(id, _)| id).collect();
        let answer = json!({"Command": {
            "CommandId": sent.id,
            "DocumentName": sent.document,
            "Comment": asked["Comment"].as_str().unwrap_or(""),
            "InstanceIds": instances,
            "Parameters": sent.parameters,
            "RequestedDateTime": SOME_TIME,
            "Status": "Pending",
            "StatusDetails": "Pending",
            "TargetCount": instances.len(),
        }});
        self.sent.push(sent);
        Ok(Reply::json(&answer))
    }

    pub(super) fn invocation(&mut self, request: &Request) -> Answer {
        let asked = request.json();
        let (command, instance) = (&asked["CommandId"], &asked["InstanceId"]);
        let [absent, pending, in_progress] = self.readings;
        let nothing = || Reply::error(400, "InvocationDoesNotExist", "");
        let mut sent = self.sent.iter_mut();
        let sent = sent.find(|sent| sent.id.as_str() == command.as_str().unwrap_or(""));
        let sent = sent.ok_or_else(nothing)?;
        let mut ended = sent.invocations.iter();
        let (instance, ended) = ended
            .find(|(id, _)| id.as_str() == instance.as_str().unwrap_or(""))
            .ok_or_else(nothing)?;
        let seen = sent.readings;
        sent.readings += 1;
        let is_cancelled = ended.status == "Cancelled";
        let running = match seen {
            _ if is_cancelled => None,
            n if n < absent => return Err(nothing()),
            n if n < absent + pending => Some("Pending"),
            n if n < absent + pending + in_progress => Some("InProgress"),
            _ => None,
        };
        let start = |text: &str| text.chars().take(SHOWN).collect::<String>();
        let (stdout, stderr) = match running {
            Some(_) => (String::new(), String::new()),
            None => (start(&ended.stdout), start(&ended.stderr)),
        };
        let status = running.unwrap_or(&ended.status);
        Ok(Reply::json(&json!({
            "CommandId": sent.id,
            "InstanceId": instance,
            "Comment": "",
            "DocumentName": sent.document,
            "PluginName": "aws:runShellScript",
            "ResponseCode": if running.is_some() { -1 } else { ended.code },
            "ExecutionStartDateTime": "2020-01-01T00:00:00Z",
            "Status": status,
            "StatusDetails": status,
            "StandardOutputContent": stdout,
            "StandardOutputUrl": "",
            "StandardErrorContent": stderr,
            "StandardErrorUrl": "",
        })))
    }

    /// Cancels what has not ended by the readings so far.
    pub(super) fn cancel(&mut self, request: &Request) -> Answer {
        let asked = request.json();
        let command = asked["CommandId"].as_str().unwrap_or("");
        let total: u32 = self.readings.iter().sum();
        let mut sent = self.sent.iter_mut();
        let sent = sent.find(|sent| sent.id == command);
        let sent = sent.ok_or_else(|| Reply::error(400, "InvalidCommandId", ""))?;
        if sent.readings <= total {
            for (_, ended) in &mut sent.invocations {
                *ended = Invocation::without_code("Cancelled");
            }
        }
        Ok(Reply::json(&json!({})))
    }

    /// The agents of the instances that the filter `InstanceIds` names.
    pub(super) fn instance_information(&mut self, request: &Request) -> Reply {
        let asked = request.json();
        let lists = ["Filters", "InstanceInformationFilterList"].map(|name| &asked[name]);
        let filters = lists.iter().filter_map(|list| list.as_array()).flatten();
        let named = filters
            .filter(|filter| filter["Key"] == "InstanceIds" || filter["key"] == "InstanceIds")
            .flat_map(|filter| [texts(&filter["Values"]), texts(&filter["valueSet"])].concat());
        let agents: Vec<Value> = named
            .filter(|id| !self.agentless.contains(id))
            .map(|id| {
                json!({
                    "InstanceId": id,
                    "PingStatus": "Online",
                    "AgentVersion": "3.3.1345.0",
                    "PlatformType": "Linux",
                    "ResourceType": "EC2Instance",
                })
            })
            .collect();
        Reply::json(&json!({"InstanceInformationList": agents}))
    }
}
