//! What EC2 shows of a scan.
//!
//! An image without findings and one whose findings are not shown yet look alike to GetImageFindings. So the time of the
//! scan that EC2 tells with the image is waited for, and the worst severity beside it must be among the findings.

use crate::image::describe::by_id;
use crate::job::{Job, Regional, timestamp};
use crate::scan::finding::{Finding, severity};
use crate::scan::inspector::Scan;
use action::exit::Exit;
use action::failure::Failure;
use action::wait::{self, Ended, Look, Pace};
use aws::error::AwsError;
use aws_sdk_ec2::types::ScanResults;
use jiff::Timestamp;
use std::time::Duration;
use tokio::time::Instant;

/// How many findings a page holds at most
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_GetImageFindings.html>).
const PAGE: i32 = 1000;
/// How long EC2 may take to show what Inspector found. It is unproven that it takes any time: the log of a run on an
/// account tells.
const SHOWN_WITHIN: Duration = Duration::from_secs(1800);
const PACE: Pace = Pace {
    first: Duration::from_secs(5),
    longest: Duration::from_secs(30),
};

/// The findings of this very scan.
pub(super) async fn of_scan(
    job: &Job,
    image_id: &str,
    scan: &Scan,
) -> Result<Vec<Finding>, Failure> {
    let region = &job.home.region;
    let what = format!("EC2 to show the findings of image {image_id} in {region}");
    let limit = Instant::now() + SHOWN_WITHIN;
    let look = async || match shown(&job.home, image_id).await {
        Ok(Some((at, found))) if at.as_second() >= scan.started.secs() => Ok(Look::There(found)),
        Ok(Some((at, _))) => Ok(Look::NotYet(format!("it shows those of a scan at {at}"))),
        Ok(None) => Ok(Look::NotYet("it shows none of the scan yet".to_owned())),
        Err(failure) if failure.exit() == Exit::Unavailable => Ok(Look::NotYet(format!(
            "EC2 does not answer: {}",
            failure.causes().join("; ")
        ))),
        Err(failure) => Err(failure),
    };
    let deadline = job.context.deadline.min(limit);
    let waited = wait::until(&what, deadline, &job.context.interrupt, PACE, look).await;
    waited.map_err(|ended| match ended {
        Ended::Deadline(seen) if Instant::now() < job.context.deadline => Failure::failed(format!(
            "EC2 does not show what the scan {} of image {image_id} in {region} found; {seen}",
            scan.id
        ))
        .hint("run it again: it looks for the findings first, and has the image scanned again when the scan is older than MAKE_AMI_SCAN_AGE"),
        ended => ended.into_failure(&what),
    })
}

/// The findings that EC2 shows, and when the scan was; nothing where it shows no scan, or not all of its findings.
pub(super) async fn shown(
    regional: &Regional,
    image_id: &str,
) -> Result<Option<(Timestamp, Vec<Finding>)>, Failure> {
    let Some(image) = by_id(regional, image_id).await? else {
        let region = &regional.region;
        let gone = format!("image {image_id} in {region} does not exist any more");
        return Err(Failure::failed(gone));
    };
    let Some(results) = image.scan_results() else {
        return Ok(None);
    };
    let Some(at) = results.finding_scan_date().map(timestamp) else {
        return Ok(None);
    };
    let findings = read(regional, image_id).await?;
    Ok(are_whole(results, &findings).then_some((at, findings)))
}

/// Whether the findings are as bad as EC2 says of the image itself, which it says where there is any.
fn are_whole(results: &ScanResults, findings: &[Finding]) -> bool {
    let told = results.highest_finding_severity_label();
    let told = told.map(severity);
    match told {
        None => true,
        // A word that is not known yet: at least one must be there.
        Some(None) => !findings.is_empty(),
        Some(worst) => findings.iter().any(|one| one.severity >= worst),
    }
}

async fn read(regional: &Regional, image_id: &str) -> Result<Vec<Finding>, Failure> {
    let call = regional.ec2.get_image_findings().image_id(image_id);
    let pages = call.into_paginator().page_size(PAGE).items().send();
    let all: Result<Vec<_>, _> = pages.collect().await;
    let all = all.map_err(|error| {
        let operation = format!(
            "cannot read the findings of image {image_id} in {}",
            regional.region
        );
        AwsError::of(&error).failure(operation, "ec2:GetImageFindings")
    })?;
    Ok(all.iter().map(Finding::of).collect())
}

#[cfg(test)]
mod tests {
    use super::are_whole;
    use crate::scan::finding::Finding;
    use aws_sdk_ec2::types::{ImageFinding, ScanResults, SeverityLabel};

    #[test]
    fn findings_that_lack_the_worst_one_are_not_whole() {
        let results = |worst: Option<&str>| {
            let worst = worst.map(SeverityLabel::from);
            let results = ScanResults::builder();
            results.set_highest_finding_severity_label(worst).build()
        };
        let finding = |label: &str| {
            let told = ImageFinding::builder().severity_label(label.into());
            Finding::of(&told.build())
        };
        assert!(are_whole(&results(None), &[]));
        assert!(!are_whole(&results(Some("high")), &[]));
        assert!(!are_whole(&results(Some("high")), &[finding("low")]));
        let both = [finding("low"), finding("high")];
        assert!(are_whole(&results(Some("high")), &both));
        assert!(are_whole(&results(Some("new")), &[finding("low")]));
        assert!(!are_whole(&results(Some("new")), &[]));
    }
}
