//! Who uses an image that is shared: EC2's usage reports see other accounts too.
//!
//! A report is made on request and takes its time, so that one of an earlier run is read where it is young enough. It may
//! lack instances of the last 24 hours and launch templates of the last few days
//! (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/your-ec2-ami-usage.html>). EC2 removes it after 30 days.

use crate::job::{Job, Regional, timestamp};
use action::failure::Failure;
use action::wait::{self, Ended, Look, Pace};
use aws::error::AwsError;
use aws_sdk_ec2::types::{
    ImageUsageReport, ImageUsageReportEntry, ImageUsageResourceTypeOptionRequest,
    ImageUsageResourceTypeRequest,
};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// How many ids a call takes
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeImageUsageReports.html>).
const IDS_A_CALL: usize = 200;
/// How many reports a run begins in a Region at most; the next run begins the next.
pub(crate) const MOST_BEGUN: usize = 100;
/// How long reports are waited for; one that takes longer serves the next run.
const REPORTS_WITHIN: Duration = Duration::from_secs(60);
const PACE: Pace = Pace {
    first: Duration::from_secs(5),
    longest: Duration::from_secs(20),
};
/// How many versions of a launch template are looked at, from the latest; EC2's default is 20.
const VERSION_DEPTH: &str = "10000";

/// What is known of an image's use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Usage {
    /// The accounts that use it, in words; none where nobody does.
    Known(Vec<String>),
    /// Why it is not known.
    Unknown(String),
}

/// The use of each image. What EC2 does not tell is [`Usage::Unknown`]. A dry run begins no report.
pub(crate) async fn of(
    job: &Job,
    regional: &Regional,
    images: &[String],
    oldest: Duration,
) -> BTreeMap<String, Usage> {
    match reports(job, regional, images, oldest).await {
        Ok(found) => found,
        Err(failure) => {
            tracing::warn!("{failure}");
            let why = failure.causes().join("; ");
            let unknown = |image: &String| (image.clone(), Usage::Unknown(why.clone()));
            images.iter().map(unknown).collect()
        }
    }
}

async fn reports(
    job: &Job,
    regional: &Regional,
    images: &[String],
    oldest: Duration,
) -> Result<BTreeMap<String, Usage>, Failure> {
    let since = job.clock.now();
    let since = since
        .checked_sub(jiff::SignedDuration::try_from(oldest).unwrap_or_default())
        .unwrap_or(since);
    let mut newest = newest(describe(regional, images).await?, since);
    let mut unknown = BTreeMap::new();
    let lacking = images.iter().filter(|image| !newest.contains_key(*image));
    for (begun, image) in lacking.enumerate() {
        let why = if job.context.dry_run {
            "a run asks EC2 for a usage report first".to_owned()
        } else if begun >= MOST_BEGUN {
            format!("{MOST_BEGUN} usage reports are begun, and the next run begins the next")
        } else {
            match begin(job, regional, image).await {
                Ok(()) => "its usage report is being made".to_owned(),
                Err(error) => error.to_string(),
            }
        };
        unknown.insert(image.clone(), why);
    }
    let is_pending = newest.values().any(|report| is(report, "pending"));
    if !job.context.dry_run && (is_pending || !unknown.is_empty()) {
        newest = wait_for(job, regional, images, since).await?;
    }
    let ready: Vec<&ImageUsageReport> =
        newest.values().filter(|one| is(one, "available")).collect();
    let ids: Vec<String> = ready
        .iter()
        .filter_map(|report| report.report_id.clone())
        .collect();
    let mut used: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for entry in entries(regional, &ids).await? {
        if let (Some(image), Some(words)) = (entry.image_id(), words(&entry)) {
            used.entry(image.to_owned()).or_default().push(words);
        }
    }
    let usage = |image: &String| match newest.get(image) {
        Some(report) if is(report, "available") => {
            Usage::Known(used.remove(image).unwrap_or_default())
        }
        Some(report) if is(report, "error") => Usage::Unknown(format!(
            "EC2 could not make its usage report: {}",
            report.state_reason().unwrap_or("no reason is given")
        )),
        _ => Usage::Unknown(
            unknown
                .remove(image)
                .unwrap_or_else(|| "its usage report is being made".to_owned()),
        ),
    };
    let mut usage = usage;
    Ok(images
        .iter()
        .map(|image| (image.clone(), usage(image)))
        .collect())
}

