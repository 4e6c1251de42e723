//! CopyImage, between regions and within one.

use super::{Answer, State, missing, next_outcome, no_image, refuse_dry_run};
use crate::ec2::{Image, Snapshot, xml};
use crate::fake_aws::{Reply, Request};

/// What EC2 writes where a copied snapshot's volume would be.
const NO_VOLUME: &str = "vol-ffffffff";

impl State {
    pub(super) fn copy_image(&mut self, request: &Request) -> Answer {
        let within = request.param("SnapshotCopyCompletionDurationMinutes");
        let is_step = |minutes: i64| (15..=2880).contains(&minutes) && minutes % 15 == 0;
        if within.is_some_and(|text| !text.parse().is_ok_and(is_step)) {
            // Which code EC2 gives is unproven.
            let message = "Value for parameter SnapshotCopyCompletionDurationMinutes is invalid.";
            return Err(Reply::error(400, "InvalidParameterValue", message));
        }
        let source_region = request.param("SourceRegion");
        let source_region = source_region.ok_or_else(|| missing("SourceRegion"))?;
        let source_id = request.param("SourceImageId");
        let source_id = source_id.ok_or_else(|| missing("SourceImageId"))?;
        let name = request.param("Name").ok_or_else(|| missing("Name"))?;
        let asked: Vec<_> = request
            .params
            .iter()
            .filter(|(key, _)| key != "DryRun")
            .cloned()
            .collect();
        let token = request.param("ClientToken");
        if let Some((image, before)) = token.and_then(|token| self.here.copies.get(token)) {
            if *before != asked {
                let message = "The client token was already used with other parameters.";
                return Err(Reply::error(400, "IdempotentParameterMismatch", message));
            }
            return Ok(xml::copy_image(image));
        }
        let (source, snapshots) = self.source(source_region, source_id)?;
        self.refuse_name(name)?;
        refuse_dry_run(request)?;
        let image = self.add_copy(request, source_region, &source, &snapshots);
        if let Some(token) = token {
            let made = (image.clone(), asked);
            self.here.copies.insert(token.to_owned(), made);
        }
        Ok(xml::copy_image(&image))
    }

    /// The image to copy and its snapshots in the order of its mapping.
    fn source(&mut self, region: &str, id: &str) -> Result<(Image, Vec<Snapshot>), Reply> {
        // The region may be another one, whose time has to go by as well.
        let destination = self.name.clone();
        self.enter(region);
        let found = self.refuse_unavailable(id).map(|()| {
            let mut images = self.here.images.iter();
            let image = images.find(|image| image.id == id).cloned();
            image.map(|image| {
                let ids = image.snapshots();
                let found = ids.iter().filter_map(|id| self.snapshot(id).ok().cloned());
                let snapshots = found.collect();
                (image, snapshots)
            })
        });
        self.enter(&destination);
        found?.ok_or_else(|| no_image(id))
    }

    fn add_copy(
        &mut self,
        request: &Request,
        source_region: &str,
        source: &Image,
        snapshots: &[Snapshot],
    ) -> String {
        self.created += 1;
        let image = format!("ami-{:017x}", self.created);
        let now = self.rules.written(self.rules.elapsed());
        let mut devices = Vec::new();
        let mut made = Vec::new();
        for (n, (device, source_snapshot, size)) in source.devices.iter().enumerate() {
            let from = snapshots
                .iter()
                .find(|found| Some(&found.id) == source_snapshot.as_ref());
            let is_encrypted = request.flag("Encrypted") || from.is_some_and(|from| from.encrypted);
            let key = request.param("KmsKeyId").map(str::to_owned);
            let snapshot = Snapshot {
                volume: NO_VOLUME.to_owned(),
                size: *size,
                description: format!(
                    "Copied for DestinationAmi {image} from SourceAmi {} for SourceSnapshot {}.",
                    source.id,
                    source_snapshot.as_deref().unwrap_or("unknown")
                ),
                started: now.clone(),
                encrypted: is_encrypted,
                kms_key: is_encrypted.then(|| key.unwrap_or_else(|| self.default_key())),
                tags: request.tags_for("snapshot"),
                ..Snapshot::pending(&format!("snap-{:015x}{n:02x}", self.created), 0)
            };
            let bytes = from.and_then(|from| from.full_size).unwrap_or(0);
            made.push((snapshot.id.clone(), *size, bytes));
            devices.push((device.clone(), Some(snapshot.id.clone()), *size));
            self.here.snapshots.push(snapshot);
        }
        let mut tags = request.tags_for("image");
        if request.flag("CopyImageTags") {
            // Tags of AWS's own are not copied, and those of the request win.
            let copied = source.tags.iter().filter(|(key, _)| {
                !key.starts_with("aws:") && !tags.iter().any(|(new, _)| new == key)
            });
            let copied: Vec<_> = copied.cloned().collect();
            tags.extend(copied);
        }
        let description = request.param("Description");
        self.here.images.push(Image {
            state: "pending".to_owned(),
            description: description.unwrap_or(&source.description).to_owned(),
            created: now,
            copied_within: request
                .param("SnapshotCopyCompletionDurationMinutes")
                .map(str::to_owned),
            source_image: Some((source_region.to_owned(), source.id.clone())),
            root_device: source.root_device.clone(),
            kept_devices: source.kept_devices.clone(),
            devices,
            tags,
            ..Image::available(&image, request.param("Name").unwrap_or(""))
        });
        let outcome = next_outcome(&mut self.rules.copy_outcomes);
        self.begin(&image, outcome, made);
        image
    }

    /// The key that encrypts in this region unless another is given.
    fn default_key(&self) -> String {
        let key = self.rules.default_key.clone();
        key.unwrap_or_else(|| {
            let region = &self.name;
            format!("arn:aws:kms:{region}:{}:key/aws-ebs", super::ACCOUNT)
        })
    }
}
