//! What would run, in words and as JSON: how each action runs, what its variables are and where each comes from.

use std::collections::BTreeMap;

use contract::pipeline::{Action, Pipeline};
use contract::variables::{self, EXECUTION_NAMESPACE, PIPELINE_NAMESPACE};
use serde_json::{Value as Json, json};

use crate::actions::{Runner, codebuild, local_source};
use crate::build::{Loaded, load};
use crate::build_env::{self, About, Layers, Origin, Value, Variable};
use crate::definition::Definition;
use crate::local_source::LocalSource;
use crate::projects;
use crate::run_plan::{PlannedAction, RunPlan};
use crate::settings::Checked;

/// The plan in both forms.
pub(crate) fn both(
    definition: &Definition,
    plan: &RunPlan<'_>,
    settings: &Checked,
) -> (String, Json) {
    let pipeline = &definition.pipeline;
    let options = &definition.options;
    let mode = options.execution_mode.as_deref().unwrap_or("SUPERSEDED");
    let mut text = format!("{} (execution mode {mode})\n", pipeline.name);
    for trigger in &options.triggers {
        text.push_str(&format!("  {trigger}\n"));
    }
    let mut actions = Vec::new();
    for (stage, planned) in plan.actions() {
        let PlannedAction { action, runner } = planned;
        let runs = runner.shown(&action.provider);
        text.push_str(&format!("{}/{}: {runs}\n", stage.name, action.name));
        for (key, value) in &action.configuration {
            text.push_str(&format!("  {key}: {}\n", value.text));
        }
        let mut references = Vec::new();
        for (name, origin) in referenced(pipeline, plan, settings, action) {
            text.push_str(&format!("  #{{{name}}} from {origin}\n"));
            references.push(json!({"variable": name, "from": origin}));
        }
        let mut build = Vec::new();
        let loaded = loaded(definition, plan, planned);
        for (name, variable) in build_variables(definition, loaded.as_ref(), settings, planned) {
            let (shown, origin) = (shown(&variable.value), variable.origin.shown());
            text.push_str(&format!("  {name}={shown} from {origin}\n"));
            build.push(json!({"name": name, "value": shown, "from": origin}));
        }
        let made = made(runner, action, loaded.as_ref());
        if !made.is_empty() {
            text.push_str(&format!("  makes {}\n", made.join(", ")));
        }
        let configuration: BTreeMap<_, _> = action
            .configuration
            .iter()
            .map(|(key, value)| (key, &value.text))
            .collect();
        actions.push(json!({
            "stage": stage.name,
            "action": action.name,
            "provider": action.provider,
            "runs": runs,
            "configuration": configuration,
            "references": references,
            "build": build,
            "makes": made,
        }));
    }
    let json = json!({
        "pipeline": pipeline.name,
        "executionMode": mode,
        "triggers": options.triggers,
        "actions": actions,
    });
    (text, json)
}

fn shown(value: &Value) -> String {
    match value {
        Value::Plain(text) => text.clone(),
        Value::Parameter(name) => format!("(parameter {name})"),
        Value::Secret(name) => format!("(secret {name})"),
    }
}

/// The variables that an action's configuration names, and who gives each.
fn referenced(
    pipeline: &Pipeline,
    plan: &RunPlan<'_>,
    settings: &Checked,
    action: &Action,
) -> Vec<(String, String)> {
    let mut all = Vec::new();
    let values = action.configuration.iter().chain(&action.environment);
    for (_, value) in values {
        for reference in variables::references(&value.text).unwrap_or_default() {
            let name = format!("{}.{}", reference.namespace, reference.key);
            if all.iter().any(|(known, _)| *known == name) {
                continue;
            }
            let is_given = settings.variables.iter().any(|(namespace, key, _)| {
                *namespace == reference.namespace && *key == reference.key
            });
            let maker = || {
                plan.actions().find_map(|(stage, one)| {
                    let namespace = one.action.namespace.as_ref()?;
                    (namespace.text == reference.namespace)
                        .then(|| format!("{}/{}", stage.name, one.action.name))
                })
            };
            let default = || {
                let declared = pipeline.variables.iter();
                let mut declared = declared.filter(|(name, _)| *name == reference.key);
                declared.next().and_then(|(_, default)| default.clone())
            };
            let origin = match reference.namespace.as_str() {
                _ if is_given => "--variable".to_owned(),
                PIPELINE_NAMESPACE => match default() {
                    Some(default) => format!("the pipeline's default, {default:?}"),
                    None => "nothing: the pipeline has no default for it".to_owned(),
                },
                EXECUTION_NAMESPACE => "the execution".to_owned(),
                _ => maker().unwrap_or_else(|| {
                    format!(
                        "nothing: no action that runs has the namespace {}",
                        reference.namespace
                    )
                }),
            };
            all.push((name, origin));
        }
    }
    all
}

