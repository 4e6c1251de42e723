//! What was known before the grace began: the findings of an earlier image of the application.
//!
//! EC2 tells when Inspector first observed a finding in an image. In an image that was made a moment ago that is now,
//! however old the vulnerability is. So an image from before the grace is asked.

use crate::image::create::is_good;
use crate::image::describe::tagged;
use crate::job::{Job, timestamp_of};
use crate::plan::APP_TAG;
use crate::scan::ago::ago;
use crate::scan::findings;
use crate::scan::verdict::Known;
use action::failure::Failure;
use aws_sdk_ec2::types::Image;
use jiff::Timestamp;
use std::collections::BTreeSet;

/// Looks at the newest image of the application that was made before the grace began and was scanned.
pub(crate) async fn before_the_grace(job: &Job, image_id: &str) -> Result<Known, Failure> {
    let (Some(grace), Some(app)) = (job.settings.scan.grace, &job.settings.app) else {
        return Ok(Known::Nothing);
    };
    let began = ago(grace, job.clock.now());
    let images = tagged(&job.home, APP_TAG, app).await?;
    let Some(id) = newest_before(&images, image_id, began) else {
        tracing::warn!(
            "no scanned image of {app} is older than MAKE_AMI_SCAN_GRACE, so every finding counts; a run with MAKE_AMI_SCAN=report makes the first one"
        );
        return Ok(Known::Nothing);
    };
    let Some((_, found)) = findings::shown(&job.home, &id).await? else {
        return Ok(Known::Nothing);
    };
    let was_known = |at: Option<Timestamp>| at.is_none_or(|at| at <= began);
    let known = found.iter().filter(|one| was_known(one.first_observed));
    let known: BTreeSet<String> = known.map(|one| one.id().to_owned()).collect();
    tracing::info!(
        "{} of the findings of {id} were known before {began}",
        known.len()
    );
    Ok(Known::Ids(known))
}

/// The newest scanned image beside this one that was made before a time.
fn newest_before(images: &[Image], except: &str, began: Timestamp) -> Option<String> {
    let scanned = images.iter().filter(|image| {
        is_good(image) && image.scan_results().is_some() && image.image_id() != Some(except)
    });
    let made = scanned.filter_map(|image| Some((timestamp_of(image.creation_date()?)?, image)));
    let old = made.filter(|(made, _)| *made <= began);
    let (_, newest) = old.max_by_key(|(made, _)| *made)?;
    newest.image_id().map(str::to_owned)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::newest_before;
    use aws_sdk_ec2::types::{Image, ImageState, ScanResults};

    #[test]
    fn the_newest_scanned_image_from_before_is_asked() {
        let image = |id: &str, made: &str, scanned: bool| {
            let results = scanned.then(|| ScanResults::builder().build());
            let image = Image::builder().image_id(id).creation_date(made);
            let image = image.state(ImageState::Available);
            image.set_scan_results(results).build()
        };
        let images = [
            image("ami-1", "2026-11-01T00:00:00.000Z", true),
            image("ami-2", "2026-11-10T00:00:00.000Z", true),
            image("ami-3", "2026-11-11T00:00:00.000Z", false),
            image("ami-4", "2026-11-29T00:00:00.000Z", true),
        ];
        let began = |text: &str| text.parse().unwrap();
        let newest = |except: &str, at: &str| newest_before(&images, except, began(at));
        assert_eq!(
            newest("ami-5", "2026-11-20T00:00:00Z").as_deref(),
            Some("ami-2")
        );
        assert_eq!(
            newest("ami-2", "2026-11-20T00:00:00Z").as_deref(),
            Some("ami-1")
        );
        assert_eq!(newest("ami-5", "2026-10-20T00:00:00Z"), None);
    }
}
