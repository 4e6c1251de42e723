//! Instances and volumes in EC2's answers.

use std::fmt::Write as _;

use super::{answer, element, optional, reason, tags};
use crate::ec2::time::LONG_AGO;
use crate::ec2::{Instance, Volume, state_code};

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
             <attachTime>{LONG_AGO}</attachTime>\n\
             <deleteOnTermination>true</deleteOnTermination>\n</ebs>\n</item>",
            element("deviceName", &volume.device),
            element("volumeId", &volume.id)
        );
    }
    [
        element("instanceId", &instance.id),
        element("imageId", &instance.image),
        state("instanceState", &instance.state),
        "<privateDnsName/>\n<dnsName/>\n<amiLaunchIndex>0</amiLaunchIndex>\n".to_owned(),
        element("reason", &instance.transition_reason),
        element("instanceType", &instance.kind),
        element("launchTime", LONG_AGO),
        format!(
            "<placement>\n{}<tenancy>default</tenancy>\n</placement>\n",
            element("availabilityZone", &instance.zone)
        ),
        optional("outpostArn", instance.outpost.as_ref()),
        element("currentInstanceBootMode", &instance.boot_mode),
        optional("privateIpAddress", instance.private_ip.as_ref()),
        optional("ipAddress", instance.public_ip.as_ref()),
        reason(instance.state_reason.as_ref()),
        element("architecture", "x86_64"),
        element("rootDeviceType", &instance.root_device_type),
        element("rootDeviceName", &instance.root_device),
        format!("<blockDeviceMapping>\n{devices}</blockDeviceMapping>\n"),
        optional("instanceLifecycle", instance.lifecycle.as_ref()),
        format!(
            "<hibernationOptions>\n{}</hibernationOptions>\n",
            element("configured", &instance.hibernation.to_string())
        ),
        tags(&instance.tags),
    ]
    .concat()
}

/// A state as number and word.
fn state(name: &str, state: &str) -> String {
    let code = state_code(state);
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

/// DescribeVolumes' answer: each volume with the instance it is attached to.
pub(in crate::ec2) fn describe_volumes(volumes: &[(String, Volume)]) -> String {
    let mut items = String::new();
    for (instance, volume) in volumes {
        let _ = writeln!(
            items,
            "<item>\n{}{}<availabilityZone>eu-west-1a</availabilityZone>\n<status>in-use</status>\n\
             <createTime>{LONG_AGO}</createTime>\n<attachmentSet>\n<item>\n{}{}{}\
             <status>attached</status>\n<attachTime>{LONG_AGO}</attachTime>\n\
             <deleteOnTermination>true</deleteOnTermination>\n</item>\n</attachmentSet>\n{}{}{}{}</item>",
            element("volumeId", &volume.id),
            element("size", &volume.size.to_string()),
            element("volumeId", &volume.id),
            element("instanceId", instance),
            element("device", &volume.device),
            element("volumeType", &volume.kind),
            element("encrypted", &volume.encrypted.to_string()),
            optional("kmsKeyId", volume.kms_key.as_ref()),
            tags(&volume.tags)
        );
    }
    answer(
        "DescribeVolumes",
        &format!("<volumeSet>\n{items}</volumeSet>\n"),
    )
}