/// The output variables of an action, as far as they are known beforehand.
fn made(runner: &Runner, action: &Action, loaded: Option<&Loaded>) -> Vec<String> {
    let keys: Vec<String> = match runner {
        Runner::LocalSource(_) | Runner::S3Source => local_source::keys(&action.provider)
            .iter()
            .map(|key| (*key).to_owned())
            .collect(),
        Runner::StackSet | Runner::StackInstances => {
            vec!["StackSetId".to_owned(), "OperationId".to_owned()]
        }
        Runner::Commands => action.variables.clone(),
        Runner::CodeBuild => loaded
            .map(|one| {
                one.spec
                    .env
                    .exported
                    .iter()
                    .map(|one| one.name.clone())
                    .collect()
            })
            .unwrap_or_default(),
        Runner::Kept(kept) => kept.variables.iter().map(|(key, _)| key.clone()).collect(),
        Runner::Stub(variables) => variables.iter().map(|(key, _)| key.clone()).collect(),
        _ => Vec::new(),
    };
    match &action.namespace {
        Some(namespace) => keys
            .iter()
            .map(|key| format!("#{{{}.{key}}}", namespace.text))
            .collect(),
        None => Vec::new(),
    }
}

/// The variables of a build that somebody set; those of this machine and of CodeBuild are left out.
fn build_variables(
    definition: &Definition,
    loaded: Option<&Loaded>,
    settings: &Checked,
    planned: &PlannedAction<'_>,
) -> BTreeMap<String, Variable> {
    let PlannedAction { action, runner } = planned;
    if !matches!(runner, Runner::CodeBuild) {
        return BTreeMap::new();
    }
    let name = action.setting("ProjectName").unwrap_or_default();
    let unknown = projects::unknown(name);
    let project = definition.project(name).unwrap_or(&unknown);
    let own = action
        .setting("EnvironmentVariables")
        .and_then(|text| codebuild::read_environment(text).ok())
        .unwrap_or_default();
    let nothing = BTreeMap::new();
    let no_env = contract::buildspec::Env::default();
    let layers = Layers {
        outside: &nothing,
        buildspec: loaded.map_or(&no_env, |one| &one.spec.env),
        project,
        action: &own,
        batch: &[],
        env_files: &settings.build_env,
    };
    let mut all = build_env::merge(&layers, &About::default());
    all.retain(|_, variable| variable.origin != Origin::CodeBuild);
    all
}

/// The buildspec of a build, where its source is a local folder.
fn loaded(
    definition: &Definition,
    plan: &RunPlan<'_>,
    planned: &PlannedAction<'_>,
) -> Option<Loaded> {
    let PlannedAction { action, runner } = planned;
    if !matches!(runner, Runner::CodeBuild) {
        return None;
    }
    let name = action.setting("ProjectName").unwrap_or_default();
    let unknown = projects::unknown(name);
    let project = definition.project(name).unwrap_or(&unknown);
    load(project, source_folder(plan, action)?).ok()
}

/// The local folder behind an action's primary input artifact.
fn source_folder<'a>(plan: &'a RunPlan<'_>, action: &Action) -> Option<&'a std::path::Path> {
    let primary = match action.setting("PrimarySource") {
        Some(name) => name,
        None => &action.inputs.first()?.text,
    };
    plan.actions().find_map(|(_, one)| match &one.runner {
        Runner::LocalSource(LocalSource::Folder(folder))
            if one
                .action
                .outputs
                .iter()
                .any(|output| output.text == primary) =>
        {
            Some(folder.as_path())
        }
        _ => None,
    })
}
