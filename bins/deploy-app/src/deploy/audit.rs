//! The record of deployments on the host: a JSON line for each.

use std::time::Duration;

use action::failure::Failure;
use action::program::Context;
use action::redact::redacted;
use action::wait::Limits;
use filesync::Operation;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::host::Remote;
use crate::host::lock;
use crate::runtime::ollama::Ensured;

/// How long writing it may take.
const LIMIT: Duration = Duration::from_secs(20);

/// What is written down about a deployment.
#[derive(Debug, Clone, Default)]
pub(super) struct Entry<'a> {
    /// `deploy` or `rollback`.
    pub deed: &'a str,
    /// The release that was to run.
    pub release: &'a str,
    /// The one that ran before.
    pub before: Option<&'a str>,
    /// The digest of its tree.
    pub digest: Option<String>,
    /// The model, and whether it was pulled.
    pub model: Option<(&'a str, &'a Ensured)>,
    /// Why it failed.
    pub failure: Option<&'a Failure>,
    /// What became of a failed one.
    pub outcome: Option<&'a str>,
    /// How long it took.
    pub took: Duration,
}

impl Entry<'_> {
    fn json(&self, context: &Context) -> Value {
        json!({
            "time": Timestamp::now().to_string(),
            "deed": self.deed,
            "release": self.release,
            "before": self.before,
            "by": lock::owner(context),
            "build": context.codebuild.build_id,
            "commit": context.codebuild.resolved_source_version,
            "digest": self.digest,
            "model": self.model.map(|(name, ensured)| json!({
                "name": name, "digest": ensured.digest, "pulled": ensured.pulled
            })),
            "result": if self.failure.is_none() { "done" } else { "failed" },
            "failure": self.failure.map(Failure::deed),
            "outcome": self.outcome,
            "seconds": self.took.as_secs(),
        })
    }
}

/// What is known of a deployment before its end: a JSON object, to which the agent adds the rest.
pub(super) fn known(context: &Context, entry: &Entry<'_>) -> String {
    let mut known = entry.json(context);
    if let Some(known) = known.as_object_mut() {
        for later in ["time", "result", "failure", "outcome", "seconds"] {
            known.remove(later);
        }
    }
    redacted(&known.to_string()).into_owned()
}

/// Writes it down; a host that cannot take it does not fail a deployment that is done.
pub(super) async fn record(remote: &Remote<'_>, context: &Context, entry: &Entry<'_>) {
    let line = redacted(&entry.json(context).to_string()).into_owned();
    let limits = Limits::cleanup(LIMIT);
    let written = remote
        .files::<()>("record the deployment", Operation::Audit { line }, &limits)
        .await;
    if let Err(failure) = written {
        tracing::warn!("{failure}");
    }
}
