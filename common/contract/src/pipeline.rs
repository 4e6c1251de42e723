//! A CodePipeline definition: stages, actions, and what each takes and makes.
//!
//! It is read from an `AWS::CodePipeline::Pipeline` of an evaluated template or from the
//! JSON of `aws codepipeline get-pipeline`; the two differ in the case of the first letter.

use crate::evaluate::{Evaluator, is_unknown};
use crate::finding::{Finding, Place};
use crate::rule;
use crate::template::Template;
use crate::yaml::Node;

/// The resource type of a pipeline.
pub const PIPELINE_TYPE: &str = "AWS::CodePipeline::Pipeline";

/// A pipeline definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pipeline {
    /// The file as its user named it.
    pub file: String,
    /// The pipeline's name; empty when the definition has none.
    pub name: String,
    /// Pipeline-level variables (type V2): name and default.
    pub variables: Vec<(String, Option<String>)>,
    /// The stages in order.
    pub stages: Vec<Stage>,
    /// Whether more may be in it than is here: a list, an action or an order depends on what is not known.
    pub open: bool,
}

/// A stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// Its name.
    pub name: String,
    /// Its actions, in the order of the file.
    pub actions: Vec<Action>,
    /// Where it stands.
    pub place: Place,
}

impl Stage {
    /// The actions by `runOrder`, lowest first; those of one group may run side by side.
    #[must_use]
    pub fn groups(&self) -> Vec<Vec<&Action>> {
        let mut orders: Vec<u32> = self.actions.iter().map(|one| one.run_order).collect();
        orders.sort_unstable();
        orders.dedup();
        orders
            .into_iter()
            .map(|order| {
                self.actions
                    .iter()
                    .filter(|one| one.run_order == order)
                    .collect()
            })
            .collect()
    }
}

/// An action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// Its name.
    pub name: String,
    /// `Source`, `Build`, `Deploy`, `Test`, `Approval`, `Invoke` or `Compute`.
    pub category: String,
    /// `AWS`, `ThirdParty` or `Custom`.
    pub owner: String,
    /// Such as `S3`, `CodeBuild` or `CloudFormation`.
    pub provider: String,
    /// The namespace of its output variables.
    pub namespace: Option<Text>,
    /// 1 to 999; lower ones of a stage run first.
    pub run_order: u32,
    /// Names of the artifacts it reads.
    pub inputs: Vec<Text>,
    /// Names of the artifacts it writes.
    pub outputs: Vec<Text>,
    /// Its configuration, in the order of the file; values are text, before resolution.
    pub configuration: Vec<(String, Text)>,
    /// Names of the variables that a Commands action makes (`OutputVariables`).
    pub variables: Vec<String>,
    /// Its region, when it is not the pipeline's.
    pub region: Option<String>,
    /// Its own role.
    pub role: Option<String>,
    /// Where it stands.
    pub place: Place,
}

impl Action {
    /// A value of the configuration, before resolution.
    #[must_use]
    pub fn setting(&self, key: &str) -> Option<&str> {
        self.configuration
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.text.as_str())
    }

    /// A value of the configuration with its place.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&Text> {
        self.configuration
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value)
    }

    /// Where a setting stands, else where the action stands.
    #[must_use]
    pub fn place_of(&self, key: &str) -> Place {
        self.text(key).map_or(self.place, |text| text.place)
    }
}

/// A text with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// The text.
    pub text: String,
    /// Where it stands.
    pub place: Place,
}

