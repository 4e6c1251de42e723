//! CreateTags and DeleteTags.

use super::{Answer, State, refuse_dry_run};
use crate::ec2::{Tags, xml};
use crate::fake_aws::{Reply, Request};

impl State {
    pub(super) fn create_tags(&mut self, request: &Request) -> Answer {
        let added = request.tags("Tag");
        self.change_tags(request, |tags| {
            tags.retain(|(key, _)| !added.iter().any(|(new, _)| new == key));
            tags.extend(added.iter().cloned());
        })?;
        Ok(xml::done("CreateTags"))
    }

    pub(super) fn delete_tags(&mut self, request: &Request) -> Answer {
        let removed = request.tags("Tag");
        self.change_tags(request, |tags| {
            tags.retain(|(key, _)| !removed.iter().any(|(gone, _)| gone == key));
        })?;
        Ok(xml::done("DeleteTags"))
    }

    fn change_tags(&mut self, request: &Request, change: impl Fn(&mut Tags)) -> Result<(), Reply> {
        let ids = request.list("ResourceId");
        if let Some(id) = ids.iter().find(|id| self.tags_of(id).is_none()) {
            let message = format!("The ID '{id}' is not valid");
            return Err(Reply::error(400, "InvalidID", message));
        }
        refuse_dry_run(request)?;
        let fresh = ids.iter().find_map(|id| {
            let code = match id.split('-').next() {
                Some("ami") => "InvalidAMIID.NotFound",
                Some("snap") => "InvalidSnapshot.NotFound",
                _ => return None,
            };
            Some((id, code))
        });
        if let Some((id, code)) = fresh
            && self.rules.untaggable > 0
        {
            self.rules.untaggable -= 1;
            return Err(Reply::error(
                400,
                code,
                format!("The ID '{id}' does not exist"),
            ));
        }
        for id in &ids {
            if let Some(tags) = self.tags_of(id) {
                change(tags);
            }
        }
        Ok(())
    }

    /// The tags of any resource that has some.
    fn tags_of(&mut self, id: &str) -> Option<&mut Tags> {
        let here = &mut self.here;
        let mut instances = Vec::new();
        let mut volumes = Vec::new();
        for instance in &mut here.instances {
            instances.push((&instance.id, &mut instance.tags));
            volumes.extend(
                instance
                    .volumes
                    .iter_mut()
                    .map(|volume| (&volume.id, &mut volume.tags)),
            );
        }
        let images = here.images.iter_mut();
        let images = images.map(|image| (&image.id, &mut image.tags));
        let snapshots = here.snapshots.iter_mut();
        let snapshots = snapshots.map(|snapshot| (&snapshot.id, &mut snapshot.tags));
        instances
            .into_iter()
            .chain(volumes)
            .chain(images)
            .chain(snapshots)
            .find(|(found, _)| found.as_str() == id)
            .map(|(_, tags)| tags)
    }
}
