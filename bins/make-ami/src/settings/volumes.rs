//! Volumes that the image leaves out, or maps otherwise than the instance does.

use action::settings::value::names;
use action::words;
use std::collections::BTreeMap;
use std::str::FromStr;

words! {
    /// What becomes of a volume in the image's block device mapping.
    pub enum VolumeChange: "a change" {
        /// It is not in the image.
        LeaveOut = "leave-out",
        /// It goes with the instances that are launched from the image.
        Delete = "delete-on-termination",
        /// It outlives the instances that are launched from the image.
        Keep = "keep-on-termination",
    }
}

/// Changes by device name, such as `/dev/sdf`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VolumeChanges(pub BTreeMap<String, VolumeChange>);

/// What CreateImage changes of a volume
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateImage.html>, `BlockDeviceMapping`).
const RULE: &str = "CreateImage only leaves a volume out or changes whether it is deleted with its instance: write leave-out, delete-on-termination or keep-on-termination. For another size, type or speed change the volume before (aws ec2 modify-volume) or the launch template after; MAKE_AMI_ENCRYPT encrypts the image";

impl VolumeChanges {
    /// Whether the volume of this device is not in the image.
    pub(crate) fn leaves_out(&self, device: &str) -> bool {
        self.0.get(device) == Some(&VolumeChange::LeaveOut)
    }
}

impl FromStr for VolumeChanges {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut changes = BTreeMap::new();
        for one in names(text) {
            let (device, what) = one.split_once('=').map_or((one, ""), |(device, what)| {
                (device.trim_end(), what.trim_start())
            });
            let is_allowed = |c: char| c.is_ascii_alphanumeric() || c == '/';
            if device.is_empty() || !device.chars().all(is_allowed) {
                return Err(format!(
                    "{one:?} names no device; write such as /dev/sdf=leave-out"
                ));
            }
            let change: VolumeChange = what.parse().map_err(|_| format!("{one:?}: {RULE}"))?;
            if changes.insert(device.to_owned(), change).is_some() {
                return Err(format!("{device} is named twice"));
            }
        }
        Ok(Self(changes))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::{VolumeChange, VolumeChanges};

    #[test]
    fn changes_are_read_by_device() {
        let changes: VolumeChanges = "/dev/sdf=leave-out, xvdg = keep-on-termination"
            .parse()
            .unwrap();
        assert!(changes.leaves_out("/dev/sdf") && !changes.leaves_out("xvdg"));
        assert_eq!(changes.0["xvdg"], VolumeChange::Keep);
    }

    #[test]
    fn what_create_image_cannot_change_is_refused_with_its_rule() {
        for (text, part) in [
            ("/dev/sdf=100", "modify-volume"),
            ("/dev/sdf=gp3", "modify-volume"),
            ("/dev/sdf=encrypted", "MAKE_AMI_ENCRYPT"),
            ("/dev/sdf", "write leave-out"),
            ("=leave-out", "names no device"),
            ("a b=leave-out", "names no device"),
            ("sdf=leave-out,sdf=leave-out", "named twice"),
        ] {
            let said = text.parse::<VolumeChanges>().unwrap_err();
            assert!(said.contains(part), "{text}: {said}");
        }
    }
}
