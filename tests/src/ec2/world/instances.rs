//! Instances and their volumes.

use super::filters::Filters;
use super::spot::refuse_stop;
use super::{Answer, State, refuse_dry_run};
use crate::ec2::instance::stopped_by_user;
use crate::ec2::time::user_initiated;
use crate::ec2::xml;
use crate::fake_aws::{Reply, Request};

impl State {
    pub(super) fn describe_instances(&mut self, request: &Request) -> Answer {
        let ids = request.list("InstanceId");
        for id in &ids {
            self.instance(id)?;
        }
        self.advance_moves();
        let filters = Filters::of(request);
        let mut found = Vec::new();
        for instance in &self.here.instances {
            let is_wanted = ids.is_empty() || ids.contains(&instance.id);
            if is_wanted
                && filters.accept(&instance.tags, |filter| {
                    Some(match filter {
                        "instance-id" => vec![instance.id.clone()],
                        "instance-state-name" => vec![instance.state.clone()],
                        "image-id" => vec![instance.image.clone()],
                        "instance-lifecycle" => instance.lifecycle.iter().cloned().collect(),
                        _ => return None,
                    })
                })?
            {
                found.push(instance.clone());
            }
        }
        let (found, next) = self.page(request, found);
        Ok(xml::with_next_page(
            xml::describe_instances(&found),
            next.as_deref(),
        ))
    }

    pub(super) fn describe_volumes(&mut self, request: &Request) -> Answer {
        let ids = request.list("VolumeId");
        let attached: Vec<_> = self
            .here
            .instances
            .iter()
            .flat_map(|instance| {
                instance
                    .volumes
                    .iter()
                    .map(move |volume| (instance, volume))
            })
            .collect();
        for id in &ids {
            if !attached.iter().any(|(_, volume)| volume.id == *id) {
                let message = format!("The volume '{id}' does not exist.");
                return Err(Reply::error(400, "InvalidVolume.NotFound", message));
            }
        }
        let filters = Filters::of(request);
        let mut found = Vec::new();
        for (instance, volume) in attached {
            let is_wanted = ids.is_empty() || ids.contains(&volume.id);
            if is_wanted
                && filters.accept(&volume.tags, |filter| {
                    Some(match filter {
                        "volume-id" => vec![volume.id.clone()],
                        "attachment.instance-id" => vec![instance.id.clone()],
                        "attachment.device" => vec![volume.device.clone()],
                        "volume-type" => vec![volume.kind.clone()],
                        "encrypted" => vec![volume.encrypted.to_string()],
                        "status" => vec!["in-use".to_owned()],
                        _ => return None,
                    })
                })?
            {
                found.push((instance.id.clone(), volume.clone()));
            }
        }
        let (found, next) = self.page(request, found);
        Ok(xml::with_next_page(
            xml::describe_volumes(&found),
            next.as_deref(),
        ))
    }

    pub(super) fn start_instances(&mut self, request: &Request) -> Answer {
        let polls = self.rules.start_polls;
        let changes = self.change_states(request, |state| match state {
            "stopped" => Ok("pending"),
            "running" | "pending" => Ok("running"),
            _ => Err(()),
        })?;
        for (id, before, _) in &changes {
            if before == "stopped" {
                self.here.moving.insert(id.clone(), polls);
            }
        }
        Ok(xml::instance_changes("StartInstances", &changes))
    }

    pub(super) fn stop_instances(&mut self, request: &Request) -> Answer {
        if !request.flag("DryRun") {
            for id in request.list("InstanceId") {
                refuse_stop(self.instance(&id)?)?;
            }
        }
        let polls = self.rules.stop_polls;
        let changes = self.change_states(request, |state| match state {
            "running" | "pending" | "stopping" if polls > 0 => Ok("stopping"),
            "running" | "pending" | "stopping" | "stopped" => Ok("stopped"),
            _ => Err(()),
        })?;
        for (id, before, now) in &changes {
            if now == "stopping" && before != "stopping" {
                self.here.moving.insert(id.clone(), polls);
            } else if now == "stopped" {
                self.here.moving.remove(id);
            }
        }
        Ok(xml::instance_changes("StopInstances", &changes))
    }

    /// Moves every instance asked for, or none; id, state before, state now.
    fn change_states(
        &mut self,
        request: &Request,
        next: impl Fn(&str) -> Result<&'static str, ()>,
    ) -> Result<Vec<(String, String, String)>, Reply> {
        let mut changes = Vec::new();
        for id in request.list("InstanceId") {
            let before = self.instance(&id)?.state.clone();
            let Ok(now) = next(&before) else {
                let message = format!(
                    "The instance '{id}' is not in a state from which it can be started or stopped."
                );
                return Err(Reply::error(400, "IncorrectInstanceState", message));
            };
            changes.push((id, before, now.to_owned()));
        }
        refuse_dry_run(request)?;
        for (id, before, now) in &changes {
            if before != now {
                self.set_state(id, now);
            }
        }
        Ok(changes)
    }

    fn set_state(&mut self, id: &str, state: &str) {
        let time = self.rules.now();
        let mut instances = self.here.instances.iter_mut();
        let Some(instance) = instances.find(|instance| instance.id == id) else {
            return;
        };
        state.clone_into(&mut instance.state);
        match state {
            "stopping" | "stopped" => {
                instance.state_reason = Some(stopped_by_user());
                instance.transition_reason = user_initiated(time);
            }
            _ => {
                instance.state_reason = None;
                instance.transition_reason.clear();
            }
        }
        match state {
            "stopped" => instance.public_ip = None,
            "running" if instance.public_ip.is_none() => {
                instance.public_ip = Some("203.0.113.10".to_owned());
            }
            _ => {}
        }
    }

    /// One reading goes by for every instance that starts or stops. A test may have changed the
    /// instance in the meantime; then it stays as it is.
    fn advance_moves(&mut self) {
        let mut done = Vec::new();
        for (id, left) in &mut self.here.moving {
            match left {
                0 => done.push(id.clone()),
                _ => *left -= 1,
            }
        }
        for id in done {
            self.here.moving.remove(&id);
            let state = self.instance(&id).map(|instance| instance.state.clone());
            match state.as_deref() {
                Ok("pending" | "running") => self.set_state(&id, "running"),
                Ok("stopping") => self.set_state(&id, "stopped"),
                _ => {}
            }
        }
    }
}