/// Waits until no report is pending, for a minute at most; gives what is there then.
async fn wait_for(
    job: &Job,
    regional: &Regional,
    images: &[String],
    since: Timestamp,
) -> Result<BTreeMap<String, ImageUsageReport>, Failure> {
    let what = format!("usage reports in {}", regional.region);
    let deadline = Instant::now() + REPORTS_WITHIN;
    let deadline = deadline.min(job.hand_over_by());
    let mut found = BTreeMap::new();
    let look = async || {
        found = newest(describe(regional, images).await?, since);
        let pending = found
            .values()
            .filter(|report| is(report, "pending"))
            .count();
        Ok(match pending {
            0 => Look::There(()),
            n => Look::NotYet(format!("{n} are pending")),
        })
    };
    match wait::until(&what, deadline, &job.context.interrupt, PACE, look).await {
        Ok(()) | Err(Ended::Deadline(_)) => Ok(found),
        Err(ended) => Err(ended.into_failure(&what)),
    }
}

/// The newest report of each image that is young enough and has not failed, or failed last.
fn newest(reports: Vec<ImageUsageReport>, since: Timestamp) -> BTreeMap<String, ImageUsageReport> {
    let mut newest: BTreeMap<String, ImageUsageReport> = BTreeMap::new();
    for report in reports {
        let created = report.creation_time().map(timestamp);
        let Some(image) = report.image_id.clone().filter(|_| created >= Some(since)) else {
            continue;
        };
        let is_newer = newest
            .get(&image)
            .is_none_or(|known| known.creation_time().map(timestamp) <= created);
        if is_newer {
            newest.insert(image, report);
        }
    }
    newest
}

fn is(report: &ImageUsageReport, state: &str) -> bool {
    report.state() == Some(state)
}

async fn describe(
    regional: &Regional,
    images: &[String],
) -> Result<Vec<ImageUsageReport>, Failure> {
    let mut found = Vec::new();
    for some in images.chunks(IDS_A_CALL) {
        let call = regional.ec2.describe_image_usage_reports();
        let call = call.set_image_ids(Some(some.to_vec()));
        let pages = call.into_paginator().items().send();
        let all: Result<Vec<_>, _> = pages.collect().await;
        found.extend(all.map_err(|error| {
            failure(
                regional,
                &AwsError::of(&error),
                "ec2:DescribeImageUsageReports",
            )
        })?);
    }
    Ok(found)
}

async fn entries(
    regional: &Regional,
    reports: &[String],
) -> Result<Vec<ImageUsageReportEntry>, Failure> {
    let mut found = Vec::new();
    for some in reports.chunks(IDS_A_CALL) {
        let call = regional.ec2.describe_image_usage_report_entries();
        let call = call.set_report_ids(Some(some.to_vec()));
        let pages = call.into_paginator().items().send();
        let all: Result<Vec<_>, _> = pages.collect().await;
        found.extend(all.map_err(|error| {
            failure(
                regional,
                &AwsError::of(&error),
                "ec2:DescribeImageUsageReportEntries",
            )
        })?);
    }
    Ok(found)
}

/// Has EC2 begin a report of all accounts.
async fn begin(job: &Job, regional: &Regional, image: &str) -> Result<(), AwsError> {
    let token = format!("{image}-{}", job.clock.start_nanos_key());
    let call = regional.ec2.create_image_usage_report().image_id(image);
    let call = call
        .set_resource_types(Some(resource_types()))
        .client_token(token);
    let begun = call.send().await;
    begun.map(drop).map_err(|error| AwsError::of(&error))
}

/// What a report looks at: instances, and all versions of launch templates.
pub(crate) fn resource_types() -> Vec<ImageUsageResourceTypeRequest> {
    let depth = ImageUsageResourceTypeOptionRequest::builder()
        .option_name("version-depth")
        .option_values(VERSION_DEPTH)
        .build();
    let instances = ImageUsageResourceTypeRequest::builder().resource_type("ec2:Instance");
    let templates = ImageUsageResourceTypeRequest::builder()
        .resource_type("ec2:LaunchTemplate")
        .resource_type_options(depth);
    vec![instances.build(), templates.build()]
}

/// `account 111122223333 uses it (2 × ec2:Instance)`; nothing where the number is none.
fn words(entry: &ImageUsageReportEntry) -> Option<String> {
    let number = entry.usage_count().unwrap_or(1);
    let account = entry.account_id().unwrap_or("of an unknown id");
    let what = entry.resource_type().unwrap_or("a resource");
    (number > 0).then(|| format!("account {account} uses it ({number} × {what})"))
}

fn failure(regional: &Regional, error: &AwsError, action: &str) -> Failure {
    let operation = format!("cannot find out who uses images in {}", regional.region);
    error.failure(operation, action)
}
