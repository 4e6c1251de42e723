//! Limits of EC2 that pass by themselves, by their codes.
//!
//! The meaning of each is that of <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html>.
//! `SnapshotLimitExceeded` and a full quota of images do not pass: somebody must delete something.

use aws::error::AwsError;

/// Refusals that end with what is under way.
const PASSING: [&str; 5] = [
    // CreateImage requests of the instance.
    "ConcurrentCreateImageNoRebootLimitExceeded",
    // Pending snapshots of a volume, and of the account.
    "ConcurrentSnapshotLimitExceeded",
    "PendingSnapshotLimitExceeded",
    // 15 s between two snapshots of a volume.
    "SnapshotCreationPerVolumeRateExceeded",
    // Copies of snapshots in progress in the Region that they go to
    // (<https://github.com/aws-samples/copy-encrypted-ami/issues/3>).
    "ResourceLimitExceeded",
];

/// Whether EC2 refused a call for a limit that passes: asking again later is all that it takes.
pub(crate) fn is_passing_limit(error: &AwsError) -> bool {
    let code = error.code.as_deref();
    code.is_some_and(|code| PASSING.contains(&code))
}
