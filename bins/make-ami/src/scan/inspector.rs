//! Having Amazon Inspector scan an image, once.
//!
//! Inspector runs one scan of an image at a time and bills each one that succeeds. So a scan that is under way, or was made
//! a short time ago, is gone on with, whoever began it. A scan cannot be stopped; it ends by itself, and fails when the
//! image goes.

use crate::job::{Job, timestamp};
use crate::scan::ago::ago;
use crate::scan::outcome::Unproven;
use action::exit::Exit;
use action::failure::Failure;
use action::wait::{self, Look, Pace};
use aws::error::AwsError;
use aws_sdk_inspector2::Client;
use aws_sdk_inspector2::config::retry::RetryConfig;
use aws_sdk_inspector2::primitives::DateTime;
use aws_sdk_inspector2::types::{
    OnDemandResourceType, OnDemandScan, OnDemandScanStatus, OnDemandScanStatusReason,
};
use sha2::{Digest as _, Sha256};
use std::time::Duration;
use tokio::time::Instant;

const PACE: Pace = Pace {
    first: Duration::from_secs(15),
    longest: Duration::from_secs(60),
};
/// The pause after a look that Inspector did not answer, and after one that began a scan.
const SOON: Duration = Duration::from_secs(15);
/// How often a scan that fails by an error of Inspector's own is begun anew.
const TRIES: u32 = 3;
/// How long Inspector is asked that does not answer: a Region may have none.
const SILENT_FOR: Duration = Duration::from_secs(900);
/// For how many looks Inspector may not know a scan that it has just begun. Whether there is any such time is unproven.
const UNKNOWN_LOOKS: u32 = 8;

/// A scan that succeeded.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scan {
    pub(super) id: String,
    pub(super) started: DateTime,
}

/// Whether Inspector answers here, and lets this account's scans be listed.
pub(super) async fn answers(job: &Job, image_id: &str) -> Result<(), Failure> {
    let config = aws_sdk_inspector2::config::Builder::from(&job.session.config);
    // Where there is no Inspector there is no such host either, and asking for minutes does not change that.
    let client = Client::from_conf(config.retry_config(RetryConfig::standard()).build());
    let region = &job.home.region;
    newest(&client, image_id).await.map(drop).map_err(|error| {
        let operation = format!(
            "cannot ask Amazon Inspector in {region} for scans of image {image_id}; nothing was touched"
        );
        explained(&error, operation, LIST)
    })
}

const LIST: &str = "inspector2:ListOnDemandScans";
const START: &str = "inspector2:StartOnDemandScan";
const STATUS: &str = "inspector2:GetOnDemandScanStatus";

/// What a look does next.
enum Stage {
    /// Looks for a scan, and begins one where there is none.
    Begin,
    /// Looks how this one gets on.
    Follow(String),
}

