//! Snapshots: looking at them and sharing them.

use super::filters::Filters;
use super::images::{change_permissions, permissions};
use super::{Answer, State, missing, refuse_dry_run};
use crate::ec2::{Snapshot, xml};
use crate::fake_aws::{Reply, Request};

impl State {
    pub(super) fn describe_snapshots(&mut self, request: &Request) -> Answer {
        let ids = request.list("SnapshotId");
        for id in &ids {
            self.snapshot(id)?;
        }
        let owners = request.list("Owner");
        let filters = Filters::of(request);
        let mut found = Vec::new();
        for snapshot in &self.here.snapshots {
            if (ids.is_empty() || ids.contains(&snapshot.id))
                && self.is_owned(&snapshot.owner, &owners)
                && filters.accept(&snapshot.tags, |filter| values(snapshot, filter))?
            {
                found.push(snapshot.clone());
            }
        }
        let (found, next) = self.page(request, found);
        Ok(xml::with_next_page(
            xml::describe_snapshots(&found),
            next.as_deref(),
        ))
    }

    pub(super) fn modify_snapshot_attribute(&mut self, request: &Request) -> Answer {
        let id = request.param("SnapshotId");
        let id = id.ok_or_else(|| missing("SnapshotId"))?;
        let added = permissions(request, "CreateVolumePermission.Add", &["UserId"]);
        let removed = permissions(request, "CreateVolumePermission.Remove", &["UserId"]);
        let default_key = self.rules.default_key.clone();
        let snapshot = self.snapshot(id)?;
        if !added.is_empty() && default_key.is_some() && snapshot.kms_key == default_key {
            // https://github.com/hashicorp/packer/issues/7410
            let message = "Encrypted snapshots with EBS default key cannot be shared";
            return Err(Reply::error(400, "OperationNotPermitted", message));
        }
        refuse_dry_run(request)?;
        change_permissions(&mut snapshot.shared_with, added, &removed);
        Ok(xml::done("ModifySnapshotAttribute"))
    }
}

fn values(snapshot: &Snapshot, filter: &str) -> Option<Vec<String>> {
    Some(match filter {
        "snapshot-id" => vec![snapshot.id.clone()],
        "volume-id" => vec![snapshot.volume.clone()],
        "volume-size" => vec![snapshot.size.to_string()],
        "status" => vec![snapshot.state.clone()],
        "description" => vec![snapshot.description.clone()],
        "start-time" => vec![snapshot.started.clone()],
        "progress" => vec![format!("{}%", snapshot.progress)],
        "encrypted" => vec![snapshot.encrypted.to_string()],
        "owner-id" => vec![snapshot.owner.clone()],
        _ => return None,
    })
}
