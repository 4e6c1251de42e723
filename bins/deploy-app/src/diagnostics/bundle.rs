//! The failure bundle: what the host, its containers and AWS said while it was still to be heard, in one
//! folder, so that no second run is needed to find out. Nothing in it holds a declared secret.

use std::path::Path;

use action::failure::{Failure, Remainder};
use action::program::Context;
use action::redact::redacted;
use jiff::Timestamp;
use serde_json::json;

use super::collector::Evidence;
use super::timings::Stages;
use crate::settings::Checked;

/// Writes the bundle, where one is asked for, and says where it is.
pub(crate) fn write(
    settings: &Checked,
    context: &Context,
    stages: &Stages,
    evidence: &Evidence,
    failure: Failure,
) -> Failure {
    let Some(folder) = &settings.bundle else {
        return failure;
    };
    let state = evidence.state();
    let command = failure.command();
    let summary = json!({
        "program": concat!("deploy-app ", env!("CARGO_PKG_VERSION")),
        "time": Timestamp::now().to_string(),
        "stage": stages.current(),
        "exit": failure.exit().code(),
        "failed": failure.deed(),
        "causes": failure.causes(),
        "remains": failure.remainders().iter().map(Remainder::json).collect::<Vec<_>>(),
        "command": command.map(|failed| &failed.command),
        "status": command.map(|failed| &failed.ended),
        "host": settings.destination.to_string(),
        "target": settings.paths.target,
        "release": state.release,
        "build": context.codebuild.build_id,
        "commit": context.codebuild.resolved_source_version,
    });
    let own = [
        ("failure.json".to_owned(), format!("{summary:#}\n")),
        ("failure.txt".to_owned(), format!("{failure}\n")),
    ];
    let written = own
        .iter()
        .chain(&state.files)
        .try_for_each(|(name, content)| write_file(folder, name, content));
    match written {
        Ok(()) => failure.detail(format!("the failure bundle is in {}", folder.display())),
        Err(error) => {
            tracing::warn!(
                "cannot write the failure bundle in {}: {error}",
                folder.display()
            );
            failure
        }
    }
}

fn write_file(folder: &Path, name: &str, content: &str) -> std::io::Result<()> {
    let path = folder.join(name);
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::write(path, redacted(content).as_bytes())
}