/// Waits until a scan of the image has succeeded: one that is under way, one that is young enough, or a new one.
pub(super) async fn completed(job: &Job, image_id: &str) -> Result<Scan, Unproven> {
    let client = Client::new(&job.session.config);
    let region = &job.home.region;
    let what = format!("Amazon Inspector to scan image {image_id} in {region}");
    let mut stage = Stage::Begin;
    let mut begun = 0;
    let mut unknown = 0;
    let mut cannot = None;
    let look = async || match &stage {
        Stage::Begin => {
            let found = newest(&client, image_id).await;
            let found = found.map_err(|error| {
                let operation = format!("cannot look for scans of image {image_id} in {region}");
                explained(&error, operation, LIST)
            })?;
            if let Some(scan) = found.as_ref().and_then(|scan| good(job, scan)) {
                tracing::info!("going on with the scan {} of {image_id}", scan.id);
                return Ok(Look::There(scan));
            }
            if let Some(scan) = found.filter(is_under_way) {
                tracing::info!("the scan {} of {image_id} is under way", scan.scan_id);
                stage = Stage::Follow(scan.scan_id);
                return Ok(Look::NotYetFor("in progress".to_owned(), SOON));
            }
            match start(job, &client, image_id, begun).await {
                Ok(id) => {
                    begun += 1;
                    tracing::info!("the scan {id} of {image_id} is begun");
                    stage = Stage::Follow(id);
                    Ok(Look::NotYetFor("begun".to_owned(), SOON))
                }
                // One that was not listed before.
                Err(error) if error.is("ConflictException") => {
                    let seen = "another scan of it is under way".to_owned();
                    Ok(Look::NotYetFor(seen, SOON))
                }
                Err(error) => {
                    let operation = format!("cannot have image {image_id} in {region} scanned");
                    Err(explained(&error, operation, START))
                }
            }
        }
        Stage::Follow(id) => {
            let call = client.get_on_demand_scan_status().resource_id(image_id);
            let call = call.resource_type(OnDemandResourceType::Ami).scan_id(id);
            let reply = match call.send().await {
                Ok(reply) => reply,
                Err(error) => {
                    let error = AwsError::of(&error);
                    unknown += 1;
                    if error.is("ResourceNotFoundException") && unknown < UNKNOWN_LOOKS {
                        return Ok(Look::NotYet("Inspector does not know it yet".to_owned()));
                    }
                    let operation =
                        format!("cannot look at the scan {id} of image {image_id} in {region}");
                    return Err(explained(&error, operation, STATUS));
                }
            };
            unknown = 0;
            match reply.scan_status() {
                OnDemandScanStatus::Successful => Ok(Look::There(Scan {
                    id: id.clone(),
                    started: *reply.started_at(),
                })),
                OnDemandScanStatus::Failed => {
                    let told = reply.scan_status_reason();
                    let reason = Reason::of(told);
                    if reason == Reason::InspectorsOwn && begun < TRIES {
                        tracing::warn!("the scan {id} failed by an error of Inspector's own");
                        stage = Stage::Begin;
                        return Ok(Look::NotYetFor("to be begun anew".to_owned(), SOON));
                    }
                    let failure = failed(id, image_id, region, told);
                    cannot = reason.is_of_the_image().then(|| failure.clone());
                    Err(failure)
                }
                other => Ok(Look::NotYet(
                    other.as_str().to_lowercase().replace('_', " "),
                )),
            }
        }
    };
    let mut look = look;
    let mut answered = Instant::now();
    // An Inspector that does not answer says nothing about the image.
    let patient = async || match look().await {
        Err(failure) if failure.exit() == Exit::Unavailable && answered.elapsed() < SILENT_FOR => {
            let why = failure.causes().join("; ");
            let seen = format!("Inspector does not answer: {why}");
            Ok(Look::NotYetFor(seen, SOON))
        }
        looked => {
            answered = Instant::now();
            looked
        }
    };
    let (deadline, interrupt) = (job.context.deadline, &job.context.interrupt);
    let waited = wait::until(&what, deadline, interrupt, PACE, patient).await;
    waited.map_err(|ended| match cannot {
        Some(failure) => Unproven::Refused(failure),
        None => Unproven::Open(ended.into_failure(&what)),
    })
}

/// The newest scan of an image: Inspector lists that one first.
async fn newest(client: &Client, image_id: &str) -> Result<Option<OnDemandScan>, AwsError> {
    let call = client.list_on_demand_scans().resource_id(image_id);
    let call = call.resource_type(OnDemandResourceType::Ami);
    match call.send().await {
        Ok(reply) => {
            let of_image = |scan: &OnDemandScan| scan.resource_id() == image_id;
            Ok(reply.items.into_iter().find(of_image))
        }
        Err(error) => {
            let error = AwsError::of(&error);
            // How Inspector says that it has scanned nothing of this id is unproven: an empty list or this.
            match error.is("ResourceNotFoundException") {
                true => Ok(None),
                false => Err(error),
            }
        }
    }
}

fn is_under_way(scan: &OnDemandScan) -> bool {
    scan.scan_status() == &OnDemandScanStatus::InProgress
}

/// The scan, where it succeeded and is young enough.
fn good(job: &Job, scan: &OnDemandScan) -> Option<Scan> {
    let oldest = ago(job.settings.scan.age, job.clock.now());
    let is_good = scan.scan_status() == &OnDemandScanStatus::Successful
        && timestamp(scan.started_at()) >= oldest;
    is_good.then(|| Scan {
        id: scan.scan_id().to_owned(),
        started: *scan.started_at(),
    })
}

async fn start(job: &Job, client: &Client, image_id: &str, n: u32) -> Result<String, AwsError> {
    let call = client.start_on_demand_scan().resource_id(image_id);
    let call = call.resource_type(OnDemandResourceType::Ami);
    let call = call.client_token(token(image_id, &job.clock.start_nanos_key(), n));
    let reply = call.send().await.map_err(|error| AwsError::of(&error))?;
    Ok(reply.scan_id)
}

