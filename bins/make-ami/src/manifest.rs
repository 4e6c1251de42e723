//! What was made, as JSON for other programs and as lines for people.

use crate::cost::{self, Rate, Stored};
use crate::job::Job;
use crate::outcome::Finished;
use crate::retention::retire::Reason;
use action::export::file::{ExportFile, FileFault};
use action::failure::Failure;
use jiff::Timestamp;
use serde_json::{Value, json};

/// The manifest. Sizes are bytes, times are UTC, money is US dollars.
pub(crate) fn manifest(job: &Job, finished: &Finished) -> Value {
    let Finished {
        spec,
        verified,
        copies,
        stored,
        retired,
        frozen,
        warm_start,
        available,
        scanned,
    } = finished;
    let settings = &job.settings;
    let build = &job.context.codebuild;
    let snapshots = verified.snapshots.iter().map(|snapshot| {
        json!({
            "id": snapshot.id,
            "volume_id": snapshot.volume_id,
            "volume_bytes": snapshot.volume_bytes,
            "full_bytes": snapshot.full_bytes,
            "encrypted": snapshot.encrypted,
        })
    });
    let rate = Rate::of(&job.home.region, settings.price);
    let billed = billed(stored);
    json!({
        "image_id": verified.image_id,
        "name": verified.name,
        "region": job.home.region,
        "snapshots": snapshots.collect::<Vec<_>>(),
        "run": spec.run,
        "tags": spec.tags,
        "source": {
            "instance_id": spec.instance_id,
            "consistency": spec.consistency,
            "frozen_ms": frozen.map(|frozen| u64::try_from(frozen.as_millis()).unwrap_or(u64::MAX)),
        },
        "build": {
            "id": build.build_id,
            "commit": build.resolved_source_version,
            "pipeline": build.pipeline(),
        },
        "times": {
            "started": utc(job.clock.began()),
            "available": utc(*available),
            "finished": utc(job.clock.now()),
            "seconds": job.clock.elapsed().as_secs(),
        },
        "warm_start": warm_start.as_ref().map(|warm| json!({
            "snapshots": warm.snapshots,
            "foretold_seconds_at_most": warm.foretold.map(|time| time.as_secs()),
            "saved_seconds": warm.saved.map(|saved| saved.time().as_secs()),
            "completed_before_the_image": warm.saved.map(|saved| saved.was_complete),
            "changed_bytes": warm.changed,
        })),
        "copies": copies.iter().map(|copy| json!({
            "region": copy.region,
            "image_id": copy.image_id,
            "available": copy.available,
        })).collect::<Vec<_>>(),
        "watermarks": settings.provenance.watermarks.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "shared_with": settings.publish.share_with.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "scan": scanned.as_ref().map(|scanned| json!({
            "id": scanned.scan_id,
            "at": utc(scanned.at),
            "passed": scanned.verdict.is_passed(),
            "findings": scanned.verdict.findings.len(),
            "counting": scanned.verdict.counting().count(),
        })),
        "ssm_parameter": settings.publish.ssm_parameter,
        "cost": {
            "full_bytes": stored.full,
            "changed_bytes": stored.changed,
            "billed_bytes_at_most": billed,
            "usd_per_gb_month": dollars(rate.price.0),
            "price_source": rate.source,
            "usd_per_month": dollars(cost::of(billed, rate.price, cost::MONTH).0),
            "kept_seconds": settings.price_for.as_secs(),
            "usd_while_kept": dollars(cost::of(billed, rate.price, settings.price_for).0),
            "copies_not_counted": copies.len(),
        },
        "retired": retired.iter().map(|step| json!({
            "region": step.region,
            "image_id": step.image.id,
            "name": step.image.name,
            "step": step.stage.to_string(),
            "restorable_until": step.restorable_until.map(utc),
            "kept_because": step.kept_because.iter().map(Reason::plain).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
    })
}

fn utc(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// What is billed, as far as it is known: never less than the truth.
fn billed(stored: &Stored) -> u64 {
    stored.changed.or(stored.full).unwrap_or(stored.volumes)
}

fn dollars(micros: u64) -> f64 {
    micros as f64 / 1e6
}

/// Removes the manifest of an earlier run, so that nobody takes it for this one's, and makes sure that
/// another can be written.
pub(crate) fn forget(job: &Job) -> Result<(), Failure> {
    export_file(job).map(drop).map_err(|error| {
        Failure::refused("the manifest cannot be written; nothing was touched").cause(error)
    })
}

/// Writes the manifest where the settings say, whole or not at all, as exports are.
pub(crate) fn write(job: &Job, finished: &Finished) -> Result<(), Failure> {
    let text = format!("{:#}\n", manifest(job, finished));
    let written = export_file(job).and_then(|file| file.map_or(Ok(()), |file| file.write(&text)));
    written.map_err(|error| Failure::failed("cannot write the manifest").cause(error))
}

fn export_file(job: &Job) -> Result<Option<ExportFile>, FileFault> {
    let path = job.settings.manifest.as_deref();
    path.map(ExportFile::prepare).transpose()
}

/// A few lines for people, at the end of the log.
pub(crate) fn summary(job: &Job, finished: &Finished) -> String {
    let Finished {
        spec,
        verified,
        copies,
        stored,
        scanned,
        ..
    } = finished;
    let rate = Rate::of(&job.home.region, job.settings.price);
    let mut text = format!(
        "{} ({}) of {}, {}, {}, in {}",
        verified.image_id,
        verified.name,
        spec.instance_id,
        spec.consistency,
        match verified.snapshots.len() {
            1 => "1 snapshot".to_owned(),
            n => format!("{n} snapshots"),
        },
        action::wait::humane(job.clock.elapsed())
    );
    if let Some(scanned) = scanned {
        text.push_str(&format!("\n  scan: {}", scanned.verdict.summary()));
    }
    for copy in copies {
        let state = if copy.available {
            "available"
        } else {
            "not waited for"
        };
        text.push_str(&format!(
            "\n  copy in {}: {} ({state})",
            copy.region, copy.image_id
        ));
    }
    text.push_str(&format!(
        "\n  {}",
        cost::after(stored, &rate, job.settings.price_for)
    ));
    text.push_str(&cost::of_copies(copies.len()));
    text
}
