//! Env files, and what another action wrote.

use crate::settings::place::{EnvFile, Manifest};
use crate::sources::document;
use crate::variable::{Found, Variable};
use action::env_file::{self, Dialect};
use action::settings::layers::Environment;
use std::fs;
use std::path::{Path, PathBuf};

/// Every variable of an env file.
pub(crate) fn env_file(source: &EnvFile, dialect: Dialect, environment: &Environment) -> Found {
    let bytes = read(&source.file)?;
    assignments(
        &source.file,
        &bytes,
        source.dialect.unwrap_or(dialect),
        environment,
    )
}

/// Every variable that another action wrote: the scalars of a JSON object, an export file, an env file
/// of plain `NAME=value` lines. What a variable cannot hold is left out of an object and named.
pub(crate) fn manifest(source: &Manifest, environment: &Environment) -> Found {
    let path = match &source.artifact {
        None => source.file.clone(),
        Some(artifact) => artifact_folder(artifact, environment)
            .map_err(|fault| vec![fault])?
            .join(&source.file),
    };
    let bytes = read(&path)?;
    if bytes.trim_ascii_start().starts_with(b"{") {
        return document::scalars(&path, &bytes, source);
    }
    if !source.pointer.is_empty() {
        return Err(vec![format!(
            "{} is not a JSON object, so a pointer finds nothing in it",
            path.display()
        )]);
    }
    // An export file is in this dialect, and a plain line is the same in all.
    assignments(&path, &bytes, Dialect::Sh, environment)
}

/// A file with variables for a comparison: JSON, an export file, or an env file in its dialect.
pub(crate) fn any(source: &EnvFile, dialect: Dialect, environment: &Environment) -> Found {
    let bytes = read(&source.file)?;
    if source.dialect.is_none() && bytes.trim_ascii_start().starts_with(b"{") {
        return document::object(&source.file, &bytes);
    }
    let is_export_file = bytes.trim_ascii_start().starts_with(b"export ");
    let dialect = match source.dialect {
        Some(dialect) => dialect,
        None if is_export_file => Dialect::Sh,
        None => dialect,
    };
    assignments(&source.file, &bytes, dialect, environment)
}

/// Where CodeBuild put an input artifact: the first one in `CODEBUILD_SRC_DIR`, each other one in
/// `CODEBUILD_SRC_DIR_<name>`.
/// <https://docs.aws.amazon.com/codebuild/latest/userguide/sample-pipeline-multi-input-output.html>
fn artifact_folder(artifact: &str, environment: &Environment) -> Result<PathBuf, String> {
    const PREFIX: &str = "CODEBUILD_SRC_DIR_";
    let variable = format!("{PREFIX}{artifact}");
    if let Some(found) = environment.get(&variable) {
        return Ok(PathBuf::from(&found.value));
    }
    let others: Vec<&str> = environment
        .keys()
        .filter_map(|name| name.strip_prefix(PREFIX))
        .collect();
    let known = if others.is_empty() {
        "this build has no other input artifact".to_owned()
    } else {
        format!("this build has {}", others.join(", "))
    };
    Err(format!(
        "{artifact}: {variable} is not set; {known} (for the primary one write only the file)"
    ))
}

fn read(path: &Path) -> Result<Vec<u8>, Vec<String>> {
    fs::read(path).map_err(|error| vec![format!("cannot read {}: {error}", path.display())])
}

fn assignments(path: &Path, bytes: &[u8], dialect: Dialect, environment: &Environment) -> Found {
    let from_host = |name: &str| Some(environment.get(name)?.value.to_str()?.to_owned());
    let assignments = env_file::parse(bytes, dialect, from_host).map_err(|faults| {
        let told = faults
            .iter()
            .map(|fault| format!("{}:{fault}", path.display()));
        told.map(|text| text.replace("--env-dialect", "--from-env-dialect"))
            .collect::<Vec<_>>()
    })?;
    let variables = assignments.into_iter().map(|assignment| Variable {
        place: format!("{}:{}", path.display(), assignment.line),
        name: assignment.name,
        value: assignment.value,
        passed_on: false,
    });
    Ok(variables.collect())
}
