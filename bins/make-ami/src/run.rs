//! The job, in order: look at the instance, adopt or create the image, wait for it, publish it, retire
//! older ones, export.

use crate::build_timeout;
use crate::cleanup::keep_policy::{keeps_unfinished, removes_available, with_resume_hint};
use crate::cleanup::{clean, undo};
use crate::consistency::frozen_tag::{frozen_of, is_unverified_quiesce, tag_frozen};
use crate::consistency::{self, Held, snapshot_rate_limit};
use crate::cost::{self, Rate, snapshot_usage};
use crate::dry_run::{Intended, show_plan, show_rest};
use crate::exports::{exports, started};
use crate::image::spec::ImageSpec;
use crate::image::tags::tag;
use crate::image::wait_available::{self, NotAvailable, Verified};
use crate::image::{create, describe, verify};
use crate::instance::{self, Source};
use crate::job::{Job, timestamp_of};
use crate::journal::Journal;
use crate::manifest;
use crate::outcome::Finished;
use crate::plan::{self, Plan};
use crate::provenance::{ancestry, statement_file, watermark};
use crate::publish::image_copy::ImageCopy;
use crate::publish::{self, encrypted_copy, preconditions};
use crate::retention::retire;
use crate::scan;
use crate::scan::outcome::{Scanned, Unproven};
use crate::settings::modes::SnapshotTags;
use crate::settings::values::Target;
use crate::settings::{Checked, Named};
use crate::warm;
use action::exit::Exit;
use action::failure::Failure;
use action::program::{Context, Output};
use aws::session::Session;
use aws_sdk_ec2::types::{Image, ImageState};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::timeout_at;

/// Runs the program: the whole job, or the part that the subcommand names.
pub(crate) async fn run(settings: Checked, context: Context) -> Result<Output, Failure> {
    let session = Session::open(&context).await?;
    let mut job = Job::new(settings, context, session);
    build_timeout::apply(&mut job).await;
    act(&job).await
}

/// The same, in an account that is open already.
pub async fn act(job: &Job) -> Result<Output, Failure> {
    if !job.context.dry_run {
        manifest::forget(job)?;
        // Of `verify` it is what the image is compared with.
        if !matches!(job.context.command.as_deref(), Some("verify" | "clean")) {
            statement_file::forget(job)?;
        }
    }
    scan::prepare(job)?;
    match job.context.command.as_deref() {
        Some("verify") => verify_image(job).await,
        Some("clean") => {
            let target = match &job.settings.target {
                Some(target) => target.clone(),
                None => Target::Run(job.in_time(own_run(job)).await?),
            };
            clean::clean(job, &target).await.map(|()| Output::Nothing)
        }
        Some("warm") => warm_up(job).await,
        Some("wait") => go_on(job).await,
        _ if job.settings.target.is_some() => go_on(job).await,
        command => make(job, command == Some("start")).await,
    }
}

/// Snapshots the volumes before the image is made.
async fn warm_up(job: &Job) -> Result<Output, Failure> {
    let finding = instance::find_volumes(job, own_instance(job)?);
    let source = job.in_time(finding).await?;
    let plan = job.in_time(plan_of(job, &source)).await?;
    warm::create::warm(job, &plan, &source).await
}

