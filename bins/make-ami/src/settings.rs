//! What `make-ami` is told.

mod checked;
mod checks;
pub(crate) mod modes;
pub(crate) mod provenance;
pub(crate) mod scan;
pub(crate) mod statement_key;
pub(crate) mod tags;
pub(crate) mod values;
pub(crate) mod volumes;

pub use crate::settings::checked::{Checked, Named, Provenance, Publish, Quiesce, Retention};

use crate::settings::checks::{
    check_description, check_names, check_provenance, check_publish, check_quiesce, check_usage,
    check_warm, minutes,
};
use crate::settings::modes::{
    BootMode, Consistency, Imds, OnTimeout, Protect, QuiesceBy, Retire, SnapshotLocation,
    SnapshotTags,
};
use crate::settings::provenance::{Ancestors, ReleaseId, TemplateDigest, Watermarks};
use crate::settings::scan::{
    OnScanFailure, Scan, ScanCounts, ScanMode, ScanReports, Severity, check_scan,
};
use crate::settings::statement_key::StatementKey;
use crate::settings::tags::Tags;
use crate::settings::values::{
    Containers, InstanceTypes, Mounts, Price, Principals, Regions, StackResource, Target,
};
use crate::settings::volumes::VolumeChanges;
use action::settings::Settings;
use action::settings::faults::Faults;
use action::settings::given::Given;
use action::settings::tags::InstanceTags;
use action::settings::value::{Count, InstanceId, Switch, Timeout};
use clap::ArgAction;
use serde::Deserialize;
use std::path::PathBuf;
use std::time::Duration;

