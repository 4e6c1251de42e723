//! The pipeline's sources: which artifact is the archive, what starts the pipeline.

use std::collections::BTreeMap;

use crate::evaluate::is_unknown;
use crate::finding::{Finding, did_you_mean};
use crate::pipeline::{Action, PIPELINE_TYPE};
use crate::rule;
use crate::template::Resource;
use crate::yaml::{Content, Node};

use super::{Around, Run};

/// The variables of every S3 source (CodePipeline user guide, "Amazon S3 source action").
const S3_KEYS: [&str; 2] = ["VersionId", "ETag"];

impl Run<'_> {
    /// The variables of sources that are always the same.
    pub(super) fn source_keys(&self, around: &Around) -> BTreeMap<String, Vec<String>> {
        s3_sources(around)
            .filter_map(|action| action.namespace.as_ref())
            .map(|namespace| (namespace.text.clone(), S3_KEYS.map(str::to_owned).to_vec()))
            .collect()
    }

    /// The artifact that holds the archive, after a look at every S3 source.
    pub(super) fn source_artifact(&mut self, around: &Around) -> Option<String> {
        let file = &around.pipeline.file;
        let sources: Vec<&Action> = s3_sources(around).collect();
        for action in &sources {
            self.source(around, action);
        }
        let output = |action: &Action| action.outputs.first().map(|text| text.text.clone());
        let only = || match sources.as_slice() {
            [one] => output(one),
            _ => None,
        };
        let Some(written) = &self.subject.written else {
            // Without an S3 source the only source of any kind is what the folder stands for.
            let all: Vec<&Action> = around
                .pipeline
                .actions()
                .filter(|action| action.category == "Source")
                .collect();
            return match all.as_slice() {
                [one] => output(one),
                _ => only(),
            };
        };
        let fits = |action: &&Action| {
            let is = |field, wanted: &str| {
                action
                    .setting(field)
                    .is_some_and(|text| text == wanted || is_open(around, text))
            };
            is("S3ObjectKey", &written.key)
                && written
                    .bucket
                    .as_ref()
                    .is_none_or(|bucket| is("S3Bucket", bucket))
        };
        if let Some(action) = sources.iter().copied().find(|action| fits(action)) {
            return output(action);
        }
        let object = match &written.bucket {
            Some(bucket) => format!("s3://{bucket}/{}", written.key),
            None => written.key.clone(),
        };
        if sources.is_empty() {
            let place = around.pipeline.stages.first().map(|stage| stage.place);
            let message = format!("no S3 source reads {object}: the pipeline has none");
            self.find(
                Finding::new(&rule::WRONG_KEY, file, place, message)
                    .hint("add a source action of provider S3 with this S3Bucket and S3ObjectKey"),
            );
        }
        for action in &sources {
            let reads = format!(
                "s3://{}/{}",
                action.setting("S3Bucket").unwrap_or_default(),
                action.setting("S3ObjectKey").unwrap_or_default()
            );
            let field = if action.setting("S3ObjectKey") == Some(&written.key) {
                "S3Bucket"
            } else {
                "S3ObjectKey"
            };
            let place = action.place_of(field);
            let message = format!("{} reads {reads}, and {object} is written", action.name);
            self.find(
                Finding::new(&rule::WRONG_KEY, file, Some(place), message).hint(
                    if field == "S3Bucket" {
                        "write to the bucket that S3Bucket names".to_owned()
                    } else {
                        format!(
                            "write `S3ObjectKey: {}`, or run with --key {}",
                            written.key,
                            action.setting(field).unwrap_or_default()
                        )
                    },
                ),
            );
        }
        only()
    }

    fn source(&mut self, around: &Around, action: &Action) {
        let file = &around.pipeline.file;
        let key = action.setting("S3ObjectKey").unwrap_or_default();
        let bare = [".yml", ".yaml", ".json", ".template"];
        if bare
            .iter()
            .any(|end| key.to_ascii_lowercase().ends_with(end))
        {
            let place = action.place_of("S3ObjectKey");
            let message = format!("{} reads {key}, which is no zip by its name", action.name);
            self.find(Finding::new(&rule::NOT_ZIPPED, file, Some(place), message));
        }
        let rules = event_rules(around);
        let polls = action
            .setting("PollForSourceChanges")
            .is_none_or(|text| !text.eq_ignore_ascii_case("false") && !is_unknown(text));
        if let Some(rule) = rules.first().filter(|_| polls) {
            let place = action.place_of("PollForSourceChanges");
            let message = format!(
                "{} polls, and the event rule {} starts the pipeline as well",
                action.name, rule.id
            );
            self.find(Finding::new(
                &rule::POLLING_AND_RULE,
                file,
                Some(place),
                message,
            ));
        }
        for rule in rules {
            self.rule_key(around, action, rule);
        }
    }

    /// An event rule must watch the object that the source reads.
    fn rule_key(&mut self, around: &Around, action: &Action, rule: &Resource) {
        let Some(pattern) = rule
            .properties
            .as_ref()
            .and_then(|node| node.get("EventPattern"))
        else {
            return;
        };
        let keys = pattern
            .get("detail")
            .and_then(|node| node.get("object"))
            .and_then(|node| node.get("key"))
            .and_then(Node::as_sequence);
        let wanted = action.setting("S3ObjectKey").unwrap_or_default();
        let Some(keys) = keys.filter(|_| !is_unknown(wanted)) else {
            return;
        };
        // A prefix, a wildcard or a function may match it; only plain texts are compared.
        let plain: Vec<&str> = keys
            .iter()
            .filter(|node| node.tag.is_none())
            .filter_map(Node::as_str)
            .collect();
        if plain.len() == keys.len() && !plain.contains(&wanted) {
            let place = keys.first().map_or(rule.node.place, |node| node.place);
            let message = format!(
                "{} watches {}, and {} reads {wanted}",
                rule.id,
                plain.join(", "),
                action.name
            );
            self.find(
                Finding::new(&rule::RULE_KEY, &around.pipeline.file, Some(place), message)
                    .maybe_hint(did_you_mean(wanted, plain)),
            );
        }
    }
}

