//! The image's scan for known vulnerabilities: Amazon Inspector scans it on demand, EC2 shows the findings, and they are
//! weighed. Nothing is shared, copied or exported before that.
//!
//! Sources: <https://docs.aws.amazon.com/inspector/latest/user/machine-image-on-demand.html>,
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetImageFindings.html>.

pub(crate) mod accepted;
mod ago;
mod finding;
mod findings;
mod inspector;
mod known;
pub(crate) mod outcome;
pub(crate) mod plan;
pub(crate) mod report;
mod verdict;

use crate::dry_run::later_changes;
use crate::image::wait_available::Verified;
use crate::job::{Job, timestamp};
use crate::scan::accepted::Accepted;
use crate::scan::finding::Finding;
use crate::scan::outcome::{Scanned, Unproven};
use crate::scan::verdict::{Verdict, Weighed, weigh};
use crate::settings::scan::ScanMode;
use action::exit::Exit;
use action::failure::Failure;

/// Removes the reports of an earlier run, and refuses a file of accepted findings that cannot be used. `clean` needs neither.
pub(crate) fn prepare(job: &Job) -> Result<(), Failure> {
    if job.context.command.as_deref() == Some("clean") {
        return Ok(());
    }
    if !job.context.dry_run {
        report::forget(job)?;
    }
    accepted::read(job).map(drop)
}

/// Looks, before an image is made, whether Inspector lets an earlier image's scans be listed: what it refuses now it
/// would refuse in the end. Nothing is asked where there is no earlier image.
pub(crate) async fn check(job: &Job, instance: &str) -> Result<(), Failure> {
    if job.settings.scan.mode == ScanMode::Off {
        return Ok(());
    }
    let Some(earlier) = earlier_image(job, instance).await? else {
        return Ok(());
    };
    match inspector::answers(job, &earlier).await {
        Err(failure) if never_stops(job, &failure) => {
            tracing::warn!("{failure}");
            Ok(())
        }
        answered => answered,
    }
}

/// The id of an earlier image of the application or the instance.
async fn earlier_image(job: &Job, instance: &str) -> Result<Option<String>, Failure> {
    let earlier = later_changes::earlier_image(job, &job.home, instance).await?;
    Ok(earlier.and_then(|image| image.image_id))
}

/// Has the image scanned, and weighs what is found. Nothing where no scan is asked for, or a report is and there can
/// be none.
pub(crate) async fn scan(job: &Job, image: &Verified) -> Result<Option<Scanned>, Unproven> {
    if job.settings.scan.mode == ScanMode::Off {
        return Ok(None);
    }
    let scanned = scan_image(job, image).await;
    match scanned {
        Ok(scanned) => pass(job, image, scanned).map(Some),
        Err(Unproven::Refused(failure) | Unproven::Open(failure)) if never_stops(job, &failure) => {
            tracing::warn!("there is no report of what is in the image: {failure}");
            Ok(None)
        }
        Err(unproven) => Err(unproven),
    }
}

/// Weighs the findings of an image that was scanned already; begins no scan.
pub(crate) async fn look(job: &Job, image: &Verified) -> Result<(), Failure> {
    if job.settings.scan.mode != ScanMode::Gate {
        return Ok(());
    }
    let Some((at, findings)) = job
        .in_time(findings::shown(&job.home, &image.image_id))
        .await?
    else {
        return Err(Failure::failed(format!(
            "image {} in {} was never scanned",
            image.image_id, job.home.region
        ))
        .hint("`make-ami wait --image` with MAKE_AMI_SCAN=gate has it scanned"));
    };
    let verdict = job.in_time(weighed(job, image, findings)).await?;
    let scanned = Scanned {
        scan_id: None,
        at,
        verdict,
    };
    let passed = pass(job, image, scanned);
    passed.map(drop).map_err(Unproven::into_failure)
}

/// Whether a failure does not stop the run, since only a report was asked for.
fn never_stops(job: &Job, failure: &Failure) -> bool {
    let ends_it = matches!(
        failure.exit(),
        Exit::Deadline | Exit::Interrupted | Exit::Terminated
    );
    job.settings.scan.mode == ScanMode::Report && !ends_it
}

async fn scan_image(job: &Job, image: &Verified) -> Result<Scanned, Unproven> {
    let scan = inspector::completed(job, &image.image_id).await?;
    let found = findings::of_scan(job, &image.image_id, &scan).await;
    let found = found.map_err(Unproven::Open)?;
    let verdict = job.in_time(weighed(job, image, found)).await;
    Ok(Scanned {
        at: timestamp(&scan.started),
        scan_id: Some(scan.id),
        verdict: verdict.map_err(Unproven::Open)?,
    })
}

async fn weighed(job: &Job, image: &Verified, found: Vec<Finding>) -> Result<Verdict, Failure> {
    let accepted = accepted::read(job)?;
    let known = known::before_the_grace(job, &image.image_id).await?;
    let now = job.clock.now();
    Ok(weigh(found, &job.settings.scan, &accepted, &known, now))
}

/// Writes the reports, says what was found, and refuses an image whose findings count.
fn pass(job: &Job, image: &Verified, scanned: Scanned) -> Result<Scanned, Unproven> {
    report::write(job, image, &scanned).map_err(Unproven::Open)?;
    for line in warnings(&scanned.verdict.accepted) {
        tracing::warn!("{line}");
    }
    let summary = scanned.verdict.summary();
    let counting: Vec<&Weighed> = scanned.verdict.counting().collect();
    if counting.is_empty() {
        tracing::info!(image_id = image.image_id, "the scan is passed: {summary}");
        return Ok(scanned);
    }
    let deed = format!(
        "image {} in {} does not pass its scan: {summary}",
        image.image_id, job.home.region
    );
    let failure = list(Failure::failed(deed), &counting).hint(
        "mend it on the instance and make a new image, or accept a finding by its id in the file that MAKE_AMI_SCAN_ACCEPTED names: `make-ami wait` then weighs the findings again",
    );
    match job.settings.scan.mode {
        ScanMode::Gate => Err(Unproven::Refused(failure)),
        ScanMode::Report | ScanMode::Off => {
            tracing::warn!("{failure}");
            Ok(scanned)
        }
    }
}

/// How many findings a failure lists; the reports have all.
const LISTED: usize = 20;

fn list(failure: Failure, counting: &[&Weighed]) -> Failure {
    let shown = counting.iter().take(LISTED);
    let failure = shown.fold(failure, |failure, one| failure.detail(one.finding.line()));
    match counting.len().saturating_sub(LISTED) {
        0 => failure,
        rest => failure.detail(format!("and {rest} more, which the reports have")),
    }
}

/// What of the accepted findings deserves a look.
fn warnings(accepted: &Accepted) -> Vec<String> {
    let expired = accepted.expired().map(|one| {
        format!(
            "{} is accepted until {}, and does not count as accepted any more",
            one.id, one.until
        )
    });
    let unused = accepted.unused().map(|one| {
        format!(
            "{} is accepted, and the image has no such finding: the entry can go",
            one.id
        )
    });
    expired.chain(unused).collect()
}
