//! The things this program does: run, plan, draw or check a pipeline, run a buildspec alone, serve an editor.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use action::export::{Exports, Reader};
use action::failure::Failure;
use action::program::{Context, Output};
use action::redact;
use action::wait::{self, Limits};
use aws::session::Session;
use contract::check::Report;
use contract::checks;
use contract::evaluate::World;
use contract::finding::Finding;
use serde_json::json;
use tempfile::TempDir;

use crate::actions::{codebuild, local_source};
use crate::aws_access;
use crate::build::{self, Loaded};
use crate::build_env::About;
use crate::check;
use crate::definition::{self, Definition};
use crate::execution::Execution;
use crate::files::read_file;
use crate::follow;
use crate::graph;
use crate::history::History;
use crate::ids::random_id;
use crate::lsp;
use crate::plan_text;
use crate::project_build::ProjectBuild;
use crate::projects;
use crate::record::RecordFiles;
use crate::replay;
use crate::rerun::{Kind, Rerun};
use crate::run_plan::RunPlan;
use crate::settings::{Asked, Checked};

/// CodeBuild's longest build; a buildspec alone has no project that says less.
const BUILD_LIMIT: Duration = Duration::from_secs(8 * 3600);

/// Does what the command says.
pub(crate) async fn run(asked: Asked, context: Context) -> Result<Output, Failure> {
    let settings = match asked {
        Asked::Explain(rule) => return Ok(Output::Data(rule.explained())),
        Asked::Do(settings) => settings,
    };
    match context.command.as_deref() {
        Some("buildspec") => buildspec(&settings, &context).await,
        Some("replay") => replay(&settings, &context).await,
        Some("follow") => follow::run(&settings, &context).await,
        Some("check") => check::run(&settings, &context).await,
        Some("plan") => plan(&settings, &context).await,
        Some("graph") => graph(&settings, &context).await,
        Some("lsp") => lsp::run(&settings, &context).await,
        _ => pipeline(&settings, &context).await,
    }
}

async fn pipeline(settings: &Checked, context: &Context) -> Result<Output, Failure> {
    let definition = read(settings, context).await?;
    let faults = faults(&definition, settings)?;
    if !faults.is_empty() {
        return Err(findings::refusal(
            "the pipeline has faults; nothing was run",
            &faults,
        ));
    }
    let rerun = Rerun::of(settings, &definition.pipeline)?;
    execute(&definition, settings, context, rerun.as_ref()).await
}

/// Runs one action of a real execution.
async fn replay(settings: &Checked, context: &Context) -> Result<Output, Failure> {
    let replay = replay::prepare(settings, context).await?;
    let ran = execute(
        &replay.definition,
        &replay.settings,
        context,
        Some(&replay.rerun),
    )
    .await;
    if let Err(error) = replay.artifacts.close() {
        tracing::warn!("cannot remove the artifacts that were fetched: {error}");
    }
    ran
}

async fn execute(
    definition: &Definition,
    settings: &Checked,
    context: &Context,
    rerun: Option<&Rerun>,
) -> Result<Output, Failure> {
    let plan = planned(definition, settings, context, rerun)?;
    if plan.actions().any(|(_, one)| one.runner.asks_aws()) {
        Session::check(context).await?;
    }
    if context.dry_run {
        let (text, json) = plan_text::both(definition, &plan, settings);
        context.show_plan(&text, &json)?;
        return Ok(Output::Nothing);
    }
    let work = Work::open(settings.work_dir.as_deref())?;
    let files = RecordFiles {
        lines: settings.record_file.as_deref(),
        junit: settings.junit_file.as_deref(),
        kept: None,
    };
    let begun = Execution::new(
        definition,
        settings,
        context,
        work.path.clone(),
        &plan,
        rerun,
        files,
    );
    let mut execution = match begun {
        Ok(execution) => execution,
        Err(failure) => {
            work.close();
            return Err(failure);
        }
    };
    let ran = execution.run(&plan).await;
    execution.close(ran.as_ref().err());
    let ran = match (ran, execution.rollback()) {
        (Err(failure), Some(stage))
            if rerun.is_none_or(|one| matches!(one.kind, Kind::Retry(_))) =>
        {
            let id = execution.id().to_owned();
            Err(roll_back(definition, settings, context, &work, (stage, &id), failure).await)
        }
        (ran, _) => ran,
    };
    work.close();
    ran?;
    Ok(Output::Data(format!("{:#}\n", execution.report())))
}

fn planned<'a>(
    definition: &'a Definition,
    settings: &Checked,
    context: &Context,
    rerun: Option<&Rerun>,
) -> Result<RunPlan<'a>, Failure> {
    RunPlan::make(
        &definition.pipeline,
        &definition.options,
        settings,
        context,
        rerun,
    )
}