/// The settings as declared.
#[derive(Debug, clap::Args, Deserialize, Default)]
#[serde(default)]
pub struct Raw {
    /// The instance to image
    #[arg(long, value_name = "i-…", help_heading = "The instance")]
    instance_id: Given<InstanceId>,
    /// Find the instance by a tag instead; by several, it must have all of them; exactly one instance must match
    #[arg(long, value_name = "KEY=VALUE", action = ArgAction::Append, help_heading = "The instance")]
    instance_tag: Given<InstanceTags>,
    /// Find the instance by its CloudFormation stack and logical id instead
    #[arg(long, value_name = "STACK/LogicalId", help_heading = "The instance")]
    instance_stack: Given<StackResource>,
    /// The consistency of the image: no-reboot (as after a power cut), reboot, stop, or quiesce (by SSM)
    #[arg(
        long,
        value_name = "MODE",
        default_value = "no-reboot",
        help_heading = "The instance"
    )]
    consistency: Given<Consistency>,
    /// With quiesce: a container to pause or stop
    #[arg(long, value_name = "NAME", action = ArgAction::Append, help_heading = "The instance")]
    quiesce_container: Given<Containers>,
    /// With quiesce: whether to pause or stop these containers
    #[arg(
        long,
        value_name = "HOW",
        default_value = "pause",
        help_heading = "The instance"
    )]
    quiesce_by: Given<QuiesceBy>,
    /// With quiesce: a mount point to freeze; never / or /boot
    #[arg(long, value_name = "PATH", action = ArgAction::Append, help_heading = "The instance")]
    quiesce_mount: Given<Mounts>,
    /// With quiesce: the instance thaws by itself after this long, whatever happens to the build
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "60s",
        help_heading = "The instance"
    )]
    quiesce_lease: Given<Timeout>,

    /// The image's name; {instance}, {app}, {utc}, {build}, {commit} and {pipeline} are filled in
    #[arg(
        long,
        value_name = "NAME",
        default_value = "{instance}-{utc}-{build}",
        help_heading = "The image"
    )]
    ami_name: Given<String>,
    /// The image's description, with the same placeholders
    #[arg(long, value_name = "TEXT", help_heading = "The image")]
    description: Given<String>,
    /// What becomes of a volume in the image: leave-out, delete-on-termination or keep-on-termination
    #[arg(long, value_name = "DEVICE=WHAT", action = ArgAction::Append, help_heading = "The image")]
    volume: Given<VolumeChanges>,
    /// The application: what retention groups images by, and a tag
    #[arg(long, value_name = "NAME", help_heading = "The image")]
    app: Given<String>,
    /// A tag of the image and its snapshots
    #[arg(long, value_name = "KEY=VALUE", action = ArgAction::Append, help_heading = "The image")]
    tag: Given<Tags>,
    /// When snapshots get their tags: at-create, after (the image is available), or none
    #[arg(
        long,
        value_name = "WHEN",
        default_value = "at-create",
        help_heading = "The image"
    )]
    snapshot_tags: Given<SnapshotTags>,
    /// The boot mode of the image: uefi, for an instance that runs in it; unset: the instance's
    #[arg(long, value_name = "MODE", help_heading = "The image")]
    boot_mode: Given<BootMode>,
    /// Where the snapshots of an instance in a Local Zone or on an Outpost are stored: local or regional
    #[arg(long, value_name = "PLACE", help_heading = "The image")]
    snapshot_location: Given<SnapshotLocation>,
    /// The key that makes two tries one run, such as #{codepipeline.PipelineExecutionId}; unset: the build's id
    #[arg(long, value_name = "KEY", help_heading = "The image")]
    run: Given<String>,
    /// An image that is already there, by its id or by the key of its run (its tag make-ami:run); wait, verify and clean are about it, and without a command the job goes on with it
    #[arg(long, value_name = "ami-…|KEY", help_heading = "The image")]
    image: Given<Target>,
    /// What happens to an unfinished image at the deadline: keep (resumable) or clean
    #[arg(
        long,
        value_name = "WHAT",
        default_value = "keep",
        help_heading = "The image"
    )]
    on_timeout: Given<OnTimeout>,

    /// Attach this watermark; verify: a watermark that the image must have, as ACCOUNT:NAME
    #[arg(long, value_name = "NAME", action = ArgAction::Append, help_heading = "Provenance")]
    watermark: Given<Watermarks>,
    /// The image must descend from this one, or from one of several: an image's id, amazon, aws-marketplace or aws-backup-vault
    #[arg(long, value_name = "ami-…", action = ArgAction::Append, help_heading = "Provenance")]
    must_descend_from: Given<Ancestors>,
    /// Write an in-toto statement of where the image comes from to this file; verify: compare the image with it
    #[arg(long, value_name = "FILE", help_heading = "Provenance")]
    statement: Given<PathBuf>,
    /// Sign the statement with the Ed25519 key in this PEM file; verify: the file with the key, public or private, that must have signed it
    #[arg(long, value_name = "FILE", help_heading = "Provenance")]
    statement_key: Given<StatementKey>,
    /// The release that runs on the instance, for the statement: deploy-app's RELEASE_ID
    #[arg(long, value_name = "ID", help_heading = "Provenance")]
    release_id: Given<ReleaseId>,
    /// The template that the image is for, for the statement: package-template's TEMPLATE_DIGEST
    #[arg(long, value_name = "DIGEST", help_heading = "Provenance")]
    template_digest: Given<TemplateDigest>,
    /// Have Amazon Inspector scan the image for known vulnerabilities, for a price: off, report, or gate (fail when findings count)
    #[arg(
        long,
        value_name = "WHAT",
        default_value = "off",
        help_heading = "The scan"
    )]
    scan: Given<ScanMode>,
    /// The least severity that counts: informational, low, medium, high or critical
    #[arg(
        long,
        value_name = "SEVERITY",
        default_value = "high",
        help_heading = "The scan"
    )]
    scan_severity: Given<Severity>,
    /// Which findings count beside that: all, or fixable (there is a fix, or a part of one)
    #[arg(
        long,
        value_name = "WHICH",
        default_value = "all",
        help_heading = "The scan"
    )]
    scan_counts: Given<ScanCounts>,
    /// A finding counts when an image of the application from this long ago had it too, such as 14d; unset: at once
    #[arg(long, value_name = "DURATION", help_heading = "The scan")]
    scan_grace: Given<Timeout>,
    /// Accept the findings in this JSON file: a list of {"id": …, "reason": …, "until": "2027-01-31"}
    #[arg(long, value_name = "FILE", help_heading = "The scan")]
    scan_accepted: Given<PathBuf>,
    /// How old a scan of the same image may be before a new one is asked for
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "1d",
        help_heading = "The scan"
    )]
    scan_age: Given<Timeout>,
    /// What happens to an image that does not pass: keep (it is listed) or clean (it is removed)
    #[arg(
        long,
        value_name = "WHAT",
        default_value = "keep",
        help_heading = "The scan"
    )]
    on_scan_failure: Given<OnScanFailure>,
    /// Write the findings as JSON to this file
    #[arg(long, value_name = "FILE", help_heading = "The scan")]
    scan_json: Given<PathBuf>,
    /// Write the findings as SARIF 2.1.0 to this file
    #[arg(long, value_name = "FILE", help_heading = "The scan")]
    scan_sarif: Given<PathBuf>,
    /// Write the findings as JUnit XML to this file, as CodeBuild's report groups read it
    #[arg(long, value_name = "FILE", help_heading = "The scan")]
    scan_junit: Given<PathBuf>,

    /// Copy the image to this region
    #[arg(long, value_name = "REGION", action = ArgAction::Append, help_heading = "Afterwards")]
    copy_to: Given<Regions>,
    /// Whether to wait until the copies are available
    #[arg(long, value_name = "YES|NO", num_args = 0..=1, require_equals = true, default_value = "yes", default_missing_value = "yes", help_heading = "Afterwards")]
    copy_wait: Given<Switch>,
    /// Have EC2 complete each snapshot of a copy within this time, for a price: 15m to 48h, in steps of 15m
    #[arg(long, value_name = "DURATION", help_heading = "Afterwards")]
    copy_within: Given<Timeout>,
    /// An instance type that the image may be launched on, a name or a pattern such as g5.*; no other type then may
    #[arg(long, value_name = "TYPE", action = ArgAction::Append, help_heading = "Afterwards")]
    instance_type: Given<InstanceTypes>,
    /// Which metadata service the image's instances offer: as-is, or v2 (IMDSv2 only, by default; EC2 cannot take it back)
    #[arg(
        long,
        value_name = "VERSION",
        default_value = "as-is",
        help_heading = "Afterwards"
    )]
    imds: Given<Imds>,
    /// Encrypt the image itself with MAKE_AMI_KMS_KEY, by a copy within its Region; the first image is removed
    #[arg(long, value_name = "YES|NO", num_args = 0..=1, require_equals = true, default_value = "no", default_missing_value = "yes", help_heading = "Afterwards")]
    encrypt: Given<Switch>,
    /// Encrypt the copies with this KMS key: an alias, or the id of a multi-Region key
    #[arg(long, value_name = "KEY", help_heading = "Afterwards")]
    kms_key: Given<String>,
    /// Share with this account (its id), organization or organizational unit (its ARN)
    #[arg(long, value_name = "ID|ARN", action = ArgAction::Append, help_heading = "Afterwards")]
    share_with: Given<Principals>,
    /// Deprecate the image this long after it was made
    #[arg(long, value_name = "DURATION", help_heading = "Afterwards")]
    deprecate_after: Given<Timeout>,
    /// Write the image's id to this SSM parameter of data type aws:ec2:image, as the last step
    #[arg(long, value_name = "NAME", help_heading = "Afterwards")]
    ssm_parameter: Given<String>,
    /// Keep the newest N images of the application; older ones that nothing refers to are retired
    #[arg(long, value_name = "N", help_heading = "Afterwards")]
    keep: Given<Count>,
    /// Retire images of the application older than this, such as 30d; the newest one always stays
    #[arg(long, value_name = "DURATION", help_heading = "Afterwards")]
    max_age: Given<Timeout>,
    /// How images are retired: ladder (deprecate, next run disable, next run deregister) or deregister
    #[arg(
        long,
        value_name = "HOW",
        default_value = "ladder",
        help_heading = "Afterwards"
    )]
    retire: Given<Retire>,
    /// Retire a shared image too when no account has used it for this long, such as 90d; unset: it stays
    #[arg(long, value_name = "DURATION", help_heading = "Afterwards")]
    unused_for: Given<Timeout>,
    /// How old a usage report of a shared image may be before EC2 is asked for a new one
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "1d",
        help_heading = "Afterwards"
    )]
    usage_report_age: Given<Timeout>,
    /// Turn deregistration protection of the image and its copies on: no, yes, or cooldown (lasts 24 hours after it is turned off)
    #[arg(
        long,
        value_name = "WHAT",
        default_value = "no",
        help_heading = "Afterwards"
    )]
    protect: Given<Protect>,
    /// Write what was made as JSON to this file
    #[arg(long, value_name = "FILE", help_heading = "Afterwards")]
    manifest: Given<PathBuf>,
    /// US dollars per GB-month of snapshot storage; unset: a table of list prices
    #[arg(long, value_name = "PRICE", help_heading = "Afterwards")]
    price: Given<Price>,
    /// How long the image is kept, for the cost line
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "30d",
        help_heading = "Afterwards"
    )]
    price_for: Given<Timeout>,
}