/// Whether a text is known only once a stack is deployed: a parameter has no value here, and a resource has
/// its logical id for a name.
fn is_open(around: &Around, text: &str) -> bool {
    let template = around.template.iter();
    let mut ids = template.flat_map(|template| &template.resources);
    is_unknown(text) || ids.any(|resource| text.contains(&resource.id))
}

fn s3_sources(around: &Around) -> impl Iterator<Item = &Action> {
    around
        .pipeline
        .actions()
        .filter(|action| action.category == "Source" && action.provider == "S3")
}

/// The event rules of the template that have the pipeline as a target.
fn event_rules(around: &Around) -> Vec<&Resource> {
    let Some(template) = &around.template else {
        return Vec::new();
    };
    let pipelines: Vec<&str> = template
        .resources_of(PIPELINE_TYPE)
        .map(|one| one.id.as_str())
        .collect();
    template
        .resources_of("AWS::Events::Rule")
        .filter(|rule| {
            let targets = rule
                .properties
                .as_ref()
                .and_then(|node| node.get("Targets"));
            targets.is_some_and(|targets| {
                pipelines.iter().any(|id| names(targets, id))
                    || !around.pipeline.name.is_empty() && names(targets, &around.pipeline.name)
            })
        })
        .collect()
}

/// Whether any text below a node holds a word.
fn names(node: &Node, word: &str) -> bool {
    match &node.content {
        Content::Scalar(text, _) => text.contains(word),
        Content::Sequence(items) => items.iter().any(|item| names(item, word)),
        Content::Mapping(entries) => entries.iter().any(|(_, value)| names(value, word)),
    }
}
