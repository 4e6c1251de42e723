//! From the tree to the model, collecting every fault on the way.

use std::collections::BTreeMap;

use crate::finding::{Finding, Place};
use crate::model::evaluate::{Evaluator, is_unknown};
use crate::model::loops::has_loop;
use crate::model::template::Template;
use crate::model::yaml::{self, Node};
use crate::rules::pipeline_shape;
use crate::rules::reference_not_resolved;

use super::{Action, Kind, Moment, PIPELINE_TYPE, Pipeline, Read, Stage, StageRule, Text};

impl Pipeline {
    /// The only pipeline of a template, or the one with that logical id.
    ///
    /// # Errors
    /// No such pipeline, several and none chosen, a function that cannot be resolved, or a
    /// definition with faults: all of these at once.
    pub fn from_template(
        template: &Template,
        evaluator: &Evaluator<'_>,
        id: Option<&str>,
    ) -> Result<Self, Vec<Finding>> {
        Self::read_template(template, evaluator, id).whole()
    }

    /// The same, as far as it can be read.
    #[must_use]
    pub fn read_template(template: &Template, evaluator: &Evaluator<'_>, id: Option<&str>) -> Read {
        let fault = |message: String, hint: String| {
            Read::none(vec![
                Finding::new(&pipeline_shape::RULE, &template.file, None, message).hint(hint),
            ])
        };
        let all: Vec<_> = template
            .resources_of(PIPELINE_TYPE)
            .filter(|one| id.is_none_or(|id| one.id == id))
            .collect();
        let ids: Vec<_> = template
            .resources_of(PIPELINE_TYPE)
            .map(|one| one.id.as_str())
            .collect();
        let resource = match (all.as_slice(), id) {
            ([one], _) => one,
            ([], Some(id)) => {
                let known = if ids.is_empty() {
                    "none".to_owned()
                } else {
                    ids.join(", ")
                };
                return fault(
                    format!("no resource {id} of type {PIPELINE_TYPE}"),
                    format!("the template has {known}"),
                );
            }
            ([], None) => {
                return fault(
                    format!("no resource of type {PIPELINE_TYPE}"),
                    "name the template that holds the pipeline, or the JSON of get-pipeline"
                        .to_owned(),
                );
            }
            _ => {
                return fault(
                    format!("{} pipelines in one template", ids.len()),
                    format!("choose one of {}", ids.join(", ")),
                );
            }
        };
        let Some(properties) = &resource.properties else {
            return Read::none(vec![Finding::new(
                &pipeline_shape::RULE,
                &template.file,
                Some(resource.node.place),
                format!("{} has no Properties", resource.id),
            )]);
        };
        match evaluator.node(properties) {
            Ok(Some(node)) => pipeline(&template.file, &node),
            Ok(None) => fault(format!("{} is AWS::NoValue", resource.id), String::new()),
            Err(finding) => Read::none(vec![finding]),
        }
    }

    /// The pipeline of `aws codepipeline get-pipeline`'s JSON, with or without its outer
    /// `pipeline` key.
    ///
    /// # Errors
    /// Not JSON or YAML, or a definition with faults: all of these at once.
    pub fn parse_definition(file: &str, bytes: &[u8]) -> Result<Self, Vec<Finding>> {
        let root = yaml::parse_bytes(file, bytes).map_err(|finding| vec![finding])?;
        Self::read_definition(file, &root).whole()
    }

    /// The same, as far as it can be read.
    #[must_use]
    pub fn read_definition(file: &str, root: &Node) -> Read {
        pipeline(file, root.get("pipeline").unwrap_or(root))
    }
}

/// Reads evaluated properties or a `pipeline` object.
fn pipeline(file: &str, node: &Node) -> Read {
    let mut reader = Reader {
        file,
        faults: Vec::new(),
        warnings: Vec::new(),
        open: false,
    };
    let mut pipeline = reader.pipeline(node);
    pipeline.open = reader.open;
    pipeline.warnings = reader.warnings;
    Read {
        pipeline: Some(pipeline),
        faults: reader.faults,
    }
}

struct Reader<'a> {
    file: &'a str,
    faults: Vec<Finding>,
    warnings: Vec<Finding>,
    /// Whether something was left out because it is not known.
    open: bool,
}

/// Whether a node stands for something that is not known here, such as a choice by an unknown condition.
fn is_open(node: &Node) -> bool {
    node.as_str().is_some_and(is_unknown)
}

/// Whether not all of an action, or of its configuration, is known: a loop over what is not known makes a part.
fn is_partly_known(action: &Node) -> bool {
    let configuration = field(action, "Configuration");
    has_loop(action) || configuration.is_some_and(|node| is_open(node) || has_loop(node))
}

fn text_of(node: &Node) -> Option<Text> {
    Some(Text {
        text: node.as_str()?.to_owned(),
        place: node.place,
    })
}

