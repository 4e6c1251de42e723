//! The rules that a pipeline definition must keep by itself: names, order, references.
//!
//! Source: CodePipeline user guide, "Pipeline structure", "Variables" and "Quotas".

use std::collections::{BTreeMap, BTreeSet};

use crate::evaluate::is_unknown;
use crate::finding::{Finding, did_you_mean, only_near};
use crate::pipeline::{Action, Moment, Pipeline, StageRule, Text};
use crate::repair::Repair;
use crate::rule::{self, Rule};
use crate::rules;
use crate::variables::{self, Reference};

/// The namespace of the pipeline execution itself; its only key is `PipelineExecutionId`.
pub const EXECUTION_NAMESPACE: &str = "codepipeline";
/// The only key of [`EXECUTION_NAMESPACE`].
pub const EXECUTION_KEY: &str = "PipelineExecutionId";
/// The namespace of pipeline-level variables.
pub const PIPELINE_NAMESPACE: &str = "variables";

/// Where an action runs: its stage's position and its run order.
type Position = (usize, u32);

/// An action with its stage.
struct Placed<'a> {
    stage: &'a str,
    position: Position,
    action: &'a Action,
}

impl Placed<'_> {
    fn name(&self) -> String {
        format!("{}/{}", self.stage, self.action.name)
    }
}

/// Who uses a variable, and when that runs.
struct Consumer {
    name: String,
    position: Position,
}

/// Every fault of a pipeline that shows without running it.
///
/// `keys` names the variables that the action behind a namespace makes, where that is
/// known (the exported variables of a buildspec, the outputs of a template); a namespace
/// that is not in the map is not looked into.
#[must_use]
pub fn check(pipeline: &Pipeline, keys: &BTreeMap<String, Vec<String>>) -> Vec<Finding> {
    check_with(pipeline, keys, &|_, _| None)
}

/// The same where `setter` names the buildspec behind a namespace, when it sets that variable.
pub(crate) fn check_with(
    pipeline: &Pipeline,
    keys: &BTreeMap<String, Vec<String>>,
    setter: &Setter<'_>,
) -> Vec<Finding> {
    let mut checker = Checker {
        pipeline,
        setter,
        placed: placed(pipeline),
        findings: Vec::new(),
    };
    checker.stages();
    checker.namespaces();
    checker.artifacts();
    checker.references(keys);
    checker.findings.extend(pipeline.warnings.iter().cloned());
    checker.findings.extend(rules::of_pipeline(pipeline));
    checker.findings
}

fn placed(pipeline: &Pipeline) -> Vec<Placed<'_>> {
    let mut all = Vec::new();
    for (index, stage) in pipeline.stages.iter().enumerate() {
        for action in &stage.actions {
            all.push(Placed {
                stage: &stage.name,
                position: (index, action.run_order),
                action,
            });
        }
    }
    all
}

/// The buildspec that sets a variable, by namespace and name.
pub(crate) type Setter<'a> = dyn Fn(&str, &str) -> Option<String> + 'a;

/// What is wrong with a reference.
struct Wrong {
    rule: &'static Rule,
    message: String,
    hint: Option<String>,
    repair: Option<Repair>,
}

impl Wrong {
    fn new(rule: &'static Rule, message: String, hint: Option<String>) -> Self {
        Self {
            rule,
            message,
            hint,
            repair: None,
        }
    }
}

struct Checker<'a> {
    pipeline: &'a Pipeline,
    setter: &'a Setter<'a>,
    placed: Vec<Placed<'a>>,
    findings: Vec<Finding>,
}

