//! Two sets of variables beside each other.

use crate::checks::secrets::{self, Known};
use crate::settings::place::EnvFile;
use crate::settings::{Checked, Format};
use crate::sources::files;
use crate::table;
use crate::variable::Variable;
use action::export::shape;
use action::failure::Failure;
use action::program::{Context, Output};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Compares two files and prints what differs, with secrets masked.
pub(crate) fn run(settings: &Checked, context: &Context) -> Result<Output, Failure> {
    let [before, after] = settings.variables.as_slice() else {
        return Err(Failure::refused("diff compares two files")
            .hint("export-vars diff [DIALECT:]OLD [DIALECT:]NEW"));
    };
    let mut faults = Vec::new();
    let mut read = |text: &str| {
        let file: Result<EnvFile, String> = text.parse();
        let found = file
            .map_err(|fault| vec![fault])
            .and_then(|file| files::any(&file, settings.dialect, &context.environment));
        found.unwrap_or_else(|messages| {
            faults.extend(messages);
            Vec::new()
        })
    };
    let (before, after) = (read(before), read(after));
    if !faults.is_empty() {
        let refusal = Failure::refused("the files cannot be compared");
        return Err(faults.into_iter().fold(refusal, Failure::detail));
    }
    let changes = compare(&before, &after);
    let secrets = secrets::of_context(settings, context)?;
    tracing::info!(
        "{} of {} variables differ",
        changes.iter().filter(|one| one.kind != Kind::Same).count(),
        changes.len()
    );
    Ok(Output::Data(match settings.format {
        Format::Json => format!("{:#}\n", as_json(&changes, &secrets)),
        _ => as_table(&changes, &secrets),
    }))
}

/// What became of a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Only in the second file.
    Added,
    /// Only in the first file.
    Removed,
    /// Another value.
    Changed,
    /// The same value.
    Same,
}

/// One variable of either file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    /// Its name.
    pub name: String,
    /// What became of it.
    pub kind: Kind,
    /// Its first value.
    pub before: Option<String>,
    /// Its second value.
    pub after: Option<String>,
}

/// Every variable of either side, by name.
pub(crate) fn compare(before: &[Variable], after: &[Variable]) -> Vec<Change> {
    let values = |side: &[Variable]| -> BTreeMap<String, String> {
        let pairs = side.iter();
        pairs
            .map(|one| (one.name.clone(), one.value.clone()))
            .collect()
    };
    let (before, after) = (values(before), values(after));
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let change = |name: &String| {
        let (old, new) = (before.get(name).cloned(), after.get(name).cloned());
        let kind = match (&old, &new) {
            (None, _) => Kind::Added,
            (_, None) => Kind::Removed,
            (Some(old), Some(new)) if old != new => Kind::Changed,
            _ => Kind::Same,
        };
        Change {
            name: name.clone(),
            kind,
            before: old,
            after: new,
        }
    };
    names.into_iter().map(change).collect()
}

impl Kind {
    fn sign(self) -> &'static str {
        match self {
            Kind::Added => "+",
            Kind::Removed => "-",
            Kind::Changed => "~",
            Kind::Same => "=",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Kind::Added => "added",
            Kind::Removed => "removed",
            Kind::Changed => "changed",
            Kind::Same => "same",
        }
    }
}

impl Change {
    /// Both values for people. Two secrets of one length would look alike, so what differs is said.
    fn shown(&self, known: &[Known]) -> (String, String) {
        let show = |value: &Option<String>| {
            let value = value.as_deref();
            value.map_or_else(
                || "absent".to_owned(),
                |value| table::shown(&self.name, value),
            )
        };
        // A value that is a secret on one side is masked on both.
        let secret = [&self.before, &self.after]
            .iter()
            .filter_map(|value| value.as_deref())
            .any(|value| {
                shape::masked(&self.name, value).is_some() || secrets::is_in(value, known)
            });
        if !secret {
            return (show(&self.before), show(&self.after));
        }
        let mask = |value: &Option<String>| match value {
            None => "absent".to_owned(),
            Some(value) => table::masked(value),
        };
        (mask(&self.before), mask(&self.after))
    }
}

fn as_table(changes: &[Change], known: &[Known]) -> String {
    let differing: Vec<&Change> = changes
        .iter()
        .filter(|one| one.kind != Kind::Same)
        .collect();
    if differing.is_empty() {
        return "no difference\n".to_owned();
    }
    let heading = ["", "variable", "before", "after"]
        .map(str::to_owned)
        .to_vec();
    let rows = differing.iter().map(|one| {
        let (before, after) = one.shown(known);
        vec![one.kind.sign().to_owned(), one.name.clone(), before, after]
    });
    table::text(&std::iter::once(heading).chain(rows).collect::<Vec<_>>())
}

fn as_json(changes: &[Change], known: &[Known]) -> Value {
    let changes = changes.iter().map(|one| {
        let (before, after) = one.shown(known);
        json!({"name": one.name, "change": one.kind.word(), "before": before, "after": after})
    });
    Value::Array(changes.collect())
}
