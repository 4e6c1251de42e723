//! Which program runs a custom action or stands for a Lambda function, and which `job-worker` runs that program.

use std::path::{Path, PathBuf};

use action::program::Context;
use contract::pipeline::Action;

/// What was said of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct JobSettings {
    /// Programs by `PROVIDER` or `PROVIDER@VERSION`.
    pub(crate) custom: Vec<(String, String)>,
    /// Programs by the name of a function.
    pub(crate) lambda: Vec<(String, String)>,
    pub(crate) worker: Option<PathBuf>,
}

/// The programs of ours that an action type can have for its provider.
const OURS: [&str; 5] = [
    "deploy-app",
    "export-vars",
    "make-ami",
    "package-template",
    "signal-health",
];

/// An action that `job-worker` runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JobAction<'a> {
    Custom { provider: &'a str, version: &'a str },
    Lambda { function: &'a str },
}

/// How it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JobProgram {
    pub(crate) worker: PathBuf,
    pub(crate) program: PathBuf,
    pub(crate) manner: Manner,
}

/// How a job reaches the worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// It asks for jobs.
    Polled,
    /// It is a function that is invoked.
    Invoked,
}

impl JobProgram {
    /// In words.
    pub(crate) fn shown(&self) -> String {
        let name = self.program.file_name().unwrap_or_default();
        format!("job-worker with {}", name.to_string_lossy())
    }
}

impl<'a> JobAction<'a> {
    /// An action that is one.
    pub(crate) fn of(action: &'a Action) -> Option<Self> {
        let kind = (
            action.category.as_str(),
            action.owner.as_str(),
            action.provider.as_str(),
        );
        match kind {
            ("Build" | "Deploy" | "Test" | "Invoke", "Custom", provider) => Some(Self::Custom {
                provider,
                version: action.version.as_deref().unwrap_or("1"),
            }),
            ("Invoke", _, "Lambda") => Some(Self::Lambda {
                function: action.setting("FunctionName").unwrap_or_default(),
            }),
            _ => None,
        }
    }

    /// The program that runs it, or in words why none does.
    pub(crate) fn program(
        self,
        settings: &JobSettings,
        bin_dir: Option<&Path>,
        context: &Context,
    ) -> Result<JobProgram, String> {
        let name = self.mapped(settings).ok_or_else(|| match self {
            Self::Custom { provider, .. } => {
                format!("no program runs the custom action {provider}; name one with --custom-action {provider}=PROGRAM")
            }
            Self::Lambda { function: "" } => {
                "its configuration has no FunctionName, so it is unknown which Lambda function to replace".to_owned()
            }
            Self::Lambda { function } => {
                format!("no program replaces the Lambda function {function}; name one with --lambda {function}=PROGRAM")
            }
        })?;
        let folders = folders(bin_dir, context);
        let worker = match &settings.worker {
            Some(file) => in_place(file),
            None => found("job-worker", &folders),
        };
        let worker = worker.map_err(|why| {
            format!("{why}, which custom actions need; name it with --job-worker FILE")
        })?;
        let program = match name.contains('/') {
            true => in_place(Path::new(name)),
            false => found(name, &folders),
        };
        Ok(JobProgram {
            worker,
            program: program?,
            manner: match self {
                Self::Custom { .. } => Manner::Polled,
                Self::Lambda { .. } => Manner::Invoked,
            },
        })
    }

    /// The last word on it, and the narrower name before the wider one.
    fn mapped(self, settings: &JobSettings) -> Option<&str> {
        match self {
            Self::Custom { provider, version } => {
                let given = |name: &str| last(&settings.custom, name);
                given(&format!("{provider}@{version}"))
                    .or_else(|| given(provider))
                    .or_else(|| ours(provider))
            }
            Self::Lambda { function } => last(&settings.lambda, function),
        }
    }
}

fn last<'s>(all: &'s [(String, String)], name: &str) -> Option<&'s str> {
    let mut named = all.iter().rev().filter(|(known, _)| known == name);
    named.next().map(|(_, program)| program.as_str())
}

/// The program of ours with the name of a provider: `make-ami`, or `MakeAmi` as `cfn/custom-actions.yml` has it.
fn ours(provider: &str) -> Option<&'static str> {
    let plain = |name: &str| name.replace('-', "").to_ascii_lowercase();
    OURS.into_iter().find(|one| plain(one) == plain(provider))
}

/// Where programs are looked for: `--bin-dir`, beside this one, `PATH`.
fn folders(bin_dir: Option<&Path>, context: &Context) -> Vec<PathBuf> {
    let own = std::env::current_exe().ok();
    let own = own.and_then(|file| file.parent().map(Path::to_owned));
    let path = context.variable("PATH").unwrap_or_default();
    let path = std::env::split_paths(&path).filter(|folder| folder.is_absolute());
    let bin_dir = bin_dir.map(Path::to_owned);
    bin_dir.into_iter().chain(own).chain(path).collect()
}

fn found(name: &str, folders: &[PathBuf]) -> Result<PathBuf, String> {
    let files = folders.iter().map(|folder| folder.join(name));
    let mut files = files.filter(|file| file.is_file());
    files
        .next()
        .ok_or_else(|| format!("there is no {name} beside run-pipeline or on PATH"))
}

fn in_place(file: &Path) -> Result<PathBuf, String> {
    match std::path::absolute(file) {
        Ok(whole) if whole.is_file() => Ok(whole),
        _ => Err(format!("{} is not a file", file.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::{JobAction, JobSettings};

    fn settings(custom: &[(&str, &str)]) -> JobSettings {
        let custom = custom.iter();
        JobSettings {
            custom: custom
                .map(|(name, program)| ((*name).to_owned(), (*program).to_owned()))
                .collect(),
            ..JobSettings::default()
        }
    }

    #[test]
    fn the_narrower_name_wins_and_ours_need_none() {
        let of = |provider, version, settings: &JobSettings| {
            let action = JobAction::Custom { provider, version };
            action.mapped(settings).map(str::to_owned)
        };
        let given = settings(&[
            ("Bake", "a"),
            ("Bake@2", "b"),
            ("Bake", "c"),
            ("MakeAmi", "d"),
        ]);
        assert_eq!(of("Bake", "1", &given).as_deref(), Some("c"));
        assert_eq!(of("Bake", "2", &given).as_deref(), Some("b"));
        assert_eq!(of("MakeAmi", "1", &given).as_deref(), Some("d"));
        let none = settings(&[]);
        assert_eq!(of("MakeAmi", "1", &none).as_deref(), Some("make-ami"));
        assert_eq!(
            of("export-vars", "1", &none).as_deref(),
            Some("export-vars")
        );
        assert_eq!(of("Jenkins", "1", &none), None);
        let function = JobAction::Lambda {
            function: "MakeAmi",
        };
        assert_eq!(function.mapped(&none), None);
    }
}
