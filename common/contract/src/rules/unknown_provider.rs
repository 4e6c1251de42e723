//! P408: an action of a kind that does not exist.

use crate::finding::{Finding, did_you_mean};
use crate::model::actions::{self, CATEGORIES, OWNERS, PROVIDERS};
use crate::model::evaluate::is_unknown;
use crate::model::pipeline::{Action, Pipeline};
use crate::rule::{Example, Rule, Severity, source};

/// An action of a kind that does not exist.
pub static RULE: Rule = Rule {
    code: "P408",
    name: "unknown-provider",
    severity: Severity::Error,
    summary: "An action's ActionTypeId names a category, an owner, a provider or a version that does not exist (a warning where it may be newer than this list).",
    fix: "correct the ActionTypeId",
    source: source::PROVIDERS,
    example: Example::Change {
        file: "pipeline.yml",
        at: "{Category: Build, Owner: AWS, Provider: CodeBuild, Version: '1'}",
        failing: "{Category: Build, Owner: AWS, Provider: CodeBuld, Version: '1'}",
        passing: "{Category: Test, Owner: AWS, Provider: CodeBuild, Version: '1'}",
    },
};

pub(super) fn check(pipeline: &Pipeline) -> Vec<Finding> {
    let all = pipeline.actions();
    all.filter_map(|action| look(&pipeline.file, action))
        .collect()
}

fn look(file: &str, action: &Action) -> Option<Finding> {
    let Action {
        category,
        owner,
        provider,
        ..
    } = action;
    if [category, owner, provider]
        .into_iter()
        .any(|one| is_unknown(one))
    {
        return None;
    }
    let find = |message: String, hint: Option<String>| {
        let message = format!("{}: {message}", action.name);
        Finding::new(&RULE, file, Some(action.kind_place), message).maybe_hint(hint)
    };
    if !CATEGORIES.contains(&category.as_str()) {
        let hint = did_you_mean(category, CATEGORIES);
        let hint = hint.or_else(|| Some(format!("the categories are {}", CATEGORIES.join(", "))));
        return Some(find(
            format!("{category} is not a category of actions"),
            hint,
        ));
    }
    if !OWNERS.contains(&owner.as_str()) {
        let hint = Some(format!("the owners are {}", OWNERS.join(", ")));
        return Some(find(format!("{owner} is not an owner of actions"), hint));
    }
    // Whoever makes an action of his own gives it any name.
    if owner == "Custom" {
        return None;
    }
    if actions::provider(category, owner, provider).is_some() {
        let version = action.version.as_deref().unwrap_or("1");
        return (version != "1" && !is_unknown(version)).then(|| {
            let hint = "write `Version: '1'`".to_owned();
            find(format!("{provider} has no version {version}"), Some(hint))
        });
    }
    let elsewhere = PROVIDERS.iter().find(|one| one.name == provider);
    if let Some(one) = elsewhere {
        let categories = one.categories.join(" or ");
        let message = format!("{provider} of {owner} is not in the category {category}");
        let hint = format!("write `Category: {categories}` and `Owner: {}`", one.owner);
        return Some(find(message, Some(hint)));
    }
    let message = format!("there is no provider {provider}");
    match did_you_mean(provider, PROVIDERS.iter().map(|one| one.name)) {
        Some(hint) => Some(find(message, Some(hint))),
        None => {
            let fitting = PROVIDERS
                .iter()
                .filter(|one| one.owner == owner && one.categories.contains(&category.as_str()));
            let names: Vec<&str> = fitting.map(|one| one.name).collect();
            let hint = format!("known for {category} are {}", names.join(", "));
            // What is far from every name may be newer than this list.
            let message = format!("{provider} is not a provider that is known here");
            Some(find(message, Some(hint)).lowered(Severity::Warning))
        }
    }
}
