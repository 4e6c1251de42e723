//! The runs that were kept: a folder for each, with its record and its artifacts. A retry and a roll-back read them.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use action::failure::Failure;
use serde_json::Value;

use crate::artifact::Artifact;
use crate::settings::Checked;

/// The folder of `--history-dir`.
#[derive(Debug, Clone)]
pub(crate) struct History {
    folder: PathBuf,
}

/// A run of before, as its record tells it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Past {
    pub(crate) id: String,
    /// When it began, in milliseconds since 1970.
    begun: u64,
    /// Whether it rolled a stage back.
    is_rollback: bool,
    /// `Stage/Action` of all that it was to run, in order.
    pub(crate) planned: Vec<String>,
    /// What its stages came to, in order: `succeeded`, `skipped` or `failed`.
    stages: BTreeMap<String, String>,
    actions: BTreeMap<String, PastAction>,
    folder: PathBuf,
    /// What a run elsewhere has kept.
    given: BTreeMap<String, Kept>,
}

/// An action of it, as its last attempt left it.
#[derive(Debug, Clone, Default)]
pub(crate) struct PastAction {
    pub(crate) attempt: u32,
    pub(crate) provider: String,
    is_good: bool,
    pub(crate) variables: Vec<(String, String)>,
    /// The variables whose values the record does not hold.
    hidden: Vec<String>,
    artifacts: Vec<PastArtifact>,
}

#[derive(Debug, Clone)]
struct PastArtifact {
    name: String,
    /// Relative to the folder of the history.
    file: String,
    digest: String,
    revision: Option<String>,
}

impl History {
    /// That of the settings, if any.
    pub(crate) fn of(settings: &Checked) -> Option<Self> {
        let folder = settings.again.history.clone()?;
        Some(Self { folder })
    }

    /// The folder of a run, which is made.
    pub(crate) fn room(&self, id: &str) -> Result<PathBuf, Failure> {
        let folder = self.folder.join(id);
        std::fs::create_dir_all(folder.join("artifacts")).map_err(|error| {
            Failure::refused(format!("cannot keep the run in {}", folder.display())).cause(error)
        })?;
        Ok(folder)
    }

    /// The file of an artifact, relative to the history.
    pub(crate) fn relative(&self, file: &Path) -> Option<String> {
        let rest = file.strip_prefix(&self.folder).ok()?;
        Some(rest.to_string_lossy().into_owned())
    }

    /// The runs of a pipeline, the newest first. What is no record of ours is passed over.
    pub(crate) fn runs(&self, pipeline: &str) -> Result<Vec<Past>, Failure> {
        let cannot = |error: std::io::Error| {
            Failure::refused(format!("cannot read {}", self.folder.display())).cause(error)
        };
        let mut all = Vec::new();
        if !self.folder.exists() {
            return Ok(all);
        }
        for entry in std::fs::read_dir(&self.folder).map_err(cannot)? {
            let path = entry.map_err(cannot)?.path().join("record.jsonl");
            let Ok(text) = std::fs::read_to_string(&path) else {
                continue;
            };
            all.extend(Past::read(&text, pipeline, &self.folder));
        }
        all.sort_by(|one, other| (other.begun, &other.id).cmp(&(one.begun, &one.id)));
        Ok(all)
    }

    /// A run by its id, or the newest one.
    pub(crate) fn find(&self, pipeline: &str, id: Option<&str>) -> Result<Past, Failure> {
        let mut runs = self.runs(pipeline)?.into_iter();
        let found = match id {
            None => runs.next(),
            Some(id) => runs.find(|one| one.id == id),
        };
        found.ok_or_else(|| {
            let which = id.map_or_else(|| "a run".to_owned(), |id| format!("the run {id}"));
            Failure::refused(format!(
                "{} holds no record of {which} of the pipeline {pipeline}",
                self.folder.display()
            ))
        })
    }

