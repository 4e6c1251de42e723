//! DeregisterImage and DeleteSnapshot.

use super::{Answer, Ec2World, State, missing, refuse_dry_run};
use crate::ec2::xml;
use crate::fake_aws::{Reply, Request};

impl Ec2World {
    /// Lets somebody else deregister an image; its snapshots stay.
    pub fn lose_image(&self, id: &str) {
        self.state().here.images.retain(|image| image.id != id);
    }
}

impl State {
    pub(super) fn deregister_image(&mut self, request: &Request) -> Answer {
        let id = request.param("ImageId").ok_or_else(|| missing("ImageId"))?;
        if self.image(id)?.protected {
            // Which code EC2 gives is unproven; protecting and deregistering an image settles it.
            let message = format!("The image {id} has deregistration protection enabled");
            return Err(Reply::error(400, "OperationNotPermitted", message));
        }
        refuse_dry_run(request)?;
        let at = self.here.images.iter().position(|image| image.id == id);
        let Some(image) = at.map(|at| self.here.images.remove(at)) else {
            return Ok(xml::done("DeregisterImage"));
        };
        self.recycle(&image.id, &image.name);
        if !request.flag("DeleteAssociatedSnapshots") {
            return Ok(xml::done("DeregisterImage"));
        }
        let mut results = Vec::new();
        for snapshot in image.snapshots() {
            let code = self.delete_with_image(&snapshot);
            results.push((snapshot, code));
        }
        Ok(xml::deregister_image(&results))
    }

    /// Deletes a snapshot of an image that is gone; EC2's return code.
    fn delete_with_image(&mut self, id: &str) -> String {
        if let Some((code, _)) = self.here.undeletable.get(id) {
            return code.clone();
        }
        if self.user_of(id).is_some() || self.rules.lingering_use > 0 {
            return "skipped".to_owned();
        }
        self.here.snapshots.retain(|snapshot| snapshot.id != id);
        "success".to_owned()
    }

    pub(super) fn delete_snapshot(&mut self, request: &Request) -> Answer {
        let id = request.param("SnapshotId");
        let id = id.ok_or_else(|| missing("SnapshotId"))?.to_owned();
        self.snapshot(&id)?;
        if let Some(image) = self.user_of(&id) {
            let message = format!("The snapshot {id} is currently in use by {image}");
            return Err(Reply::error(400, "InvalidSnapshot.InUse", message));
        }
        if self.rules.lingering_use > 0 {
            self.rules.lingering_use -= 1;
            let message = format!("The snapshot {id} is currently in use by an image");
            return Err(Reply::error(400, "InvalidSnapshot.InUse", message));
        }
        match self.here.undeletable.get(&id) {
            Some((code, true)) if code == "missing-permissions" => {
                return Err(Reply::unauthorized());
            }
            Some((_, true)) => {
                let message = "An internal error has occurred";
                return Err(Reply::error(500, "InternalError", message));
            }
            _ => {}
        }
        refuse_dry_run(request)?;
        self.here.snapshots.retain(|snapshot| snapshot.id != id);
        Ok(xml::done("DeleteSnapshot"))
    }

    /// An image that needs the snapshot.
    fn user_of(&self, snapshot: &str) -> Option<String> {
        let mut images = self.here.images.iter();
        let user = images.find(|image| image.snapshots().iter().any(|id| id == snapshot));
        user.map(|image| image.id.clone())
    }
}
