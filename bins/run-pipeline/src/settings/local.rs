//! What is given locally in place of what only AWS has, and which part of a pipeline runs.

use action::settings::faults::Faults;
use action::settings::given::Given;
use action::settings::value::Lines;
use serde_json::Value;

use crate::job_programs::JobSettings;
use crate::local_source::LocalSource;

/// Sources, artifacts and outputs that are given, and actions that are passed over.
#[derive(Debug, Clone, Default)]
pub(crate) struct Local {
    /// Sources by the name of their action or artifact; without a name, for the only one.
    pub(crate) sources: Vec<(Option<String>, LocalSource)>,
    /// Artifacts by name, of actions that do not run.
    pub(crate) artifacts: Vec<(String, LocalSource)>,
    /// Output variables by the name of an action that does not run.
    pub(crate) stubs: Vec<(String, Vec<(String, String)>)>,
    /// Actions that do not run and make nothing.
    pub(crate) skipped: Vec<String>,
    /// Approvals that are given.
    pub(crate) approved: Vec<String>,
    /// What runs custom actions and Lambda functions.
    pub(crate) jobs: JobSettings,
}

/// Which stages and actions run. Without any choice all do.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selection {
    /// The first stage, beside the pipeline's first.
    pub(crate) from: Option<String>,
    /// The last stage.
    pub(crate) until: Option<String>,
    /// `Stage` or `Stage/Action`.
    pub(crate) only: Vec<String>,
}

impl Selection {
    /// Whether a part is chosen.
    pub(crate) fn is_part(&self) -> bool {
        self.from.is_some() || self.until.is_some() || !self.only.is_empty()
    }
}

/// `NAME=PATH`, or a path alone, which may hold `=` itself when it is there.
pub(crate) fn sources(
    field: &str,
    lines: &Lines,
    faults: &mut Faults,
) -> Vec<(Option<String>, LocalSource)> {
    let mut all = Vec::new();
    for line in &lines.0 {
        let parsed = match (LocalSource::parse(line), line.split_once('=')) {
            (Ok(source), _) => Ok((None, source)),
            (Err(_), Some((name, path))) => {
                LocalSource::parse(path).map(|source| (Some(name.to_owned()), source))
            }
            (Err(fault), None) => Err(fault),
        };
        match parsed {
            Ok(source) => all.push(source),
            Err(fault) => faults.of(field, fault),
        }
    }
    all
}

/// The artifacts, all of which need a name.
pub(crate) fn artifacts(given: Given<Lines>, faults: &mut Faults) -> Vec<(String, LocalSource)> {
    let lines = faults.optional("artifact", given).unwrap_or_default();
    let mut all = Vec::new();
    for (name, source) in sources("artifact", &lines, faults) {
        match name {
            Some(name) => all.push((name, source)),
            None => faults.of("artifact", "write NAME=PATH"),
        }
    }
    all
}

/// Reads the files of the stubs: a JSON object of strings each.
pub(crate) fn stubs(
    pairs: Vec<(String, String)>,
    faults: &mut Faults,
) -> Vec<(String, Vec<(String, String)>)> {
    let mut all = Vec::new();
    for (name, file) in pairs {
        match variables(&file) {
            Ok(variables) => all.push((name, variables)),
            Err(fault) => faults.of("stub", format!("{file}: {fault}")),
        }
    }
    all
}

fn variables(file: &str) -> Result<Vec<(String, String)>, String> {
    let bytes = std::fs::read(file).map_err(|error| error.to_string())?;
    let value: Value = serde_json::from_slice(&bytes)
        .map_err(|error| format!("not JSON (line {})", error.line()))?;
    let Value::Object(map) = value else {
        return Err("not a JSON object of strings".to_owned());
    };
    map.into_iter()
        .map(|(key, value)| match value {
            Value::String(text) => Ok((key, text)),
            _ => Err(format!("{key} is not a string")),
        })
        .collect()
}
