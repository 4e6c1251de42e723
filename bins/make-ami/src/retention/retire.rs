//! Retiring older images of the application, once the new one is available: where it was made, and where its
//! copies are.

use crate::cleanup::undo;
use crate::image::describe::{tag, tagged};
use crate::job::{Job, Regional, timestamp_of};
use crate::plan::{APP_TAG, FIRST_TAG};
use crate::publish::image_copy::ImageCopy;
use crate::retention::recycle_bin;
use crate::retention::references::{self, References};
use crate::retention::select::{Old, Stage, stage, surplus};
use crate::retention::usage::{self, Usage};
use crate::settings::Retention;
use action::failure::{Failure, Remainder, ResourceKind};
use action::wait::humane;
use aws::error::AwsError;
use aws_sdk_ec2::primitives::DateTime;
use aws_sdk_ec2::types::{Image, ImageState};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// What happens to an older image, or why nothing does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    /// The Region that it is in.
    pub(crate) region: String,
    pub(crate) image: Old,
    /// What happens to it.
    pub(crate) stage: Stage,
    /// Why nothing happens to it, if nothing does.
    pub(crate) kept_because: Vec<Reason>,
    /// Until when the Recycle Bin keeps it, where it was deregistered.
    pub(crate) restorable_until: Option<Timestamp>,
}

/// Why an image stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reason {
    /// What names it.
    Reference(String),
    /// In words.
    Words(String),
}

impl Reason {
    /// For machines.
    pub(crate) fn plain(&self) -> &str {
        match self {
            Reason::Reference(text) | Reason::Words(text) => text,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Reference(what) => write!(f, "{what} refers to it"),
            Reason::Words(text) => f.write_str(text),
        }
    }
}

/// Finding out what refers to older images may not hold up the hand-over for longer, in each Region.
const PLAN_WITHIN: Duration = Duration::from_secs(120);
/// Retiring may not hold it up for longer; what is left is for the next run.
const RETIRE_WITHIN: Duration = Duration::from_secs(600);
/// With less time than this nothing is begun.
const AT_LEAST: Duration = Duration::from_secs(20);

/// Where the newest image is the one of this run.
struct Newest {
    regional: Regional,
    image_id: String,
    /// A copy that was not waited for may still fail, so that it does not count.
    available: bool,
}

/// Retires older images, in the Region of the new one and those of its copies. Whatever goes wrong here, the
/// new image is good and is handed over.
pub(crate) async fn retire(job: &Job, current: &str, copies: &[ImageCopy]) -> Vec<Step> {
    let Some(retention) = &job.settings.retention else {
        return Vec::new();
    };
    let until = job.hand_over_by().min(Instant::now() + RETIRE_WITHIN);
    let home = Newest {
        regional: job.home.clone(),
        image_id: current.to_owned(),
        available: true,
    };
    let away = copies.iter().map(|copy| Newest {
        regional: job.regional(&copy.region),
        image_id: copy.image_id.clone(),
        available: copy.available,
    });
    let mut steps = Vec::new();
    for newest in [home].into_iter().chain(away) {
        if Instant::now() + AT_LEAST > until {
            tracing::warn!(
                "older images stay in {}: the time is short; the next run retires them",
                newest.regional.region
            );
            continue;
        }
        steps.extend(retire_in(job, retention, &newest, until).await);
    }
    steps
}

async fn retire_in(job: &Job, retention: &Retention, newest: &Newest, until: Instant) -> Vec<Step> {
    let regional = &newest.regional;
    let mut retention = retention.clone();
    if !newest.available {
        retention.keep = Some(retention.keep.unwrap_or(1) + 1);
    }
    let planned = plan(job, regional, &retention, &newest.image_id);
    let planned = timeout_at(until.min(Instant::now() + PLAN_WITHIN), planned);
    let planned = job.context.interrupt.race(planned).await;
    let mut steps = match planned {
        Ok(Ok(Ok(steps))) => steps,
        Ok(Ok(Err(failure))) => {
            tracing::warn!("older images stay: {failure}");
            return Vec::new();
        }
        Ok(Err(_)) => {
            tracing::warn!("older images stay: it is not known what refers to them");
            return Vec::new();
        }
        Err(signal) => {
            tracing::warn!("older images stay: {signal} received");
            return Vec::new();
        }
    };
    tracing::info!("{}", text(&steps, &retention, &regional.region).trim_end());
    let (left, gone) = apply(job, regional, &steps, until).await;
    for left in left {
        tracing::warn!("remains: {}\n    {}", left.what, left.command);
    }
    let restorable = timeout_at(until, recycle_bin::restorable(regional, &gone)).await;
    let mut restorable = restorable.unwrap_or_default();
    for step in &mut steps {
        step.restorable_until = restorable.remove(&step.image.id);
    }
    steps
}