/// It makes the tries of one call one scan; each further scan has another.
fn token(image_id: &str, started: &str, n: u32) -> String {
    let digest = Sha256::digest(format!("{image_id}\n{started}\n{n}"));
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The failure of a call to Inspector. It answers "access denied" for what a Region does not have, too.
fn explained(error: &AwsError, operation: String, action: &str) -> Failure {
    let failure = error.failure(operation, action);
    match error.exit() {
        Exit::NotPermitted => failure.hint(format!(
            "allow {action} for the role that runs this, and iam:CreateServiceLinkedRole for the account's first scan; a Region without scans of images answers the same: https://docs.aws.amazon.com/inspector/latest/user/inspector_regions.html"
        )),
        Exit::Unavailable if error.status.is_none() => failure.hint(
            "a Region without Amazon Inspector has no such endpoint: https://docs.aws.amazon.com/inspector/latest/user/inspector_regions.html; from a VPC it needs the endpoint com.amazonaws.REGION.inspector2",
        ),
        _ => failure,
    }
}

/// Why a scan fails, as far as it makes a difference. For two of the reasons the guide has other words than the SDK's
/// model; both are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    AccessDenied,
    UnsupportedSystem,
    TooLarge,
    ImageGone,
    InspectorsOwn,
    Other,
}

impl Reason {
    fn of(reason: Option<&OnDemandScanStatusReason>) -> Self {
        match reason.map_or("", |reason| reason.as_str()) {
            "ACCESS_DENIED" => Reason::AccessDenied,
            "UNSUPPORTED_OS" => Reason::UnsupportedSystem,
            "STORAGE_LIMIT_EXCEEDED"
            | "AGENTLESS_INSTANCE_STORAGE_LIMIT_EXCEEDED"
            | "EXTRACTION_COLLECTION_TIME_LIMIT_EXCEEDED"
            | "AGENTLESS_INSTANCE_COLLECTION_TIME_LIMIT_EXCEEDED" => Reason::TooLarge,
            "RESOURCE_TERMINATED" => Reason::ImageGone,
            "INTERNAL_ERROR" => Reason::InspectorsOwn,
            _ => Reason::Other,
        }
    }

    /// Whether it is the image that cannot be scanned.
    fn is_of_the_image(self) -> bool {
        matches!(self, Reason::UnsupportedSystem | Reason::TooLarge)
    }

    fn hint(self) -> &'static str {
        match self {
            Reason::AccessDenied => {
                "the key of an encrypted snapshot must let Inspector's service-linked role decrypt: see the key's policy"
            }
            Reason::UnsupportedSystem => {
                "Inspector does not scan this operating system, or a volume's layout such as LVM: https://docs.aws.amazon.com/inspector/latest/user/supported.html; MAKE_AMI_SCAN=off makes the image without"
            }
            Reason::TooLarge => {
                "the image's snapshots are too large for Inspector; MAKE_AMI_SCAN=off makes the image without"
            }
            Reason::ImageGone => {
                "somebody deregistered the image, or deleted a snapshot of it, meanwhile"
            }
            Reason::InspectorsOwn | Reason::Other => {
                "run it again: it goes on with the image and begins another scan"
            }
        }
    }
}

/// The failure of a scan that failed.
fn failed(
    id: &str,
    image_id: &str,
    region: &str,
    told: Option<&OnDemandScanStatusReason>,
) -> Failure {
    let reason = Reason::of(told);
    let exit = match reason {
        Reason::AccessDenied => Exit::NotPermitted,
        _ => Exit::Failed,
    };
    let deed = format!("the scan {id} of image {image_id} in {region} failed");
    let word = told.map_or("Inspector gives no reason", |told| told.as_str());
    Failure::new(exit, deed).cause(word).hint(reason.hint())
}

#[cfg(test)]
mod tests {
    use super::token;

    #[test]
    fn a_token_is_of_one_scan_and_fits() {
        let one = token("ami-1", "now", 0);
        assert_eq!(one, token("ami-1", "now", 0));
        assert_ne!(one, token("ami-1", "now", 1));
        assert_ne!(one, token("ami-1", "later", 0));
        assert_eq!(one.len(), 64);
    }
}
