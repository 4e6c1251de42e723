//! Usage reports: which accounts use an image. Deregistration protection and the Recycle Bin, which keep an image from
//! going, or from going for good.

use std::time::{Duration, SystemTime};

use super::{Answer, Ec2World, State, missing, refuse_dry_run};
use crate::ec2::time::iso;
use crate::ec2::xml;
use crate::fake_aws::{Reply, Request};

/// How many ids a call names at most
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeImageUsageReports.html>).
const MOST_IDS: usize = 200;

/// How long EC2 keeps a report.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3600);

/// A report on one image.
#[derive(Clone)]
pub(in crate::ec2) struct UsageReport {
    pub(in crate::ec2) id: String,
    pub(in crate::ec2) image: String,
    pub(in crate::ec2) created: SystemTime,
    /// How often it is still listed as pending.
    pending: u32,
    /// Why there is none.
    pub(in crate::ec2) error: Option<String>,
    /// Account, resource type, number.
    pub(in crate::ec2) entries: Vec<(String, String, u32)>,
}

impl UsageReport {
    pub(in crate::ec2) fn state(&self) -> &'static str {
        match (&self.error, self.pending) {
            (_, 1..) => "pending",
            (Some(_), 0) => "error",
            (None, 0) => "available",
        }
    }

    pub(in crate::ec2) fn times(&self) -> (String, String) {
        (iso(self.created), iso(self.created + KEPT))
    }
}

/// An image that was deregistered and can come back.
pub(in crate::ec2) struct Recycled {
    pub(in crate::ec2) image: String,
    pub(in crate::ec2) name: String,
    pub(in crate::ec2) entered: SystemTime,
    pub(in crate::ec2) leaves: SystemTime,
}

impl Ec2World {
    /// Lets so many resources of an account use an image, as usage reports that are begun from now on tell:
    /// `ec2:Instance` or `ec2:LaunchTemplate`.
    pub fn used_by(&self, image: &str, account: &str, resource_type: &str, number: u32) {
        let entry = (account.to_owned(), resource_type.to_owned(), number);
        let mut state = self.state();
        let usage = &mut state.here.usage;
        usage.entry(image.to_owned()).or_default().push(entry);
    }

    /// Lets usage reports that are begun from now on be `pending` for so many looks.
    pub fn slow_usage_reports(&self, looks: u32) {
        self.state().rules.report_looks = looks;
    }

    /// Lets usage reports that are begun from now on come to nothing.
    pub fn failing_usage_reports(&self, reason: &str) {
        self.state().rules.report_error = Some(reason.to_owned());
    }

    /// Lets images that are deregistered from now on stay in the Recycle Bin for so long.
    pub fn recycle_bin(&self, keeps: Duration) {
        self.state().rules.recycle_bin = Some(keeps);
    }

    /// The images on which there are usage reports, in the order in which those were begun.
    pub fn usage_reports(&self) -> Vec<String> {
        let state = self.state();
        let reports = state.here.usage_reports.iter();
        reports.map(|report| report.image.clone()).collect()
    }
}

impl State {
    pub(super) fn create_image_usage_report(&mut self, request: &Request) -> Answer {
        let id = request.param("ImageId").ok_or_else(|| missing("ImageId"))?;
        if request.param("ResourceType.1.ResourceType").is_none() {
            return Err(missing("ResourceTypes"));
        }
        self.refuse_unavailable(id)?;
        let is_pending = |report: &&UsageReport| report.image == id && report.pending > 0;
        if self.here.usage_reports.iter().any(|one| is_pending(&one)) {
            // Which code EC2 gives is unproven.
            let message = format!("A usage report on {id} is being created already");
            return Err(Reply::error(400, "ResourceCountExceeded", message));
        }
        refuse_dry_run(request)?;
        let report = UsageReport {
            id: format!("iur-{:017x}", self.here.usage_reports.len() + 1),
            image: id.to_owned(),
            created: self.rules.now(),
            pending: self.rules.report_looks,
            error: self.rules.report_error.clone(),
            entries: self.here.usage.get(id).cloned().unwrap_or_default(),
        };
        let answer = xml::create_image_usage_report(&report.id);
        self.here.usage_reports.push(report);
        Ok(answer)
    }

