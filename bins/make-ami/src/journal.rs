//! What a run made, noted as soon as it is known.

use crate::job::Regional;
use aws_sdk_ec2::types::{Image, ImageState};

/// What a run made, noted as soon as it is known.
#[derive(Debug)]
pub(crate) struct Journal {
    /// The run's key, which everything that it makes carries as a tag.
    pub(crate) run: String,
    /// Its images, the first made first.
    pub(crate) made: Vec<Made>,
    /// A reply of CreateImage was lost and its image was not found, so there may be one more.
    pub(crate) lost_reply: bool,
    /// Where a copy was asked for and nobody knows whether it was made.
    pub(crate) lost_copies: Vec<Regional>,
    /// The first image was available before this run: somebody may use it, so that nothing is removed
    /// (<https://github.com/osbuild/osbuild-composer/issues/4418>).
    pub(crate) in_use: bool,
    /// Deregistration protection was asked for, so that nothing can be removed.
    pub(crate) protected: bool,
}

/// An image that a run made or adopted.
#[derive(Debug, Clone)]
pub(crate) struct Made {
    /// Where it is.
    pub(crate) regional: Regional,
    pub(crate) image_id: String,
    /// Whether somebody else deregistered it since.
    pub(crate) is_gone: bool,
}

impl Journal {
    /// Of a run that has made nothing yet.
    pub(crate) fn of(run: &str) -> Self {
        Self {
            run: run.to_owned(),
            made: Vec::new(),
            lost_reply: false,
            lost_copies: Vec::new(),
            in_use: false,
            protected: false,
        }
    }

    /// Whether what was made stays whatever happens.
    pub(crate) fn stays(&self) -> bool {
        self.in_use || self.protected
    }

    /// Notes an image that was there before.
    pub(crate) fn adopt(&mut self, regional: &Regional, image: &Image) {
        self.note(regional, image.image_id().unwrap_or_default());
        self.in_use = image.state() == Some(&ImageState::Available);
    }

    /// Whether a copy may be in a Region that nobody has seen.
    pub(crate) fn lost_copy_in(&self, regional: &Regional) -> bool {
        let mut lost = self.lost_copies.iter();
        lost.any(|lost| lost.region == regional.region)
    }

    /// Notes an image.
    pub(crate) fn note(&mut self, regional: &Regional, image_id: &str) {
        self.made.push(Made {
            regional: regional.clone(),
            image_id: image_id.to_owned(),
            is_gone: false,
        });
    }

    /// Notes that an image was deregistered by somebody else.
    pub(crate) fn mark_gone(&mut self, image_id: &str) {
        let mut made = self.made.iter_mut();
        if let Some(made) = made.find(|made| made.image_id == image_id) {
            made.is_gone = true;
        }
    }
}
