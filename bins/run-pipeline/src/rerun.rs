//! A retry or a roll-back: which stage runs again, and what an earlier run gives to it.
//!
//! Source: CodePipeline user guide, "Configure stage retry for a failed stage or failed actions" and "Configuring stage
//! rollback". That a roll-back asks the conditions of its stage again is not proven.

use action::failure::Failure;
use contract::finding::did_you_mean;
use contract::pipeline::{Action, Pipeline, Stage};

use crate::history::{History, Kept, Past};
use crate::settings::{Checked, RetryMode, What};

/// What is done again, and with what.
#[derive(Debug)]
pub(crate) struct Rerun {
    pub(crate) past: Past,
    /// The stage that runs again.
    pub(crate) stage: String,
    pub(crate) kind: Kind,
    /// The one action that is replayed.
    action: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Retry(RetryMode),
    Rollback,
    /// One action of the stage alone.
    Replay,
}

/// What becomes of an action.
pub(crate) enum Part {
    Runs,
    Kept(Kept),
    /// It did not succeed, and the run went on without it.
    Nothing,
}

impl Rerun {
    /// What the settings ask for.
    pub(crate) fn of(settings: &Checked, pipeline: &Pipeline) -> Result<Option<Self>, Failure> {
        let Some(history) = History::of(settings) else {
            return Ok(None);
        };
        match &settings.again.what {
            What::Nothing => Ok(None),
            What::Retry { run, mode } => {
                let past = history.find(&pipeline.name, run.as_deref())?;
                Self::retry(past, *mode, pipeline).map(Some)
            }
            What::Rollback { stage, run } => {
                let past = match run {
                    Some(id) => history.find(&pipeline.name, Some(id))?,
                    None => history
                        .last_good(&pipeline.name, stage, "")?
                        .ok_or_else(|| {
                            Failure::refused(format!("no kept run of the stage {stage} succeeded"))
                        })?,
                };
                Self::roll_back(past, stage, pipeline).map(Some)
            }
        }
    }

    fn retry(past: Past, mode: RetryMode, pipeline: &Pipeline) -> Result<Self, Failure> {
        let deed = format!("the run {} cannot be retried", past.id);
        let Some(stage) = past.failed_stage().map(str::to_owned) else {
            return Err(Failure::refused(deed).cause("every stage of it has succeeded"));
        };
        for name in &past.planned {
            let found = actions(pipeline).find(|(full, _)| full == name);
            let provider = past.action(name).map(|one| one.provider.as_str());
            let is_same = found.is_some_and(|(_, action)| {
                provider.is_none_or(|provider| action.provider == provider)
            });
            if !is_same {
                let why = format!(
                    "the pipeline has changed since: {name} is not what it was; CodePipeline retries only an unchanged structure"
                );
                return Err(Failure::refused(deed).cause(why));
            }
        }
        Ok(Self {
            past,
            stage,
            kind: Kind::Retry(mode),
            action: None,
        })
    }

    /// A roll-back of a stage to an earlier run.
    pub(crate) fn roll_back(past: Past, stage: &str, pipeline: &Pipeline) -> Result<Self, Failure> {
        let refused = |why: String| {
            Failure::refused(format!("the stage {stage} cannot be rolled back")).cause(why)
        };
        match pipeline.stages.iter().position(|one| one.name == stage) {
            None => {
                let names = pipeline.stages.iter().map(|one| one.name.as_str());
                let failure = refused(format!("{} has no such stage", pipeline.file));
                return Err(match did_you_mean(stage, names) {
                    Some(near) => failure.hint(near),
                    None => failure,
                });
            }
            Some(0) => return Err(refused("it is the stage of the sources".to_owned())),
            Some(_) => {}
        }
        if !past.may_be_rolled_back_to(stage) {
            let why = format!(
                "it did not succeed in the run {}, or that run is a roll-back itself",
                past.id
            );
            return Err(refused(why));
        }
        Ok(Self {
            past,
            stage: stage.to_owned(),
            kind: Kind::Rollback,
            action: None,
        })
    }

    /// One action of a run elsewhere.
    pub(crate) fn replay(past: Past, stage: &str, action: &str) -> Self {
        Self {
            past,
            stage: stage.to_owned(),
            kind: Kind::Replay,
            action: Some(action.to_owned()),
        }
    }

    /// Whether the conditions of a stage are asked.
    pub(crate) fn asks_conditions(&self, pipeline: &Pipeline, stage: &Stage) -> bool {
        self.kind != Kind::Replay && !self.is_before(pipeline, stage)
    }

    /// The actions that run or are taken over: of a retry what that run was to do, of a roll-back its stage and what
    /// succeeded before it.
    pub(crate) fn choose<'a>(&self, pipeline: &'a Pipeline) -> Vec<(&'a Stage, Vec<&'a Action>)> {
        let mut all = Vec::new();
        for stage in &pipeline.stages {
            let is_again = stage.name == self.stage;
            let is_chosen = |action: &&Action| {
                let name = format!("{}/{}", stage.name, action.name);
                match self.kind {
                    Kind::Retry(_) => self.past.planned.contains(&name),
                    Kind::Rollback => is_again || self.past.action(&name).is_some(),
                    Kind::Replay => self.is_replayed(action) || self.past.has_kept(&name),
                }
            };
            let actions: Vec<&Action> = stage.actions.iter().filter(is_chosen).collect();
            if !actions.is_empty() {
                all.push((stage, actions));
            }
            if is_again && !matches!(self.kind, Kind::Retry(_)) {
                break;
            }
        }
        all
    }

    fn is_replayed(&self, action: &Action) -> bool {
        self.action.as_ref() == Some(&action.name)
    }

    /// Whether a stage comes before the one that runs again.
    pub(crate) fn is_before(&self, pipeline: &Pipeline, stage: &Stage) -> bool {
        let mut names = pipeline.stages.iter().map(|one| &one.name);
        let first = names.find(|name| **name == stage.name || **name == self.stage);
        first.is_some_and(|name| *name != self.stage)
    }

    /// What becomes of an action that was chosen; in words why that cannot be had.
    pub(crate) fn part(
        &self,
        pipeline: &Pipeline,
        stage: &Stage,
        action: &Action,
    ) -> Result<Part, String> {
        let name = format!("{}/{}", stage.name, action.name);
        if self.is_before(pipeline, stage) {
            return Ok(self.past.good(&name)?.map_or(Part::Nothing, Part::Kept));
        }
        let is_again = stage.name == self.stage;
        let keeps = match self.kind {
            Kind::Retry(mode) => mode == RetryMode::FailedActions,
            Kind::Rollback => false,
            Kind::Replay => !self.is_replayed(action),
        };
        if is_again && keeps {
            return Ok(self.past.good(&name)?.map_or(Part::Runs, Part::Kept));
        }
        Ok(Part::Runs)
    }

    /// The number of the first attempt of a stage.
    pub(crate) fn attempt(&self, stage: &Stage) -> u32 {
        if !matches!(self.kind, Kind::Retry(_)) || stage.name != self.stage {
            return 1;
        }
        let names = stage.actions.iter();
        let names = names.map(|action| format!("{}/{}", stage.name, action.name));
        let last = names.filter_map(|name| Some(self.past.action(&name)?.attempt));
        last.max().unwrap_or(0) + 1
    }
}

fn actions(pipeline: &Pipeline) -> impl Iterator<Item = (String, &Action)> {
    let stages = pipeline.stages.iter();
    stages.flat_map(|stage| {
        let actions = stage.actions.iter();
        actions.map(|action| (format!("{}/{}", stage.name, action.name), action))
    })
}