/// Makes the image; its parts are boxed, for all calls of a run in one future fill the stack of a thread. With `only_start`, hands it over as soon as its snapshots have begun.
async fn make(job: &Job, only_start: bool) -> Result<Output, Failure> {
    let (plan, source, adopted) = job.in_time(before(job)).await?;
    let rate = Rate::of(&job.home.region, job.settings.price);
    let mut price = cost::before(source.bytes(), &rate, job.settings.price_for);
    price.push_str(&cost::of_copies(job.settings.publish.copy_to.len()));
    let afterwards = job.in_time(check_afterwards(job, &plan, &source)).await;
    if job.context.dry_run {
        let intended = Intended {
            plan: &plan,
            source: &source,
            adopted: adopted.as_ref(),
            price: &price,
            obstacle: afterwards.err(),
        };
        return show_plan(job, intended).await;
    }
    afterwards?;
    let spec = ImageSpec::of_plan(&plan, source.volumes.len(), adopted.as_ref());
    let mut journal = Journal::of(&plan.run);
    let frozen;
    let image_id = match adopted {
        Some(image) => {
            let image_id = image.image_id().unwrap_or_default().to_owned();
            tell_adopted(job, &image, &image_id);
            journal.adopt(&job.home, &image);
            frozen = frozen_of(&image);
            let released =
                consistency::restart_instance_left_stopped(job, &plan, &source, &image_id).await;
            released.map_err(|failure| with_resume_hint(job, &journal, failure))?;
            image_id
        }
        None => {
            remove_failed_tries(job, &plan).await?;
            snapshot_rate_limit::wait(job, &source).await?;
            tracing::info!("{price}");
            let image_id;
            (image_id, frozen) = create_still(job, &plan, &source, &mut journal).await?;
            image_id
        }
    };
    if only_start {
        return started(&image_id, &plan.name);
    }
    Box::pin(finish(job, spec, &image_id, frozen, journal)).await
}

/// How old an image may be that a try of a few hours ago made: CodeBuild ends a build after 36 hours at most.
const OLD: Duration = Duration::from_secs(36 * 3600);

/// Says which image is adopted. One that is older than any build was made of the instance as it was then.
fn tell_adopted(job: &Job, image: &Image, image_id: &str) {
    let made = image.creation_date().unwrap_or("an unknown time");
    tracing::info!(
        image_id,
        "adopting the image that an earlier try of this run made at {made}"
    );
    let age = image
        .creation_date()
        .and_then(timestamp_of)
        .map(|made| job.clock.now().duration_since(made));
    if age.is_some_and(|age| Duration::try_from(age).is_ok_and(|age| age > OLD)) {
        tracing::warn!(
            "{image_id} is of {made}: what changed on the instance since is not in it; another AMI_NAME or MAKE_AMI_RUN makes a new image"
        );
    }
}

/// Looks at everything that decides whether an image is made; changes nothing.
async fn before(job: &Job) -> Result<(Plan, Source, Option<Image>), Failure> {
    let source = instance::find(job, own_instance(job)?).await?;
    let mut plan = plan_of(job, &source).await?;
    if encrypted_copy::is_needed(job, &source).await? {
        plan = plan.encrypted_by_a_copy();
    }
    let adopted = create::find(job, &plan).await?;
    // A try that was killed while the instance stood still: its image may hold anything.
    let adopted = adopted.filter(|image| !is_unverified_quiesce(image));
    if adopted.is_none() {
        create::check_name_is_free(job, &plan).await?;
    }
    Ok((plan, source, adopted))
}

/// Looks at what would go wrong only when the image is there; changes nothing.
async fn check_afterwards(job: &Job, plan: &Plan, source: &Source) -> Result<(), Failure> {
    preconditions::check_copies(job, &plan.name, &plan.run).await?;
    preconditions::check(job, source).await?;
    Box::pin(watermark::check_room(job, source)).await?;
    Box::pin(ancestry::check_source(job, source)).await?;
    Box::pin(scan::check(job, &source.id)).await
}

fn own_instance(job: &Job) -> Result<&Named, Failure> {
    job.settings.instance.as_ref().ok_or_else(|| {
        Failure::refused("no image, run or instance is named; nothing was touched")
            .hint("give --image, or the INSTANCE_ID of the run")
    })
}

/// The key of the run that these settings in this build make, whatever has become of its instance.
async fn own_run(job: &Job) -> Result<String, Failure> {
    let source = instance::locate(job, own_instance(job)?).await?;
    Ok(plan_of(job, &source).await?.run)
}

async fn plan_of(job: &Job, source: &Source) -> Result<Plan, Failure> {
    let (settings, build) = (&job.settings, &job.context.codebuild);
    let volumes = source.volumes.len();
    let plan = Plan::new(settings, build, &source.id, volumes, &job.clock.utc());
    let plan = plan.map_err(|fault| {
        Failure::refused("AMI_NAME does not give a name that EC2 takes").cause(fault)
    })?;
    create::as_it_began(job, plan, source).await
}

