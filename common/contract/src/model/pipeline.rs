//! A CodePipeline definition: stages, actions, and what each takes and makes.
//!
//! It is read from an `AWS::CodePipeline::Pipeline` of an evaluated template or from the
//! JSON of `aws codepipeline get-pipeline`; the two differ in the case of the first letter.

use std::collections::BTreeMap;

use crate::finding::{Finding, Place};

pub(crate) mod configured;
pub(crate) mod order;
mod read;

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
    /// What is probably not meant.
    pub warnings: Vec<Finding>,
}

/// What could be read of a pipeline, and every fault on the way.
#[derive(Debug)]
pub struct Read {
    /// The pipeline, as far as it is one: a text that is missing is unknown.
    pub pipeline: Option<Pipeline>,
    /// Why it is not one, or not wholly.
    pub faults: Vec<Finding>,
}

impl Read {
    fn none(faults: Vec<Finding>) -> Self {
        Self {
            pipeline: None,
            faults,
        }
    }

    /// The pipeline, when nothing is wrong with it.
    ///
    /// # Errors
    /// Every fault.
    pub fn whole(self) -> Result<Pipeline, Vec<Finding>> {
        match self.pipeline {
            Some(pipeline) if self.faults.is_empty() => Ok(pipeline),
            _ => Err(self.faults),
        }
    }
}

/// A stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// Its name.
    pub name: String,
    /// Its actions, in the order of the file.
    pub actions: Vec<Action>,
    /// The rules of its conditions.
    pub rules: Vec<StageRule>,
    /// Where it stands.
    pub place: Place,
    /// Whether a stage may stand before it that depends on what is not known.
    pub after_unknown: bool,
}

/// A rule of a condition of a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageRule {
    /// Its name.
    pub name: String,
    /// When it is asked.
    pub moment: Moment,
    /// Its RuleTypeId; without one nothing is known of its kind.
    pub kind: Option<Kind>,
    /// Its configuration, in the order of the file.
    pub configuration: Vec<(String, Text)>,
    /// Where each key of the configuration stands.
    pub key_places: BTreeMap<String, Place>,
    /// Where the configuration stands, when there is one.
    pub configuration_place: Option<Place>,
    /// Names of the artifacts it reads.
    pub inputs: Vec<Text>,
    /// Where it stands.
    pub place: Place,
}

/// The kind of a rule of a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kind {
    /// `Rule`.
    pub category: String,
    /// `AWS`.
    pub owner: String,
    /// Such as `LambdaInvoke` or `VariableCheck`.
    pub provider: String,
    /// Its version.
    pub version: Option<String>,
    /// Where it stands.
    pub place: Place,
}

/// When a condition of a stage is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Before its actions run.
    BeforeEntry,
    /// When all of its actions succeeded.
    OnSuccess,
    /// When one of its actions failed.
    OnFailure,
}

impl Moment {
    /// The stage's field for it, in a template.
    #[must_use]
    pub fn field(self) -> &'static str {
        match self {
            Self::BeforeEntry => "BeforeEntry",
            Self::OnSuccess => "OnSuccess",
            Self::OnFailure => "OnFailure",
        }
    }
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
    /// Where each key of the configuration stands.
    pub key_places: BTreeMap<String, Place>,
    /// Where the configuration stands, when there is one.
    pub configuration_place: Option<Place>,
    /// The version of its kind.
    pub version: Option<String>,
    /// Where its ActionTypeId stands.
    pub kind_place: Place,
    /// The commands of a Commands action, and where their list stands.
    pub commands: Option<(Vec<Text>, Place)>,
    /// Names of the variables that a Commands action makes (`OutputVariables`).
    pub variables: Vec<String>,
    /// Where `OutputVariables` stands.
    pub variables_place: Option<Place>,
    /// `Files` of each output artifact that has some: how many, and where.
    pub files: Vec<(usize, Place)>,
    /// The action's own `EnvironmentVariables`, not those of its configuration.
    pub environment: Vec<(String, Text)>,
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
}

#[cfg(test)]
pub(crate) mod tests;
