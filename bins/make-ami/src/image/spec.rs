//! What is known of an image while it is made: of a new one by its plan, of one that exists by its tags.

use crate::image::describe;
use crate::plan::{self, Plan};
use crate::settings::Checked;
use aws_sdk_ec2::types::Image;
use std::collections::BTreeMap;

/// An image that is being made, or goes on being made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImageSpec {
    pub(crate) run: String,
    pub(crate) instance_id: String,
    /// How still the instance was.
    pub(crate) consistency: String,
    pub(crate) tags: BTreeMap<String, String>,
    /// How many volumes it must hold.
    pub(crate) volumes: usize,
    /// The name of its encrypted copy, where it is only the first image of a run that makes one.
    pub(crate) first_of: Option<String>,
}

impl ImageSpec {
    /// The application that it is of.
    pub(crate) fn app(&self) -> Option<&str> {
        self.tags.get(plan::APP_TAG).map(String::as_str)
    }

    /// What a plan makes; `adopted` is the image that an earlier try made of it.
    pub(crate) fn of_plan(plan: &Plan, volumes: usize, adopted: Option<&Image>) -> Self {
        let mut tags = plan.tags.clone();
        let planned = tags.remove(plan::FIRST_TAG);
        let told = |image: &Image| describe::tag(image, plan::FIRST_TAG).map(str::to_owned);
        Self {
            run: plan.run.clone(),
            instance_id: plan.instance_id.clone(),
            consistency: plan.consistency.to_string(),
            tags,
            volumes,
            first_of: match adopted {
                Some(image) => told(image),
                None => planned,
            },
        }
    }

    /// What an image's tags say of its making; the settings' own tags are added. Nothing without the number
    /// of its volumes, for then nobody can say whether it is whole.
    pub(crate) fn of_image(image: &Image, settings: &Checked) -> Option<Self> {
        let tag = |key| describe::tag(image, key).unwrap_or_default().to_owned();
        let mut tags = settings.tags.0.clone();
        for one in image.tags() {
            if let (Some(key), Some(value)) = (one.key(), one.value())
                && !key.starts_with("aws:")
            {
                tags.insert(key.to_owned(), value.to_owned());
            }
        }
        let first_of = tags.remove(plan::FIRST_TAG);
        Some(Self {
            run: tag(plan::RUN_TAG),
            instance_id: tag(plan::SOURCE_TAG),
            consistency: tag(plan::CONSISTENCY_TAG),
            // An image of no volume is whole whatever it holds.
            volumes: tag(plan::VOLUMES_TAG).parse().ok().filter(|n| *n > 0)?,
            first_of,
            tags,
        })
    }
}