/// What of this run failed earlier, or cannot prove that it was quiesced, is worth nothing and may still
/// hold the name. Whether EC2 lets a failed image keep its name is unproven; removing it serves both.
async fn remove_failed_tries(job: &Job, plan: &Plan) -> Result<(), Failure> {
    let earlier = job
        .in_time(describe::tagged(&job.home, plan::RUN_TAG, &plan.run))
        .await?;
    for image in earlier.iter().filter(|image| create::is_worthless(image)) {
        let Some(id) = image.image_id() else { continue };
        tracing::info!("removing {id}, which an earlier try of this run left unusable");
        let left = undo::remove(&job.home, id).await;
        if !left.is_empty() {
            let failure = Failure::failed(format!("cannot remove image {id} of an earlier try"));
            return Err(left.into_iter().fold(failure, Failure::leaving));
        }
    }
    Ok(())
}

/// Holds the instance still, creates the image, lets the instance go; gives the image, and for how long
/// the instance stood still.
async fn create_still(
    job: &Job,
    plan: &Plan,
    source: &Source,
    journal: &mut Journal,
) -> Result<(String, Option<Duration>), Failure> {
    let held = consistency::acquire(job, plan, source).await?;
    let needs_release = !matches!(held, Held::Nothing);
    let was_stopped = matches!(held, Held::Stopped);
    let created = create::create(job, plan, journal).await;
    let begun = match &created {
        Ok(image_id) if needs_release => {
            consistency::wait_snapshots_begun(job, image_id, source).await
        }
        _ => Ok(()),
    };
    let released = consistency::release(job, source, held).await;
    let image_id = match created {
        Ok(image_id) => image_id,
        Err(failure) => {
            let failure = without_image(job, journal, failure).await;
            return Err(match released {
                Ok(_) => failure,
                Err(worse) => undo::with_remains_exit(failure.and(worse)),
            });
        }
    };
    match (begun, released) {
        (Ok(()), Ok(frozen)) => {
            if let Some(frozen) = frozen
                && let Err(failure) = tag_frozen(job, &image_id, frozen).await
            {
                return Err(undo::all(job, journal, failure).await);
            }
            Ok((image_id, frozen))
        }
        // The image is as it should be; it is the instance that needs help.
        (Ok(()), Err(failure)) if was_stopped => Err(with_resume_hint(job, journal, failure)),
        // The instance may have gone on before its snapshots began: nobody knows what they hold.
        (Ok(()), Err(failure)) => Err(undo::all(job, journal, failure).await),
        (Err(failure), Ok(_)) => Err(undo::all(job, journal, failure).await),
        (Err(failure), Err(worse)) => Err(undo::all(job, journal, failure.and(worse)).await),
    }
}

/// The failure of a run that has no image, or does not know whether it has one.
async fn without_image(job: &Job, journal: &Journal, failure: Failure) -> Failure {
    if !journal.lost_reply {
        return failure;
    }
    let failure = failure.hint("run it again: it looks for this run's image first");
    if keeps_unfinished(&failure, job.settings.on_timeout) {
        return with_resume_hint(job, journal, failure);
    }
    undo::all(job, journal, failure).await
}