impl Settings for Raw {
    type Checked = Checked;

    fn check(self, faults: &mut Faults) -> Option<Checked> {
        let instance = self.instance(faults);
        let ami_name = faults.required("ami_name", self.ami_name);
        let description = faults.optional("description", self.description);
        let volumes = faults.optional("volume", self.volume).unwrap_or_default();
        let app = faults.optional("app", self.app);
        let run = faults.optional("run", self.run);
        let consistency = faults.required("consistency", self.consistency);
        let quiesce = Quiesce {
            containers: faults
                .optional("quiesce_container", self.quiesce_container)
                .unwrap_or_default()
                .0,
            by: faults
                .required("quiesce_by", self.quiesce_by)
                .unwrap_or(QuiesceBy::Pause),
            mounts: faults
                .optional("quiesce_mount", self.quiesce_mount)
                .unwrap_or_default()
                .0,
            lease: faults
                .required("quiesce_lease", self.quiesce_lease)
                .map_or(Duration::from_secs(60), |lease| lease.0),
        };
        let tags = faults.optional("tag", self.tag).unwrap_or_default();
        let snapshot_tags = faults.required("snapshot_tags", self.snapshot_tags);
        let boot_mode = faults.optional("boot_mode", self.boot_mode);
        let snapshot_location = faults.optional("snapshot_location", self.snapshot_location);
        let on_timeout = faults.required("on_timeout", self.on_timeout);
        let target = faults.optional("image", self.image);
        let watermarks = faults.optional("watermark", self.watermark);
        let ancestors = faults.optional("must_descend_from", self.must_descend_from);
        let release_id = faults.optional("release_id", self.release_id);
        let template_digest = faults.optional("template_digest", self.template_digest);
        let provenance = Provenance {
            watermarks: watermarks.unwrap_or_default().0,
            ancestors: ancestors.unwrap_or_default().0,
            statement: faults.optional("statement", self.statement),
            key: faults.optional("statement_key", self.statement_key),
            release_id: release_id.map(|id| id.0),
            template_digest: template_digest.map(|digest| digest.0),
        };
        let publish = Publish {
            copy_to: faults
                .optional("copy_to", self.copy_to)
                .unwrap_or_default()
                .0,
            copy_wait: faults.switch("copy_wait", self.copy_wait),
            copy_within: faults
                .optional("copy_within", self.copy_within)
                .and_then(|within| minutes(within.0, faults)),
            instance_types: faults
                .optional("instance_type", self.instance_type)
                .unwrap_or_default()
                .0,
            imds: faults.required("imds", self.imds).unwrap_or_default(),
            encrypt: faults.switch("encrypt", self.encrypt),
            kms_key: faults.optional("kms_key", self.kms_key),
            share_with: faults
                .optional("share_with", self.share_with)
                .unwrap_or_default()
                .0,
            deprecate_after: faults
                .optional("deprecate_after", self.deprecate_after)
                .map(|age| age.0),
            protect: faults.required("protect", self.protect).unwrap_or_default(),
            ssm_parameter: faults.optional("ssm_parameter", self.ssm_parameter),
        };
        let scan = Scan {
            mode: faults.required("scan", self.scan).unwrap_or_default(),
            severity: faults
                .required("scan_severity", self.scan_severity)
                .unwrap_or_default(),
            counts: faults
                .required("scan_counts", self.scan_counts)
                .unwrap_or_default(),
            grace: faults
                .optional("scan_grace", self.scan_grace)
                .map(|grace| grace.0),
            accepted: faults.optional("scan_accepted", self.scan_accepted),
            age: faults
                .required("scan_age", self.scan_age)
                .map_or(Duration::ZERO, |age| age.0),
            on_failure: faults
                .required("on_scan_failure", self.on_scan_failure)
                .unwrap_or_default(),
            reports: ScanReports {
                json: faults.optional("scan_json", self.scan_json),
                sarif: faults.optional("scan_sarif", self.scan_sarif),
                junit: faults.optional("scan_junit", self.scan_junit),
            },
        };
        let keep = faults.optional("keep", self.keep);
        let max_age = faults.optional("max_age", self.max_age);
        let retire = faults.required("retire", self.retire);
        let unused_for = faults.optional("unused_for", self.unused_for);
        let unused_for = unused_for.map(|age| age.0);
        let usage_report_age = faults.required("usage_report_age", self.usage_report_age);
        let usage_report_age = usage_report_age.map_or(Duration::ZERO, |age| age.0);
        let manifest = faults.optional("manifest", self.manifest);
        let price = faults.optional("price", self.price);
        let price_for = faults.required("price_for", self.price_for);

        check_names(ami_name.as_deref(), app.as_deref(), run.as_deref(), faults);
        check_description(description.as_deref(), faults);
        check_publish(&publish, faults);
        check_provenance(&provenance, manifest.as_deref(), faults);
        check_scan(&scan, app.as_deref(), faults);
        check_quiesce(consistency, &quiesce, faults);
        check_warm(run.as_deref(), target.is_some(), faults);
        if target.is_none() && faults.command() == Some("verify") {
            faults.add("MAKE_AMI_IMAGE is not set (or --image): which image is to be verified?");
        }
        let wants_retention = keep.is_some() || max_age.is_some();
        if wants_retention && app.is_none() {
            faults.of(
                if keep.is_some() { "keep" } else { "max_age" },
                "MAKE_AMI_APP must say which application's images are meant",
            );
        }
        check_usage(unused_for, usage_report_age, wants_retention, faults);
        let retention = match (&app, retire) {
            (Some(app), Some(retire)) if wants_retention => Some(Retention {
                app: app.clone(),
                keep: keep.map(Count::size),
                max_age: max_age.map(|age| age.0),
                retire,
                unused_for,
                usage_report_age,
            }),
            _ => None,
        };
        Some(Checked {
            instance,
            ami_name: ami_name?,
            description,
            volumes,
            app,
            run,
            consistency: consistency?,
            quiesce,
            tags,
            snapshot_tags: snapshot_tags?,
            boot_mode,
            snapshot_location,
            on_timeout: on_timeout?,
            scan,
            target,
            publish,
            retention,
            provenance,
            manifest,
            price,
            price_for: price_for?.0,
        })
    }
}

