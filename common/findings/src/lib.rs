//! The contract check as programs run it: what is read for it, and how its findings are reported.
//!
//! `contract` is pure; this crate reads files for it ([`read`], [`local_file`], [`parameters`]), and turns what it found
//! into a program's words: a refusal ([`refusal`]), log lines ([`log_lesser`]), or the report that is a check
//! command's whole output ([`output`]).

mod mend;

pub use mend::mend;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use action::exit::Exit;
use action::failure::Failure;
use action::program::Output;
use bundle::manifest::{Kind, Manifest};
use contract::check::{File, Report};
use contract::finding::Finding;
use contract::policy::Policy;
use contract::report::{self, Format, Tool};
use contract::rule::Severity;

/// The configuration file of the check where none is named, when it is there.
pub const CONFIGURATION: &str = ".pipeline-actions.yml";

/// Which findings the project ignores, and how bad it calls the others: what that configuration file says, or
/// [`CONFIGURATION`] in the current folder, when it is there.
///
/// # Errors
/// A file that cannot be read.
pub fn policy(file: Option<&Path>) -> Result<Policy, Failure> {
    let path = file.unwrap_or(Path::new(CONFIGURATION));
    match std::fs::read(path) {
        Ok(bytes) => Ok(Policy::read(&path.display().to_string(), &bytes)),
        Err(error) if file.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
            Ok(Policy::default())
        }
        Err(error) => {
            let deed = format!("cannot read the check's configuration {}", path.display());
            Err(Failure::refused(deed).cause(error))
        }
    }
}

/// A file with another text in place of its own, when there is one for it.
#[must_use]
pub fn with(texts: &BTreeMap<String, String>, file: File) -> File {
    match texts.get(&file.shown) {
        Some(text) => File {
            bytes: text.clone().into_bytes(),
            ..file
        },
        None => file,
    }
}

/// Takes what the project ignores out of a report.
pub fn ignore(report: &mut Report, policy: &Policy) {
    policy.apply(report, &|file| Path::new(file).is_file());
}

/// A refusal that lists every finding with its code and what to do about it.
pub fn refusal(deed: &str, findings: &[Finding]) -> Failure {
    findings
        .iter()
        .flat_map(|finding| {
            let text = finding.coded();
            text.lines().map(str::to_owned).collect::<Vec<_>>()
        })
        .fold(Failure::refused(deed), Failure::detail)
}

/// Logs what is no error, and what was not checked.
pub fn log_lesser(report: &Report) {
    for finding in &report.findings {
        match finding.severity {
            Severity::Error => {}
            Severity::Warning => tracing::warn!("{}", finding.coded()),
            Severity::Note => tracing::info!("{}", finding.coded()),
        }
    }
    for unread in &report.unread {
        tracing::warn!("not checked: {unread}");
    }
}

/// The errors of a report.
#[must_use]
pub fn errors(report: &Report) -> Vec<Finding> {
    report
        .findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error)
        .cloned()
        .collect()
}

/// The output of a check command: the report on stdout, or in a file with a text for people on stderr; the
/// exit is 1 when there are errors.
///
/// # Errors
/// When the file cannot be written.
pub fn output(
    report: &Report,
    format: Format,
    file: Option<&Path>,
    tool: Tool,
) -> Result<Output, Failure> {
    let exit = if report.count(Severity::Error) > 0 {
        Exit::Failed
    } else {
        Exit::Done
    };
    let rendered = report::render(report, format, tool);
    let Some(path) = file else {
        return Ok(Output::Verdict {
            stdout: rendered,
            stderr: String::new(),
            exit,
        });
    };
    std::fs::write(path, rendered).map_err(|error| {
        Failure::refused(format!("cannot write the report {}", path.display())).cause(error)
    })?;
    Ok(Output::Verdict {
        stdout: String::new(),
        stderr: report::render(report, Format::Text, tool),
        exit,
    })
}

/// A path as a user would write it: below the folder the program runs in, without that folder.
#[must_use]
pub fn shown(path: &Path) -> String {
    let here = std::env::current_dir().and_then(|here| here.canonicalize());
    let here = here.unwrap_or_default();
    let below = path.strip_prefix(here).unwrap_or(path);
    below.display().to_string()
}

