//! The references of a pipeline, `#{namespace.KEY}`, and the rules that a pipeline definition must keep by itself.
//!
//! Source: CodePipeline user guide, "Pipeline structure", "Variables" and "Quotas".

use std::collections::BTreeMap;

use crate::finding::{Finding, Repair, did_you_mean, only_near};
use crate::model::evaluate::is_unknown;
use crate::model::pipeline::order::{self, Consumer, Placed};
use crate::model::pipeline::{Pipeline, Text};
use crate::model::variables::{
    self, EXECUTION_KEY, EXECUTION_NAMESPACE, PIPELINE_NAMESPACE, Reference,
};
use crate::rule::Rule;
use crate::rules::{self, malformed_reference, not_earlier, unknown_key, unknown_namespace};

/// Every fault of a pipeline that shows without running it.
///
/// `keys` names the variables that the action behind a namespace makes, where that is
/// known (the exported variables of a buildspec, the outputs of a template); a namespace
/// that is not in the map is not checked.
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
    let references = References {
        pipeline,
        keys,
        setter,
        placed: order::placed(pipeline).collect(),
    };
    let mut findings = references.check();
    findings.extend(pipeline.warnings.iter().cloned());
    findings.extend(rules::of_pipeline(pipeline));
    findings
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

/// The references of a pipeline (P201 to P204).
struct References<'a> {
    pipeline: &'a Pipeline,
    keys: &'a BTreeMap<String, Vec<String>>,
    setter: &'a Setter<'a>,
    placed: Vec<Placed<'a>>,
}

impl References<'_> {
    fn error(&self, rule: &'static Rule, text: &Text, message: String) -> Finding {
        Finding::new(rule, &self.pipeline.file, Some(text.place), message)
    }

    fn check(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for one in &self.placed {
            let consumer = one.consumer();
            for (field, value) in &one.action.configuration {
                // The shell's own `#{` may stand in commands.
                if field != "Commands" {
                    findings.extend(self.uses(&consumer, field, value));
                }
            }
            for (variable, value) in &one.action.environment {
                findings.extend(self.uses(&consumer, variable, value));
            }
        }
        for (consumer, rule) in order::rules(self.pipeline) {
            for (field, value) in &rule.configuration {
                findings.extend(self.uses(&consumer, field, value));
            }
        }
        findings
    }

    /// What is wrong with the references of one value.
    fn uses(&self, consumer: &Consumer, field: &str, value: &Text) -> Vec<Finding> {
        let found = match variables::references(&value.text) {
            // A value may stand in there.
            Err(_) if is_unknown(&value.text) => return Vec::new(),
            Err(error) => {
                let message = format!("{}: {field}: {error}", consumer.name);
                return vec![self.error(&malformed_reference::RULE, value, message)];
            }
            Ok(found) => found,
        };
        let wrong = found
            .iter()
            .filter_map(|reference| self.reference(consumer, value, reference).err());
        wrong
            .map(|wrong| {
                let message = format!("{}: {}", consumer.name, wrong.message);
                self.error(wrong.rule, value, message)
                    .maybe_hint(wrong.hint)
                    .repair(wrong.repair)
            })
            .collect()
    }

    /// The change that names the one namespace that can have been meant.
    fn renamed(
        &self,
        consumer: &Consumer,
        value: &Text,
        Reference { namespace, key, .. }: &Reference,
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
        let makes = self.keys.get(meant).is_none_or(|known| known.contains(key));
        let fits = makes && !maker.is_not_before(consumer.position, self.pipeline);
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
    ) -> Result<(), Wrong> {
        let Reference { namespace, key, .. } = reference;
        let shown = format!("#{{{namespace}.{key}}}");
        if namespace == EXECUTION_NAMESPACE {
            return if key == EXECUTION_KEY {
                Ok(())
            } else {
                let message = format!("{shown}: the only variable is {EXECUTION_KEY}");
                let hint = format!("write #{{{EXECUTION_NAMESPACE}.{EXECUTION_KEY}}}");
                Err(Wrong::new(&unknown_key::RULE, message, Some(hint)))
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
                Err(Wrong::new(&unknown_key::RULE, message, Some(hint)))
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
                repair: self.renamed(consumer, value, reference),
                ..Wrong::new(&unknown_namespace::RULE, message, hint)
            });
        };
        if maker.is_not_before(consumer.position, self.pipeline) {
            let message = format!(
                "{shown}: {} makes it and does not run earlier",
                maker.name()
            );
            let hint = Some(not_earlier::RULE.fix.to_owned());
            return Err(Wrong::new(&not_earlier::RULE, message, hint));
        }
        match self.keys.get(namespace) {
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
                    ..Wrong::new(&unknown_key::RULE, message, Some(hint))
                })
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
