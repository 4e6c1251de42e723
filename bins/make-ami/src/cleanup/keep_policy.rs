//! Whether what a failed run made stays, and how the failure says so.

use crate::cleanup::undo;
use crate::job::Job;
use crate::journal::{Journal, Made};
use crate::settings::modes::OnTimeout;
use action::exit::Exit;
use action::export::quote::posix;
use action::failure::{Failure, ResourceKind};

/// Whether an unfinished image is worth keeping: its wait ran out of time, or of answers, but
/// nothing says that it is bad.
pub(crate) fn keeps_unfinished(failure: &Failure, on_timeout: OnTimeout) -> bool {
    match failure.exit() {
        Exit::Deadline => on_timeout == OnTimeout::Keep,
        Exit::Unavailable => true,
        _ => false,
    }
}

/// Whether an available image goes because of this failure: somebody asked for the end.
pub(crate) fn removes_available(failure: &Failure, on_timeout: OnTimeout) -> bool {
    match failure.exit() {
        Exit::Deadline => on_timeout == OnTimeout::Clean,
        Exit::Interrupted | Exit::Terminated => true,
        _ => false,
    }
}

/// The failure of a run whose images stay, with the commands that go on with them and that remove them.
pub(crate) fn with_resume_hint(job: &Job, journal: &Journal, mut failure: Failure) -> Failure {
    let made = journal.made.iter().filter(|made| !made.is_gone);
    let made: Vec<&Made> = made.collect();
    if journal.lost_reply {
        failure = failure.leaving(undo::possible_orphan_image(&job.home, journal));
    }
    for regional in &journal.lost_copies {
        failure = failure.leaving(undo::possible_orphan_copy(regional, journal));
    }
    let first = made.first().map_or("ami-…", |made| made.image_id.as_str());
    let resume = format!("make-ami wait --image {first}");
    let is_late = failure.exit() == Exit::Deadline;
    let failure = made.iter().fold(failure, |failure, made| {
        let what = format!("image {} in {}", made.image_id, made.regional.region);
        let image = made.regional.resource(ResourceKind::Image, &made.image_id);
        failure.remains(image, what, resume.clone())
    });
    let again = "running make-ami again in this build, with the same MAKE_AMI_RUN or AMI_NAME, adopts the image and goes on";
    let copies = &job.settings.publish.copy_to;
    let copies = match copies.is_empty() {
        true => String::new(),
        false => format!(" --copy-to {}", copies.join(",")),
    };
    let clean = format!(
        "to remove all of it: make-ami clean --image {}{copies}",
        posix(&journal.run)
    );
    if is_late {
        return failure.hint(format!(
            "{again}; give --timeout, and the build's own limit, more than the image needs; {clean}"
        ));
    }
    if made.is_empty() {
        return failure;
    }
    // The hint is that of what failed.
    failure.changed(format!(
        "the image is requested and stays; {again}; {clean}"
    ))
}
