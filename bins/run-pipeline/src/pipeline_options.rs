//! What a pipeline says beside its stages and actions: conditions, retries, triggers, the execution mode, and what
//! only a Commands action has.
//!
//! Source: the API's PipelineDeclaration, StageDeclaration and ActionDeclaration.

use std::collections::BTreeMap;

use contract::yaml::Node;

use crate::build_env::Value;

/// What was read.
#[derive(Debug, Clone, Default)]
pub(crate) struct PipelineOptions {
    /// `SUPERSEDED`, `QUEUED` or `PARALLEL`, when it is said.
    pub(crate) execution_mode: Option<String>,
    /// Each trigger in words.
    pub(crate) triggers: Vec<String>,
    stages: BTreeMap<String, StageOptions>,
    actions: BTreeMap<(String, String), ActionOptions>,
}

/// What a stage says beside its actions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct StageOptions {
    pub(crate) before_entry: Vec<Condition>,
    pub(crate) on_success: Vec<Condition>,
    pub(crate) on_failure: Vec<Condition>,
    /// What happens when the stage fails: `ROLLBACK` or `RETRY`; FAIL otherwise.
    pub(crate) failure_result: Option<String>,
    /// `ALL_ACTIONS` or `FAILED_ACTIONS`, where a failed stage is retried.
    pub(crate) retry_mode: Option<String>,
}

/// A condition: what happens when one of its rules fails.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Condition {
    /// `FAIL`, `ROLLBACK`, `RETRY` or `SKIP`.
    pub(crate) result: String,
    pub(crate) rules: Vec<Rule>,
}

/// A rule of a condition.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) provider: String,
    pub(crate) configuration: Vec<(String, String)>,
    pub(crate) commands: Vec<String>,
    pub(crate) inputs: Vec<String>,
}

/// What an action says beside its configuration.
#[derive(Debug, Clone, Default)]
pub(crate) struct ActionOptions {
    /// Its own `EnvironmentVariables`, before resolution.
    pub(crate) environment: Vec<(String, Value)>,
    /// `Files` of its output artifacts.
    pub(crate) output_files: Vec<(String, Vec<String>)>,
    /// How long it may take.
    pub(crate) timeout_minutes: Option<u64>,
}

/// A field under its CloudFormation name (`RunOrder`) or its API name (`runOrder`).
fn field<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
    let found = node.get(name).or_else(|| {
        let mut letters = name.chars();
        let first = letters.next()?.to_ascii_lowercase();
        node.get(&format!("{first}{}", letters.as_str()))
    });
    found.filter(|node| !node.is_null())
}

fn list<'n>(node: &'n Node, name: &str) -> &'n [Node] {
    let items = field(node, name).and_then(Node::as_sequence);
    items.unwrap_or_default()
}

fn text(node: &Node, name: &str) -> Option<String> {
    field(node, name).and_then(Node::as_str).map(str::to_owned)
}

fn texts(node: &Node, name: &str) -> Vec<String> {
    let items = list(node, name).iter();
    items
        .filter_map(|item| item.as_str().map(str::to_owned))
        .collect()
}

fn names(node: &Node, name: &str) -> Vec<String> {
    list(node, name)
        .iter()
        .filter_map(|one| text(one, "Name"))
        .collect()
}

impl PipelineOptions {
    /// Reads evaluated properties or the `pipeline` of get-pipeline.
    pub(crate) fn read(node: &Node) -> Self {
        let mut options = Self {
            execution_mode: text(node, "ExecutionMode"),
            triggers: list(node, "Triggers").iter().map(trigger).collect(),
            ..Self::default()
        };
        for stage in list(node, "Stages") {
            let name = text(stage, "Name").unwrap_or_default();
            for action in list(stage, "Actions") {
                let key = (name.clone(), text(action, "Name").unwrap_or_default());
                options.actions.insert(key, ActionOptions::read(action));
            }
            options.stages.insert(name, StageOptions::read(stage));
        }
        options
    }

    /// Those of a stage.
    pub(crate) fn stage(&self, name: &str) -> StageOptions {
        self.stages.get(name).cloned().unwrap_or_default()
    }

    /// Those of an action.
    pub(crate) fn action(&self, stage: &str, action: &str) -> ActionOptions {
        let key = (stage.to_owned(), action.to_owned());
        self.actions.get(&key).cloned().unwrap_or_default()
    }
}

impl StageOptions {
    fn read(stage: &Node) -> Self {
        let conditions = |name: &str| -> Vec<Condition> {
            let hook = field(stage, name);
            let listed = hook
                .map(|hook| list(hook, "Conditions"))
                .unwrap_or_default();
            listed.iter().map(Condition::read).collect()
        };
        let on_failure = field(stage, "OnFailure");
        let retry = on_failure.and_then(|node| field(node, "RetryConfiguration"));
        Self {
            before_entry: conditions("BeforeEntry"),
            on_success: conditions("OnSuccess"),
            on_failure: conditions("OnFailure"),
            failure_result: on_failure.and_then(|node| text(node, "Result")),
            retry_mode: retry.and_then(|node| text(node, "RetryMode")),
        }
    }
}

impl Condition {
    fn read(node: &Node) -> Self {
        Self {
            result: text(node, "Result").unwrap_or_else(|| "FAIL".to_owned()),
            rules: list(node, "Rules").iter().map(Rule::read).collect(),
        }
    }
}

