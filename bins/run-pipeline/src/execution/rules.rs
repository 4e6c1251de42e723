//! The rules of a stage's conditions, asked over what the execution knows.

use action::failure::Failure;
use contract::pipeline::Moment;

use super::{Execution, folder};
use crate::actions::codebuild::Sources;
use crate::actions::commands::CommandsJob;
use crate::artifact::Artifact;
use crate::aws_access;
use crate::conditions::{self, Consequence, variable_check};
use crate::pipeline_options::{Rule, StageOptions};
use crate::run_plan::is_skipped;

impl Execution<'_> {
    /// Asks the conditions of a stage; gives what follows from the first that is not met, and why.
    pub(super) async fn conditions(
        &self,
        stage: &str,
        options: &StageOptions,
        moment: Moment,
    ) -> Result<Option<(Consequence, String)>, Failure> {
        for condition in conditions::at(moment, options) {
            for rule in &condition.rules {
                let name = format!("{stage}/{}", rule.name);
                if is_skipped(self.settings, stage, &rule.name) {
                    tracing::warn!("the rule {name} is treated as met (--skip)");
                    continue;
                }
                let met = match rule.provider.as_str() {
                    "Commands" => self.commands_rule(stage, rule, moment).await?,
                    _ => variable_check(rule, &self.variables),
                };
                match met {
                    Ok(()) => tracing::info!("the rule {name} ({}) is met", moment.field()),
                    Err(why) => {
                        let consequence = Consequence::of(&condition.result);
                        let why = format!("the rule {name} ({}) is not met: {why}", moment.field());
                        return Ok(Some((consequence, why)));
                    }
                }
            }
        }
        Ok(None)
    }

    /// Runs the commands of a rule over its artifacts.
    async fn commands_rule(
        &self,
        stage: &str,
        rule: &Rule,
        moment: Moment,
    ) -> Result<Result<(), String>, Failure> {
        let part = format!("{} {}", moment.field(), rule.name);
        let folder = folder(&self.work, stage, &part, 1);
        let inputs = rule.inputs.iter().filter_map(|name| self.store.get(name));
        let inputs: Vec<Artifact> = inputs.cloned().collect();
        let (primary, others) = match inputs.split_first() {
            Some((first, others)) => (Some(first), others),
            None => (None, [].as_slice()),
        };
        let job = CommandsJob {
            name: &rule.name,
            commands: rule.commands.iter().map(|text| (text.clone(), 0)).collect(),
            exported: &[],
            environment: &[],
            sources: Sources::unpack(primary, others, &folder)?,
            folder: &folder,
            region: aws_access::region(self.context).unwrap_or_default(),
            definition: self.definition,
            settings: self.settings,
            context: self.context,
            limits: &self.limits(),
        };
        Ok(job.run().await?.failed.map_or(Ok(()), Err))
    }
}