/// Decides what becomes of the application's older images in a Region.
pub(crate) async fn plan(
    job: &Job,
    regional: &Regional,
    retention: &Retention,
    current: &str,
) -> Result<Vec<Step>, Failure> {
    let now = job.clock.now();
    let images = tagged(regional, APP_TAG, &retention.app).await?;
    let images: Vec<Old> = images.iter().filter_map(|image| old(image, now)).collect();
    let surplus = surplus(&images, current, retention, now);
    let ids: Vec<String> = surplus.iter().map(|image| image.id.clone()).collect();
    let References {
        of: found,
        mut unknown,
    } = references::of(regional, &ids).await?;
    let mut kept: BTreeMap<String, Vec<Reason>> = BTreeMap::new();
    for (id, references) in found {
        let references = references.into_iter().map(Reason::Reference);
        kept.insert(id, references.collect());
    }
    // Disabling takes the launch permissions away
    // (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/disable-an-ami.html).
    let mut shared = BTreeMap::new();
    for image in surplus.iter().filter(|image| !image.disabled) {
        if unknown.contains_key(&image.id) {
            continue;
        }
        match references::shared_with(regional, &image.id).await? {
            Ok(with) if with.is_empty() => {}
            Ok(with) => drop(shared.insert(image.id.clone(), with)),
            Err(error) => drop(unknown.insert(image.id.clone(), error)),
        }
    }
    for (id, reasons) in of_shared(job, regional, retention, &surplus, shared).await {
        kept.entry(id).or_default().extend(reasons);
    }
    for (id, error) in &unknown {
        let region = &regional.region;
        tracing::info!("image {id} in {region} is left out, for EC2 does not know it: {error}");
    }
    let step = |image: Old| {
        let stage = stage(&image, retention.retire);
        let mut kept_because = kept.remove(&image.id).unwrap_or_default();
        if stage == Stage::Deregister {
            kept_because.extend(protected(&image, &regional.region));
        }
        Step {
            region: regional.region.clone(),
            stage,
            kept_because,
            restorable_until: None,
            image,
        }
    };
    let known = surplus
        .into_iter()
        .filter(|image| !unknown.contains_key(&image.id));
    Ok(known.map(step).collect())
}

/// Why images that are shared stay. Without a time that one must be unused for, all do.
async fn of_shared(
    job: &Job,
    regional: &Regional,
    retention: &Retention,
    surplus: &[Old],
    shared: BTreeMap<String, Vec<String>>,
) -> BTreeMap<String, Vec<Reason>> {
    let Some(unused_for) = retention.unused_for else {
        let references = |with: Vec<String>| with.into_iter().map(Reason::Reference).collect();
        return shared
            .into_iter()
            .map(|(id, with)| (id, references(with)))
            .collect();
    };
    if shared.is_empty() {
        return BTreeMap::new();
    }
    let ids: Vec<String> = shared.keys().cloned().collect();
    let mut usage = usage::of(job, regional, &ids, retention.usage_report_age).await;
    let now = job.clock.now();
    let images = surplus.iter().filter_map(|image| {
        let (with, usage) = (shared.get(&image.id)?, usage.remove(&image.id)?);
        let reasons = why_shared_stays(image, with, usage, unused_for, now);
        if reasons.is_empty() {
            let (id, region) = (&image.id, &regional.region);
            tracing::info!(
                "{id} in {region} is shared ({}), and no account has used it for {}",
                with.join(", "),
                humane(unused_for)
            );
        }
        Some((image.id.clone(), reasons))
    });
    images.collect()
}

