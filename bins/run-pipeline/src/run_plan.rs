//! What of a pipeline runs, and how each of its actions does: decided for all of them before the first one
//! touches anything.

use std::io::IsTerminal as _;

use action::failure::Failure;
use action::program::Context;
use contract::finding::did_you_mean;
use contract::pipeline::{Action, Pipeline, Stage};
use contract::variables::PIPELINE_NAMESPACE;

use crate::actions::Runner;
use crate::aws_access::may_ask;
use crate::conditions::{self, MOMENTS, is_evaluated};
use crate::job_programs::JobAction;
use crate::local_source::LocalSource;
use crate::pipeline_options::PipelineOptions;
use crate::rerun::{Part, Rerun};
use crate::settings::{Checked, Selection};

/// The stages that run, in order.
#[derive(Debug)]
pub(crate) struct RunPlan<'a> {
    pub(crate) stages: Vec<PlannedStage<'a>>,
}

#[derive(Debug)]
pub(crate) struct PlannedStage<'a> {
    pub(crate) stage: &'a Stage,
    /// Whether its conditions are asked: not where it is taken over from an earlier run.
    pub(crate) has_conditions: bool,
    /// The number of its first attempt.
    pub(crate) attempt: u32,
    /// The actions by `runOrder`; those of one group run side by side.
    pub(crate) groups: Vec<Vec<PlannedAction<'a>>>,
}

#[derive(Debug)]
pub(crate) struct PlannedAction<'a> {
    pub(crate) action: &'a Action,
    pub(crate) runner: Runner,
}

impl<'a> RunPlan<'a> {
    /// Decides; names everything at once that keeps the pipeline from running here.
    pub(crate) fn make(
        pipeline: &'a Pipeline,
        options: &PipelineOptions,
        settings: &Checked,
        context: &Context,
        rerun: Option<&Rerun>,
    ) -> Result<Self, Failure> {
        let mut faults = Vec::new();
        let chosen = match rerun {
            Some(rerun) => rerun.choose(pipeline),
            None => choose(pipeline, &settings.selection, &mut faults),
        };
        let asks = |stage: &Stage| rerun.is_none_or(|one| one.asks_conditions(pipeline, stage));
        for (stage, _) in chosen.iter().filter(|(stage, _)| asks(stage)) {
            rules(&stage.name, options, settings, &mut faults);
        }
        for (name, default) in &pipeline.variables {
            let mut given = settings.variables.iter();
            let is_given =
                given.any(|(namespace, key, _)| namespace == PIPELINE_NAMESPACE && key == name);
            if default.is_none() && !is_given {
                faults.push(format!(
                    "the pipeline's variable {name} has no default; give it with --variable {PIPELINE_NAMESPACE}.{name}=VALUE"
                ));
            }
        }
        unknown_names(pipeline, options, settings, &mut faults);
        let stages = chosen
            .into_iter()
            .map(|(stage, actions)| {
                let mut orders: Vec<u32> = actions.iter().map(|one| one.run_order).collect();
                orders.sort_unstable();
                orders.dedup();
                let part = |action: &Action| match rerun {
                    Some(rerun) => rerun.part(pipeline, stage, action),
                    None => Ok(Part::Runs),
                };
                let find = |action: &Action| match part(action)? {
                    Part::Kept(kept) => Ok(Runner::Kept(kept)),
                    Part::Nothing => Ok(Runner::Skipped),
                    Part::Runs => runner(pipeline, stage, action, settings, context),
                };
                let mut plan = |action: &'a Action| match find(action) {
                    Ok(runner) => Some(PlannedAction { action, runner }),
                    Err(fault) => {
                        faults.push(fault);
                        None
                    }
                };
                let groups = orders
                    .into_iter()
                    .map(|order| {
                        let group = actions.iter().filter(|one| one.run_order == order);
                        group.filter_map(|action| plan(action)).collect()
                    })
                    .collect();
                PlannedStage {
                    stage,
                    has_conditions: asks(stage),
                    attempt: rerun.map_or(1, |one| one.attempt(stage)),
                    groups,
                }
            })
            .collect();
        if faults.is_empty() {
            return Ok(Self { stages });
        }
        let failure = Failure::refused(format!(
            "{} does not run here as it is; nothing was run",
            pipeline.file
        ));
        Err(faults.into_iter().fold(failure, Failure::cause))
    }

    /// Every action that runs, in order.
    pub(crate) fn actions(&self) -> impl Iterator<Item = (&'a Stage, &PlannedAction<'a>)> {
        let stages = self.stages.iter();
        stages.flat_map(|one| {
            one.groups
                .iter()
                .flatten()
                .map(|action| (one.stage, action))
        })
    }
}