impl Checker<'_> {
    fn error(&self, rule: &'static Rule, text: &Text, message: String) -> Finding {
        Finding::new(rule, &self.pipeline.file, Some(text.place), message)
    }

    fn stages(&mut self) {
        let mut findings = Vec::new();
        let file = &self.pipeline.file;
        let count = self.pipeline.stages.len();
        if !self.pipeline.open && !(2..=50).contains(&count) {
            findings.push(Finding::new(
                &rule::STAGE_COUNT,
                file,
                self.pipeline.stages.first().map(|one| one.place),
                format!("{count} stages; CodePipeline takes 2 to 50"),
            ));
        }
        let mut stage_names = BTreeSet::new();
        for (index, stage) in self.pipeline.stages.iter().enumerate() {
            if !stage_names.insert(&stage.name) && !is_unknown(&stage.name) {
                let message = format!("stage name {} stands twice", stage.name);
                findings.push(Finding::new(
                    &rule::NAME_TWICE,
                    file,
                    Some(stage.place),
                    message,
                ));
            }
            let mut action_names = BTreeSet::new();
            for action in &stage.actions {
                if !action_names.insert(&action.name) && !is_unknown(&action.name) {
                    let message =
                        format!("action name {}/{} stands twice", stage.name, action.name);
                    findings.push(Finding::new(
                        &rule::NAME_TWICE,
                        file,
                        Some(action.place),
                        message,
                    ));
                }
                let source = action.category == "Source";
                // A stage of which it is not known whether it is there may be the first one.
                let unsure = index == 0 && stage.after_unknown;
                if source != (index == 0) && !unsure && !is_unknown(&action.category) {
                    let message = if source {
                        format!(
                            "{}/{}: a source action stands only in the first stage",
                            stage.name, action.name
                        )
                    } else {
                        format!(
                            "{}/{}: the first stage holds only source actions",
                            stage.name, action.name
                        )
                    };
                    findings.push(Finding::new(
                        &rule::SOURCE_STAGE,
                        file,
                        Some(action.place),
                        message,
                    ));
                }
            }
        }
        self.findings.extend(findings);
    }

    fn namespaces(&mut self) {
        let mut findings = Vec::new();
        let artifacts: BTreeMap<&str, &Text> = self
            .placed
            .iter()
            .flat_map(|one| one.action.inputs.iter().chain(&one.action.outputs))
            .map(|text| (text.text.as_str(), text))
            .collect();
        let mut first: BTreeMap<&str, &Placed<'_>> = BTreeMap::new();
        for one in &self.placed {
            let Some(namespace) = &one.action.namespace else {
                continue;
            };
            let name = namespace.text.as_str();
            if is_unknown(name) {
                continue;
            }
            if !variables::is_name(name) || name.len() > 100 {
                findings.push(self.error(
                    &rule::NAMESPACE_NAME,
                    namespace,
                    format!(
                        "{}: namespace {name:?} is not 1 to 100 letters, digits and @ - _",
                        one.name()
                    ),
                ));
            }
            if name == EXECUTION_NAMESPACE || name == PIPELINE_NAMESPACE {
                findings.push(self.error(
                    &rule::NAMESPACE_RESERVED,
                    namespace,
                    format!(
                        "{}: namespace {name} is reserved by CodePipeline",
                        one.name()
                    ),
                ));
            }
            if let Some(artifact) = artifacts.get(name) {
                findings.push(self.error(&rule::NAMESPACE_ARTIFACT,
                    namespace,
                    format!(
                        "{}: namespace {name} is also the artifact name on line {}; they must differ",
                        one.name(),
                        artifact.place.line
                    ),
                ));
            }
            if let Some(other) = first.get(name) {
                let line = other
                    .action
                    .namespace
                    .as_ref()
                    .map_or(0, |text| text.place.line);
                findings.push(self.error(&rule::NAMESPACE_TWICE,
                    namespace,
                    format!(
                        "{}: namespace {name} is already the namespace of {} on line {line}; namespaces must be unique across the pipeline definition",
                        one.name(),
                        other.name()
                    ),
                ));
            } else {
                first.insert(name, one);
            }
        }
        self.findings.extend(findings);
    }

    fn artifacts(&mut self) {
        let mut findings = Vec::new();
        let mut made: BTreeMap<&str, &Placed<'_>> = BTreeMap::new();
        for one in &self.placed {
            for output in &one.action.outputs {
                let name = output.text.as_str();
                if is_unknown(name) {
                    continue;
                }
                if let Some(other) = made.insert(name, one) {
                    findings.push(self.error(
                        &rule::ARTIFACT_TWICE,
                        output,
                        format!(
                            "{}: artifact {name} is already made by {}",
                            one.name(),
                            other.name()
                        ),
                    ));
                }
            }
        }
        let mut outputs = self.placed.iter().flat_map(|one| &one.action.outputs);
        let unknown_output = self.pipeline.open || outputs.any(|text| is_unknown(&text.text));
        for one in &self.placed {
            for text in one.action.inputs.iter().chain(&one.action.outputs) {
                let name = text.text.as_str();
                if is_unknown(name) {
                    continue;
                }
                let fine = name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
                if name.is_empty() || name.len() > 100 || !fine {
                    findings.push(self.error(
                        &rule::ARTIFACT_NAME,
                        text,
                        format!(
                            "{}: artifact name {name:?} is not 1 to 100 letters, digits, _ and -",
                            one.name()
                        ),
                    ));
                }
            }
        }
        let actions = self.placed.iter().map(|one| {
            let consumer = Consumer {
                name: one.name(),
                position: one.position,
            };
            (consumer, &one.action.inputs)
        });
        let rules = self
            .rules()
            .map(|(consumer, rule)| (consumer, &rule.inputs));
        for (consumer, inputs) in actions.chain(rules) {
            for input in inputs {
                let name = input.text.as_str();
                match made.get(name) {
                    None if is_unknown(name) || unknown_output => {}
                    None => findings.push(
                        self.error(
                            &rule::ARTIFACT_NOT_MADE,
                            input,
                            format!("{}: no action makes the artifact {name}", consumer.name),
                        )
                        .maybe_hint(did_you_mean(name, made.keys().copied())),
                    ),
                    Some(maker) if self.is_not_earlier(maker, consumer.position) => {
                        findings.push(self.error(
                            &rule::ARTIFACT_LATER,
                            input,
                            format!(
                                "{}: artifact {name} is made by {}, which does not run earlier",
                                consumer.name,
                                maker.name()
                            ),
                        ));
                    }
                    Some(_) => {}
                }
            }
        }
        self.findings.extend(findings);
    }

    fn references(&mut self, keys: &BTreeMap<String, Vec<String>>) {
        let mut findings = Vec::new();
        for one in &self.placed {
            let consumer = Consumer {
                name: one.name(),
                position: one.position,
            };
            for (field, value) in &one.action.configuration {
                if let Err(error) = variables::check_length(field, &value.text, "") {
                    // The message begins with the field.
                    let message = format!("{}: {error}", consumer.name);
                    findings.push(self.error(&rule::SETTING_TOO_LONG, value, message));
                }
                // The shell's own `#{` may stand in commands.
                if field != "Commands" {
                    findings.extend(self.uses(&consumer, field, value, keys));
                }
            }
            for (variable, value) in &one.action.environment {
                findings.extend(self.uses(&consumer, variable, value, keys));
            }
        }
        for (consumer, rule) in self.rules() {
            for (field, value) in &rule.configuration {
                findings.extend(self.uses(&consumer, field, value, keys));
            }
        }
        self.findings.extend(findings);
    }

    /// The rules of the stages' conditions, and when each is asked.
    fn rules(&self) -> impl Iterator<Item = (Consumer, &StageRule)> {
        let stages = self.pipeline.stages.iter().enumerate();
        stages.flat_map(|(index, stage)| {
            stage.rules.iter().map(move |rule| {
                let consumer = Consumer {
                    name: format!("{}/{} ({})", stage.name, rule.name, rule.moment.field()),
                    // Before the stage's own actions, or after all of them.
                    position: match rule.moment {
                        Moment::BeforeEntry => (index, 0),
                        Moment::OnSuccess | Moment::OnFailure => (index, u32::MAX),
                    },
                };
                (consumer, rule)
            })
        })
    }

    /// What is wrong with the references of one value.
    fn uses(
        &self,
        consumer: &Consumer,
        field: &str,
        value: &Text,
        keys: &BTreeMap<String, Vec<String>>,
    ) -> Vec<Finding> {
        let found = match variables::references(&value.text) {
            // A value may stand in there.
            Err(_) if is_unknown(&value.text) => return Vec::new(),
            Err(error) => {
                let message = format!("{}: {field}: {error}", consumer.name);
                return vec![self.error(&rule::MALFORMED_REFERENCE, value, message)];
            }
            Ok(found) => found,
        };
        let wrong = found
            .iter()
            .filter_map(|reference| self.reference(consumer, value, reference, keys).err());
        wrong
            .map(|wrong| {
                let message = format!("{}: {}", consumer.name, wrong.message);
                self.error(wrong.rule, value, message)
                    .maybe_hint(wrong.hint)
                    .repair(wrong.repair)
            })
            .collect()
    }

    /// Whether an action does not run before another; unknown orders inside a stage are no fault.
    fn is_not_earlier(&self, maker: &Placed<'_>, consumer: Position) -> bool {
        let unknown = self.pipeline.open && maker.position.0 == consumer.0;
        maker.position >= consumer && !unknown
    }

    /// The change that names the one namespace that can have been meant.
    fn renamed(
        &self,
        consumer: &Consumer,
        value: &Text,
        Reference { namespace, key, .. }: &Reference,
        keys: &BTreeMap<String, Vec<String>>,
    ) -> Option<Repair> {
        let named = |one: &&Placed<'_>| one.action.namespace.is_some();
        let makers: Vec<&Placed<'_>> = self.placed.iter().filter(named).collect();
        let names = makers
            .iter()
            .filter_map(|one| one.action.namespace.as_ref());
        let names = names.map(|text| text.text.as_str());
        let reserved = [EXECUTION_NAMESPACE, PIPELINE_NAMESPACE];
        let meant = only_near(namespace, names.chain(reserved))?;
        let is = |one: &&&Placed<'_>| {
            one.action
                .namespace
                .as_ref()
                .is_some_and(|text| text.text == meant)
        };
        let maker = makers.iter().find(is)?;
        let makes = keys.get(meant).is_none_or(|known| known.contains(key));
        let fits = makes && !self.is_not_earlier(maker, consumer.position);
        fits.then(|| Repair::Replace {
            place: value.place,
            from: format!("#{{{namespace}."),
            to: format!("#{{{meant}."),
        })
    }

    /// Whether a reference can be resolved when its consumer runs.
    fn reference(
        &self,
        consumer: &Consumer,
        value: &Text,
        reference: &Reference,
        keys: &BTreeMap<String, Vec<String>>,
    ) -> Result<(), Wrong> {
        let Reference { namespace, key, .. } = reference;
        let shown = format!("#{{{namespace}.{key}}}");
        if namespace == EXECUTION_NAMESPACE {
            return if key == EXECUTION_KEY {
                Ok(())
            } else {
                let message = format!("{shown}: the only variable is {EXECUTION_KEY}");
                let hint = format!("write #{{{EXECUTION_NAMESPACE}.{EXECUTION_KEY}}}");
                Err(Wrong::new(&rule::UNKNOWN_KEY, message, Some(hint)))
            };
        }
        if namespace == PIPELINE_NAMESPACE {
            let names: Vec<&str> = self
                .pipeline
                .variables
                .iter()
                .map(|(name, _)| name.as_str())
                .collect();
            return if names.contains(&key.as_str()) || self.pipeline.open {
                Ok(())
            } else {
                let message = format!("{shown}: the pipeline declares no variable {key}");
                let hint = did_you_mean(key, names)
                    .unwrap_or_else(|| "declare it under Variables of the pipeline".to_owned());
                Err(Wrong::new(&rule::UNKNOWN_KEY, message, Some(hint)))
            };
        }
        let maker = self.placed.iter().find(|one| {
            one.action
                .namespace
                .as_ref()
                .is_some_and(|text| &text.text == namespace)
        });
        let Some(maker) = maker else {
            let unknown = |one: &Placed<'_>| {
                let namespace = one.action.namespace.as_ref();
                namespace.is_some_and(|text| is_unknown(&text.text))
            };
            if self.pipeline.open || is_unknown(namespace) || self.placed.iter().any(unknown) {
                return Ok(());
            }
            let known = self
                .placed
                .iter()
                .filter_map(|one| one.action.namespace.as_ref());
            let hint = did_you_mean(namespace, known.map(|text| text.text.as_str()));
            let message = format!("{shown}: no such namespace");
            return Err(Wrong {
                repair: self.renamed(consumer, value, reference, keys),
                ..Wrong::new(&rule::UNKNOWN_NAMESPACE, message, hint)
            });
        };
        if self.is_not_earlier(maker, consumer.position) {
            let message = format!(
                "{shown}: {} makes it and does not run earlier",
                maker.name()
            );
            let hint = Some(rule::NOT_EARLIER.fix.to_owned());
            return Err(Wrong::new(&rule::NOT_EARLIER, message, hint));
        }
        match keys.get(namespace) {
            Some(known) if !known.contains(key) && !is_unknown(key) => {
                let message = format!("{shown}: {} makes no variable {key}", maker.name());
                let listed = if known.is_empty() {
                    "none".to_owned()
                } else {
                    known.join(", ")
                };
                let hint = did_you_mean(key, known.iter().map(String::as_str))
                    .unwrap_or_else(|| format!("it makes {listed}"));
                let exported = (self.setter)(namespace, key).map(|file| Repair::Export {
                    file,
                    name: key.clone(),
                });
                Err(Wrong {
                    repair: exported,
                    ..Wrong::new(&rule::UNKNOWN_KEY, message, Some(hint))
                })
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