/// Rolls a stage back whose failure in a run (its id) asks for that; gives the failure with what came of it.
async fn roll_back(
    definition: &Definition,
    settings: &Checked,
    context: &Context,
    work: &Work,
    (stage, run): (&str, &str),
    failure: Failure,
) -> Failure {
    let Some(history) = History::of(settings) else {
        return failure.hint(
            "CodePipeline would roll the stage back to its last good run; without --history-dir here nothing is rolled back",
        );
    };
    let pipeline = &definition.pipeline;
    let past = match history.last_good(&pipeline.name, stage, run) {
        Ok(Some(past)) => past,
        Ok(None) => {
            return failure.hint(format!(
                "nothing was rolled back: the stage {stage} has not succeeded in an earlier run"
            ));
        }
        Err(blind) => return failure.and(blind),
    };
    let target = past.id.clone();
    tracing::warn!("{failure}");
    tracing::warn!("the stage {stage} is rolled back to the run {target}");
    let rolled = async {
        let rerun = Rerun::roll_back(past, stage, pipeline)?;
        let plan = planned(definition, settings, context, Some(&rerun))?;
        let folder = work.path.join("rollback");
        let files = RecordFiles::default();
        let mut execution = Execution::new(
            definition,
            settings,
            context,
            folder,
            &plan,
            Some(&rerun),
            files,
        )?;
        let ran = execution.run(&plan).await;
        execution.close(ran.as_ref().err());
        ran
    };
    match rolled.await {
        Ok(()) => failure.changed(format!(
            "the stage {stage} was rolled back to the run {target}"
        )),
        Err(second) => failure.and(second),
    }
}

/// What would run, on stdout.
async fn plan(settings: &Checked, context: &Context) -> Result<Output, Failure> {
    let definition = read(settings, context).await?;
    let rerun = Rerun::of(settings, &definition.pipeline)?;
    let plan = planned(&definition, settings, context, rerun.as_ref())?;
    let (text, json) = plan_text::both(&definition, &plan, settings);
    if context.plan_file.is_some() {
        context.show_plan("", &json)?;
    }
    Ok(Output::Data(redact::redacted(&text).into_owned()))
}

async fn graph(settings: &Checked, context: &Context) -> Result<Output, Failure> {
    let definition = read(settings, context).await?;
    Ok(Output::Data(graph::draw(
        &definition.pipeline,
        settings.drawing,
    )))
}

async fn buildspec(settings: &Checked, context: &Context) -> Result<Output, Failure> {
    let shown = settings.definition.display().to_string();
    let loaded = build::read_spec(&settings.definition, &shown)?;
    let spec = &loaded.spec;
    if loaded.options.batch.is_some() {
        tracing::warn!("{shown}: batch is not used here: this runs as one build");
    }
    if context.dry_run {
        let items: Vec<_> = spec
            .phases
            .iter()
            .flat_map(|phase| {
                phase
                    .commands
                    .iter()
                    .chain(&phase.finally)
                    .map(|item| (phase.name.key(), item))
            })
            .collect();
        let text: String = items
            .iter()
            .map(|(phase, item)| {
                format!(
                    "{phase:10} {shown}:{} {}\n",
                    item.line,
                    item.script.trim_end()
                )
            })
            .collect();
        let json: Vec<_> = items
            .iter()
            .map(|(phase, item)| json!({"phase": phase, "line": item.line, "script": item.script}))
            .collect();
        context.show_plan(&text, &json!({ "items": json }))?;
        return Ok(Output::Nothing);
    }
    let work = Work::open(settings.work_dir.as_deref())?;
    let outcome = build_alone(&loaded, settings, context, &work.path).await;
    work.close();
    let outcome = outcome?;
    codebuild::report_missing(spec, &outcome);
    if let Some(why) = &outcome.failed {
        return Err(codebuild::failed(&shown, why));
    }
    // The buildspec exports what the build has: it sets no name anew.
    let names = outcome.exports.iter().map(|(name, _)| name.clone());
    let allowed: Vec<String> = names.filter(|name| !name.starts_with("AWS_")).collect();
    let mut exports = Exports::read_by(Reader::Shell, &allowed);
    for (name, value) in outcome.exports {
        exports.pass_on(name, value).map_err(|fault| {
            Failure::failed(format!(
                "{shown} exports a variable that cannot be passed on"
            ))
            .cause(fault)
        })?;
    }
    Ok(Output::Exports(exports))
}

