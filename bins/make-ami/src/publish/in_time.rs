//! Whether publishing may go on.

use crate::job::Job;
use action::exit::Exit;
use action::failure::Failure;
use tokio::time::Instant;

pub(crate) const STOPPED: &str = "stopped before the image was published";

/// Whether there is no signal and no deadline yet.
pub(crate) fn in_time(job: &Job) -> Result<(), Failure> {
    if let Some(signal) = job.context.interrupt.pending() {
        return Err(Failure::interrupted(signal, STOPPED));
    }
    if Instant::now() >= job.context.deadline {
        let late = "the deadline passed before the image was published";
        return Err(Failure::new(Exit::Deadline, late));
    }
    Ok(())
}
