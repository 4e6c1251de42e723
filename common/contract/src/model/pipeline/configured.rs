//! What actions and the rules of stage conditions have in common: a kind, and settings for it.

use std::collections::BTreeMap;

use super::order;
use super::{Action, Pipeline, StageRule, Text};
use crate::finding::Place;
use crate::model::actions::{self, Provider};

/// An action or a rule of a condition, by its settings.
pub(crate) struct Configured<'a> {
    /// An action's own name; of a rule with its stage and when it is asked.
    pub(crate) name: String,
    pub(crate) category: &'a str,
    pub(crate) owner: &'a str,
    pub(crate) provider: &'a str,
    pub(crate) version: Option<&'a str>,
    pub(crate) kind_place: Place,
    pub(crate) inputs: &'a [Text],
    settings: &'a [(String, Text)],
    key_places: &'a BTreeMap<String, Place>,
    /// Where the configuration stands, else where the whole stands.
    pub(crate) place: Place,
    pub(crate) is_rule: bool,
}

/// Every action, and every rule whose kind is given.
pub(crate) fn all(pipeline: &Pipeline) -> impl Iterator<Item = Configured<'_>> {
    let rules = order::rules(pipeline);
    let rules = rules.filter_map(|(consumer, rule)| Configured::of_rule(consumer.name, rule));
    pipeline.actions().map(Configured::of_action).chain(rules)
}

impl<'a> Configured<'a> {
    fn of_action(action: &'a Action) -> Self {
        Self {
            name: action.name.clone(),
            category: &action.category,
            owner: &action.owner,
            provider: &action.provider,
            version: action.version.as_deref(),
            kind_place: action.kind_place,
            inputs: &action.inputs,
            settings: &action.configuration,
            key_places: &action.key_places,
            place: action.configuration_place.unwrap_or(action.place),
            is_rule: false,
        }
    }

    fn of_rule(name: String, rule: &'a StageRule) -> Option<Self> {
        let kind = rule.kind.as_ref()?;
        Some(Self {
            name,
            category: &kind.category,
            owner: &kind.owner,
            provider: &kind.provider,
            version: kind.version.as_deref(),
            kind_place: kind.place,
            inputs: &rule.inputs,
            settings: &rule.configuration,
            key_places: &rule.key_places,
            place: rule.configuration_place.unwrap_or(rule.place),
            is_rule: true,
        })
    }

    /// What its provider takes; nothing for one that is not known.
    pub(crate) fn provider(&self) -> Option<&'static Provider> {
        actions::provider(self.category, self.owner, self.provider)
    }

    pub(crate) fn settings(&self) -> impl Iterator<Item = (&'a str, &'a Text)> {
        let settings = self.settings.iter();
        settings.map(|(key, value)| (key.as_str(), value))
    }

    /// A value, before resolution.
    pub(crate) fn setting(&self, key: &str) -> Option<&'a str> {
        let mut settings = self.settings();
        settings.find_map(|(name, value)| (name == key).then_some(value.text.as_str()))
    }

    /// Where a key stands.
    pub(crate) fn key_place(&self, key: &str) -> Place {
        self.key_places.get(key).copied().unwrap_or(self.place)
    }
}