impl Rule {
    fn read(node: &Node) -> Self {
        let kind = field(node, "RuleTypeId");
        let configuration = field(node, "Configuration").and_then(Node::as_mapping);
        let configuration = configuration.unwrap_or_default().iter();
        Self {
            name: text(node, "Name").unwrap_or_default(),
            provider: kind
                .and_then(|kind| text(kind, "Provider"))
                .unwrap_or_default(),
            configuration: configuration
                .filter_map(|(key, value)| {
                    Some((key.as_str()?.to_owned(), value.as_str()?.to_owned()))
                })
                .collect(),
            commands: texts(node, "Commands"),
            inputs: names(node, "InputArtifacts"),
        }
    }
}

impl ActionOptions {
    fn read(action: &Node) -> Self {
        let environment = list(action, "EnvironmentVariables").iter();
        let environment = environment.filter_map(|one| {
            let make = match text(one, "Type").as_deref() {
                Some("SECRETS_MANAGER") => Value::Secret,
                _ => Value::Plain,
            };
            Some((text(one, "Name")?, make(text(one, "Value")?)))
        });
        let outputs = list(action, "OutputArtifacts").iter();
        let outputs = outputs.filter_map(|one| Some((text(one, "Name")?, texts(one, "Files"))));
        Self {
            environment: environment.collect(),
            output_files: outputs.collect(),
            timeout_minutes: text(action, "TimeoutInMinutes").and_then(|text| text.parse().ok()),
        }
    }
}

/// A trigger in words, such as `App: push to the branches main, release/*`.
fn trigger(node: &Node) -> String {
    let git = field(node, "GitConfiguration").unwrap_or(node);
    let source = text(git, "SourceActionName").unwrap_or_else(|| "?".to_owned());
    let filters = |node: &Node| -> Vec<String> {
        ["Branches", "Tags", "FilePaths"]
            .iter()
            .filter_map(|kind| {
                let filter = field(node, kind)?;
                let mut words = Vec::new();
                for (key, verb) in [("Includes", ""), ("Excludes", "not ")] {
                    let listed = texts(filter, key);
                    if !listed.is_empty() {
                        words.push(format!("{verb}{}", listed.join(", ")));
                    }
                }
                let kind = match *kind {
                    "Branches" => "branches",
                    "Tags" => "tags",
                    _ => "files",
                };
                Some(format!("{kind} {}", words.join(" but ")))
            })
            .collect()
    };
    let mut events = Vec::new();
    for (key, verb) in [("Push", "push"), ("PullRequest", "pull request")] {
        for one in list(git, key) {
            let mut event = verb.to_owned();
            let which = texts(one, "Events");
            if !which.is_empty() {
                event.push_str(&format!(" ({})", which.join(", ").to_lowercase()));
            }
            let found = filters(one);
            if !found.is_empty() {
                event.push_str(&format!(": {}", found.join(" and ")));
            }
            events.push(event);
        }
    }
    if events.is_empty() {
        events.push("any push".to_owned());
    }
    format!("{source} starts it on {}", events.join("; or on "))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    const PIPELINE: &str = "
ExecutionMode: QUEUED
Triggers:
  - ProviderType: CodeStarSourceConnection
    GitConfiguration:
      SourceActionName: App
      Push:
        - Branches: {Includes: [main, 'release/*'], Excludes: [release/old]}
          FilePaths: {Includes: ['src/**']}
      PullRequest: [{Events: [OPEN], Branches: {Includes: [main]}}]
Stages:
  - Name: Deploy
    BeforeEntry:
      Conditions:
        - Result: SKIP
          Rules:
            - Name: Gate
              RuleTypeId: {Category: Rule, Owner: AWS, Provider: VariableCheck, Version: '1'}
              Configuration: {Variable: '#{A.B}', Value: x, Operator: EQ}
    OnFailure: {Result: RETRY, RetryConfiguration: {RetryMode: ALL_ACTIONS}}
    Actions:
      - Name: Run
        Commands: [make]
        EnvironmentVariables: [{Name: A, Value: b}, {Name: S, Value: s, Type: SECRETS_MANAGER}]
        OutputArtifacts: [{Name: Out, Files: [a, b/**]}]
        TimeoutInMinutes: 7
";

    #[test]
    fn both_spellings_are_read() {
        let root = contract::yaml::parse("p.yml", PIPELINE).unwrap();
        let options = PipelineOptions::read(&root);
        assert_eq!(options.execution_mode.as_deref(), Some("QUEUED"));
        assert_eq!(
            options.triggers,
            [
                "App starts it on push: branches main, release/* but not release/old and files src/**; or on pull request (open): branches main"
            ]
        );
        let stage = options.stage("Deploy");
        assert_eq!(stage.before_entry[0].result, "SKIP");
        assert_eq!(stage.before_entry[0].rules[0].provider, "VariableCheck");
        assert_eq!(stage.failure_result.as_deref(), Some("RETRY"));
        assert_eq!(stage.retry_mode.as_deref(), Some("ALL_ACTIONS"));
        let action = options.action("Deploy", "Run");
        assert_eq!(action.environment[1].1, Value::Secret("s".into()));
        assert_eq!(action.output_files[0].1, ["a", "b/**"]);
        assert_eq!(action.timeout_minutes, Some(7));
        let json = r#"{"executionMode": "PARALLEL", "stages": [{"name": "S", "onFailure": {"result": "ROLLBACK"}, "actions": []}]}"#;
        let root = contract::yaml::parse("p.json", json).unwrap();
        let options = PipelineOptions::read(&root);
        assert_eq!(options.execution_mode.as_deref(), Some("PARALLEL"));
        assert_eq!(
            options.stage("S").failure_result.as_deref(),
            Some("ROLLBACK")
        );
        assert_eq!(options.stage("?"), StageOptions::default());
    }
}