/// Goes on with an image that exists: waits for it and does what follows.
async fn go_on(job: &Job) -> Result<Output, Failure> {
    let target = match &job.settings.target {
        Some(target) => target.clone(),
        None => Target::Run(job.in_time(own_run(job)).await?),
    };
    let (region, image) = (
        &job.home.region,
        job.in_time(find_target(job, &target)).await?,
    );
    let image_id = image.image_id().unwrap_or_default();
    if describe::run(&image).is_none() {
        return Err(Failure::refused(format!(
            "image {image_id} in {region} has no tag {}, so make-ami did not make it; nothing was touched",
            plan::RUN_TAG
        )));
    }
    // A failed one is no such case: its wait says why it failed, and removes it.
    if let Some(state @ (ImageState::Disabled | ImageState::Deregistered)) = image.state() {
        return Err(Failure::refused(format!(
            "image {image_id} in {region} is {state}; nothing was touched"
        ))
        .hint("someone took it out of use; `aws ec2 enable-image` brings a disabled one back"));
    }
    if is_unverified_quiesce(&image) {
        return Err(Failure::refused(format!(
            "image {image_id} in {region} was to be quiesced, and nothing proves that it was: it has no tag {}; nothing was touched",
            plan::FROZEN_TAG
        ))
        .hint(format!("make-ami clean --image {image_id}, and make a new one")));
    }
    let Some(spec) = ImageSpec::of_image(&image, &job.settings) else {
        return Err(Failure::refused(format!(
            "image {image_id} in {region} has no tag {} with a number, so it cannot be checked whether it is complete; nothing was touched",
            plan::VOLUMES_TAG
        ))
        .hint("give it the tag, with the number of the instance's EBS volumes"));
    };
    if spec.first_of.is_some() && !job.settings.publish.encrypt {
        return Err(Failure::refused(format!(
            "image {image_id} in {region} is the first one of a run that makes an encrypted copy; nothing was touched"
        ))
        .hint("give MAKE_AMI_ENCRYPT=yes and the MAKE_AMI_KMS_KEY of that run"));
    }
    let name = spec
        .first_of
        .as_deref()
        .or(image.name())
        .unwrap_or_default();
    job.in_time(preconditions::check_copies(job, name, &spec.run))
        .await?;
    job.in_time(Box::pin(ancestry::check_image(job, &image)))
        .await?;
    if job.context.dry_run {
        return show_rest(job, &image, &spec).await;
    }
    let mut journal = Journal::of(&spec.run);
    journal.adopt(&job.home, &image);
    Box::pin(finish(job, spec, image_id, frozen_of(&image), journal)).await
}

async fn find_target(job: &Job, target: &Target) -> Result<Image, Failure> {
    let found = match target {
        Target::Image(id) => describe::by_id(&job.home, id).await?,
        Target::Run(run) => {
            let mut all = describe::tagged(&job.home, plan::RUN_TAG, run).await?;
            // One that failed earlier may still be listed beside a good one.
            all.sort_by_key(|image| !create::is_good(image));
            all.into_iter().next()
        }
    };
    found.ok_or_else(|| {
        let region = &job.home.region;
        Failure::refused(match target {
            Target::Image(_) => format!("{target} in {region} does not exist; nothing was touched"),
            Target::Run(_) => format!("{target} has no image in {region}; nothing was touched"),
        })
        .hint("check AWS_REGION and the account; an image of a moment ago may not be listed yet")
    })
}

