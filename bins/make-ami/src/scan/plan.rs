//! What a run would scan, told before.

use crate::job::Job;
use crate::settings::scan::{ScanCounts, ScanMode};
use action::wait::humane;
use serde_json::{Value, json};

/// What the scan would be; nothing where none is asked for.
pub(crate) fn text(job: &Job) -> String {
    let scan = &job.settings.scan;
    let deed = match scan.mode {
        ScanMode::Off => return String::new(),
        ScanMode::Report => "report",
        ScanMode::Gate => "refuse",
    };
    let fixable = match scan.counts {
        ScanCounts::All => "",
        ScanCounts::Fixable => " that have a fix",
    };
    let grace = scan
        .grace
        .map(|grace| format!(", known for {}", humane(grace)));
    let accepted = scan.accepted.as_ref();
    let accepted = accepted.map(|path| format!(", but those in {}", path.display()));
    format!(
        "scan: Amazon Inspector scans the image, for a price, before it is copied, shared or exported; {deed} it for findings{fixable} from {} on{}{}\n",
        scan.severity,
        grace.unwrap_or_default(),
        accepted.unwrap_or_default()
    )
}

/// The same for machines.
pub(crate) fn json(job: &Job) -> Value {
    let scan = &job.settings.scan;
    match scan.mode {
        ScanMode::Off => Value::Null,
        mode => json!({
            "mode": mode.to_string(),
            "severity": scan.severity.to_string(),
            "counts": scan.counts.to_string(),
            "grace_seconds": scan.grace.map(|grace| grace.as_secs()),
            "accepted": scan.accepted,
            "on_failure": scan.on_failure.to_string(),
        }),
    }
}
