//! Whether the image may be scanned, as far as that can be asked.

use crate::dry_run::carried_out::{Operation, Then};
use crate::dry_run::finding::{Answer, Ended, Finding, NO_DRY_RUN, NO_IMAGE, asked};
use crate::job::Job;
use crate::settings::scan::ScanMode;
use aws_sdk_ec2::types::Image;

/// The calls of a scan; none where none is asked for.
pub(crate) async fn scanning(job: &Job, earlier: Option<&Image>) -> Result<Vec<Finding>, Ended> {
    if job.settings.scan.mode == ScanMode::Off {
        return Ok(Vec::new());
    }
    let started = [
        "inspector2:StartOnDemandScan",
        "inspector2:GetOnDemandScanStatus",
    ];
    let mut findings: Vec<Finding> = started
        .iter()
        .map(|action| Finding::new(*action, Answer::Open(NO_DRY_RUN)))
        .collect();
    let answer = match earlier.and_then(|image| image.image_id()) {
        Some(id) => {
            let call = job.home.ec2.get_image_findings().image_id(id);
            asked(call.dry_run(true).send().await, |_| {
                let done = format!("it read the findings of image {id} in {}", job.home.region);
                Operation::new(done, Then::Nothing)
            })?
        }
        None => Answer::Open(NO_IMAGE),
    };
    findings.push(Finding::new("ec2:GetImageFindings", answer));
    Ok(findings)
}