fn key_places(action: &Node) -> BTreeMap<String, Place> {
    let entries = field(action, "Configuration").and_then(Node::as_mapping);
    let entries = entries.unwrap_or_default().iter();
    entries
        .filter_map(|(key, _)| Some((key.as_str()?.to_owned(), key.place)))
        .collect()
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

impl Reader<'_> {
    fn pipeline(&mut self, node: &Node) -> Pipeline {
        let mut stages = Vec::new();
        let listed = field(node, "Stages").and_then(Node::as_sequence);
        let first_unknown = listed
            .unwrap_or_default()
            .iter()
            .find(|one| is_open(one))
            .map(|one| one.place.start);
        for stage in self.list(node, "Stages", "the pipeline") {
            let name = self.required(stage, "Name", "a stage");
            let what = format!("stage {name}");
            let mut actions = Vec::new();
            for action in self.list(stage, "Actions", &what) {
                // What an action is set to do is part of it: without that it is not known either.
                if is_partly_known(action) {
                    self.open = true;
                } else {
                    actions.push(self.action(action, &name));
                }
            }
            if actions.is_empty() && !self.open {
                self.fault(stage, format!("{what} has no actions"));
            }
            stages.push(Stage {
                rules: self.rules(stage, &what),
                name,
                actions,
                place: stage.place,
                after_unknown: first_unknown.is_some_and(|first| first < stage.place.start),
            });
        }
        if stages.is_empty() && !self.open {
            self.fault(node, "the pipeline has no stages".to_owned());
        }
        let variables = self
            .list(node, "Variables", "the pipeline")
            .into_iter()
            .map(|one| {
                let name = self.required(one, "Name", "a pipeline variable");
                let default = self.text(one, "DefaultValue");
                let what = format!("the default of the pipeline's variable {name}");
                let finding = default
                    .as_ref()
                    .and_then(|text| reference_not_resolved::check(self.file, &what, text));
                self.warnings.extend(finding);
                (name, default.map(|text| text.text))
            })
            .collect();
        Pipeline {
            file: self.file.to_owned(),
            name: self
                .text(node, "Name")
                .map_or_else(String::new, |name| name.text),
            variables,
            stages,
            open: false,
            warnings: Vec::new(),
        }
    }

    fn action(&mut self, node: &Node, stage: &str) -> Action {
        let name = self.required(node, "Name", &format!("an action of stage {stage}"));
        let what = format!("action {stage}/{name}");
        let kind = field(node, "ActionTypeId");
        if kind.is_none() {
            self.fault(node, format!("{what} has no ActionTypeId"));
        }
        let kind = kind.unwrap_or(node);
        let run_order = match field(node, "RunOrder") {
            None => 1,
            Some(order) if is_open(order) => {
                self.open = true;
                1
            }
            Some(order) => match order.as_str().and_then(|text| text.parse::<u32>().ok()) {
                Some(order @ 1..=999) => order,
                _ => {
                    self.fault(
                        order,
                        format!("RunOrder of {what} is not a number from 1 to 999"),
                    );
                    1
                }
            },
        };
        let outputs = self.list(node, "OutputArtifacts", &what);
        let files = outputs
            .iter()
            .filter_map(|one| {
                let files = field(one, "Files")?;
                Some((files.as_sequence().map_or(1, <[Node]>::len), files.place))
            })
            // The answer of get-pipeline has every list, empty where there is nothing.
            .filter(|(count, _)| *count > 0)
            .collect();
        let commands = self.list(node, "Commands", &what);
        let commands: Vec<Text> = commands.into_iter().filter_map(text_of).collect();
        let place = |key| field(node, key).map(|node| node.place);
        let commands = place("Commands")
            .filter(|_| !commands.is_empty())
            .map(|place| (commands, place));
        let variables: Vec<String> = self
            .list(node, "OutputVariables", &what)
            .into_iter()
            .filter_map(|name| name.as_str().map(str::to_owned))
            .collect();
        Action {
            category: self.required(kind, "Category", &what),
            owner: self.required(kind, "Owner", &what),
            provider: self.required(kind, "Provider", &what),
            version: self.text(kind, "Version").map(|text| text.text),
            namespace: self.text(node, "Namespace"),
            run_order,
            inputs: self.artifacts(node, "InputArtifacts", &what),
            outputs: self.artifacts(node, "OutputArtifacts", &what),
            configuration: self.configuration(node, &what),
            key_places: key_places(node),
            configuration_place: field(node, "Configuration").map(|node| node.place),
            kind_place: kind.place,
            commands,
            variables_place: place("OutputVariables").filter(|_| !variables.is_empty()),
            variables,
            files,
            environment: self.environment(node, &what),
            region: self.text(node, "Region").map(|text| text.text),
            role: self.text(node, "RoleArn").map(|text| text.text),
            place: node.place,
            name,
        }
    }

    /// The action's own environment variables.
    fn environment(&mut self, action: &Node, what: &str) -> Vec<(String, Text)> {
        let listed = self.list(action, "EnvironmentVariables", what);
        listed
            .into_iter()
            .filter_map(|one| {
                let name =
                    self.required(one, "Name", &format!("an environment variable of {what}"));
                Some((name, self.text(one, "Value")?))
            })
            .collect()
    }

    /// The rules of a stage's conditions.
    fn rules(&mut self, stage: &Node, what: &str) -> Vec<StageRule> {
        let mut rules = Vec::new();
        for moment in [Moment::BeforeEntry, Moment::OnSuccess, Moment::OnFailure] {
            let Some(hook) = field(stage, moment.field()).filter(|node| !is_open(node)) else {
                continue;
            };
            let what = format!("{} of {what}", moment.field());
            for condition in self.list(hook, "Conditions", &what) {
                for one in self.list(condition, "Rules", &what) {
                    if is_partly_known(one) {
                        continue;
                    }
                    let name = self.required(one, "Name", &format!("a rule in {what}"));
                    let what = format!("rule {name} in {what}");
                    let kind = field(one, "RuleTypeId").map(|kind| Kind {
                        category: self.required(kind, "Category", &what),
                        owner: self.required(kind, "Owner", &what),
                        provider: self.required(kind, "Provider", &what),
                        version: self.text(kind, "Version").map(|text| text.text),
                        place: kind.place,
                    });
                    rules.push(StageRule {
                        kind,
                        key_places: key_places(one),
                        configuration_place: field(one, "Configuration").map(|node| node.place),
                        configuration: self.configuration(one, &what),
                        inputs: self.artifacts(one, "InputArtifacts", &what),
                        place: one.place,
                        name,
                        moment,
                    });
                }
            }
        }
        rules
    }

    fn configuration(&mut self, action: &Node, what: &str) -> Vec<(String, Text)> {
        let Some(node) = field(action, "Configuration") else {
            return Vec::new();
        };
        let Some(entries) = node.as_mapping() else {
            self.fault(
                node,
                format!("Configuration of {what} is {}, not a mapping", node.kind()),
            );
            return Vec::new();
        };
        let mut configuration = Vec::new();
        for (key, value) in entries {
            let key = key.as_str().unwrap_or_default();
            if let Some(text) = value.as_str() {
                configuration.push((
                    key.to_owned(),
                    Text {
                        text: text.to_owned(),
                        place: value.place,
                    },
                ));
            } else {
                let message = format!("{key} of {what} is {}, not text", value.kind());
                self.fault(value, message).hint =
                    Some("write JSON inside quotation marks: '{\"A\":\"b\"}'".to_owned());
            }
        }
        configuration
    }

    fn artifacts(&mut self, action: &Node, key: &str, what: &str) -> Vec<Text> {
        let mut names = Vec::new();
        for item in self.list(action, key, what) {
            match field(item, "Name").and_then(Node::as_str) {
                Some(name) => names.push(Text {
                    text: name.to_owned(),
                    place: item.place,
                }),
                None => {
                    self.fault(item, format!("an artifact in {key} of {what} has no Name"));
                }
            }
        }
        names
    }

    /// The items that are known.
    fn list<'n>(&mut self, node: &'n Node, key: &str, what: &str) -> Vec<&'n Node> {
        let Some(value) = field(node, key) else {
            return Vec::new();
        };
        if is_open(value) {
            self.open = true;
            return Vec::new();
        }
        if value.as_sequence().is_none() {
            self.fault(
                value,
                format!("{key} of {what} is {}, not a list", value.kind()),
            );
        }
        let items = value.as_sequence().unwrap_or_default();
        let known: Vec<&Node> = items.iter().filter(|item| !is_open(item)).collect();
        self.open |= known.len() < items.len();
        known
    }

    fn required(&mut self, node: &Node, key: &str, what: &str) -> String {
        match self.text(node, key) {
            Some(text) => text.text,
            None => {
                self.fault(node, format!("{what} has no {key}"));
                // What is missing is not known, so that nothing more is said about it.
                format!("${{{key}}}")
            }
        }
    }

    fn text(&mut self, node: &Node, key: &str) -> Option<Text> {
        // A field of what is not known is not known.
        let value = if is_open(node) {
            node
        } else {
            field(node, key)?
        };
        match value.as_str() {
            Some(text) => Some(Text {
                text: text.to_owned(),
                place: value.place,
            }),
            None => {
                self.fault(value, format!("{key} is {}, not text", value.kind()));
                None
            }
        }
    }

    fn fault(&mut self, node: &Node, message: String) -> &mut Finding {
        let at = self.faults.len();
        self.faults.push(Finding::new(
            &pipeline_shape::RULE,
            self.file,
            Some(node.place),
            message,
        ));
        &mut self.faults[at]
    }
}