async fn build_alone(
    loaded: &Loaded,
    settings: &Checked,
    context: &Context,
    work: &Path,
) -> Result<build::Outcome, Failure> {
    let name = settings.definition.file_stem().map_or_else(
        || "build".to_owned(),
        |stem| stem.to_string_lossy().into_owned(),
    );
    let about = About {
        project: name.clone(),
        id: random_id().map_err(|error| Failure::failed("cannot begin a build").cause(error))?,
        initiator: String::new(),
        image: String::new(),
        region: aws_access::region(context).unwrap_or_default(),
        account: settings.account.clone(),
        source_version: None,
        start_millis: SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_millis()),
        source: settings.source.clone(),
        secondary: Vec::new(),
        batch: None,
    };
    let mut project = projects::unknown(&name);
    project.limit = BUILD_LIMIT;
    let limits = Limits {
        deadline: context.deadline,
        interrupt: context.interrupt.clone(),
    };
    let build = ProjectBuild {
        loaded,
        project: &project,
        action: &[],
        batch: &[],
        about,
        scratch: work.to_owned(),
        prefix: name,
        settings,
        context,
        limits: &limits,
    };
    build.run().await
}

/// What is wrong with the pipeline itself, and is not ignored.
fn faults(definition: &Definition, settings: &Checked) -> Result<Vec<Finding>, Failure> {
    let shown = settings.definition.display().to_string();
    let text = String::from_utf8_lossy(&read_file(&settings.definition)?).into_owned();
    let mut report = Report {
        findings: checks::pipeline::check(&definition.pipeline, &source_keys(definition)),
        texts: BTreeMap::from([(shown, text)]),
        ..Report::default()
    };
    let policy = findings::policy(settings.check_config.as_deref())?;
    findings::ignore(&mut report, &policy);
    Ok(findings::errors(&report))
}

/// The variables of sources, which are always the same.
fn source_keys(definition: &Definition) -> BTreeMap<String, Vec<String>> {
    let sources = definition
        .pipeline
        .stages
        .iter()
        .flat_map(|stage| &stage.actions);
    sources
        .filter(|action| action.category == "Source")
        .filter_map(|action| {
            let namespace = action.namespace.as_ref()?;
            let keys = local_source::keys(&action.provider).iter();
            let keys: Vec<String> = keys.map(|key| (*key).to_owned()).collect();
            // Of a provider that is not known here, nothing is known.
            (!keys.is_empty()).then(|| (namespace.text.clone(), keys))
        })
        .collect()
}

async fn read(settings: &Checked, context: &Context) -> Result<Definition, Failure> {
    let file = &settings.definition;
    let bytes = read_file(file)?;
    let world = world(settings, context, &bytes).await?;
    let mut definition = definition::read(file, &bytes, &world, settings.pipeline_id.as_deref())?;
    // What was given is newer than what the definition holds.
    definition
        .projects
        .splice(0..0, settings.projects.iter().cloned());
    Ok(definition)
}

/// What the template is evaluated with when it runs: everything has a value.
async fn world(settings: &Checked, context: &Context, bytes: &[u8]) -> Result<World, Failure> {
    let region = aws_access::region(context).unwrap_or_else(|| "us-east-1".to_owned());
    let mut world = World::in_region(&region, &settings.account, &settings.stack_name);
    world.parameters = findings::parameters(&settings.parameter_files, &settings.parameters)?;
    if definition::needs_imports(bytes) {
        let before = "the exports of stacks were read";
        let reading = aws_access::stack_exports(context, settings.allow_aws);
        world.imports =
            wait::in_time(context.deadline, &context.interrupt, before, reading).await?;
    }
    Ok(world)
}

/// The folder of a run: temporary, or one that stays.
struct Work {
    path: PathBuf,
    temporary: Option<TempDir>,
}

impl Work {
    fn open(kept: Option<&Path>) -> Result<Self, Failure> {
        let cannot = |error: std::io::Error| {
            Failure::refused("cannot create the folder of the run").cause(error)
        };
        let Some(folder) = kept else {
            let temporary = tempfile::Builder::new()
                .prefix("run-pipeline-")
                .tempdir()
                .map_err(cannot)?;
            return Ok(Self {
                path: temporary.path().canonicalize().map_err(cannot)?,
                temporary: Some(temporary),
            });
        };
        std::fs::create_dir_all(folder).map_err(cannot)?;
        if std::fs::read_dir(folder).map_err(cannot)?.next().is_some() {
            return Err(Failure::refused(format!(
                "the work folder {} is not empty",
                folder.display()
            )));
        }
        Ok(Self {
            path: folder.canonicalize().map_err(cannot)?,
            temporary: None,
        })
    }

    fn close(self) {
        if let Some(folder) = self.temporary
            && let Err(error) = folder.close()
        {
            tracing::warn!("cannot remove {}: {error}", self.path.display());
        }
    }
}
