//! What settings must keep between each other.

use super::{Checked, Named, Raw};
use action::settings::faults::Faults;
use action::settings::{Settings as _, over_defaults};

/// Checks the given fields over the declared defaults, as if they came from variables.
pub(crate) fn checks(
    fields: &[(&str, &str)],
    command: Option<&str>,
) -> (Option<Checked>, Vec<String>) {
    let owned = |(field, value): &(&str, &str)| ((*field).to_owned(), (*value).to_owned());
    let raw: Raw = over_defaults(fields.iter().map(owned)).unwrap();
    let mut faults = Faults::for_tests().under(command);
    let checked = raw.check(&mut faults);
    (checked, faults.messages().to_vec())
}

/// Settings of a run that makes an image, by field name.
pub(crate) fn checked(fields: &[(&str, &str)]) -> Checked {
    let (checked, faults) = checks(fields, None);
    assert_eq!(faults, Vec::<String>::new());
    checked.unwrap()
}

pub(crate) const INSTANCE: (&str, &str) = ("instance_id", "i-0123456789abcdef0");

#[test]
fn the_instance_is_named_exactly_once_where_an_image_is_made() {
    assert!(matches!(checked(&[INSTANCE]).instance, Some(Named::Id(_))));
    assert!(matches!(
        checked(&[("instance_tag", "Name=build")]).instance,
        Some(Named::Tags(_))
    ));
    assert!(checks(&[], None).1[0].contains("INSTANCE_ID is not set"));
    assert!(checks(&[INSTANCE, ("instance_tag", "a=b")], None).1[0].contains("give one"));
    let resumed = checks(&[("image", "ami-0123456789abcdef0")], None);
    assert_eq!(resumed.1, Vec::<String>::new());
    assert_eq!(checks(&[], Some("clean")).1, Vec::<String>::new());
}

#[test]
fn faults_that_would_be_found_after_an_hour_are_found_at_once() {
    for (fields, part) in [
        (vec![INSTANCE, ("keep", "3")], "MAKE_AMI_APP must say"),
        (
            vec![INSTANCE, ("copy_to", "us-east-1"), ("copy_within", "20m")],
            "steps of 15 minutes",
        ),
        (
            vec![INSTANCE, ("copy_to", "us-east-1"), ("copy_within", "3d")],
            "from 15m to 48h",
        ),
        (
            vec![INSTANCE, ("copy_within", "1h")],
            "set MAKE_AMI_COPY_TO",
        ),
        (vec![INSTANCE, ("instance_type", "g5.**")], "`**`"),
        (
            vec![INSTANCE, ("unused_for", "90d")],
            "set MAKE_AMI_KEEP or MAKE_AMI_MAX_AGE",
        ),
        (
            vec![
                INSTANCE,
                ("app", "web"),
                ("keep", "3"),
                ("unused_for", "1d"),
            ],
            "7 days at least",
        ),
        (
            vec![INSTANCE, ("usage_report_age", "60d")],
            "EC2 keeps a report for 30 days",
        ),
        (
            vec![INSTANCE, ("ami_name", "{app}-{utc}")],
            "MAKE_AMI_APP is not set",
        ),
        (vec![INSTANCE, ("app", "a:b")], "at most 60 characters"),
        (
            vec![INSTANCE, ("run", "#{codepipeline.PipelineExecutionId}")],
            "was not resolved",
        ),
        (
            vec![INSTANCE, ("kms_key", "alias/x")],
            "set MAKE_AMI_COPY_TO",
        ),
        (vec![INSTANCE, ("encrypt", "yes")], "set MAKE_AMI_KMS_KEY"),
        (
            vec![INSTANCE, ("description", "of {tuc}")],
            "unknown placeholder",
        ),
        (
            vec![
                INSTANCE,
                ("copy_to", "us-east-1"),
                ("kms_key", "arn:aws:kms:eu-west-1:111122223333:key/1"),
            ],
            "cannot use it",
        ),
        (
            vec![
                INSTANCE,
                ("copy_to", "us-east-1"),
                ("copy_wait", "no"),
                ("share_with", "111122223333"),
            ],
            "must be waited for",
        ),
        (vec![INSTANCE, ("deprecate_after", "20years")], "ten years"),
        (
            vec![INSTANCE, ("ssm_parameter", "rag/ami")],
            "a path begins with /",
        ),
        (
            vec![INSTANCE, ("ssm_parameter", "/aws/ami")],
            "not a parameter's name",
        ),
        (
            vec![INSTANCE, ("consistency", "quiesce")],
            "what is to be paused or frozen",
        ),
        (
            vec![INSTANCE, ("quiesce_mount", "/data")],
            "are for MAKE_AMI_CONSISTENCY=quiesce",
        ),
        (vec![INSTANCE, ("quiesce_lease", "1h")], "sensible"),
        (
            vec![INSTANCE, ("scan_sarif", "scan.sarif")],
            "there is no scan",
        ),
        (
            vec![INSTANCE, ("scan", "gate"), ("scan_grace", "7d")],
            "MAKE_AMI_APP must say whose earlier images",
        ),
        (vec![INSTANCE, ("image", "ami-12")], "is not an image id"),
    ] {
        let said = checks(&fields, None).1.join("\n");
        assert!(said.contains(part), "{fields:?}: {said}");
    }
    let warm = checks(&[INSTANCE], Some("warm")).1.join("\n");
    assert!(warm.contains("MAKE_AMI_RUN is not set"), "{warm}");
    assert!(checks(&[], Some("verify")).1[0].contains("which image is to be verified"));
}