    /// The newest run in which a stage succeeded, but for those in which it was rolled back: CodePipeline takes none of
    /// them for the target of a roll-back.
    pub(crate) fn last_good(
        &self,
        pipeline: &str,
        stage: &str,
        but: &str,
    ) -> Result<Option<Past>, Failure> {
        let runs = self.runs(pipeline)?.into_iter();
        let mut good = runs.filter(|one| one.id != but && one.may_be_rolled_back_to(stage));
        Ok(good.next())
    }
}

/// Opens the record of a run for more lines. While it is open, nobody else can.
pub(crate) fn open_record(path: &Path) -> Result<File, Failure> {
    let cannot = |error: std::io::Error| {
        Failure::refused(format!("cannot write the record {}", path.display())).cause(error)
    };
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .map_err(cannot)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Failure::refused(format!(
            "the run of {} is still going on",
            path.display()
        ))),
        Err(TryLockError::Error(error)) => Err(cannot(error)),
    }
}

impl Past {
    /// Reads a record; nothing when it is none of this pipeline. A line that was cut off when the run was killed says
    /// nothing.
    fn read(text: &str, pipeline: &str, folder: &Path) -> Option<Self> {
        let mut past: Option<Self> = None;
        for line in text.lines() {
            let Ok(line) = serde_json::from_str::<Value>(line) else {
                continue;
            };
            let text = |key: &str| line.get(key).and_then(Value::as_str).unwrap_or_default();
            match text("event") {
                "begin" if text("pipeline") == pipeline => {
                    past.get_or_insert_with(|| Self {
                        id: text("execution").to_owned(),
                        begun: line.get("begun").and_then(Value::as_u64).unwrap_or(0),
                        is_rollback: text("kind") == "rollback",
                        planned: texts(&line, "planned"),
                        folder: folder.to_owned(),
                        ..Self::default()
                    });
                }
                "action" => {
                    let past = past.as_mut()?;
                    let name = format!("{}/{}", text("stage"), text("action"));
                    past.actions.insert(name, PastAction::read(&line));
                }
                "stage" => {
                    let past = past.as_mut()?;
                    let status = text("status").to_owned();
                    past.stages.insert(text("stage").to_owned(), status);
                }
                _ => {}
            }
        }
        past
    }

    /// A run elsewhere, of which this is known.
    pub(crate) fn of(id: &str, given: BTreeMap<String, Kept>) -> Self {
        Self {
            id: id.to_owned(),
            given,
            ..Self::default()
        }
    }

    /// The first stage that was to run and has not succeeded.
    pub(crate) fn failed_stage(&self) -> Option<&str> {
        let stages = self.planned.iter().filter_map(|one| one.split_once('/'));
        stages
            .map(|(stage, _)| stage)
            .find(|stage| !self.is_good(stage))
    }

    fn is_good(&self, stage: &str) -> bool {
        let status = self.stages.get(stage).map(String::as_str);
        matches!(status, Some("succeeded" | "skipped"))
    }

    /// Whether a stage may be rolled back to this run.
    pub(crate) fn may_be_rolled_back_to(&self, stage: &str) -> bool {
        let succeeded = self.stages.get(stage).is_some_and(|one| one == "succeeded");
        succeeded && !self.is_rollback
    }

    /// An action of it.
    pub(crate) fn action(&self, name: &str) -> Option<&PastAction> {
        self.actions.get(name)
    }

    /// Whether a run elsewhere has kept an action.
    pub(crate) fn has_kept(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }

    /// An action that succeeded, with its artifacts as they were kept.
    pub(crate) fn good(&self, name: &str) -> Result<Option<Kept>, String> {
        if let Some(kept) = self.given.get(name) {
            return Ok(Some(kept.clone()));
        }
        let Some(action) = self.actions.get(name).filter(|one| one.is_good) else {
            return Ok(None);
        };
        let mut artifacts = Vec::new();
        for one in &action.artifacts {
            let zip = self.folder.join(&one.file);
            let bytes = std::fs::read(&zip)
                .map_err(|error| format!("the artifact {} of {name}: {error}", one.name))?;
            if bundle::digest::Digest::of(&bytes).to_string() != one.digest {
                return Err(format!(
                    "the artifact {} of {name} is not what the run has made: {}",
                    one.name,
                    zip.display()
                ));
            }
            artifacts.push(Artifact {
                name: one.name.clone(),
                zip,
                revision: one.revision.clone(),
            });
        }
        if !action.hidden.is_empty() {
            tracing::warn!(
                "the record of the run {} does not hold {} of {name}; --variable gives it",
                self.id,
                action.hidden.join(", ")
            );
        }
        Ok(Some(Kept {
            run: self.id.clone(),
            variables: action.variables.clone(),
            artifacts,
        }))
    }
}

