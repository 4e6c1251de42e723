//! The image's scan for known vulnerabilities.

mod before;
mod gate;
mod grace;
mod reports;
mod stopped;
mod waiting;

use crate::inside::Cloud;
use harness::ec2::ImageFinding;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const START: &str = "inspector2:StartOnDemandScan";
const LIST: &str = "inspector2:ListOnDemandScans";
const STATUS: &str = "inspector2:GetOnDemandScanStatus";
const FINDINGS: &str = "ec2:GetImageFindings";

fn critical() -> ImageFinding {
    let finding = ImageFinding::new("CVE-2022-3171 - protobuf-java", "critical");
    finding.score(9.8).fixable().path("/usr/lib/jars/a.jar")
}

fn high() -> ImageFinding {
    ImageFinding::new("CVE-2024-0001 - openssl", "high").score(7.5)
}

fn low() -> ImageFinding {
    ImageFinding::new("CVE-2020-0001 - tar", "low").score(3.1)
}

/// An account whose Inspector takes ten minutes, and finds this.
fn finding(findings: impl IntoIterator<Item = ImageFinding>) -> Cloud {
    let cloud = Cloud::new();
    cloud.inspector.takes(10 * MINUTE);
    cloud.inspector.finds(findings);
    cloud
}
