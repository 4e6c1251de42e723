//! The record of a run: a line of JSON for each thing that happened, and a JUnit file in the end. Secrets are hidden
//! in both.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use action::failure::Failure;
use action::redact;
use serde_json::{Value, json};

/// What is written of a run, and where.
#[derive(Debug, Default)]
pub(crate) struct Record {
    /// The files that get the lines.
    lines: Vec<File>,
    junit: Option<PathBuf>,
    cases: Vec<Case>,
}

/// Where a record goes.
#[derive(Debug, Default)]
pub(crate) struct RecordFiles<'a> {
    /// A file that is overwritten.
    pub(crate) lines: Option<&'a Path>,
    pub(crate) junit: Option<&'a Path>,
    /// The open record of the history.
    pub(crate) kept: Option<File>,
}

/// What is about to run, for the record.
pub(crate) struct Begun<'a> {
    pub(crate) pipeline: &'a str,
    pub(crate) execution: &'a str,
    /// `standard`, `retry`, `rollback` or `replay`.
    pub(crate) kind: &'static str,
    /// The earlier run that it takes from.
    pub(crate) from: Option<&'a str>,
    /// `Stage/Action` of all that is to run.
    pub(crate) planned: Vec<String>,
}

/// An action that is over.
#[derive(Debug)]
struct Case {
    stage: String,
    action: String,
    took: Duration,
    failure: Option<String>,
    is_skipped: bool,
}

/// An action that is over, for the record.
pub(crate) struct Ended<'a> {
    pub(crate) stage: &'a str,
    pub(crate) action: &'a str,
    pub(crate) provider: &'a str,
    /// What ran it, in words.
    pub(crate) runs: &'a str,
    pub(crate) how: How,
    pub(crate) attempt: u32,
    pub(crate) took: Duration,
    pub(crate) result: Result<&'a [(String, String)], &'a Failure>,
    /// Its artifacts, as the history finds them again.
    pub(crate) artifacts: Vec<Value>,
}

/// How an action came to what it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    Ran,
    Skipped,
    /// Taken over from an earlier run.
    Kept,
}

