//! The boot mode of an image that differs from its instance's.

use crate::settings::modes::BootMode;
use action::failure::Failure;
use aws_sdk_ec2::types::{Instance, InstanceBootModeValues};

/// Refuses a boot mode that CreateImage refuses: UEFI only of an instance that runs in UEFI
/// (<https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateImage.html>).
pub(crate) fn check(
    instance: &Instance,
    id: &str,
    wanted: Option<BootMode>,
) -> Result<(), Failure> {
    let current = instance.current_instance_boot_mode();
    match wanted {
        Some(BootMode::Uefi) if current != Some(&InstanceBootModeValues::Uefi) => {
            let current = current.map_or("an unknown boot mode", InstanceBootModeValues::as_str);
            Err(Failure::refused(format!(
                "instance {id} runs in {current}, and EC2 makes an image for UEFI alone only of an instance that runs in UEFI; nothing was touched"
            ))
            .hint("leave MAKE_AMI_BOOT_MODE out: the image then has the boot mode of the instance"))
        }
        _ => Ok(()),
    }
}