/// Why a shared image stays, by what is known of its use; nothing when nobody has used it for so long.
fn why_shared_stays(
    image: &Old,
    shared_with: &[String],
    usage: Usage,
    unused_for: Duration,
    now: Timestamp,
) -> Vec<Reason> {
    let users = match usage {
        Usage::Known(users) => users,
        Usage::Unknown(why) => {
            return vec![Reason::Words(format!(
                "{} refers to it, and who uses it is not known: {why}",
                shared_with.join(", ")
            ))];
        }
    };
    if !users.is_empty() {
        return users.into_iter().map(Reason::Words).collect();
    }
    let (deed, at) = match image.last_launched {
        Some(at) if at > image.created => ("launched", at),
        _ => ("made", image.created),
    };
    let age = Duration::try_from(now.duration_since(at)).unwrap_or_default();
    let is_recent = age < unused_for;
    let words = format!(
        "it is shared, and was {deed} on {}",
        at.strftime("%Y-%m-%d")
    );
    Vec::from_iter(is_recent.then_some(Reason::Words(words)))
}

/// Why a protected image is not deregistered.
fn protected(image: &Old, region: &str) -> Option<Reason> {
    let (id, protection) = (&image.id, image.protection.as_ref()?);
    Some(Reason::Words(format!(
        "it is under deregistration protection ({protection}), which `aws ec2 disable-image-deregistration-protection --region {region} --image-id {id}` turns off"
    )))
}

/// Images that are finished; one that is still being made belongs to its own run.
fn old(image: &Image, now: Timestamp) -> Option<Old> {
    let disabled = match image.state() {
        Some(ImageState::Available) => false,
        Some(ImageState::Disabled) => true,
        _ => return None,
    };
    Some(Old {
        id: image.image_id()?.to_owned(),
        name: image.name().unwrap_or_default().to_owned(),
        // Without a date nobody can say how old it is.
        created: timestamp_of(image.creation_date()?)?,
        deprecated: image
            .deprecation_time()
            .and_then(timestamp_of)
            .is_some_and(|at| at <= now),
        disabled,
        last_launched: image.last_launched_time().and_then(timestamp_of),
        protection: protection(image),
        is_first: tag(image, FIRST_TAG).is_some(),
    })
}

/// EC2's word for the deregistration protection of an image, where that is on.
pub(crate) fn protection(image: &Image) -> Option<String> {
    let word = image.deregistration_protection()?;
    (!word.is_empty() && word != "disabled").then(|| word.to_owned())
}

/// The plan for people.
pub(crate) fn text(steps: &[Step], retention: &Retention, region: &str) -> String {
    let app = &retention.app;
    if steps.is_empty() {
        return format!("retention of {app} in {region}: nothing to retire\n");
    }
    let lines = steps.iter().map(|step| {
        let Old {
            id, name, created, ..
        } = &step.image;
        let day = created.strftime("%Y-%m-%d");
        match step.kept_because.first() {
            None => format!("  {} {id} ({name}, of {day})\n", step.stage),
            Some(first) => format!(
                "  keep {id} ({name}, of {day}): {first}{}\n",
                match step.kept_because.len() {
                    1 => String::new(),
                    n => format!(", and {} more", n - 1),
                }
            ),
        }
    });
    format!(
        "retention of {app} in {region}:\n{}",
        lines.collect::<String>()
    )
}

/// Does what the plan says, until the time is over; gives what could not be removed, and the images that were.
async fn apply(
    job: &Job,
    regional: &Regional,
    steps: &[Step],
    until: Instant,
) -> (Vec<Remainder>, Vec<String>) {
    let mut left = Vec::new();
    let mut gone = Vec::new();
    for step in steps.iter().filter(|step| step.kept_because.is_empty()) {
        if let Some(signal) = job.context.interrupt.pending() {
            tracing::warn!("the rest of the older images stays: {signal} received");
            break;
        }
        if Instant::now() + AT_LEAST > until {
            tracing::warn!(
                "the rest of the older images stays: the time is short; the next run retires them"
            );
            break;
        }
        let id = &step.image.id;
        let done = timeout_at(until, take(job, regional, step));
        let remains = done.await.unwrap_or_else(|_| {
            let region = &regional.region;
            vec![Remainder::new(
                regional.resource(ResourceKind::Image, id),
                format!(
                    "perhaps image {id} in {region} or its snapshots: the time was over while it was to {}",
                    step.stage
                ),
                undo::snapshots_command(regional, id),
            )]
        });
        if step.stage == Stage::Deregister && remains.is_empty() {
            gone.push(id.clone());
        }
        left.extend(remains);
    }
    (left, gone)
}

