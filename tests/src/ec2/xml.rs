//! EC2's answers in the shape of the 2016-11-15 interface.

mod findings;
mod instances;
mod provenance;
mod references;
mod usage_reports;

use std::fmt::Write as _;

pub(super) use findings::get_image_findings;
pub(super) use instances::describe_volumes;
pub use instances::{describe_instances, instance_changes};
pub(super) use provenance::{attach_image_watermark, availability_zones, image_ancestry};
pub(super) use references::{
    describe_image_references, describe_launch_template_versions, describe_launch_templates,
};
pub(super) use usage_reports::{
    create_image_usage_report, describe_image_usage_report_entries, describe_image_usage_reports,
    list_images_in_recycle_bin,
};

use super::{Image, Snapshot};
use crate::fake_aws::{REQUEST_ID, escaped};

/// The answer of `action` around `inner`.
fn answer(action: &str, inner: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <{action}Response xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">\n\
         <requestId>{REQUEST_ID}</requestId>\n{inner}</{action}Response>"
    )
}

fn element(name: &str, value: &str) -> String {
    format!("<{name}>{}</{name}>\n", escaped(value))
}

fn optional(name: &str, value: Option<&String>) -> String {
    value.map(|value| element(name, value)).unwrap_or_default()
}

fn reason(found: Option<&(String, String)>) -> String {
    found.map_or_else(String::new, |(code, message)| {
        format!(
            "<stateReason>{}{}</stateReason>\n",
            element("code", code),
            element("message", message)
        )
    })
}

fn tags(tags: &[(String, String)]) -> String {
    if tags.is_empty() {
        return String::new();
    }
    let mut items = String::new();
    for (key, value) in tags {
        let _ = writeln!(
            items,
            "<item>{}{}</item>",
            element("key", key),
            element("value", value)
        );
    }
    format!("<tagSet>\n{items}</tagSet>\n")
}

/// The answer with the token of the next page, where there is one.
pub(super) fn with_next_page(mut answer: String, token: Option<&str>) -> String {
    if let (Some(token), Some(end)) = (token, answer.rfind("</")) {
        answer.insert_str(end, &element("nextToken", token));
    }
    answer
}

/// The answer that a deed is done: `<return>true</return>`.
pub fn done(action: &str) -> String {
    answer(action, "<return>true</return>\n")
}

/// CreateImage's answer.
pub fn create_image(id: &str) -> String {
    answer("CreateImage", &element("imageId", id))
}

/// CreateSnapshots' answer.
pub(super) fn create_snapshots(snapshots: &[Snapshot]) -> String {
    let mut items = String::new();
    for made in snapshots {
        let _ = writeln!(
            items,
            "<item>\n{}{}{}{}{}{}{}{}{}</item>",
            element("description", &made.description),
            tags(&made.tags),
            element("encrypted", &made.encrypted.to_string()),
            element("volumeId", &made.volume),
            element("state", &made.state),
            element("volumeSize", &made.size.to_string()),
            element("startTime", &made.started),
            element("ownerId", &made.owner),
            element("snapshotId", &made.id),
        );
    }
    answer(
        "CreateSnapshots",
        &format!("<snapshotSet>\n{items}</snapshotSet>\n"),
    )
}

/// CopyImage's answer.
pub(super) fn copy_image(id: &str) -> String {
    answer("CopyImage", &element("imageId", id))
}

/// DeregisterImage's answer with the return code of every snapshot: `success`, `skipped`,
/// `missing-permissions`, `internal-error` or `client-error`.
pub(super) fn deregister_image(results: &[(String, String)]) -> String {
    let mut items = String::new();
    for (snapshot, code) in results {
        let _ = writeln!(
            items,
            "<item>{}{}</item>",
            element("snapshotId", snapshot),
            element("returnCode", code)
        );
    }
    answer(
        "DeregisterImage",
        &format!(
            "<return>true</return>\n<deleteSnapshotResultSet>\n{items}</deleteSnapshotResultSet>\n"
        ),
    )
}

/// DescribeImages' answer, with every mapping unencrypted.
pub fn describe_images(images: &[Image]) -> String {
    self::images(images, &[])
}

/// DescribeImages' answer, with the mappings encrypted as their snapshots are.
pub(super) fn images(images: &[Image], snapshots: &[Snapshot]) -> String {
    let items: String = images
        .iter()
        .map(|found| format!("<item>\n{}</item>\n", image(found, snapshots)))
        .collect();
    answer(
        "DescribeImages",
        &format!("<imagesSet>\n{items}</imagesSet>\n"),
    )
}