/// The file behind a local path of a template that is shown by that name.
#[must_use]
pub fn local_file(template: &str, path: &str) -> Option<File> {
    let folder = Path::new(template).parent().unwrap_or(Path::new(""));
    let path = folder.join(path);
    Some(File {
        bytes: std::fs::read(&path).ok()?,
        shown: shown(&neat(&path)),
    })
}

/// A path without `..` in it, as far as its folder is there.
#[must_use]
pub fn neat(path: &Path) -> PathBuf {
    let folder = path.parent().map(|folder| {
        if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            folder
        }
    });
    match (
        folder.and_then(|folder| folder.canonicalize().ok()),
        path.file_name(),
    ) {
        (Some(folder), Some(name)) => folder.join(name),
        _ => path.canonicalize().unwrap_or_else(|_| path.to_owned()),
    }
}

/// The names in a manifest that are files or links.
#[must_use]
pub fn names(manifest: &Manifest) -> Vec<String> {
    manifest
        .entries()
        .iter()
        .filter(|entry| entry.kind != Kind::EmptyDir)
        .map(|entry| entry.path.clone())
        .collect()
}

/// A file of a manifest, when it can be read.
#[must_use]
pub fn read(manifest: &Manifest, name: &str) -> Option<File> {
    let entry = manifest.get(name)?;
    let Kind::File { .. } = &entry.kind else {
        return None;
    };
    Some(File {
        shown: shown(&entry.source),
        bytes: entry.read().ok()?.into_owned(),
    })
}

/// Reads parameter files: a template configuration (`{"Parameters": {…}}`), the list of the AWS CLI
/// (`[{"ParameterKey": …}]`) or a plain object of names and values; the later file wins, and `single` over
/// all.
///
/// # Errors
/// A refusal that names the file and what is wrong in it.
pub fn parameters(
    files: &[PathBuf],
    single: &[(String, String)],
) -> Result<BTreeMap<String, String>, Failure> {
    let mut all = BTreeMap::new();
    for file in files {
        let shown = file.display().to_string();
        let bytes = std::fs::read(file).map_err(|error| {
            // It is a parameter in the place of a file, and its value may be a secret.
            let failure = match shown.contains('=') {
                true => Failure::refused("cannot read the parameters: NAME=VALUE is not a file"),
                false => Failure::refused(format!("cannot read the parameters {shown}")),
            };
            failure.cause(error)
        })?;
        let value = contract::yaml::parse_bytes(&shown, &bytes)
            .map_err(|finding| refusal("the parameters cannot be used", &[finding]))?
            .to_json();
        let read = contract::parameters::read_parameters(&value).map_err(|why| {
            Failure::refused(format!("the parameters {shown} cannot be used")).cause(why)
        })?;
        all.extend(read);
    }
    all.extend(single.iter().cloned());
    Ok(all)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;
    use contract::rules::{large_body, syntax};

    #[test]
    fn errors_alone_make_a_check_fail() {
        let tool = Tool {
            name: "x",
            version: "1",
        };
        let mut report = Report::default();
        let exit =
            |report: &Report, file: Option<&Path>| match output(report, Format::Json, file, tool)
                .unwrap()
            {
                Output::Verdict {
                    stdout,
                    stderr,
                    exit,
                } => (exit, stdout.is_empty(), stderr.is_empty()),
                other => panic!("{other:?}"),
            };
        report
            .findings
            .push(Finding::new(&large_body::RULE, "t", None, "m"));
        assert_eq!(exit(&report, None), (Exit::Done, false, true));
        report
            .findings
            .push(Finding::new(&syntax::RULE, "t", None, "m"));
        assert_eq!(exit(&report, None), (Exit::Failed, false, true));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("r.json");
        assert_eq!(exit(&report, Some(&file)), (Exit::Failed, true, false));
        assert!(std::fs::read_to_string(&file).unwrap().contains("\"Y001\""));
        assert_eq!(errors(&report).len(), 1);
        let refused = refusal("no", &report.findings).to_string();
        assert!(
            refused.contains("t: m [Y001]\n    hint: correct the text"),
            "{refused}"
        );
    }
}