/// Rules that are not evaluated here and not passed over.
fn rules(stage: &str, options: &PipelineOptions, settings: &Checked, faults: &mut Vec<String>) {
    let of_stage = options.stage(stage);
    for moment in MOMENTS {
        let conditions = conditions::at(moment, &of_stage).iter();
        for rule in conditions.flat_map(|condition| &condition.rules) {
            if !is_evaluated(rule) && !is_skipped(settings, stage, &rule.name) {
                let name = format!("{stage}/{}", rule.name);
                faults.push(format!(
                    "the rule {name} ({} of {}) is not evaluated here; treat it as met with --skip {name}",
                    rule.provider,
                    moment.field()
                ));
            }
        }
    }
}

/// Whether an action or a rule of a stage is passed over.
pub(crate) fn is_skipped(settings: &Checked, stage: &str, name: &str) -> bool {
    let full = format!("{stage}/{name}");
    let skipped = &settings.local.skipped;
    skipped.iter().any(|one| one == name || *one == full)
}

/// Whether a name given by a person means this action.
fn means(name: &str, stage: &Stage, action: &Action) -> bool {
    match name.strip_prefix(stage.name.as_str()) {
        Some(rest) if rest.strip_prefix('/') == Some(action.name.as_str()) => true,
        _ => name == action.name,
    }
}

/// The chosen stages with their chosen actions. The first stage always runs: all others need its artifacts.
fn choose<'a>(
    pipeline: &'a Pipeline,
    selection: &Selection,
    faults: &mut Vec<String>,
) -> Vec<(&'a Stage, Vec<&'a Action>)> {
    let stages = &pipeline.stages;
    let mut index = |name: &Option<String>, otherwise: usize| {
        let Some(name) = name else { return otherwise };
        let found = stages.iter().position(|one| &one.name == name);
        found.unwrap_or_else(|| {
            faults.push(unknown_stage(pipeline, name));
            otherwise
        })
    };
    let first = index(&selection.from, 0);
    let last = index(&selection.until, stages.len().saturating_sub(1));
    for name in &selection.only {
        let is_known = stages.iter().any(|stage| {
            &stage.name == name
                || stage
                    .actions
                    .iter()
                    .any(|action| format!("{}/{}", stage.name, action.name) == *name)
        });
        if !is_known {
            faults.push(unknown_stage(pipeline, name));
        }
    }
    let wanted = |number: usize, stage: &Stage, action: &Action| {
        let full = format!("{}/{}", stage.name, action.name);
        let only = &selection.only;
        number == 0
            || ((first..=last).contains(&number)
                && (only.is_empty() || only.contains(&stage.name) || only.contains(&full)))
    };
    stages
        .iter()
        .enumerate()
        .map(|(number, stage)| {
            let actions = stage.actions.iter();
            (
                stage,
                actions
                    .filter(|action| wanted(number, stage, action))
                    .collect(),
            )
        })
        .filter(|(_, actions): &(_, Vec<_>)| !actions.is_empty())
        .collect()
}

fn unknown_stage(pipeline: &Pipeline, name: &str) -> String {
    let names = pipeline.stages.iter().map(|one| one.name.as_str());
    let near = did_you_mean(name, names).map_or_else(String::new, |near| format!(" ({near})"));
    format!("{}: no stage {name}{near}", pipeline.file)
}

/// Names in the settings that mean no action.
fn unknown_names(
    pipeline: &Pipeline,
    options: &PipelineOptions,
    settings: &Checked,
    faults: &mut Vec<String>,
) {
    let local = &settings.local;
    let stubs = local.stubs.iter().map(|(name, _)| ("--stub", name));
    let skipped = local.skipped.iter().map(|name| ("--skip", name));
    let approved = local.approved.iter().map(|name| ("--approve", name));
    for (flag, name) in stubs.chain(skipped).chain(approved) {
        let all = || {
            let stages = pipeline.stages.iter();
            stages.flat_map(|stage| stage.actions.iter().map(move |action| (stage, action)))
        };
        match all()
            .filter(|(stage, action)| means(name, stage, action))
            .count()
        {
            0 if flag == "--skip" && is_rule(pipeline, options, name) => {}
            0 => {
                let near = did_you_mean(name, all().map(|(_, action)| action.name.as_str()));
                let near = near.map_or_else(String::new, |near| format!(" ({near})"));
                faults.push(format!("{flag}: no action {name}{near}"));
            }
            1 => {}
            _ => faults.push(format!(
                "{flag}: several actions are called {name}; write STAGE/{name}"
            )),
        }
    }
    let made = |name: &str| {
        pipeline
            .actions()
            .any(|one| one.outputs.iter().any(|out| out.text == name))
    };
    for (name, _) in &local.artifacts {
        if !made(name) {
            let names = pipeline.actions().flat_map(|one| &one.outputs);
            let near = did_you_mean(name, names.map(|one| one.text.as_str()));
            let near = near.map_or_else(String::new, |near| format!(" ({near})"));
            faults.push(format!(
                "--artifact: no action makes an artifact {name}{near}"
            ));
        }
    }
    for (name, _) in &local.sources {
        if let Some(name) = name
            && !source_actions(pipeline).any(|(stage, action)| is_source(name, stage, action))
        {
            let names = source_actions(pipeline).map(|(_, action)| action.name.as_str());
            let near =
                did_you_mean(name, names).map_or_else(String::new, |near| format!(" ({near})"));
            faults.push(format!("--source: no source {name}{near}"));
        }
    }
}

