//! Where an image comes from: watermarks and ancestry; and the zones, which decide where snapshots may be stored.

use super::{ACCOUNT, Answer, State, missing, refuse_dry_run};
use crate::ec2::{Image, Watermark, xml};
use crate::fake_aws::{Reply, Request};

/// How many watermarks an image may have (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ami-watermark.html>).
const MOST_WATERMARKS: usize = 5;

/// How many images an ancestry lists (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ami-ancestry.html>).
const MOST_ANCESTORS: usize = 50;

impl State {
    /// With which codes EC2 refuses is unproven, and so is whether it refuses a watermark that is there already.
    pub(super) fn attach_image_watermark(&mut self, request: &Request) -> Answer {
        let id = request.param("ImageId").ok_or_else(|| missing("ImageId"))?;
        let name = request.param("WatermarkName");
        let name = name.ok_or_else(|| missing("WatermarkName"))?;
        let refusal = |code, message: String| Err(Reply::error(400, code, message));
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || "()[] ./-'@_".contains(c);
        if !(3..=128).contains(&name.chars().count()) || !name.chars().all(is_allowed) {
            return refusal(
                "InvalidParameterValue",
                format!("Value ({name}) for parameter WatermarkName is invalid."),
            );
        }
        self.refuse_unavailable(id)?;
        let region = self.name.clone();
        let image = self.image(id)?;
        if image.owner != ACCOUNT {
            return refusal("AuthFailure", format!("Not authorized for image {id}"));
        }
        let key = format!("{ACCOUNT}:{name}");
        if image.watermarks.iter().any(|one| one.key == key) {
            let message = format!("The watermark {key} is already attached to {id}");
            return refusal("InvalidParameterValue", message);
        }
        if image.watermarks.len() >= MOST_WATERMARKS {
            let message = format!("The image {id} has {MOST_WATERMARKS} watermarks");
            return refusal("ImageWatermarkLimitExceeded", message);
        }
        refuse_dry_run(request)?;
        image.watermarks.push(Watermark {
            key: key.clone(),
            region,
            image: id.to_owned(),
        });
        Ok(xml::attach_image_watermark(&key))
    }

    /// From the image itself to its root: the image of a provider that AWS has verified, one that names no source,
    /// or the 50th. An image that is deregistered is in the ancestry of others still.
    pub(super) fn get_image_ancestry(&mut self, request: &Request) -> Answer {
        let id = request.param("ImageId").ok_or_else(|| missing("ImageId"))?;
        self.image(id)?;
        refuse_dry_run(request)?;
        let home = self.name.clone();
        let mut chain: Vec<Image> = Vec::new();
        let mut next = Some((home.clone(), id.to_owned()));
        while let Some((region, id)) = next.filter(|_| chain.len() < MOST_ANCESTORS) {
            self.enter(&region);
            let gone = || Image::available(&id, "gone");
            let image = self.image(&id).cloned().unwrap_or_else(|_| gone());
            let is_root = image.owner_alias.is_some();
            next = image.source_image.clone().filter(|_| !is_root);
            chain.push(image);
        }
        self.enter(&home);
        Ok(xml::image_ancestry(&chain))
    }

    pub(super) fn describe_availability_zones(&mut self, request: &Request) -> Answer {
        let asked = request.list("ZoneName");
        let types = &self.rules.zone_types;
        let zones = asked.into_iter().map(|zone| {
            let kind = types.get(&zone).cloned();
            (zone, kind.unwrap_or_else(|| "availability-zone".to_owned()))
        });
        Ok(xml::availability_zones(&zones.collect::<Vec<_>>()))
    }

    /// What a new image inherits of the image that an instance was started from.
    pub(super) fn inherited(&self, image: &str) -> Vec<Watermark> {
        let mut images = self.here.images.iter();
        let image = images.find(|one| one.id == image);
        image.map_or_else(Vec::new, |image| image.watermarks.clone())
    }
}