impl Record {
    /// Begins a record; an old one of that name is overwritten, that of the history goes on.
    pub(crate) fn begin(files: RecordFiles<'_>, begun: Begun<'_>) -> Result<Self, Failure> {
        let open = |path: &Path| {
            File::create(path).map_err(|error| {
                Failure::refused(format!("cannot write the record {}", path.display())).cause(error)
            })
        };
        // It is written at the end, too late to find out.
        let folder = files.junit.and_then(Path::parent);
        if let Some(folder) = folder.filter(|folder| !folder.as_os_str().is_empty())
            && !folder.is_dir()
        {
            let deed = "cannot write the JUnit file";
            let cause = format!("{} is not a folder", folder.display());
            return Err(Failure::refused(deed).cause(cause));
        }
        let mut record = Self {
            lines: files.lines.map(open).transpose()?.into_iter().collect(),
            junit: files.junit.map(Path::to_owned),
            cases: Vec::new(),
        };
        if let Some(mut kept) = files.kept {
            // What was killed may have left a line without an end.
            let is_new = kept.metadata().is_ok_and(|data| data.len() == 0);
            if !is_new && let Err(error) = kept.write_all(b"\n") {
                tracing::warn!("the record of the run is not kept: {error}");
            }
            record.lines.push(kept);
        }
        let begun_at = SystemTime::now().duration_since(UNIX_EPOCH);
        let millis = begun_at.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(0));
        let mut line = json!({
            "event": "begin",
            "version": 1,
            "pipeline": begun.pipeline,
            "execution": begun.execution,
            "kind": begun.kind,
            "begun": millis,
            "planned": begun.planned,
        });
        if let Some(from) = begun.from {
            line["from"] = from.into();
        }
        record.line(&line);
        Ok(record)
    }

    /// Writes down what a stage has come to: `succeeded`, `skipped` or `failed`.
    pub(crate) fn stage(&mut self, stage: &str, status: &str) {
        self.line(&json!({"event": "stage", "stage": stage, "status": status}));
    }

    /// Writes down that an action is over.
    pub(crate) fn action(&mut self, ended: &Ended<'_>) {
        let mut line = json!({
            "event": "action",
            "stage": ended.stage,
            "action": ended.action,
            "provider": ended.provider,
            "runs": ended.runs,
            "attempt": ended.attempt,
            "seconds": (ended.took.as_secs_f64() * 1000.0).round() / 1000.0,
        });
        let failure = match ended.result {
            Ok(variables) => {
                let map: serde_json::Map<String, Value> = variables
                    .iter()
                    .map(|(key, value)| (key.clone(), Value::from(value.as_str())))
                    .collect();
                line["status"] = match ended.how {
                    How::Ran => "succeeded",
                    How::Skipped => "skipped",
                    How::Kept => "kept",
                }
                .into();
                let is_hidden = |value: &str| redact::redacted(value) != value;
                let hidden: Vec<&str> = variables
                    .iter()
                    .filter(|(_, value)| is_hidden(value))
                    .map(|(key, _)| key.as_str())
                    .collect();
                if !hidden.is_empty() {
                    line["hidden"] = hidden.into();
                }
                line["variables"] = map.into();
                if !ended.artifacts.is_empty() {
                    line["artifacts"] = ended.artifacts.clone().into();
                }
                None
            }
            Err(failure) => {
                line["status"] = "failed".into();
                line["error"] = failure.deed().into();
                line["causes"] = failure.causes().into();
                Some(failure.to_string())
            }
        };
        self.line(&line);
        self.cases.push(Case {
            stage: ended.stage.to_owned(),
            action: ended.action.to_owned(),
            took: ended.took,
            failure,
            is_skipped: ended.how != How::Ran,
        });
    }

    /// Writes down how the run ended, and the JUnit file.
    pub(crate) fn end(&mut self, pipeline: &str, failure: Option<&Failure>) {
        let mut line = json!({"event": "end"});
        match failure {
            None => line["status"] = "succeeded".into(),
            Some(failure) => {
                line["status"] = "failed".into();
                line["error"] = failure.deed().into();
            }
        }
        self.line(&line);
        if let Some(path) = &self.junit {
            let text = junit(pipeline, &self.cases);
            if let Err(error) = std::fs::write(path, redact::redacted(&text).as_bytes()) {
                tracing::warn!("cannot write {}: {error}", path.display());
            }
        }
    }

    fn line(&mut self, line: &Value) {
        let text = format!("{line}\n");
        let text = redact::redacted(&text);
        self.lines.retain_mut(|file| {
            let written = file.write_all(text.as_bytes());
            if let Err(error) = &written {
                tracing::warn!("the record of the run ends here: {error}");
            }
            written.is_ok()
        });
    }
}

/// The actions as test cases, a suite for each stage.
fn junit(pipeline: &str, cases: &[Case]) -> String {
    let failures = |cases: &[&Case]| cases.iter().filter(|one| one.failure.is_some()).count();
    let mut stages: Vec<&str> = Vec::new();
    for case in cases {
        if !stages.contains(&case.stage.as_str()) {
            stages.push(&case.stage);
        }
    }
    let all: Vec<&Case> = cases.iter().collect();
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"{}\" tests=\"{}\" failures=\"{}\">\n",
        escaped(pipeline),
        all.len(),
        failures(&all)
    );
    for stage in stages {
        let own: Vec<&Case> = cases.iter().filter(|one| one.stage == stage).collect();
        text.push_str(&format!(
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\">\n",
            escaped(stage),
            own.len(),
            failures(&own)
        ));
        for case in own {
            text.push_str(&format!(
                "    <testcase classname=\"{}\" name=\"{}\" time=\"{:.3}\">",
                escaped(stage),
                escaped(&case.action),
                case.took.as_secs_f64()
            ));
            if let Some(failure) = &case.failure {
                text.push_str(&format!("<failure>{}</failure>", escaped(failure)));
            } else if case.is_skipped {
                text.push_str("<skipped/>");
            }
            text.push_str("</testcase>\n");
        }
        text.push_str("  </testsuite>\n");
    }
    text.push_str("</testsuites>\n");
    text
}

/// A text inside of XML. What no XML may hold is left out.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}
