//! The file with the statement: written at the end of a run, beside the manifest.

use crate::job::Job;
use crate::outcome::Finished;
use crate::provenance::ancestry::{self, Generation};
use crate::provenance::envelope;
use crate::provenance::statement::statement;
use action::export::file::{ExportFile, FileFault};
use action::failure::Failure;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// Asking for the ancestors may not hold up the hand-over for longer.
const WITHIN: Duration = Duration::from_secs(60);

/// Removes the statement of an earlier run, and makes sure that another can be written.
pub(crate) fn forget(job: &Job) -> Result<(), Failure> {
    file(job).map(drop).map_err(|error| {
        Failure::refused("there can be no statement; nothing was touched").cause(error)
    })
}

/// Writes the statement where the settings say, signed where they name a key; whole or not at all.
pub(crate) async fn write(job: &Job, finished: &Finished) -> Result<(), Failure> {
    if job.settings.provenance.statement.is_none() {
        return Ok(());
    }
    let ancestry = ancestry_of(job, &finished.verified.image_id).await;
    let statement = statement(job, finished, &ancestry);
    let operation = "cannot write the statement";
    let text = match &job.settings.provenance.key {
        None => format!("{statement:#}\n"),
        Some(key) => match envelope::signed(&statement, key) {
            Some(envelope) => format!("{envelope}\n"),
            None => return Err(Failure::failed(operation).cause("the key cannot sign")),
        },
    };
    let written = file(job).and_then(|file| file.map_or(Ok(()), |file| file.write(&text)));
    written.map_err(|error| Failure::failed(operation).cause(error))
}

/// The ancestry for the statement. The image is good without it, and so is the rest of the statement.
async fn ancestry_of(job: &Job, image_id: &str) -> Vec<Generation> {
    let until = job.hand_over_by().min(Instant::now() + WITHIN);
    let asking = timeout_at(until, ancestry::of(&job.home, image_id));
    let why = match job.context.interrupt.race(asking).await {
        Ok(Ok(Ok(generations))) => return generations,
        Ok(Ok(Err(failure))) => format!("{}: {}", failure.deed(), failure.causes().join("; ")),
        Ok(Err(_)) => "EC2 did not answer in time".to_owned(),
        Err(signal) => format!("{signal} came"),
    };
    tracing::warn!("the statement names no ancestors of {image_id}: {why}");
    Vec::new()
}

fn file(job: &Job) -> Result<Option<ExportFile>, FileFault> {
    let path = job.settings.provenance.statement.as_deref();
    path.map(ExportFile::prepare).transpose()
}