/// Takes one step; gives what could not be done.
async fn take(job: &Job, regional: &Regional, step: &Step) -> Vec<Remainder> {
    let id = &step.image.id;
    match step.stage {
        Stage::Deprecate => Vec::from_iter(deprecate(regional, id, job.clock.now()).await),
        Stage::Disable => Vec::from_iter(disable(regional, id).await),
        Stage::Deregister => undo::remove(regional, id).await,
    }
}

async fn deprecate(regional: &Regional, id: &str, now: Timestamp) -> Option<Remainder> {
    // A date that has passed is refused, and seconds are rounded to the minute.
    let at = DateTime::from_secs(now.as_second() + 60);
    let call = regional.ec2.enable_image_deprecation().image_id(id);
    let error = call.deprecate_at(at).send().await.err()?;
    Some(not_done(
        "deprecated",
        regional,
        id,
        &AwsError::of(&error),
        "enable-image-deprecation",
    ))
}

async fn disable(regional: &Regional, id: &str) -> Option<Remainder> {
    let error = regional
        .ec2
        .disable_image()
        .image_id(id)
        .send()
        .await
        .err()?;
    Some(not_done(
        "disabled",
        regional,
        id,
        &AwsError::of(&error),
        "disable-image",
    ))
}

fn not_done(
    word: &str,
    regional: &Regional,
    id: &str,
    error: &AwsError,
    command: &str,
) -> Remainder {
    let region = &regional.region;
    Remainder::new(
        regional.resource(ResourceKind::Image, id),
        format!("image {id} in {region}, which was not {word} ({error})"),
        format!("aws ec2 {command} --region {region} --image-id {id}"),
    )
}

#[cfg(test)]
mod tests {
    use super::{Old, Reason, why_shared_stays};
    use crate::retention::usage::Usage;
    use jiff::Timestamp;
    use std::time::Duration;

    const DAY: i64 = 86_400;

    fn why(launched: Option<i64>, usage: Usage) -> Vec<Reason> {
        let at = |day: i64| Timestamp::from_second(day * DAY).unwrap_or(Timestamp::UNIX_EPOCH);
        let image = Old {
            id: "ami-1".to_owned(),
            name: "web".to_owned(),
            created: at(100),
            deprecated: false,
            disabled: false,
            last_launched: launched.map(at),
            protection: None,
            is_first: false,
        };
        let with = ["a launch permission of everybody".to_owned()];
        let month = Duration::from_secs(30 * 86_400);
        why_shared_stays(&image, &with, usage, month, at(200))
    }

    #[test]
    fn a_shared_image_goes_only_when_nobody_uses_it_and_nobody_has_for_long() {
        let unused = || Usage::Known(Vec::new());
        assert_eq!(why(None, unused()), []);
        assert_eq!(why(Some(170), unused()), []);
        // A launch before the image was made is none of it.
        assert_eq!(why(Some(50), unused()), []);
        assert_eq!(
            why(Some(171), unused()),
            [Reason::Words(
                "it is shared, and was launched on 1970-06-21".to_owned()
            )]
        );
        let used = vec!["account 1 uses it (2 × ec2:Instance)".to_owned()];
        assert_eq!(
            why(None, Usage::Known(used.clone())),
            [Reason::Words(used[0].clone())]
        );
        let unknown = why(None, Usage::Unknown("no report".to_owned()));
        assert!(
            matches!(&unknown[..], [Reason::Words(text)] if text.ends_with("not known: no report"))
        );
    }
}