impl Raw {
    /// Exactly one of three settings names the instance, where one is needed.
    fn instance(&self, faults: &mut Faults) -> Option<Named> {
        let by_id = faults.optional("instance_id", self.instance_id.clone());
        let by_tag = faults.optional("instance_tag", self.instance_tag.clone());
        let by_stack = faults.optional("instance_stack", self.instance_stack.clone());
        let is_given = [
            self.instance_id != Given::Unset,
            self.instance_tag != Given::Unset,
            self.instance_stack != Given::Unset,
        ];
        let makes = matches!(faults.command(), None | Some("start" | "warm"));
        match is_given.iter().filter(|given| **given).count() {
            // An image that is named needs no instance.
            0 if makes && self.image == Given::Unset => faults.add(
                "INSTANCE_ID is not set (or --instance-id); MAKE_AMI_INSTANCE_TAG or \
                 MAKE_AMI_INSTANCE_STACK can name the instance too",
            ),
            0 | 1 => {}
            _ => faults.add(
                "INSTANCE_ID, MAKE_AMI_INSTANCE_TAG and MAKE_AMI_INSTANCE_STACK each name the instance; give one",
            ),
        }
        by_id
            .map(|id| Named::Id(id.0))
            .or(by_tag.map(Named::Tags))
            .or(by_stack.map(Named::Stack))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
pub(crate) mod tests;
