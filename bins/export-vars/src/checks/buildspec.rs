//! The exported variables against those that the buildspec lists.

use crate::pattern;
use crate::settings::Checked;
use crate::variable::Variable;
use action::failure::Failure;
use action::settings::layers::Environment;
use contract::buildspec::Buildspec;
use contract::finding::did_you_mean;
use std::path::Path;

/// Reads the buildspec around.
pub(crate) fn read(path: &Path) -> Result<Buildspec, Failure> {
    let refusal = || Failure::refused(format!("cannot use the buildspec {}", path.display()));
    let bytes = std::fs::read(path).map_err(|error| refusal().cause(error))?;
    Buildspec::parse(&path.display().to_string(), &bytes).map_err(|findings| {
        findings.iter().fold(refusal(), |failure, finding| {
            failure.detail(finding.to_string())
        })
    })
}

/// Every name on one side and not on the other.
pub(crate) fn compare(
    variables: &[Variable],
    settings: &Checked,
    spec: &Buildspec,
    environment: &Environment,
) -> Vec<String> {
    let listed = &spec.env.exported;
    let line = listed.first().map_or(1, |first| first.line);
    let unlisted = variables
        .iter()
        .filter(|one| !listed.iter().any(|known| known.name == one.name))
        .map(|one| {
            let hint = did_you_mean(&one.name, listed.iter().map(|known| known.name.as_str()));
            let hint = hint.map_or_else(String::new, |hint| format!(" ({hint})"));
            format!(
                "{} is set but {}:{line} does not export it{hint}",
                one.name, spec.file
            )
        });
    let unset = listed
        .iter()
        .filter(|known| {
            let name = &known.name;
            !variables.iter().any(|one| one.name == *name)
                && !environment.contains_key(name)
                && !spec.env.variables.iter().any(|(set, _)| set == name)
                && !pattern::any(&settings.set_elsewhere, name)
        })
        .map(|known| {
            format!(
                "{}:{} exports {} but nothing sets it (--set-elsewhere {} if another item does)",
                spec.file, known.line, known.name, known.name
            )
        });
    unlisted.chain(unset).collect()
}

/// The buildspec around, when one is given.
pub(crate) fn around(settings: &Checked) -> Result<Option<Buildspec>, Failure> {
    settings.buildspec.as_deref().map(read).transpose()
}
