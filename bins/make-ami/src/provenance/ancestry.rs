//! The images that an image descends from, as EC2 keeps them: from itself to its root, 50 at most
//! (<https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ami-ancestry.html>). There are no pages.

use crate::instance::Source;
use crate::job::{Job, Regional};
use crate::settings::provenance::Ancestor;
use action::failure::Failure;
use aws::error::AwsError;
use aws_sdk_ec2::types::{Image, ImageAncestryEntry};
use std::fmt;

/// An image of an ancestry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Generation {
    pub(crate) image_id: String,
    /// Its Region, where EC2 tells.
    pub(crate) region: Option<String>,
    /// The alias of a provider that AWS has verified, such as `amazon`.
    pub(crate) owner: Option<String>,
}

/// EC2 lists no more.
const MOST_GENERATIONS: usize = 50;

impl Generation {
    fn is(&self, ancestor: &Ancestor) -> bool {
        match ancestor {
            Ancestor::Image(id) => self.image_id == *id,
            Ancestor::Owner(alias) => self.owner.as_ref() == Some(alias),
        }
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.image_id)?;
        match &self.owner {
            Some(owner) => write!(f, " ({owner})"),
            None => Ok(()),
        }
    }
}

/// The ancestry of an image: itself first, its root last.
pub(crate) async fn of(regional: &Regional, image_id: &str) -> Result<Vec<Generation>, Failure> {
    let call = regional.ec2.get_image_ancestry().image_id(image_id);
    let reply = call.send().await.map_err(|error| {
        let region = &regional.region;
        let operation = format!("cannot read the ancestry of image {image_id} in {region}");
        let error = AwsError::of(&error);
        let failure = error.failure(operation, "ec2:GetImageAncestry");
        match error.is("UnsupportedOperation") || error.is("InvalidAction") {
            true => failure.hint("EC2 knows no ancestry here; a watermark can prove the same"),
            false => failure,
        }
    })?;
    Ok(generations(
        &regional.region,
        reply.image_ancestry_entries(),
    ))
}

/// The generations that EC2 lists, and the source of the last one where it names one.
fn generations(region: &str, entries: &[ImageAncestryEntry]) -> Vec<Generation> {
    let mut all = Vec::new();
    let mut next_region = Some(region.to_owned());
    for entry in entries {
        all.push(Generation {
            image_id: entry.image_id().unwrap_or_default().to_owned(),
            region: next_region,
            owner: entry.image_owner_alias().map(str::to_owned),
        });
        next_region = entry.source_image_region().map(str::to_owned);
    }
    let source = entries.last().and_then(|last| last.source_image_id());
    all.extend(source.map(|source| Generation {
        image_id: source.to_owned(),
        region: next_region,
        owner: None,
    }));
    all
}

/// Refuses an instance that was not started from what the image must descend from.
pub(crate) async fn check_source(job: &Job, source: &Source) -> Result<(), Failure> {
    let wanted = &job.settings.provenance.ancestors;
    if wanted.is_empty() {
        return Ok(());
    }
    let (id, region) = (&source.id, &job.home.region);
    let Some(parent) = &source.image_id else {
        return Err(Failure::refused(format!(
            "EC2 does not say from which image instance {id} in {region} was started; nothing was touched"
        )));
    };
    let generations = of(&job.home, parent).await?;
    match missing(wanted, &generations) {
        None => Ok(()),
        Some(missing) => Err(Failure::refused(format!(
            "an image of instance {id} in {region} would not descend from {missing}; nothing was touched"
        ))),
    }
}

/// Refuses to go on with an image that does not descend from what it must.
pub(crate) async fn check_image(job: &Job, image: &Image) -> Result<(), Failure> {
    let Some(missing) = missing_in(job, image).await? else {
        return Ok(());
    };
    let id = image.image_id().unwrap_or_default();
    let region = &job.home.region;
    Err(Failure::refused(format!(
        "image {id} in {region} does not descend from {missing}; nothing was touched"
    )))
}

