//! EC2's answers in the shape of the 2016-11-15 interface.

use std::fmt::Write as _;

use super::resources::{Image, Instance, Snapshot};
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

/// The answer that a deed is done: `<return>true</return>`.
pub fn done(action: &str) -> String {
    answer(action, "<return>true</return>\n")
}

/// CreateImage's answer.
pub fn create_image(id: &str) -> String {
    answer("CreateImage", &element("imageId", id))
}

/// DescribeInstances' answer, a reservation for each instance.
pub fn describe_instances(instances: &[Instance]) -> String {
    let mut items = String::new();
    for (n, instance) in instances.iter().enumerate() {
        let _ = writeln!(
            items,
            "<item>\n<reservationId>r-{:017x}</reservationId>\n{}<groupSet/>\n\
             <instancesSet>\n<item>\n{}</item>\n</instancesSet>\n</item>",
            n + 1,
            element("ownerId", &instance.owner),
            self::instance(instance)
        );
    }
    answer(
        "DescribeInstances",
        &format!("<reservationSet>\n{items}</reservationSet>\n"),
    )
}

fn instance(instance: &Instance) -> String {
    let mut devices = String::new();
    for volume in &instance.volumes {
        let _ = writeln!(
            devices,
            "<item>\n{}<ebs>\n{}<status>attached</status>\n\
             <attachTime>2030-01-01T00:00:00.000Z</attachTime>\n\
             <deleteOnTermination>true</deleteOnTermination>\n</ebs>\n</item>",
            element("deviceName", &volume.device),
            element("volumeId", &volume.id)
        );
    }
    [
        element("instanceId", &instance.id),
        element("imageId", &instance.image),
        state("instanceState", &instance.state),
        "<privateDnsName/>\n<dnsName/>\n<reason/>\n<amiLaunchIndex>0</amiLaunchIndex>\n".to_owned(),
        element("instanceType", &instance.kind),
        element("launchTime", "2030-01-01T00:00:00.000Z"),
        "<placement>\n<availabilityZone>eu-west-1a</availabilityZone>\n<tenancy>default</tenancy>\n</placement>\n".to_owned(),
        optional("privateIpAddress", instance.private_ip.as_ref()),
        optional("ipAddress", instance.public_ip.as_ref()),
        reason(instance.state_reason.as_ref()),
        element("architecture", "x86_64"),
        element("rootDeviceType", &instance.root_device_type),
        element("rootDeviceName", &instance.root_device),
        format!("<blockDeviceMapping>\n{devices}</blockDeviceMapping>\n"),
        tags(&instance.tags),
    ]
    .concat()
}

/// The number that EC2 gives each instance state.
fn state(name: &str, state: &str) -> String {
    let code = match state {
        "pending" => 0,
        "running" => 16,
        "shutting-down" => 32,
        "terminated" => 48,
        "stopping" => 64,
        _ => 80,
    };
    format!(
        "<{name}>\n<code>{code}</code>\n{}</{name}>\n",
        element("name", state)
    )
}

/// The answer of StartInstances, StopInstances or TerminateInstances: id, state before, state now.
pub fn instance_changes(action: &str, changes: &[(String, String, String)]) -> String {
    let mut items = String::new();
    for (id, before, now) in changes {
        let _ = writeln!(
            items,
            "<item>\n{}{}{}</item>",
            element("instanceId", id),
            state("currentState", now),
            state("previousState", before)
        );
    }
    answer(action, &format!("<instancesSet>\n{items}</instancesSet>\n"))
}

/// DescribeImages' answer.
pub fn describe_images(images: &[Image]) -> String {
    let items: String = images
        .iter()
        .map(|found| format!("<item>\n{}</item>\n", image(found)))
        .collect();
    answer(
        "DescribeImages",
        &format!("<imagesSet>\n{items}</imagesSet>\n"),
    )
}

fn image(image: &Image) -> String {
    let mut devices = String::new();
    for (device, snapshot, size) in &image.devices {
        let _ = writeln!(
            devices,
            "<item>\n{}<ebs>\n{}<volumeSize>{size}</volumeSize>\n\
             <deleteOnTermination>true</deleteOnTermination>\n<volumeType>gp3</volumeType>\n\
             <encrypted>false</encrypted>\n</ebs>\n</item>",
            element("deviceName", device),
            optional("snapshotId", snapshot.as_ref())
        );
    }
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
        reason(image.state_reason.as_ref()),
        tags(&image.tags),
    ]
    .concat()
}

/// DescribeSnapshots' answer.
pub fn describe_snapshots(snapshots: &[Snapshot]) -> String {
    let mut items = String::new();
    for found in snapshots {
        let _ = writeln!(
            items,
            "<item>\n{}{}{}{}{}{}{}{}<encrypted>false</encrypted>\n{}</item>",
            element("snapshotId", &found.id),
            element("volumeId", &found.volume),
            element("status", &found.state),
            element("startTime", "2030-01-01T00:00:00.000Z"),
            element("progress", &format!("{}%", found.progress)),
            element("ownerId", &found.owner),
            element("volumeSize", &found.size.to_string()),
            element("description", &found.description),
            tags(&found.tags)
        );
    }
    answer(
        "DescribeSnapshots",
        &format!("<snapshotSet>\n{items}</snapshotSet>\n"),
    )
}