/// From a requested image to its exports.
async fn finish(
    job: &Job,
    spec: ImageSpec,
    image_id: &str,
    frozen: Option<Duration>,
    mut journal: Journal,
) -> Result<Output, Failure> {
    let waited = wait_available::wait(job, &job.home, image_id, spec.volumes).await;
    let verified = match waited {
        Ok(verified) => verified,
        Err(NotAvailable { failure, is_gone }) => {
            if is_gone {
                journal.mark_gone(image_id);
            }
            let stays = journal.in_use || keeps_unfinished(&failure, job.settings.on_timeout);
            return Err(match stays {
                true => with_resume_hint(job, &journal, failure),
                false => undo::all(job, &journal, failure).await,
            });
        }
    };
    let available = job.clock.now();
    if let Err(failure) = verify::check_mapping(job, &verified).await {
        let is_bad = failure.exit() == Exit::Failed;
        let goes = is_bad || removes_available(&failure, job.settings.on_timeout);
        return Err(match goes && !journal.in_use {
            true => undo::all(job, &journal, failure).await,
            false => with_resume_hint(job, &journal, failure),
        });
    }
    let warm = warm::measure::measure(job, &verified, &spec).await;
    let handed = encrypt_scan_and_publish(job, &spec, verified, frozen, &mut journal).await;
    let (verified, scanned, copies) = match handed {
        Ok(handed) => handed,
        // Half an hour of baking is not thrown away for a missing permission; a second try adopts it.
        Err(unproven) if journal.stays() || !unproven.removes(job) => {
            let failure = with_resume_hint(job, &journal, unproven.into_failure());
            return Err(match journal.protected {
                true => undo::with_remains_exit(failure),
                false => failure,
            });
        }
        Err(unproven) => return Err(undo::all(job, &journal, unproven.into_failure()).await),
    };
    // From here on the image is ready: nothing may hold it up beyond the end of the build.
    job.session.limit.extend(job.hand_over_by());
    let leftovers = timeout_at(job.hand_over_by(), undo::leftovers(job, &journal));
    let leftovers = leftovers.await;
    for left in leftovers.unwrap_or_else(|_| vec![undo::possible_orphan_image(&job.home, &journal)])
    {
        tracing::warn!("remains: {}\n    {}", left.what, left.command);
    }
    if !warm.nothing_is_left {
        warm::snapshots::remove(job, &spec.run, &spec.instance_id, spec.app()).await;
    }
    let finished = Finished {
        stored: snapshot_usage::stored(job, &verified).await,
        retired: retire::retire(job, &verified.image_id, &copies).await,
        available,
        scanned,
        spec,
        verified,
        copies,
        frozen,
        warm_start: warm.warm_start,
    };
    manifest::write(job, &finished).map_err(|failure| with_resume_hint(job, &journal, failure))?;
    let written = Box::pin(statement_file::write(job, &finished)).await;
    written.map_err(|failure| with_resume_hint(job, &journal, failure))?;
    tracing::info!("{}", manifest::summary(job, &finished));
    exports(&finished.verified)
}

/// Does what follows an available image; gives the one that is exported, what its scan found, and its copies. It is the
/// exported image that is scanned: EC2 shows the findings of no other.
async fn encrypt_scan_and_publish(
    job: &Job,
    spec: &ImageSpec,
    verified: Verified,
    frozen: Option<Duration>,
    journal: &mut Journal,
) -> Result<(Verified, Option<Scanned>, Vec<ImageCopy>), Unproven> {
    let encrypting = encrypted_copy::encrypted(job, spec, verified, frozen, journal);
    let verified = encrypting.await.map_err(Unproven::Open)?;
    let scanned = scan::scan(job, &verified).await?;
    let publishing = tag_and_publish(job, spec, &verified, frozen, journal);
    let copies = publishing.await.map_err(Unproven::Open)?;
    Ok((verified, scanned, copies))
}

const UNTAGGED: &str = "stopped before the snapshots were tagged";

async fn tag_and_publish(
    job: &Job,
    spec: &ImageSpec,
    verified: &Verified,
    frozen: Option<Duration>,
    journal: &mut Journal,
) -> Result<Vec<ImageCopy>, Failure> {
    let when = job.settings.snapshot_tags;
    if when == SnapshotTags::After {
        let tagging = tag(job, verified.snapshot_ids(), &spec.tags);
        job.unless_stopped(UNTAGGED, tagging).await??;
    }
    if let Some(frozen) = frozen
        && when != SnapshotTags::None
    {
        let frozen = (plan::FROZEN_TAG.to_owned(), frozen.as_millis().to_string());
        let frozen = BTreeMap::from([frozen]);
        let tagging = tag(job, verified.snapshot_ids(), &frozen);
        job.unless_stopped(UNTAGGED, tagging).await??;
    }
    publish::publish(job, &spec.tags, verified, journal).await
}

async fn verify_image(job: &Job) -> Result<Output, Failure> {
    let image_id = match &job.settings.target {
        Some(Target::Image(id)) => id.clone(),
        Some(target) => {
            let image = job.in_time(find_target(job, target)).await?;
            image.image_id.unwrap_or_default()
        }
        None => return Err(Failure::refused("no image is named; nothing was touched")),
    };
    let verified = verify::verify(job, &image_id).await?;
    scan::look(job, &verified).await?;
    tracing::info!(image_id, name = verified.name, "the image keeps every rule");
    if job.context.dry_run {
        return Ok(Output::Nothing);
    }
    exports(&verified)
}