    pub(super) fn describe_image_usage_reports(&mut self, request: &Request) -> Answer {
        let (images, reports) = asked(request)?;
        let is_asked = |one: &UsageReport| {
            (images.is_empty() || images.contains(&one.image))
                && (reports.is_empty() || reports.contains(&one.id))
        };
        let now = self.rules.now();
        self.here
            .usage_reports
            .retain(|report| report.created + KEPT > now);
        let found = self.here.usage_reports.iter().filter(|one| is_asked(one));
        let found: Vec<UsageReport> = found.cloned().collect();
        let (found, next) = self.page(request, found);
        for report in &mut self.here.usage_reports {
            if found.iter().any(|seen| seen.id == report.id) {
                report.pending = report.pending.saturating_sub(1);
            }
        }
        let answer = xml::describe_image_usage_reports(&found);
        Ok(xml::with_next_page(answer, next.as_deref()))
    }

    pub(super) fn describe_image_usage_report_entries(&mut self, request: &Request) -> Answer {
        let (images, reports) = asked(request)?;
        let is_asked = |one: &&UsageReport| {
            one.state() == "available"
                && (images.is_empty() || images.contains(&one.image))
                && (reports.is_empty() || reports.contains(&one.id))
        };
        let found = self.here.usage_reports.iter().filter(is_asked);
        let found: Vec<_> = found
            .flat_map(|report| {
                let entries = report.entries.iter().cloned();
                entries.map(|entry| (report.clone(), entry))
            })
            .collect();
        let (found, next) = self.page(request, found);
        let answer = xml::describe_image_usage_report_entries(&found);
        Ok(xml::with_next_page(answer, next.as_deref()))
    }

    pub(super) fn enable_image_deregistration_protection(&mut self, request: &Request) -> Answer {
        let id = request.param("ImageId").ok_or_else(|| missing("ImageId"))?;
        self.refuse_unavailable(id)?;
        refuse_dry_run(request)?;
        let image = self.image(id)?;
        image.protected = true;
        image.cooldown = request.flag("WithCooldown");
        Ok(xml::done("EnableImageDeregistrationProtection"))
    }

    pub(super) fn list_images_in_recycle_bin(&mut self, request: &Request) -> Answer {
        let ids = request.list("ImageId");
        if ids.len() > 20 {
            let message = format!("{} image IDs were given; 20 are allowed.", ids.len());
            return Err(Reply::error(400, "InvalidParameterValue", message));
        }
        let now = self.rules.now();
        let found = self.here.recycled.iter();
        let found = found.filter(|one| one.leaves > now);
        let found = found.filter(|one| ids.is_empty() || ids.contains(&one.image));
        Ok(xml::list_images_in_recycle_bin(&found.collect::<Vec<_>>()))
    }

    /// Puts a deregistered image into the Recycle Bin, where there is one.
    pub(super) fn recycle(&mut self, image: &str, name: &str) {
        if let Some(keeps) = self.rules.recycle_bin {
            let entered = self.rules.now();
            self.here.recycled.push(Recycled {
                image: image.to_owned(),
                name: name.to_owned(),
                entered,
                leaves: entered + keeps,
            });
        }
    }
}

/// The images and the reports that a request is about.
fn asked(request: &Request) -> Result<(Vec<String>, Vec<String>), Reply> {
    let (images, reports) = (request.list("ImageId"), request.list("ReportId"));
    if images.len().max(reports.len()) > MOST_IDS {
        let message = format!("More than {MOST_IDS} ids were given.");
        return Err(Reply::error(400, "InvalidParameterValue", message));
    }
    Ok((images, reports))
}
