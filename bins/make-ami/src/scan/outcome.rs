//! How a scan ends.

use crate::cleanup::keep_policy::removes_available;
use crate::job::Job;
use crate::scan::verdict::Verdict;
use crate::settings::scan::OnScanFailure;
use action::failure::Failure;
use jiff::Timestamp;

/// An image that was scanned, with what counts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scanned {
    /// Inspector's id of the scan; none where somebody else's was looked at.
    pub(crate) scan_id: Option<String>,
    /// When it began; where its id is not known, when EC2 says that it was.
    pub(crate) at: Timestamp,
    pub(crate) verdict: Verdict,
}

/// Why an image may not be handed over.
#[derive(Debug)]
pub(crate) enum Unproven {
    /// It does not pass, or nobody can scan it.
    Refused(Failure),
    /// What is in it is not known yet.
    Open(Failure),
}

impl Unproven {
    pub(crate) fn into_failure(self) -> Failure {
        match self {
            Unproven::Refused(failure) | Unproven::Open(failure) => failure,
        }
    }

    /// Whether the image is removed because of it.
    pub(crate) fn removes(&self, job: &Job) -> bool {
        match self {
            Unproven::Refused(_) => job.settings.scan.on_failure == OnScanFailure::Clean,
            Unproven::Open(failure) => removes_available(failure, job.settings.on_timeout),
        }
    }
}
