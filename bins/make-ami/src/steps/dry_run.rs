//! What a run would do, told and written down.

use super::instance::Source;
use super::{preflight, retain};
use crate::job::Job;
use crate::plan::Plan;
use action::failure::Failure;
use action::program::Output;
use aws_sdk_ec2::types::Image;

/// Prints the plan with what is against it and what it costs; fails where EC2 would refuse it.
pub(super) async fn show_plan(
    job: &Job,
    plan: &Plan,
    source: &Source,
    adopted: Option<&Image>,
    price: &str,
) -> Result<Output, Failure> {
    let findings = job
        .in_time(preflight::check(job, plan, source, adopted.is_some()))
        .await?;
    let adopted = adopted.and_then(|image| image.image_id());
    let mut text = match adopted {
        Some(image) => {
            format!("plan: adopt image {image}, which an earlier try of this run made\n")
        }
        None => plan.text(),
    };
    let mut json = plan.json();
    if let Some(retention) = &job.settings.retention {
        // The image that will be made is the newest; until then the count is the same without it.
        let steps = job
            .in_time(retain::plan(job, retention, adopted.unwrap_or_default()))
            .await?;
        text.push_str(&retain::text(&steps, retention));
        json["retention"] = steps
            .iter()
            .map(|step| serde_json::json!({ "image_id": step.image.id, "step": step.rung.to_string(), "kept_because": step.references }))
            .collect();
    }
    text.push_str(&preflight::text(&findings));
    text.push_str(price);
    text.push('\n');
    json["adopt"] = adopted.into();
    json["cost"] = price.into();
    job.context.show_plan(&text, &json)?;
    preflight::verdict(job, plan, &findings)?;
    Ok(Output::Nothing)
}
