//! What settings must keep beside their own form, most of it between several.

use crate::settings::checked::{Publish, Quiesce};
use crate::settings::modes::Consistency;
use action::settings::faults::Faults;
use std::time::Duration;

pub(crate) fn check_names(
    name: Option<&str>,
    app: Option<&str>,
    run: Option<&str>,
    faults: &mut Faults,
) {
    if let Some(name) = name {
        if let Err(fault) = crate::plan::name::check_template(name) {
            faults.of("ami_name", fault);
        }
        if name.contains("{app}") && app.is_none() {
            faults.of(
                "ami_name",
                "{app} is in the name, but MAKE_AMI_APP is not set",
            );
        }
    }
    // It becomes part of a name and a tag's value.
    if let Some(app) = app
        && (app.chars().count() > 60 || crate::plan::name::bad_character(app).is_some())
    {
        faults.of(
            "app",
            format!("{app:?}: at most 60 characters of those that an image's name may hold"),
        );
    }
    if let Some(run) = run
        && (run.chars().count() > 128 || run.contains("#{"))
    {
        faults.of(
            "run",
            if run.contains("#{") {
                format!("{run:?} was not resolved; the action's configuration resolves #{{…}}, an env file does not")
            } else {
                "more than 128 characters".to_owned()
            },
        );
    }
}

pub(crate) fn check_description(description: Option<&str>, faults: &mut Faults) {
    if let Some(text) = description
        && let Err(fault) = crate::plan::name::check_description(text)
    {
        faults.of("description", fault);
    }
}

pub(crate) fn check_publish(publish: &Publish, faults: &mut Faults) {
    if publish.copy_within.is_some() && publish.copy_to.is_empty() && !publish.encrypt {
        faults.of("copy_within", "there is no copy; set MAKE_AMI_COPY_TO");
    }
    if publish.kms_key.is_some() && publish.copy_to.is_empty() && !publish.encrypt {
        faults.of(
            "kms_key",
            "CreateImage cannot change an image's encryption; only copies are encrypted with a key: set MAKE_AMI_COPY_TO, or MAKE_AMI_ENCRYPT for a copy within the Region",
        );
    }
    if publish.encrypt && publish.kms_key.is_none() {
        faults.of(
            "encrypt",
            "it needs a key: set MAKE_AMI_KMS_KEY; alias/aws/ebs is AWS's own",
        );
    }
    // A key's ARN is of one region; an alias is looked up in each.
    if let Some(key) = &publish.kms_key
        && let Some(region) = key
            .strip_prefix("arn:")
            .and_then(|arn| arn.split(':').nth(2))
        && !key.contains("key/mrk-")
        && let Some(other) = publish.copy_to.iter().find(|to| *to != region)
    {
        faults.of(
            "kms_key",
            format!("{key} is of {region}, and the copy in {other} cannot use it; name an alias or a multi-Region key"),
        );
    }
    if !publish.copy_to.is_empty() && !publish.copy_wait && !publish.share_with.is_empty() {
        faults.of(
            "copy_wait",
            "copies are shared when they are available, so they must be waited for",
        );
    }
    if let Some(age) = publish.deprecate_after
        && !(60..=10 * 365 * 86_400).contains(&age.as_secs())
    {
        faults.of(
            "deprecate_after",
            "EC2 takes a date between a minute and ten years from now",
        );
    }
    if let Some(name) = &publish.ssm_parameter
        && !is_parameter_name(name)
    {
        faults.of(
            "ssm_parameter",
            format!(
                "{name:?} is not a parameter's name (letters, digits, _.-/; a path begins with /)"
            ),
        );
    }
}

/// SSM's rule: <https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-su-create.html>.
fn is_parameter_name(name: &str) -> bool {
    let fine = name
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "_.-/".contains(c));
    let first = name.trim_start_matches('/').to_ascii_lowercase();
    fine && !first.is_empty()
        && !first.starts_with("aws")
        && !first.starts_with("ssm")
        && (name.starts_with('/') || !name.contains('/'))
        && !name.ends_with('/')
}

/// The shortest lease that can outlast a CreateImage, and the longest that a service may stand still.
const LEASES: std::ops::RangeInclusive<u64> = 10..=900;

pub(crate) fn check_quiesce(
    consistency: Option<Consistency>,
    quiesce: &Quiesce,
    faults: &mut Faults,
) {
    let named = !quiesce.containers.is_empty() || !quiesce.mounts.is_empty();
    if named && consistency.is_some_and(|mode| mode != Consistency::Quiesce) {
        faults.add(
            "MAKE_AMI_QUIESCE_CONTAINER and MAKE_AMI_QUIESCE_MOUNT are for MAKE_AMI_CONSISTENCY=quiesce",
        );
    }
    if consistency == Some(Consistency::Quiesce) && !named {
        faults.of(
            "consistency",
            "quiesce needs MAKE_AMI_QUIESCE_CONTAINER or MAKE_AMI_QUIESCE_MOUNT: what is to be paused or frozen?",
        );
    }
    if !LEASES.contains(&quiesce.lease.as_secs()) {
        faults.of("quiesce_lease", "10 seconds to 15 minutes are sensible");
    }
}

/// How long usage may be missing in a usage report, and so the least that an image must be unused: "the past few days", says
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/your-ec2-ami-usage.html>.
const LEAST_UNUSED: Duration = Duration::from_secs(7 * 86_400);
/// EC2 deletes reports after that.
const REPORTS_KEPT: Duration = Duration::from_secs(30 * 86_400);

/// The minutes of a time-based copy: 15 to 2,880, in steps of 15
/// (<https://docs.aws.amazon.com/ebs/latest/userguide/time-based-copies.html>).
pub(crate) fn minutes(within: Duration, faults: &mut Faults) -> Option<i64> {
    const STEP: u64 = 15 * 60;
    let seconds = within.as_secs();
    if !(STEP..=48 * 3600).contains(&seconds) || !seconds.is_multiple_of(STEP) {
        faults.of("copy_within", "from 15m to 48h, in steps of 15 minutes");
        return None;
    }
    i64::try_from(seconds / 60).ok()
}

/// A warm start belongs to the run that makes the image, which is another build.
pub(crate) fn check_warm(run: Option<&str>, resumes: bool, faults: &mut Faults) {
    if faults.command() != Some("warm") {
        return;
    }
    if run.is_none() {
        faults.add(
            "MAKE_AMI_RUN is not set (or --run): which run's image is it for? In a pipeline, #{codepipeline.PipelineExecutionId} in both actions",
        );
    }
    if resumes {
        faults.of("image", "`warm` is for an image that is not made yet");
    }
}

pub(crate) fn check_usage(
    unused_for: Option<Duration>,
    report_age: Duration,
    retires: bool,
    faults: &mut Faults,
) {
    if unused_for.is_some() && !retires {
        faults.of(
            "unused_for",
            "it is about older images; set MAKE_AMI_KEEP or MAKE_AMI_MAX_AGE",
        );
    }
    if unused_for.is_some_and(|age| age < LEAST_UNUSED) {
        faults.of(
            "unused_for",
            "7 days at least: EC2's usage reports may lack the last few days",
        );
    }
    if report_age > REPORTS_KEPT {
        faults.of("usage_report_age", "EC2 keeps a report for 30 days");
    }
}