fn image(image: &Image, snapshots: &[Snapshot]) -> String {
    let mut devices = String::new();
    for (device, snapshot, size) in &image.devices {
        let is_encrypted = snapshots
            .iter()
            .any(|found| Some(&found.id) == snapshot.as_ref() && found.encrypted);
        let goes = !image.kept_devices.contains(device);
        let _ = writeln!(
            devices,
            "<item>\n{}<ebs>\n{}<volumeSize>{size}</volumeSize>\n\
             <deleteOnTermination>{goes}</deleteOnTermination>\n<volumeType>gp3</volumeType>\n\
             <encrypted>{is_encrypted}</encrypted>\n</ebs>\n</item>",
            element("deviceName", device),
            optional("snapshotId", snapshot.as_ref())
        );
    }
    let protection = match (image.protected, image.cooldown) {
        (true, true) => "enabled-with-cooldown",
        (true, false) => "enabled-without-cooldown",
        (false, _) => "disabled",
    };
    [
        element("imageId", &image.id),
        element("imageLocation", &format!("{}/{}", image.owner, image.name)),
        element("imageState", &image.state),
        element("imageOwnerId", &image.owner),
        element("creationDate", &image.created),
        "<isPublic>false</isPublic>\n<architecture>x86_64</architecture>\n<imageType>machine</imageType>\n".to_owned(),
        element("name", &image.name),
        element("description", &image.description),
        "<rootDeviceType>ebs</rootDeviceType>\n".to_owned(),
        element("rootDeviceName", &image.root_device),
        format!("<blockDeviceMapping>\n{devices}</blockDeviceMapping>\n"),
        "<virtualizationType>hvm</virtualizationType>\n<hypervisor>xen</hypervisor>\n<enaSupport>true</enaSupport>\n".to_owned(),
        optional("sourceInstanceId", image.source_instance.as_ref()),
        optional(
            "sourceImageRegion",
            image.source_image.as_ref().map(|(region, _)| region),
        ),
        optional("sourceImageId", image.source_image.as_ref().map(|(_, id)| id)),
        provenance::watermarks(&image.watermarks),
        optional("bootMode", image.boot_mode.as_ref()),
        optional("imdsSupport", image.imds.as_ref()),
        optional("deprecationTime", image.deprecation.as_ref()),
        optional("lastLaunchedTime", image.last_launched.as_ref()),
        element("deregistrationProtection", protection),
        image.scans.last().map(findings::scan_results)
            .unwrap_or_default(),
        reason(image.state_reason.as_ref()),
        tags(&image.tags),
    ]
    .concat()
}

/// DescribeImageAttribute's answer: who may launch an image, accounts by id, organisations and their
/// units by ARN, everybody as `all`.
pub(super) fn launch_permissions(id: &str, shared_with: &[String]) -> String {
    let items: String = shared_with
        .iter()
        .map(|who| {
            let kind = match who.as_str() {
                "all" => "group",
                who if who.contains(":ou/") => "organizationalUnitArn",
                who if who.starts_with("arn:") => "organizationArn",
                _ => "userId",
            };
            format!("<item>{}</item>\n", element(kind, who))
        })
        .collect();
    let permissions = format!("<launchPermission>\n{items}</launchPermission>\n");
    answer(
        "DescribeImageAttribute",
        &format!("{}{permissions}", element("imageId", id)),
    )
}

/// DescribeSnapshots' answer.
pub fn describe_snapshots(snapshots: &[Snapshot]) -> String {
    let mut items = String::new();
    for found in snapshots {
        let _ = writeln!(
            items,
            "<item>\n{}{}{}{}{}{}{}{}{}{}{}{}{}{}</item>",
            element("snapshotId", &found.id),
            element("volumeId", &found.volume),
            element("status", &found.state),
            optional("statusMessage", found.state_message.as_ref()),
            element("startTime", &found.started),
            optional("completionTime", found.completed.as_ref()),
            element("progress", &format!("{}%", found.progress)),
            element("ownerId", &found.owner),
            element("volumeSize", &found.size.to_string()),
            optional(
                "fullSnapshotSizeInBytes",
                found.full_size.map(|bytes| bytes.to_string()).as_ref(),
            ),
            element("description", &found.description),
            element("encrypted", &found.encrypted.to_string()),
            optional("kmsKeyId", found.kms_key.as_ref()),
            tags(&found.tags)
        );
    }
    answer(
        "DescribeSnapshots",
        &format!("<snapshotSet>\n{items}</snapshotSet>\n"),
    )
}
