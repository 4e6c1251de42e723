//! Where values come from, in the order in which later ones win: what other actions wrote, env
//! files, JSON and YAML files, stacks, exports, parameters, tags, names, then assignments; last, what
//! is renamed and made of others. Each flag is a source of its own.

pub(crate) mod aws;
pub(crate) mod document;
pub(crate) mod environment;
pub(crate) mod files;

use crate::pattern;
use crate::settings::{Checked, OnConflict};
use crate::template;
use crate::variable::{Found, Variable};
use action::failure::Failure;
use action::program::Context;
use contract::finding::did_you_mean;
use std::collections::BTreeMap;

/// What all sources gave.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    /// The variables, each name once, in the order in which the names first came.
    pub variables: Vec<Variable>,
    /// Conflicts that the later source won.
    pub warnings: Vec<String>,
}

/// Collects every variable. AWS is called only when a source there is named.
pub(crate) async fn collect(settings: &Checked, context: &Context) -> Result<Collected, Failure> {
    let environment = &context.environment;
    let mut found: Vec<Found> = Vec::new();
    found.extend(
        settings
            .from_manifest
            .iter()
            .map(|one| files::manifest(one, environment)),
    );
    found.extend(
        settings
            .from_env_file
            .iter()
            .map(|file| files::env_file(file, settings.dialect, environment)),
    );
    found.extend(settings.from_json.iter().map(document::at_pointer));
    if settings.has_aws_source() {
        found.extend(aws::collect(settings, context).await?);
    }
    let empty = context.empty_variables();
    let around = environment::Surroundings {
        environment,
        empty: &empty,
        allow_empty: settings.allow_empty,
    };
    found.extend(environment::named(&settings.variables, &around));
    merge(found, settings)
}

/// Puts together what the sources gave.
pub(crate) fn merge(found: Vec<Found>, settings: &Checked) -> Result<Collected, Failure> {
    let mut faults = Vec::new();
    let mut collected = Collected::default();
    for source in found {
        match source {
            Ok(variables) => {
                if let Err(conflicts) = collected.add(variables, settings.on_conflict) {
                    faults.extend(conflicts);
                }
            }
            Err(messages) => faults.extend(messages),
        }
    }
    // With a source missing, a name that another one refers to would be a fault of its own.
    if faults.is_empty() {
        faults.extend(collected.rename(&settings.rename));
        faults.extend(collected.template(settings));
        faults.extend(collected.filter(settings));
    }
    if faults.is_empty() {
        return Ok(collected);
    }
    let mut refusal = Failure::refused("not every value can be read; nothing was exported");
    if faults
        .iter()
        .any(|fault| fault.contains("--from-env-dialect "))
    {
        refusal = refusal.hint("`export-vars explain FILE` shows how each program reads each line");
    }
    Err(faults.into_iter().fold(refusal, Failure::detail))
}

impl Collected {
    /// Adds what one source gave. The same name with two values inside one source is always a fault.
    fn add(&mut self, given: Vec<Variable>, on_conflict: OnConflict) -> Result<(), Vec<String>> {
        let mut faults = Vec::new();
        let before = self.variables.len();
        let mut from_here: Vec<usize> = Vec::new();
        let names = self.variables.iter().map(|one| one.name.clone());
        let mut places: BTreeMap<String, usize> = names.zip(0..).collect();
        for variable in given {
            let at = places.get(&variable.name).copied();
            let Some((at, earlier)) = at.and_then(|at| Some((at, self.variables.get_mut(at)?)))
            else {
                places.insert(variable.name.clone(), self.variables.len());
                self.variables.push(variable);
                continue;
            };
            let same_source = at >= before || from_here.contains(&at);
            if earlier.value == variable.value {
                continue;
            }
            let conflict = format!(
                "{}: {} already set by {} to another value",
                variable.place, variable.name, earlier.place
            );
            if same_source || on_conflict == OnConflict::Refuse {
                faults.push(conflict);
                continue;
            }
            self.warnings
                .push(format!("{conflict}; the later one counts"));
            *earlier = variable;
            from_here.push(at);
        }
        if faults.is_empty() {
            Ok(())
        } else {
            Err(faults)
        }
    }

    fn rename(&mut self, pairs: &[(String, String)]) -> Vec<String> {
        let mut faults = Vec::new();
        for (new, old) in pairs {
            if self.variables.iter().any(|one| one.name == *new) {
                faults.push(format!("--rename {new}={old}: there is a {new} already"));
                continue;
            }
            match self.variables.iter_mut().find(|one| one.name == *old) {
                Some(variable) => {
                    new.clone_into(&mut variable.name);
                    variable.passed_on = false;
                }
                None => faults.push(format!("--rename {new}={old}: {}", self.unknown(old))),
            }
        }
        faults
    }

    fn template(&mut self, settings: &Checked) -> Vec<String> {
        let mut faults = Vec::new();
        for (name, text) in &settings.template {
            let value = template::fill(text, |name| {
                let found = self.variables.iter().find(|one| one.name == name);
                found.map(|one| one.value.clone())
            });
            let variable = match value {
                Ok(value) => Variable {
                    name: name.clone(),
                    value,
                    place: format!("--template {name}"),
                    passed_on: false,
                },
                Err(template::Fault::Unknown(missing)) => {
                    faults.push(format!("--template {name}: {}", self.unknown(&missing)));
                    continue;
                }
                Err(fault) => {
                    faults.push(format!("--template {name}: {fault}"));
                    continue;
                }
            };
            if let Err(conflicts) = self.add(vec![variable], settings.on_conflict) {
                faults.extend(conflicts);
            }
        }
        faults
    }

    fn filter(&mut self, settings: &Checked) -> Vec<String> {
        let names: Vec<String> = self.variables.iter().map(|one| one.name.clone()).collect();
        let given = settings.only.iter().map(|one| ("--only", one));
        let given = given.chain(settings.except.iter().map(|one| ("--except", one)));
        let mut faults: Vec<String> = given
            .filter(|(_, wanted)| !names.iter().any(|name| pattern::matches(wanted, name)))
            .map(|(flag, wanted)| format!("{flag} {wanted}: matches none of the variables"))
            .collect();
        self.variables.retain(|one| {
            (settings.only.is_empty() || pattern::any(&settings.only, &one.name))
                && !pattern::any(&settings.except, &one.name)
        });
        if self.variables.is_empty() && !names.is_empty() && faults.is_empty() {
            faults.push("--only and --except leave no variable".to_owned());
        }
        faults
    }

    fn unknown(&self, name: &str) -> String {
        let names = self.variables.iter().map(|one| one.name.as_str());
        let hint = did_you_mean(name, names).map_or_else(String::new, |hint| format!(" ({hint})"));
        format!("no source gives {name}{hint}")
    }
}
