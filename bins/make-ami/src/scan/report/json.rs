//! One JSON object, for scripts.

use crate::scan::accepted::Entry;
use crate::scan::plan;
use crate::scan::report::subject::{Subject, TOOL, VERSION};
use crate::scan::verdict::{Weighed, Weight};
use jiff::Timestamp;
use serde_json::{Value, json};

/// It grows when a field goes away or means something else, not when one is added.
const SCHEMA: u32 = 1;

pub(super) fn render(subject: &Subject<'_>) -> String {
    let Subject {
        job,
        image,
        scanned,
    } = subject;
    let verdict = &scanned.verdict;
    let ids = |entries: &mut dyn Iterator<Item = &Entry>| {
        entries.map(|entry| entry.id.clone()).collect::<Vec<_>>()
    };
    let value = json!({
        "schemaVersion": SCHEMA,
        "tool": {"name": TOOL, "version": VERSION},
        "imageId": image.image_id,
        "imageName": image.name,
        "region": job.home.region,
        "scan": {"id": scanned.scan_id, "at": utc(scanned.at)},
        "rule": plan::json(job),
        "passed": verdict.is_passed(),
        "findings": verdict.findings.iter().map(finding).collect::<Vec<_>>(),
        "acceptedExpired": ids(&mut verdict.accepted.expired()),
        "acceptedUnused": ids(&mut verdict.accepted.unused()),
    });
    format!("{value:#}\n")
}

fn finding(weighed: &Weighed) -> Value {
    let Weighed { finding, weight } = weighed;
    let mut value = json!({
        "id": finding.id(),
        "title": finding.title,
        "severity": finding.severity_word(),
        "score": finding.score,
        "fixAvailable": finding.fixable,
        "firstObserved": finding.first_observed.map(utc),
        "paths": finding.paths,
        "snapshotId": finding.snapshot_id,
        "verdict": weight.word(),
    });
    if let Weight::Accepted(entry) = weight {
        value["reason"] = entry.reason.as_str().into();
        value["until"] = entry.until.to_string().into();
    }
    value
}

fn utc(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
