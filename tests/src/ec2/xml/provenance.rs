//! Watermarks, ancestry and zones in EC2's answers.

use std::fmt::Write as _;

use super::{answer, element, optional};
use crate::ec2::{Image, Watermark};

/// AttachImageWatermark's answer.
pub(in crate::ec2) fn attach_image_watermark(key: &str) -> String {
    answer("AttachImageWatermark", &element("watermarkKey", key))
}

/// The watermarks of an image in DescribeImages' answer.
pub(super) fn watermarks(watermarks: &[Watermark]) -> String {
    if watermarks.is_empty() {
        return String::new();
    }
    let mut items = String::new();
    for watermark in watermarks {
        let _ = writeln!(
            items,
            "<item>{}{}{}</item>",
            element("watermarkKey", &watermark.key),
            element("sourceImageRegion", &watermark.region),
            element("sourceImageId", &watermark.image)
        );
    }
    format!("<imageWatermarkSet>\n{items}</imageWatermarkSet>\n")
}

/// GetImageAncestry's answer.
pub(in crate::ec2) fn image_ancestry(chain: &[Image]) -> String {
    let mut items = String::new();
    for image in chain {
        let source = image.source_image.as_ref();
        let source = source.filter(|_| image.owner_alias.is_none());
        let _ = writeln!(
            items,
            "<item>{}{}{}{}{}</item>",
            element("creationDate", &image.created),
            element("imageId", &image.id),
            optional("imageOwnerAlias", image.owner_alias.as_ref()),
            optional("sourceImageId", source.map(|(_, id)| id)),
            optional("sourceImageRegion", source.map(|(region, _)| region))
        );
    }
    let set = format!("<imageAncestryEntrySet>\n{items}</imageAncestryEntrySet>\n");
    answer("GetImageAncestry", &set)
}

/// DescribeAvailabilityZones' answer: name and type of each.
pub(in crate::ec2) fn availability_zones(zones: &[(String, String)]) -> String {
    let mut items = String::new();
    for (name, kind) in zones {
        let _ = writeln!(
            items,
            "<item>{}{}</item>",
            element("zoneName", name),
            element("zoneType", kind)
        );
    }
    let set = format!("<availabilityZoneInfo>\n{items}</availabilityZoneInfo>\n");
    answer("DescribeAvailabilityZones", &set)
}
