//! What is written, each in its consumer's own form.

pub(crate) mod azure;
pub(crate) mod configuration;
pub(crate) mod docker;
pub mod dotenv;
pub(crate) mod github;
pub mod gitlab;
pub(crate) mod job;
pub(crate) mod json;

use crate::checks::exports;
use crate::settings::{Checked, Format};
use crate::table;
use crate::variable::Variable;
use action::failure::Failure;
use action::program::Output;
use serde_json::{Value, json};

/// Renders checked variables. A job's variables are not rendered but reported, see [`job`].
pub(crate) fn render(variables: &[Variable], settings: &Checked) -> Result<Output, Failure> {
    Ok(match settings.format {
        Format::Sh => Output::Exports(exports::exports(variables, settings)?),
        Format::Docker => Output::Data(docker::render(variables)),
        Format::Dotenv => Output::Data(dotenv::render(variables)?),
        Format::Github => Output::Data(github::render(variables)?),
        Format::Gitlab => Output::Data(gitlab::render(variables)),
        Format::Azure => Output::Data(azure::render(variables)),
        Format::Json | Format::GetParam => Output::Data(json::render(variables)),
        Format::TemplateConfiguration => {
            Output::Data(configuration::render(variables, settings.base.as_deref())?)
        }
        Format::Job => Output::Nothing,
    })
}

/// What would be exported, for people and for machines: names, sizes and places, no values.
pub(crate) fn plan(variables: &[Variable], settings: &Checked) -> (String, Value) {
    let rows: Vec<Vec<String>> = variables
        .iter()
        .map(|one| {
            vec![
                format!("  {}", one.name),
                format!("{} bytes", one.value.len()),
                format!("from {}", one.place),
            ]
        })
        .collect();
    let names: Vec<_> = variables
        .iter()
        .map(|one| json!({"name": one.name, "bytes": one.value.len(), "from": one.place}))
        .collect();
    let format = word(settings.format);
    let deed = match &settings.job_id {
        Some(id) => format!("report success of job {id} with these output variables"),
        None => format!("export as {format}"),
    };
    (
        format!("plan: {deed}\n{}", table::text(&rows)),
        json!({ "format": format, "job": settings.job_id, "exports": names }),
    )
}

fn word(format: Format) -> &'static str {
    let known = Format::ALL.iter().find(|(_, known)| *known == format);
    known.map_or("", |(word, _)| word)
}
