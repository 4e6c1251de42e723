//! Usage reports and the Recycle Bin in EC2's answers.

use std::fmt::Write as _;

use super::{answer, element, optional};
use crate::ec2::iso;
use crate::ec2::world::{Recycled, UsageReport};

/// CreateImageUsageReport's answer.
pub(in crate::ec2) fn create_image_usage_report(id: &str) -> String {
    answer("CreateImageUsageReport", &element("reportId", id))
}

/// DescribeImageUsageReports' answer.
pub(in crate::ec2) fn describe_image_usage_reports(reports: &[UsageReport]) -> String {
    let mut items = String::new();
    for report in reports {
        let (created, expires) = report.times();
        let reason = report.error.as_ref().filter(|_| report.state() == "error");
        let _ = writeln!(
            items,
            "<item>{}{}{}{}{}{}</item>",
            element("reportId", &report.id),
            element("imageId", &report.image),
            element("state", report.state()),
            optional("stateReason", reason),
            element("creationTime", &created),
            element("expirationTime", &expires)
        );
    }
    let set = format!("<imageUsageReportSet>\n{items}</imageUsageReportSet>\n");
    answer("DescribeImageUsageReports", &set)
}

/// DescribeImageUsageReportEntries' answer: each report with account, resource type and number.
pub(in crate::ec2) fn describe_image_usage_report_entries(
    entries: &[(UsageReport, (String, String, u32))],
) -> String {
    let mut items = String::new();
    for (report, (account, resource_type, number)) in entries {
        let _ = writeln!(
            items,
            "<item>{}{}{}{}{}{}</item>",
            element("reportId", &report.id),
            element("imageId", &report.image),
            element("accountId", account),
            element("resourceType", resource_type),
            element("usageCount", &number.to_string()),
            element("reportCreationTime", &report.times().0)
        );
    }
    let set = format!("<imageUsageReportEntrySet>\n{items}</imageUsageReportEntrySet>\n");
    answer("DescribeImageUsageReportEntries", &set)
}

/// ListImagesInRecycleBin's answer.
pub(in crate::ec2) fn list_images_in_recycle_bin(images: &[&Recycled]) -> String {
    let mut items = String::new();
    for image in images {
        let _ = writeln!(
            items,
            "<item>{}{}{}{}</item>",
            element("imageId", &image.image),
            element("name", &image.name),
            element("recycleBinEnterTime", &iso(image.entered)),
            element("recycleBinExitTime", &iso(image.leaves))
        );
    }
    answer(
        "ListImagesInRecycleBin",
        &format!("<imageSet>\n{items}</imageSet>\n"),
    )
}
