//! Who signals: the region and credentials of this instance, and its id.

use std::time::Duration;

use action::failure::Failure;
use action::program::Context;
use action::settings::value::is_ec2_id;
use action::wait::{self, Ended, Look, Pace};
use aws::session::Session;
use aws_config::imds::client::Client as Metadata;
use aws_config::provider_config::ProviderConfig;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use tokio::time::Instant;

use crate::settings::Checked;

/// A role may reach the metadata service some seconds after the instance has booted.
const PATIENCE: Duration = Duration::from_secs(120);

const PACE: Pace = Pace {
    first: Duration::from_secs(1),
    longest: Duration::from_secs(5),
};

/// Who signals.
#[derive(Debug, Clone)]
pub(crate) struct Sender {
    /// Region and credentials.
    pub session: Session,
    /// The instance, which is the signal's unique id.
    pub instance: String,
}

impl Sender {
    /// The region's name.
    pub(crate) fn region(&self) -> &str {
        &self.session.region
    }
}

/// Finds region, credentials and instance id; looks again for two minutes at most, because this
/// runs at boot.
pub(crate) async fn find(settings: &Checked, context: &Context) -> Result<Sender, Failure> {
    let until = context.deadline.min(Instant::now() + PATIENCE);
    let mut last = None;
    let what = "the instance's own credentials and id";
    let ended = wait::until(what, until, &context.interrupt, PACE, async || {
        let begun = Instant::now();
        match look(settings, context).await {
            Ok(sender) => Ok(Look::There(sender)),
            Err(failure) => {
                let seen = failure.deed().to_owned();
                // After the deadline nobody is asked any more: what was met before says more.
                if last.is_none() || begun < context.deadline {
                    last = Some(failure);
                }
                Ok(Look::NotYet(seen))
            }
        }
    })
    .await;
    match (ended, last) {
        (Ok(sender), _) => Ok(sender),
        // What is missing says more than that time is up.
        (Err(Ended::Deadline(_)), Some(failure)) => Err(failure),
        (Err(ended), _) => Err(ended.into_failure(what)),
    }
}

async fn look(settings: &Checked, context: &Context) -> Result<Sender, Failure> {
    let session = Session::open(context).await?;
    let instance = match &settings.instance {
        Some(id) => id.clone(),
        None => own_id(session.config.http_client().ok_or_else(unknown_id)?).await?,
    };
    Ok(Sender { session, instance })
}

/// The id of the instance that this runs on, by IMDSv2.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html>
pub(crate) async fn own_id(client: SharedHttpClient) -> Result<String, Failure> {
    let provider = ProviderConfig::default().with_http_client(client);
    let metadata = Metadata::builder().configure(&provider).build();
    let id = metadata
        .get("/latest/meta-data/instance-id")
        .await
        .map_err(|error| unknown_id().cause(aws::error::chain(&error)))?;
    let id = id.as_ref().trim();
    if is_ec2_id(id, "i-") {
        Ok(id.to_owned())
    } else {
        Err(unknown_id().cause("the metadata service answers something that is not an instance id"))
    }
}

fn unknown_id() -> Failure {
    Failure::refused("cannot find out the id of this instance; nothing was signalled")
        .hint("run it on the instance itself, not in a container (the metadata hop limit is 1), or set INSTANCE_ID")
}