/// What an image does not descend from, in words, where it must. It is no ancestor of its own.
pub(crate) async fn missing_in(job: &Job, image: &Image) -> Result<Option<String>, Failure> {
    let wanted = &job.settings.provenance.ancestors;
    if wanted.is_empty() {
        return Ok(None);
    }
    let generations = of(&job.home, image.image_id().unwrap_or_default()).await?;
    Ok(missing(wanted, generations.get(1..).unwrap_or_default()))
}

/// What none of these generations is, in words, with what they are; nothing where one of them is a wanted one.
fn missing(wanted: &[Ancestor], generations: &[Generation]) -> Option<String> {
    let is_wanted = |generation: &Generation| wanted.iter().any(|one| generation.is(one));
    if generations.iter().any(is_wanted) {
        return None;
    }
    let words = |all: Vec<String>, empty: &str| match all.is_empty() {
        true => empty.to_owned(),
        false => all.join(", "),
    };
    let wanted: Vec<String> = wanted.iter().map(ToString::to_string).collect();
    let found = generations.iter().map(ToString::to_string).collect();
    let end = match generations.len() >= MOST_GENERATIONS - 1 {
        true => "; EC2 lists no more, so that older ones are not known",
        false => "",
    };
    Some(format!(
        "{} (its ancestry: {}{end})",
        wanted.join(" or "),
        words(found, "none is recorded")
    ))
}

#[cfg(test)]
mod tests {
    use super::{Generation, generations, missing};
    use crate::settings::provenance::Ancestor;
    use aws_sdk_ec2::types::ImageAncestryEntry;

    fn entry(id: &str, source: Option<(&str, &str)>, owner: Option<&str>) -> ImageAncestryEntry {
        ImageAncestryEntry::builder()
            .image_id(id)
            .set_source_image_region(source.map(|(region, _)| region.to_owned()))
            .set_source_image_id(source.map(|(_, id)| id.to_owned()))
            .set_image_owner_alias(owner.map(str::to_owned))
            .build()
    }

    #[test]
    fn each_generation_is_where_the_one_before_says() {
        let entries = [
            entry("ami-3", Some(("us-east-1", "ami-2")), None),
            entry("ami-2", Some(("us-east-1", "ami-1")), None),
        ];
        let found = generations("eu-west-1", &entries);
        let told =
            |one: &Generation| (one.image_id.clone(), one.region.clone().unwrap_or_default());
        assert_eq!(
            found.iter().map(told).collect::<Vec<_>>(),
            [
                ("ami-3", "eu-west-1"),
                ("ami-2", "us-east-1"),
                ("ami-1", "us-east-1"),
            ]
            .map(|(id, region)| (id.to_owned(), region.to_owned()))
        );
        assert!(generations("eu-west-1", &[]).is_empty());
    }

    #[test]
    fn one_ancestor_of_those_that_are_named_is_enough() {
        let chain = generations(
            "eu-west-1",
            &[
                entry("ami-3", Some(("eu-west-1", "ami-2")), None),
                entry("ami-2", None, Some("amazon")),
            ],
        );
        let image = |id: &str| Ancestor::Image(id.to_owned());
        let owner = |alias: &str| Ancestor::Owner(alias.to_owned());
        assert_eq!(missing(&[image("ami-9"), image("ami-2")], &chain), None);
        assert_eq!(missing(&[owner("amazon")], &chain), None);
        assert_eq!(
            missing(&[image("ami-9"), owner("aws-marketplace")], &chain),
            Some(
                "ami-9 or an image of aws-marketplace (its ancestry: ami-3, ami-2 (amazon))"
                    .to_owned()
            )
        );
        let none = missing(&[image("ami-9")], &[]).unwrap_or_default();
        assert!(none.contains("none is recorded"), "{none}");
    }

    #[test]
    fn an_ancestry_that_ec2_cut_says_so() {
        let entries: Vec<_> = (0..50)
            .map(|n| entry(&format!("ami-{n}"), None, None))
            .collect();
        let long = generations("eu-west-1", &entries);
        let said = missing(&[Ancestor::Owner("amazon".to_owned())], &long).unwrap_or_default();
        assert!(said.contains("EC2 lists no more"), "{said}");
    }
}
