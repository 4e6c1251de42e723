//! Scans of images in EC2's answers.

use std::fmt::Write as _;
use std::time::SystemTime;

use super::{answer, element, optional};
use crate::ec2::image_scan::{ImageFinding, ImageScan};
use crate::ec2::iso;

/// EC2's severities, the worst last.
const SEVERITIES: [&str; 5] = ["informational", "low", "medium", "high", "critical"];

/// GetImageFindings' answer.
pub(in crate::ec2) fn get_image_findings(
    findings: &[ImageFinding],
    at: SystemTime,
    snapshot: Option<&String>,
) -> String {
    let mut items = String::new();
    for finding in findings {
        let first = finding.first_observed.clone().unwrap_or_else(|| iso(at));
        let paths = finding.paths.iter().map(|path| element("item", path));
        let _ = writeln!(
            items,
            "<item>{}{}{}{}{}{}<pathSet>{}</pathSet>{}</item>",
            element("fixAvailable", &finding.fixable.to_string()),
            optional(
                "score",
                finding.score.map(|score| score.to_string()).as_ref()
            ),
            element("firstObservedAt", &first),
            element("updatedAt", &iso(at)),
            element("title", &finding.title),
            optional("severityLabel", finding.severity.as_ref()),
            paths.collect::<String>(),
            optional("snapshotId", snapshot)
        );
    }
    let set = format!("<imageFindingSet>\n{items}</imageFindingSet>\n");
    answer("GetImageFindings", &set)
}

/// What DescribeImages says of an image's scan.
pub(super) fn scan_results(scan: &ImageScan) -> String {
    let rank = |severity: &str| SEVERITIES.iter().position(|known| *known == severity);
    let severities = scan.findings.iter().filter_map(|one| one.severity.clone());
    let worst = severities.max_by_key(|severity| rank(severity));
    format!(
        "<scanResults>{}{}</scanResults>\n",
        optional("highestFindingSeverityLabel", worst.as_ref()),
        element("findingScanDate", &iso(scan.at))
    )
}
