//! What an action of the execution is given.

use std::collections::BTreeMap;
use std::time::Duration;

use action::failure::Failure;
use contract::pipeline::{Action, Stage};
use contract::variables;

use super::{Execution, folder};
use crate::action_io::ActionInput;
use crate::actions::commands::environment;

impl<'a> Execution<'a> {
    pub(super) fn input(
        &self,
        stage: &'a Stage,
        action: &'a Action,
        attempt: u32,
    ) -> Result<ActionInput<'a>, Failure> {
        let options = self.definition.options.action(&stage.name, &action.name);
        let environment = environment(&options.environment, &self.variables);
        let environment = environment.map_err(|why| {
            let name = format!("{}/{}", stage.name, action.name);
            Failure::failed(format!("cannot resolve EnvironmentVariables of {name}")).cause(why)
        })?;
        let limits = match options.timeout_minutes {
            Some(minutes) => self.limits().within(Duration::from_secs(minutes * 60)),
            None => self.limits(),
        };
        Ok(ActionInput {
            execution: self.id.clone(),
            stage: &stage.name,
            action,
            configuration: self.configuration(stage, action)?,
            environment,
            options,
            artifacts: self.store.inputs(action),
            folder: folder(&self.work, &stage.name, &action.name, attempt),
            limits,
            definition: self.definition,
            settings: self.settings,
            context: self.context,
        })
    }

    /// Resolves every value of an action's configuration.
    fn configuration(
        &self,
        stage: &Stage,
        action: &Action,
    ) -> Result<BTreeMap<String, String>, Failure> {
        let name = format!("{}/{}", stage.name, action.name);
        let mut configuration = BTreeMap::new();
        for (field, value) in &action.configuration {
            let resolved = variables::resolve_field(field, &value.text, &self.variables);
            let resolved = resolved.map_err(|error| {
                let failure = Failure::failed(format!(
                    "an action in this pipeline failed because one or more variables could not be resolved: {name}"
                ))
                .cause(format!("{}:{}: {field}: {error}", self.definition.pipeline.file, value.place.line));
                let settings = self.settings;
                if settings.selection.is_part() || !settings.local.skipped.is_empty() {
                    failure.hint("give the variables of actions that do not run with --variable NAMESPACE.KEY=VALUE")
                } else {
                    failure
                }
            })?;
            configuration.insert(field.clone(), resolved);
        }
        Ok(configuration)
    }
}