impl Pipeline {
    /// Every action, stage by stage, in the order of the file.
    pub fn actions(&self) -> impl Iterator<Item = &Action> {
        self.stages.iter().flat_map(|stage| &stage.actions)
    }

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
        let fault = |message: String, hint: String| {
            vec![Finding::new(&rule::PIPELINE_SHAPE, &template.file, None, message).hint(hint)]
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
                return Err(fault(
                    format!("no resource {id} of type {PIPELINE_TYPE}"),
                    format!("the template has {known}"),
                ));
            }
            ([], None) => {
                return Err(fault(
                    format!("no resource of type {PIPELINE_TYPE}"),
                    "name the template that holds the pipeline, or the JSON of get-pipeline"
                        .to_owned(),
                ));
            }
            _ => {
                return Err(fault(
                    format!("{} pipelines in one template", ids.len()),
                    format!("choose one of {}", ids.join(", ")),
                ));
            }
        };
        let Some(properties) = &resource.properties else {
            return Err(vec![Finding::new(
                &rule::PIPELINE_SHAPE,
                &template.file,
                Some(resource.node.place),
                format!("{} has no Properties", resource.id),
            )]);
        };
        match evaluator.node(properties) {
            Ok(Some(node)) => Self::from_node(&template.file, &node),
            Ok(None) => Err(fault(
                format!("{} is AWS::NoValue", resource.id),
                String::new(),
            )),
            Err(finding) => Err(vec![finding]),
        }
    }

    /// The pipeline of `aws codepipeline get-pipeline`'s JSON, with or without its outer
    /// `pipeline` key.
    ///
    /// # Errors
    /// Not JSON or YAML, or a definition with faults: all of these at once.
    pub fn parse_definition(file: &str, bytes: &[u8]) -> Result<Self, Vec<Finding>> {
        let root = crate::yaml::parse_bytes(file, bytes).map_err(|finding| vec![finding])?;
        Self::from_node(file, root.get("pipeline").unwrap_or(&root))
    }

    /// Reads evaluated properties or a `pipeline` object.
    ///
    /// # Errors
    /// Everything that is missing or of the wrong kind, at once.
    pub fn from_node(file: &str, node: &Node) -> Result<Self, Vec<Finding>> {
        let mut reader = Reader {
            file,
            faults: Vec::new(),
            open: false,
        };
        let mut pipeline = reader.pipeline(node);
        pipeline.open = reader.open;
        if reader.faults.is_empty() {
            Ok(pipeline)
        } else {
            Err(reader.faults)
        }
    }
}

struct Reader<'a> {
    file: &'a str,
    faults: Vec<Finding>,
    /// Whether something was left out because it is not known.
    open: bool,
}

/// Whether a node stands for something that is not known here, such as a choice by an unknown condition.
fn is_open(node: &Node) -> bool {
    node.as_str().is_some_and(is_unknown)
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
        for stage in self.list(node, "Stages", "the pipeline") {
            let name = self.required(stage, "Name", "a stage");
            let what = format!("stage {name}");
            let mut actions = Vec::new();
            for action in self.list(stage, "Actions", &what) {
                // What an action is set to do is part of it: without that it is not known either.
                if field(action, "Configuration").is_some_and(is_open) {
                    self.open = true;
                } else {
                    actions.push(self.action(action, &name));
                }
            }
            if actions.is_empty() && !self.open {
                self.fault(stage, format!("{what} has no actions"));
            }
            stages.push(Stage {
                name,
                actions,
                place: stage.place,
            });
        }
        if stages.is_empty() && !self.open {
            self.fault(node, "the pipeline has no stages".to_owned());
        }
        let variables = self
            .list(node, "Variables", "the pipeline")
            .into_iter()
            .map(|one| {
                (
                    self.required(one, "Name", "a pipeline variable"),
                    self.text(one, "DefaultValue").map(|text| text.text),
                )
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
        Action {
            category: self.required(kind, "Category", &what),
            owner: self.required(kind, "Owner", &what),
            provider: self.required(kind, "Provider", &what),
            namespace: self.text(node, "Namespace"),
            run_order,
            inputs: self.artifacts(node, "InputArtifacts", &what),
            outputs: self.artifacts(node, "OutputArtifacts", &what),
            configuration: self.configuration(node, &what),
            variables: self
                .list(node, "OutputVariables", &what)
                .into_iter()
                .filter_map(|name| name.as_str().map(str::to_owned))
                .collect(),
            region: self.text(node, "Region").map(|text| text.text),
            role: self.text(node, "RoleArn").map(|text| text.text),
            place: node.place,
            name,
        }
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
                String::new()
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
            &rule::PIPELINE_SHAPE,
            self.file,
            Some(node.place),
            message,
        ));
        &mut self.faults[at]
    }
}

#[cfg(test)]
pub(crate) mod tests;
