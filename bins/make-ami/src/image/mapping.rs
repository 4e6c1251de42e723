//! The image's block device mapping, where it is not that of its instance.

use crate::settings::volumes::{VolumeChange, VolumeChanges};
use aws_sdk_ec2::types::{BlockDeviceMapping, EbsBlockDevice, Image};

/// The changes as CreateImage takes them; nothing where there is none.
pub(crate) fn mappings(changes: &VolumeChanges) -> Option<Vec<BlockDeviceMapping>> {
    let mapped = changes.0.iter().map(|(device, change)| {
        let mapping = BlockDeviceMapping::builder().device_name(device);
        let ebs = |goes| {
            EbsBlockDevice::builder()
                .delete_on_termination(goes)
                .build()
        };
        match change {
            // An empty text, as EC2 asks for it.
            VolumeChange::LeaveOut => mapping.no_device(""),
            VolumeChange::Delete => mapping.ebs(ebs(true)),
            VolumeChange::Keep => mapping.ebs(ebs(false)),
        }
        .build()
    });
    (!changes.0.is_empty()).then(|| mapped.collect())
}

/// What an image's mapping does not keep of the changes, a sentence each.
pub(crate) fn broken(image: &Image, changes: &VolumeChanges) -> Vec<String> {
    let of = |device: &str| {
        let mut mappings = image.block_device_mappings().iter();
        mappings.find(|mapping| mapping.device_name() == Some(device))
    };
    let broken = changes.0.iter().filter_map(|(device, change)| {
        let mapping = of(device);
        let ebs = mapping.and_then(|mapping| mapping.ebs());
        let deletes = ebs.and_then(|ebs| ebs.delete_on_termination());
        match (change, mapping) {
            (VolumeChange::LeaveOut, None) => None,
            (VolumeChange::LeaveOut, Some(_)) => Some(format!(
                "it holds {device}, which MAKE_AMI_VOLUME leaves out"
            )),
            (_, None) => Some(format!("it does not hold {device}")),
            (VolumeChange::Delete, _) if deletes == Some(true) => None,
            (VolumeChange::Keep, _) if deletes == Some(false) => None,
            (change, _) => Some(format!("{device} is not mapped as {change}")),
        }
    });
    broken.collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::{broken, mappings};
    use crate::settings::volumes::VolumeChanges;
    use aws_sdk_ec2::types::Image;

    #[test]
    fn an_image_is_held_to_the_changes_that_were_asked_for() {
        let changes: VolumeChanges = "/dev/sdb=delete-on-termination,/dev/sdc=leave-out"
            .parse()
            .unwrap();
        let asked = mappings(&changes).unwrap();
        let image = |devices: Vec<_>| {
            Image::builder()
                .set_block_device_mappings(Some(devices))
                .build()
        };
        assert!(broken(&image(asked[..1].to_vec()), &changes).is_empty());
        let said = broken(&image(asked), &changes);
        assert_eq!(
            said,
            ["it holds /dev/sdc, which MAKE_AMI_VOLUME leaves out"]
        );
        let kept: VolumeChanges = "/dev/sdb=keep-on-termination".parse().unwrap();
        let kept = mappings(&kept).unwrap();
        let said = broken(&image(kept), &changes);
        assert_eq!(said, ["/dev/sdb is not mapped as delete-on-termination"]);
        assert_eq!(
            broken(&image(Vec::new()), &changes),
            ["it does not hold /dev/sdb"]
        );
        assert_eq!(mappings(&VolumeChanges::default()), None);
    }
}
