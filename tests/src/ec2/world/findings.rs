//! What was found in an image.

use super::{Answer, State, missing, no_image, refuse_dry_run};
use crate::ec2::xml;
use crate::fake_aws::Request;

impl State {
    pub(super) fn get_image_findings(&mut self, request: &Request) -> Answer {
        let id = request.param("ImageId").ok_or_else(|| missing("ImageId"))?;
        let now = self.rules.now();
        let mut images = self.here.images.iter();
        let image = images
            .find(|image| image.id == id)
            .ok_or_else(|| no_image(id))?;
        refuse_dry_run(request)?;
        let scan = image.scan_shown(now).cloned();
        let (at, found) = scan.map_or((now, Vec::new()), |scan| (scan.at, scan.findings));
        let snapshot = image.snapshots().into_iter().next();
        let (found, next) = self.page(request, found);
        let answer = xml::get_image_findings(&found, at, snapshot.as_ref());
        Ok(xml::with_next_page(answer, next.as_deref()))
    }
}
