//! Watermarks: names that EC2 keeps with an image and with everything that is made of it, copies in other Regions and
//! accounts too (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ami-watermark.html>).

use crate::image::describe::by_id;
use crate::instance::Source;
use crate::job::{Job, Regional};
use crate::settings::provenance::MOST_WATERMARKS;
use action::failure::Failure;
use aws::error::AwsError;
use aws_sdk_ec2::types::Image;

/// The keys of an image's watermarks: the account that attached each, and its name.
pub(crate) fn keys(image: &Image) -> impl Iterator<Item = &str> {
    let watermarks = image.image_watermarks().iter();
    watermarks.filter_map(|watermark| watermark.watermark_key())
}

/// Refuses more watermarks than an image can have: it inherits those of the image that the instance was started from.
/// Where that image is gone, or may not be looked at, nobody knows them, and EC2 decides.
pub(crate) async fn check_room(job: &Job, source: &Source) -> Result<(), Failure> {
    let wanted = &job.settings.provenance.watermarks;
    let (Some(parent), false) = (&source.image_id, wanted.is_empty()) else {
        return Ok(());
    };
    let call = job.home.ec2.describe_images().image_ids(parent);
    let Ok(reply) = call.include_disabled(true).send().await else {
        return Ok(());
    };
    let inherited: Vec<&str> = reply.images().iter().flat_map(keys).collect();
    // One of the same name is perhaps of another account, and then the new one counts as well.
    let is_inherited = |name: &str| {
        let mut names = inherited.iter().filter_map(|key| key.split_once(':'));
        names.any(|(_, inherited)| inherited == name)
    };
    let new = wanted.iter().filter(|one| !is_inherited(&one.name)).count();
    if inherited.len() + new <= MOST_WATERMARKS {
        return Ok(());
    }
    Err(Failure::refused(format!(
        "the image would have {} watermarks, and EC2 allows {MOST_WATERMARKS}; nothing was touched",
        inherited.len() + new
    ))
    .detail(format!(
        "it inherits these from {parent}: {}",
        inherited.join(", ")
    ))
    .hint("name fewer with MAKE_AMI_WATERMARK"))
}

/// Attaches those of the settings that the image lacks.
pub(crate) async fn attach(job: &Job, regional: &Regional, image_id: &str) -> Result<(), Failure> {
    let wanted = &job.settings.provenance.watermarks;
    if wanted.is_empty() {
        return Ok(());
    }
    let image = by_id(regional, image_id).await?.ok_or_else(|| {
        let region = &regional.region;
        Failure::failed(format!(
            "cannot attach watermarks to image {image_id} in {region}: EC2 does not know it"
        ))
    })?;
    if regional.region == job.home.region {
        warn_of_inherited(job, &image, image_id);
    }
    for (name, key) in lacking(job, &image) {
        attach_one(regional, image_id, name, &key).await?;
    }
    Ok(())
}

/// Says which of the wanted watermarks an image has from an ancestor: they say nothing of the image itself.
fn warn_of_inherited(job: &Job, image: &Image, image_id: &str) {
    let wanted = &job.settings.provenance.watermarks;
    let owner = image.owner_id().unwrap_or_default();
    for watermark in image.image_watermarks() {
        let key = watermark.watermark_key().unwrap_or_default();
        let source = watermark.source_image_id().unwrap_or(image_id);
        let is_wanted = wanted
            .iter()
            .any(|one| key == format!("{owner}:{}", one.name));
        if is_wanted && source != image_id {
            tracing::warn!(
                "{image_id} has watermark {key} from {source} already: it says that {source} was found good, and nothing of {image_id}; another name would"
            );
        }
    }
}

/// The watermarks of the settings that an image lacks: the name of each, and the key that it will have. The owner of an
/// image alone can attach one.
pub(crate) fn lacking<'a>(
    job: &'a Job,
    image: &'a Image,
) -> impl Iterator<Item = (&'a str, String)> {
    let owner = image.owner_id().unwrap_or_default();
    let wanted = job.settings.provenance.watermarks.iter();
    let named = wanted.map(move |one| (one.name.as_str(), format!("{owner}:{}", one.name)));
    named.filter(|(_, key)| !keys(image).any(|known| known == key))
}

async fn attach_one(
    regional: &Regional,
    image_id: &str,
    name: &str,
    key: &str,
) -> Result<(), Failure> {
    let region = &regional.region;
    let operation = format!("cannot attach watermark {name:?} to image {image_id} in {region}");
    let call = regional.ec2.attach_image_watermark().image_id(image_id);
    match call.watermark_name(name).send().await {
        Ok(reply) if reply.watermark_key() == Some(key) => {}
        Ok(reply) => {
            let attached = reply.watermark_key().unwrap_or("none");
            return Err(Failure::failed(operation)
                .cause(format!("EC2 attached {attached}, and {key} was expected")));
        }
        Err(error) => {
            let error = AwsError::of(&error);
            // A try whose reply was lost has perhaps attached it. How EC2 answers the second one is unproven.
            let image = by_id(regional, image_id).await.ok().flatten();
            if !image.is_some_and(|image| keys(&image).any(|known| known == key)) {
                return Err(error.failure(operation, "ec2:AttachImageWatermark"));
            }
        }
    }
    tracing::info!("attached watermark {key} to {image_id} in {region}");
    Ok(())
}