/// Whether a name means a rule of a stage's conditions.
fn is_rule(pipeline: &Pipeline, options: &PipelineOptions, name: &str) -> bool {
    pipeline.stages.iter().any(|stage| {
        let of_stage = options.stage(&stage.name);
        MOMENTS
            .iter()
            .flat_map(|moment| conditions::at(*moment, &of_stage))
            .flat_map(|condition| &condition.rules)
            .any(|rule| rule.name == name || format!("{}/{}", stage.name, rule.name) == name)
    })
}

fn source_actions(pipeline: &Pipeline) -> impl Iterator<Item = (&Stage, &Action)> {
    let stages = pipeline.stages.iter();
    stages
        .flat_map(|stage| stage.actions.iter().map(move |action| (stage, action)))
        .filter(|(_, action)| action.category == "Source")
}

fn is_source(name: &str, stage: &Stage, action: &Action) -> bool {
    means(name, stage, action) || action.outputs.iter().any(|output| output.text == name)
}

/// What runs an action, or in words why nothing does.
fn runner(
    pipeline: &Pipeline,
    stage: &Stage,
    action: &Action,
    settings: &Checked,
    context: &Context,
) -> Result<Runner, String> {
    let name = format!("{}/{}", stage.name, action.name);
    let local = &settings.local;
    if local.skipped.iter().any(|one| means(one, stage, action)) {
        return Ok(Runner::Skipped);
    }
    if let Some((_, variables)) = local
        .stubs
        .iter()
        .find(|(one, _)| means(one, stage, action))
    {
        return Ok(Runner::Stub(variables.clone()));
    }
    if let Some(asked) = JobAction::of(action) {
        let program = asked.program(&local.jobs, settings.bin_dir.as_deref(), context);
        return program.map(Runner::Job).map_err(|why| {
            format!(
                "{name}: {why}; or leave it out with --stub {name}=outputs.json or --skip {name}"
            )
        });
    }
    match (action.category.as_str(), action.provider.as_str()) {
        ("Source", _) => source(pipeline, stage, action, settings, context),
        ("Build" | "Test", "CodeBuild") => Ok(Runner::CodeBuild),
        ("Compute", "Commands") => Ok(Runner::Commands),
        ("Deploy", "S3") => Ok(Runner::S3Deploy),
        ("Deploy", "CloudFormation") => Ok(Runner::CloudFormation),
        ("Deploy", "CloudFormationStackSet") => Ok(Runner::StackSet),
        ("Deploy", "CloudFormationStackInstances") => Ok(Runner::StackInstances),
        ("Approval", "Manual") => {
            if local.approved.iter().any(|one| means(one, stage, action)) {
                Ok(Runner::Approval { is_given: true })
            } else if std::io::stdin().is_terminal() && std::io::stderr().is_terminal() {
                Ok(Runner::Approval { is_given: false })
            } else {
                Err(format!(
                    "{name} waits for an approval, and without a terminal there is no one to ask; give it with --approve {name}"
                ))
            }
        }
        (category, provider) => Err(format!(
            "{name}: {provider} actions of the category {category} do not run here; leave it out with --stub {name}=outputs.json or --skip {name}"
        )),
    }
}

/// A source is what was given for it; S3 itself where nothing was and it may be asked; else the work tree, when it
/// is the only source.
fn source(
    pipeline: &Pipeline,
    stage: &Stage,
    action: &Action,
    settings: &Checked,
    context: &Context,
) -> Result<Runner, String> {
    let name = format!("{}/{}", stage.name, action.name);
    let given = &settings.local.sources;
    let is_only = source_actions(pipeline).count() == 1;
    let named = given.iter().find(|(one, _)| {
        one.as_ref()
            .is_some_and(|one| is_source(one, stage, action))
    });
    let unnamed = given.iter().find(|(one, _)| one.is_none() && is_only);
    if let Some((_, found)) = named.or(unnamed) {
        return Ok(Runner::LocalSource(found.clone()));
    }
    if action.provider == "S3" && may_ask(context, settings.allow_aws, "S3") {
        return Ok(Runner::S3Source);
    }
    if is_only && given.is_empty() {
        return Ok(Runner::LocalSource(LocalSource::Folder(
            settings.source.clone(),
        )));
    }
    let or_aws = match action.provider.as_str() {
        "S3" => ", or let S3 be asked with --allow-aws",
        _ => "",
    };
    Err(format!(
        "{name}: there is no local replacement for this {} source; give one with --source {}=PATH{or_aws}",
        action.provider, action.name
    ))
}
