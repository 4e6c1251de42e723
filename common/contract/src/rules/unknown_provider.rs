//! P408: an action of a kind that does not exist.

use crate::finding::{Finding, did_you_mean};
use crate::model::actions::{self, CATEGORIES, OWNERS, Provider, RULE as RULE_CATEGORY};
use crate::model::evaluate::is_unknown;
use crate::model::pipeline::Pipeline;
use crate::model::pipeline::configured::{self, Configured};
use crate::rule::{Example, Rule, Severity, source};

/// An action of a kind that does not exist.
pub static RULE: Rule = Rule {
    code: "P408",
    name: "unknown-provider",
    severity: Severity::Error,
    summary: "The ActionTypeId of an action, or the RuleTypeId of a rule of a stage condition, names a category, an owner, a provider or a version that does not exist (a warning where it may be newer than this list).",
    fix: "correct it",
    source: source::PROVIDERS,
    example: Example::Change {
        file: "pipeline.yml",
        at: "{Category: Build, Owner: AWS, Provider: CodeBuild, Version: '1'}",
        failing: "{Category: Build, Owner: AWS, Provider: CodeBuld, Version: '1'}",
        passing: "{Category: Test, Owner: AWS, Provider: CodeBuild, Version: '1'}",
    },
};

pub(super) fn check(pipeline: &Pipeline) -> Vec<Finding> {
    let all = configured::all(pipeline);
    all.filter_map(|one| look(&pipeline.file, &one)).collect()
}

fn look(file: &str, one: &Configured<'_>) -> Option<Finding> {
    let Configured {
        category,
        owner,
        provider,
        ..
    } = *one;
    if [category, owner, provider].into_iter().any(is_unknown) {
        return None;
    }
    let what = if one.is_rule { "rules" } else { "actions" };
    let categories = if one.is_rule {
        &[RULE_CATEGORY][..]
    } else {
        &CATEGORIES[..]
    };
    let find = |message: String, hint: Option<String>| {
        let message = format!("{}: {message}", one.name);
        Finding::new(&RULE, file, Some(one.kind_place), message).maybe_hint(hint)
    };
    if !categories.contains(&category) {
        let hint = did_you_mean(category, categories.iter().copied());
        let hint = hint.or_else(|| Some(format!("write one of {}", categories.join(", "))));
        let message = format!("{category} is not a category of {what}");
        return Some(find(message, hint));
    }
    if !OWNERS.contains(&owner) {
        let hint = Some(format!("the owners are {}", OWNERS.join(", ")));
        return Some(find(format!("{owner} is not an owner of {what}"), hint));
    }
    // Whoever makes an action of his own gives it any name.
    if owner == "Custom" {
        return None;
    }
    if one.provider().is_some() {
        let version = one.version.unwrap_or("1");
        return (version != "1" && !is_unknown(version)).then(|| {
            let hint = "write `Version: '1'`".to_owned();
            find(format!("{provider} has no version {version}"), Some(hint))
        });
    }
    let is_kind = |known: &&Provider| known.is_in(RULE_CATEGORY) == one.is_rule;
    let known = || actions::providers().filter(is_kind);
    if let Some(elsewhere) = known().find(|one| one.name == provider) {
        let message = format!("{provider} of {owner} is not in the category {category}");
        let categories = elsewhere.categories.join(" or ");
        let hint = format!(
            "write `Category: {categories}` and `Owner: {}`",
            elsewhere.owner
        );
        return Some(find(message, Some(hint)));
    }
    let message = format!("there is no provider {provider}");
    match did_you_mean(provider, known().map(|one| one.name)) {
        Some(hint) => Some(find(message, Some(hint))),
        None => {
            let fitting = known().filter(|one| one.owner == owner && one.is_in(category));
            let names: Vec<&str> = fitting.map(|one| one.name).collect();
            let hint = format!("known for {category} are {}", names.join(", "));
            // What is far from every name may be newer than this list.
            let message = format!("{provider} is not a provider that is known here");
            Some(find(message, Some(hint)).lowered(Severity::Warning))
        }
    }
}
