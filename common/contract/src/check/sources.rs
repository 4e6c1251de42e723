//! The pipeline's sources: which artifact is the archive, what starts the pipeline.

use std::collections::BTreeMap;

use crate::finding::Repair;
use crate::finding::{Finding, did_you_mean};
use crate::model::evaluate::{function, is_unknown};
use crate::model::functions::refers_to;
use crate::model::pipeline::{Action, PIPELINE_TYPE};
use crate::model::template::Resource;
use crate::model::yaml::{Content, Node};
use crate::rules::{polling_and_rule, rule_key, wrong_key};

use super::around::Around;
use super::run::Run;

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
        // One that is not known may be the one.
        if around.pipeline.open {
            return only();
        }
        let object = match &written.bucket {
            Some(bucket) => format!("s3://{bucket}/{}", written.key),
            None => written.key.clone(),
        };
        if sources.is_empty() {
            let place = around.pipeline.stages.first().map(|stage| stage.place);
            let message = format!("no S3 source reads {object}: the pipeline has none");
            self.find(
                Finding::new(&wrong_key::RULE, file, place, message)
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
                Finding::new(&wrong_key::RULE, file, Some(place), message).hint(
                    if field == "S3Bucket" {
                        "let package-template write to the bucket that S3Bucket names (--bucket)"
                            .to_owned()
                    } else {
                        format!(
                            "write `S3ObjectKey: {}`, or run package-template with --key {}",
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
        let rules = event_rules(around, action);
        let polls = action
            .setting("PollForSourceChanges")
            .is_none_or(|text| !text.eq_ignore_ascii_case("false") && !is_unknown(text));
        if let Some(rule) = rules.first().filter(|_| polls) {
            let place = action.place_of("PollForSourceChanges");
            let message = format!(
                "{} polls, and the event rule {} starts the pipeline as well",
                action.name, rule.id
            );
            let beside = action.place_of("S3ObjectKey");
            self.find(
                Finding::new(&polling_and_rule::RULE, file, Some(place), message)
                    .repair(Some(Repair::StopPolling { beside })),
            );
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
        let wanted = action.setting("S3ObjectKey").unwrap_or_default();
        let Some(plain) = plain_keys(pattern).filter(|_| !is_unknown(wanted)) else {
            return;
        };
        if !plain.contains(&wanted) {
            let first = object_keys(pattern).and_then(<[Node]>::first);
            let place = first.map_or(rule.node.place, |node| node.place);
            let message = format!(
                "{} watches {}, and {} reads {wanted}",
                rule.id,
                plain.join(", "),
                action.name
            );
            self.find(
                Finding::new(&rule_key::RULE, &around.pipeline.file, Some(place), message)
                    .maybe_hint(did_you_mean(wanted, plain)),
            );
        }
    }
}

/// Whether a text is known only once a stack is deployed: a parameter has no value here, and a resource has
/// its logical id for a name where the values of all parameters are given.
fn is_open(around: &Around, text: &str) -> bool {
    let template = around.template.iter();
    let mut ids = template.flat_map(|template| &template.resources);
    let is = |id: &str| {
        text.strip_prefix(id)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    is_unknown(text) || ids.any(|resource| is(&resource.id))
}

fn s3_sources(around: &Around) -> impl Iterator<Item = &Action> {
    around
        .pipeline
        .actions()
        .filter(|action| action.category == "Source" && action.provider == "S3")
}

/// The event rules of the template that start the pipeline when the action's object changes: S3's events,
/// with the pipeline as a target. A rule that exists on a condition, or that is switched off, is none: whether
/// it is there is not known.
fn event_rules<'a>(around: &'a Around, action: &Action) -> Vec<&'a Resource> {
    let Some(template) = &around.template else {
        return Vec::new();
    };
    let pipelines: Vec<&str> = template
        .resources_of(PIPELINE_TYPE)
        .map(|one| one.id.as_str())
        .collect();
    let is_target = |node: &Node| {
        pipelines.iter().any(|id| refers_to(node, id)) || names(node, &around.pipeline.name)
    };
    let is_alone = s3_sources(around).count() == 1;
    let wanted = action.setting("S3ObjectKey").unwrap_or_default();
    template
        .resources_of("AWS::Events::Rule")
        .filter(|rule| rule.condition.is_none())
        .filter(|rule| {
            let get = |key| rule.properties.as_ref().and_then(|node| node.get(key));
            let (Some(pattern), Some(targets)) = (get("EventPattern"), get("Targets")) else {
                return false;
            };
            let off = get("State").is_some_and(|node| {
                // ENABLED_WITH_… are on as well.
                !node
                    .as_str()
                    .is_some_and(|state| state.starts_with("ENABLED"))
            });
            let targets = targets.as_sequence().unwrap_or_default();
            // With several sources a rule is that of the source whose key it watches.
            let is_ours = is_alone || plain_keys(pattern).is_none_or(|keys| keys.contains(&wanted));
            let mut arns = targets.iter().filter_map(|target| target.get("Arn"));
            !off && is_of_s3(pattern) && is_ours && arns.any(is_target)
        })
        .collect()
}

/// Whether a pattern is of S3's events, its own or those of CloudTrail.
fn is_of_s3(pattern: &Node) -> bool {
    let holds = |node: Option<&Node>, wanted: &str| {
        let items = node.and_then(Node::as_sequence).unwrap_or_default();
        items.iter().any(|item| item.as_str() == Some(wanted))
    };
    let of_trail = pattern
        .get("detail")
        .and_then(|node| node.get("eventSource"));
    holds(pattern.get("source"), "aws.s3") || holds(of_trail, "s3.amazonaws.com")
}

/// The keys of objects that a pattern watches.
fn object_keys(pattern: &Node) -> Option<&[Node]> {
    let detail = pattern.get("detail")?;
    detail.get("object")?.get("key")?.as_sequence()
}

/// The same where all of them are plain texts: a prefix, a wildcard or a function may match much.
fn plain_keys(pattern: &Node) -> Option<Vec<&str>> {
    let plain = |node: &Node| function(node).is_none() && node.as_str().is_some();
    let keys = object_keys(pattern).filter(|keys| keys.iter().all(plain))?;
    Some(keys.iter().filter_map(Node::as_str).collect())
}

/// Whether an ARN, as a text or as a function over texts, ends with a pipeline's name.
fn names(arn: &Node, name: &str) -> bool {
    if name.is_empty() {
        return false;
    }
    match &arn.content {
        Content::Scalar(text, _) => {
            let before = text.strip_suffix(name);
            before.is_some_and(|before| before.is_empty() || before.ends_with(':'))
        }
        Content::Sequence(items) => items.iter().any(|item| names(item, name)),
        Content::Mapping(entries) => entries.iter().any(|(_, value)| names(value, name)),
    }
}
