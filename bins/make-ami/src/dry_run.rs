//! What a run would do, told and written down.

pub(crate) mod carried_out;
pub(crate) mod finding;
pub(crate) mod image_changes;
pub(crate) mod later_changes;
pub(crate) mod preflight;
pub(crate) mod removal;
mod scanning;

use crate::dry_run::finding::{Answer, Finding};
use crate::image::spec::ImageSpec;
use crate::instance::Source;
use crate::job::{Job, Regional};
use crate::plan::Plan;
use crate::retention::retire::{self, Reason};
use crate::scan::plan as scan;
use crate::settings::modes::Imds;
use crate::settings::{Checked, Retention};
use action::exit::Exit;
use action::failure::Failure;
use action::program::Output;
use aws_sdk_ec2::types::Image;

/// What a run that makes an image would do.
pub(crate) struct Intended<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) source: &'a Source,
    /// The image that an earlier try of this run made.
    pub(crate) adopted: Option<&'a Image>,
    pub(crate) price: &'a str,
    /// Why it could not be copied, shared or watermarked as the settings ask, or does not descend from what it must.
    pub(crate) obstacle: Option<Failure>,
}

/// Prints the plan with what is against it and what it costs; fails where EC2 would refuse it.
pub(crate) async fn show_plan(job: &Job, intended: Intended<'_>) -> Result<Output, Failure> {
    let Intended {
        plan,
        source,
        adopted,
        price,
        obstacle,
    } = intended;
    let asking = preflight::check(job, plan, source, adopted.is_some());
    let mut findings = preflight::answers(job, asking).await?;
    if let Some(why) = obstacle {
        findings.push(looked("what follows the image", why)?);
    }
    let adopted = adopted.and_then(|image| image.image_id());
    let mut text = match adopted {
        Some(image) => {
            format!("plan: adopt image {image}, which an earlier try of this run made\n")
        }
        None => plan.text(),
    };
    text.push_str(&beside_content(&job.settings));
    let mut json = plan.json();
    let watermarks = job.settings.provenance.watermarks.iter();
    let watermarks: Vec<String> = watermarks.map(ToString::to_string).collect();
    if !watermarks.is_empty() {
        text.push_str(&format!("watermarks: {}\n", watermarks.join(", ")));
        json["watermarks"] = watermarks.into();
    }
    text.push_str(&scan::text(job));
    json["scan"] = scan::json(job);
    json["imds"] = job.settings.publish.imds.to_string().into();
    let changes = job.settings.volumes.0.iter();
    json["volumes"] = changes
        .map(|(device, change)| (device.clone(), change.to_string().into()))
        .collect::<serde_json::Map<_, _>>()
        .into();
    if let Some(retention) = &job.settings.retention {
        let mut all = Vec::new();
        let away = job.settings.publish.copy_to.iter();
        let regions = away.map(|region| job.regional(region));
        for regional in [job.home.clone()].into_iter().chain(regions) {
            // The image that will be made is the newest; until then the count is the same without it.
            let current = adopted.filter(|_| regional.region == job.home.region);
            match retirement(job, &regional, retention, current.unwrap_or_default()).await {
                Ok(steps) => {
                    text.push_str(&retire::text(&steps, retention, &regional.region));
                    all.extend(steps);
                }
                Err(why) => findings.push(looked("retention", why)?),
            }
        }
        json["retention"] = all
            .iter()
            .map(|step| {
                serde_json::json!({
                    "region": step.region,
                    "image_id": step.image.id,
                    "step": step.stage.to_string(),
                    "kept_because": step.kept_because.iter().map(Reason::plain).collect::<Vec<_>>(),
                })
            })
            .collect();
    }
    text.push_str(&finding::text(&findings));
    text.push_str(price);
    text.push('\n');
    json["permissions"] = finding::json(&findings);
    json["adopt"] = adopted.into();
    json["cost"] = price.into();
    job.context.show_plan(&text, &json)?;
    let operation = format!(
        "an image of {} in {} could not be made as asked",
        plan.instance_id, job.home.region
    );
    finding::verdict(&operation, &findings)?;
    Ok(Output::Nothing)
}

/// What the settings make of the image beside its content, a line each.
fn beside_content(settings: &Checked) -> String {
    let changes = settings.volumes.0.iter();
    let mut text: String = changes
        .map(|(device, change)| format!("  volume {device}: {change}\n"))
        .collect();
    if settings.publish.imds == Imds::V2 {
        text.push_str("  metadata service of its instances: IMDSv2 only\n");
    }
    text
}

async fn retirement(
    job: &Job,
    regional: &Regional,
    retention: &Retention,
    current: &str,
) -> Result<Vec<retire::Step>, Failure> {
    job.in_time(retire::plan(job, regional, retention, current))
        .await
}

/// A failed look is one finding among the others; the deadline and signals end a dry run as any other.
fn looked(what: &str, why: Failure) -> Result<Finding, Failure> {
    match why.exit() {
        Exit::Deadline | Exit::Interrupted | Exit::Terminated => Err(why),
        _ => Ok(Finding::new(what, Answer::Failed(why))),
    }
}

/// Prints what would follow an image that exists; fails where EC2 would refuse it.
pub(crate) async fn show_rest(
    job: &Job,
    image: &Image,
    spec: &ImageSpec,
) -> Result<Output, Failure> {
    let image_id = image.image_id().unwrap_or_default();
    let asking = preflight::check_the_rest(job, image, &spec.tags);
    let findings = preflight::answers(job, asking).await?;
    let text = format!(
        "plan: go on with image {image_id} of {}\n{}{}",
        spec.instance_id,
        scan::text(job),
        finding::text(&findings)
    );
    let permissions = finding::json(&findings);
    let mut json =
        serde_json::json!({ "adopt": image_id, "run": spec.run, "permissions": permissions });
    json["scan"] = scan::json(job);
    job.context.show_plan(&text, &json)?;
    let region = &job.home.region;
    let operation = format!("image {image_id} in {region} could not be published as asked");
    finding::verdict(&operation, &findings)?;
    Ok(Output::Nothing)
}
