//! What `job-worker status` says.

use crate::journal::{Journal, Note, Notes};
use crate::settings::Format;
use action::wait::humane;
use serde_json::json;
use std::fmt::Write as _;
use std::time::Duration;

/// The jobs of a work folder as text or JSON.
pub(crate) fn status(journal: &Journal, now: i64, format: Format) -> String {
    let (jobs, waiting, left) = (
        journal.entries(),
        journal.notes(Notes::Waiting),
        journal.notes(Notes::Left),
    );
    if format == Format::Json {
        let jobs: Vec<_> = jobs
            .iter()
            .map(|job| {
                json!({
                    "job": job.job, "action": job.pipeline, "program": job.program, "phase": job.phase.word(),
                    "since": job.taken, "process": job.child.map(|child| child.pid),
                    "work": job.token.as_ref().and_then(|token| token.handle()),
                })
            })
            .collect();
        let notes = |notes: &[Note]| -> Vec<_> {
            let notes = notes.iter();
            notes
                .map(|note| {
                    json!({
                        "work": note.what, "action": note.pipeline, "program": note.program, "since": note.at,
                        "command": note.command,
                    })
                })
                .collect()
        };
        let all = json!({ "jobs": jobs, "waiting": notes(&waiting), "left": notes(&left) });
        return format!("{all:#}\n");
    }
    let since = |at: i64| humane(Duration::from_secs(u64::try_from(now - at).unwrap_or(0)));
    let mut text = String::new();
    for job in &jobs {
        let process = job
            .child
            .map_or_else(String::new, |child| format!(", process {}", child.pid));
        let _ = writeln!(
            text,
            "{}  {}  {} {} for {}{process}",
            job.job,
            job.pipeline,
            job.program,
            job.phase.word(),
            since(job.taken)
        );
    }
    for note in &waiting {
        let _ = writeln!(
            text,
            "waits at CodePipeline  {}  {} of {}, handed back {} ago",
            note.pipeline,
            note.what,
            note.program,
            since(note.at)
        );
    }
    for note in &left {
        let _ = writeln!(
            text,
            "remains  {}  {} of {}, since {}\n    {}",
            note.pipeline,
            note.what,
            note.program,
            since(note.at),
            note.command
        );
    }
    if text.is_empty() {
        text.push_str("no jobs\n");
    }
    text
}
