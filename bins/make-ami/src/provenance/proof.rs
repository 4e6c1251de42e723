//! What an existing image must prove of itself when it is verified.

use crate::image::describe::{snapshot_ids, tag};
use crate::job::Job;
use crate::plan::SOURCE_TAG;
use crate::provenance::ancestry;
use crate::provenance::envelope::{self, Unbelievable};
use crate::provenance::statement::{
    BUILD_TYPE, PREDICATE_TYPE, STATEMENT_TYPE, digest, subject_name,
};
use crate::settings::Provenance;
use action::failure::Failure;
use aws_sdk_ec2::types::Image;
use serde_json::Value;

/// What the image cannot prove, a line each.
pub(crate) async fn broken(job: &Job, image: &Image) -> Result<Vec<String>, Failure> {
    let provenance = &job.settings.provenance;
    let mut broken = Vec::new();
    for wanted in &provenance.watermarks {
        let wanted = wanted.to_string();
        let mut watermarks = image.image_watermarks().iter();
        match watermarks.find(|one| one.watermark_key() == Some(&wanted)) {
            Some(found) => tracing::info!(
                "watermark {wanted} was attached to {} in {}",
                found.source_image_id().unwrap_or("an image"),
                found.source_image_region().unwrap_or("a Region")
            ),
            None => broken.push(format!("it has no watermark {wanted}")),
        }
    }
    if let Some(missing) = ancestry::missing_in(job, image).await? {
        broken.push(format!("it does not descend from {missing}"));
    }
    let Some(path) = &provenance.statement else {
        return Ok(broken);
    };
    let text = std::fs::read_to_string(path).map_err(|error| {
        let path = path.display();
        Failure::refused(format!(
            "cannot read the statement {path}; nothing was touched"
        ))
        .cause(error)
    })?;
    match envelope::open(&text, provenance.key.as_ref()) {
        Ok(statement) => {
            if provenance.key.is_none() {
                tracing::warn!(
                    "who made the statement is not known: no MAKE_AMI_STATEMENT_KEY was given to check a signature with"
                );
            }
            let lies = compare(&statement, image, &job.home.region, provenance);
            broken.extend(lies.into_iter().map(|lie| format!("its statement {lie}")));
        }
        Err(why) => broken.push(format!("its statement {}", words(&why))),
    }
    Ok(broken)
}

fn words(why: &Unbelievable) -> &'static str {
    match why {
        Unbelievable::Unreadable => "is no in-toto statement, and no DSSE envelope with one",
        Unbelievable::Unsigned => "is not signed",
        Unbelievable::OtherKey => "was not signed with the key of MAKE_AMI_STATEMENT_KEY",
    }
}

/// What a statement says that does not hold of the image.
fn compare(statement: &Value, image: &Image, region: &str, provenance: &Provenance) -> Vec<String> {
    let definition = &statement["predicate"]["buildDefinition"];
    let kind = [
        (&statement["_type"], STATEMENT_TYPE),
        (&statement["predicateType"], PREDICATE_TYPE),
        (&definition["buildType"], BUILD_TYPE),
    ];
    if kind.iter().any(|(found, expected)| *found != expected) {
        return vec!["is not one of make-ami".to_owned()];
    }
    let id = image.image_id().unwrap_or_default();
    let name = subject_name(region, id);
    let mut subjects = statement["subject"].as_array().into_iter().flatten();
    let mut lies = Vec::new();
    match subjects.find(|subject| subject["name"] == name.as_str()) {
        None => lies.push(format!("is not about {name}")),
        Some(subject) if subject["digest"]["sha256"] != digest(id, &snapshot_ids(image)) => {
            lies.push("is about an image with other snapshots".to_owned());
        }
        Some(_) => {}
    }
    let parameters = &definition["externalParameters"];
    // Of a copy EC2 does not tell the instance, but the tag does.
    let instance = image.source_instance_id().or(tag(image, SOURCE_TAG));
    let expected = [
        ("instance", "instanceId", instance),
        ("release", "releaseId", provenance.release_id.as_deref()),
        (
            "template",
            "templateDigest",
            provenance.template_digest.as_deref(),
        ),
    ];
    for (word, field, expected) in expected {
        let Some(expected) = expected else { continue };
        let found = &parameters[field];
        if found != expected {
            let found = found.as_str().unwrap_or("none");
            lies.push(format!("names {word} {found}, and not {expected}"));
        }
    }
    lies
}

#[cfg(test)]
mod tests {
    use super::compare;
    use crate::provenance::statement::digest;
    use crate::settings::Provenance;
    use aws_sdk_ec2::types::{BlockDeviceMapping, EbsBlockDevice, Image};
    use serde_json::{Value, json};

    fn image() -> Image {
        let ebs = EbsBlockDevice::builder().snapshot_id("snap-1").build();
        Image::builder()
            .image_id("ami-1")
            .source_instance_id("i-1")
            .block_device_mappings(BlockDeviceMapping::builder().ebs(ebs).build())
            .build()
    }

    fn statement() -> Value {
        json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{
                "name": "eu-west-1/ami-1",
                "digest": { "sha256": digest("ami-1", &["snap-1".to_owned()]) },
            }],
            "predicateType": "https://slsa.dev/provenance/v1",
            "predicate": { "buildDefinition": {
                "buildType": "urn:pipeline-actions:make-ami:1",
                "externalParameters": { "instanceId": "i-1", "releaseId": "r-1" },
            }},
        })
    }

    #[test]
    fn every_lie_of_a_statement_is_told() {
        let provenance = Provenance {
            release_id: Some("r-1".to_owned()),
            ..Provenance::default()
        };
        let lies = |statement: &Value, region: &str| {
            compare(statement, &image(), region, &provenance).join("; ")
        };
        assert_eq!(lies(&statement(), "eu-west-1"), "");
        assert_eq!(
            lies(&statement(), "us-east-1"),
            "is not about us-east-1/ami-1"
        );
        for (pointer, value, told) in [
            ("/_type", "x", "is not one of make-ami"),
            ("/predicateType", "x", "is not one of make-ami"),
            (
                "/predicate/buildDefinition/buildType",
                "x",
                "is not one of make-ami",
            ),
            (
                "/subject/0/digest/sha256",
                "x",
                "is about an image with other snapshots",
            ),
            (
                "/predicate/buildDefinition/externalParameters/instanceId",
                "i-2",
                "names instance i-2, and not i-1",
            ),
            (
                "/predicate/buildDefinition/externalParameters/releaseId",
                "r-2",
                "names release r-2, and not r-1",
            ),
        ] {
            let mut changed = statement();
            if let Some(place) = changed.pointer_mut(pointer) {
                *place = value.into();
            }
            assert_eq!(lies(&changed, "eu-west-1"), told, "{pointer}");
        }
        assert_eq!(lies(&Value::Null, "eu-west-1"), "is not one of make-ami");
    }
}