/// What an action has made in a run of before.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    /// The id of that run.
    pub(crate) run: String,
    pub(crate) variables: Vec<(String, String)>,
    pub(crate) artifacts: Vec<Artifact>,
}

impl PastAction {
    fn read(line: &Value) -> Self {
        let text = |value: &Value, key: &str| {
            let found = value.get(key).and_then(Value::as_str);
            found.map(str::to_owned)
        };
        let variables = line.get("variables").and_then(Value::as_object);
        let hidden = texts(line, "hidden");
        let artifacts = line.get("artifacts").and_then(Value::as_array);
        Self {
            attempt: line
                .get("attempt")
                .and_then(Value::as_u64)
                .and_then(|number| number.try_into().ok())
                .unwrap_or(1),
            provider: text(line, "provider").unwrap_or_default(),
            is_good: line.get("status").and_then(Value::as_str) != Some("failed"),
            variables: variables
                .into_iter()
                .flatten()
                .filter(|(key, _)| !hidden.contains(key))
                .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
                .collect(),
            hidden,
            artifacts: artifacts
                .into_iter()
                .flatten()
                .filter_map(|one| {
                    Some(PastArtifact {
                        name: text(one, "name")?,
                        file: text(one, "file")?,
                        digest: text(one, "digest")?,
                        revision: text(one, "revision"),
                    })
                })
                .collect(),
        }
    }
}

fn texts(line: &Value, key: &str) -> Vec<String> {
    let list = line.get(key).and_then(Value::as_array);
    list.into_iter()
        .flatten()
        .filter_map(|one| one.as_str().map(str::to_owned))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    const RECORD: &str = r#"{"event":"begin","pipeline":"p","execution":"e1","begun":5,"planned":["S/A","B/C","B/D","E/F"]}
{"event":"action","stage":"S","action":"A","provider":"S3","attempt":1,"status":"succeeded","variables":{"K":"v","H":"[secret]"},"hidden":["H"]}
{"event":"stage","stage":"S","status":"succeeded"}
{"event":"action","stage":"B","action":"C","attempt":1,"status":"failed"}
{"event":"action","stage":"B","action":"C","attempt":2,"status":"succeeded"}
{"event":"action","stage":"B","action":"D","attempt":1,"status":"failed"}
{"event":"stage","stage":"B","status":"failed"}
{"event":"stage","stage":"E","sta"#;

    #[test]
    fn the_last_word_of_each_action_counts() {
        let past = Past::read(RECORD, "p", Path::new("/h")).unwrap();
        assert_eq!(past.failed_stage(), Some("B"));
        assert_eq!(past.action("B/C").unwrap().attempt, 2);
        let kept = past.good("S/A").unwrap().unwrap();
        assert_eq!(kept.variables, [("K".to_owned(), "v".to_owned())]);
        assert!(past.good("B/C").unwrap().is_some());
        assert!(past.good("B/D").unwrap().is_none());
        assert!(past.good("E/F").unwrap().is_none());
        assert!(past.may_be_rolled_back_to("S") && !past.may_be_rolled_back_to("B"));
        assert!(Past::read(RECORD, "other", Path::new("/h")).is_none());
    }

    #[test]
    fn a_run_that_rolled_back_is_no_target_of_a_roll_back() {
        let record = RECORD.replace("\"begun\":5", "\"begun\":5,\"kind\":\"rollback\"");
        let past = Past::read(&record, "p", Path::new("/h")).unwrap();
        assert!(!past.may_be_rolled_back_to("S"));
    }
}
