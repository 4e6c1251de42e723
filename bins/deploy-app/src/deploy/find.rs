//! Finding the host, and bringing its instance up.

use action::failure::Failure;
use action::program::Context;
use action::wait::Limits;
use aws::session::Session;

use super::plan::Plan;
use crate::connect::cloud::Cloud;
use crate::connect::instance::{self, InstanceInfo, Next};
use crate::connect::transport::Routes;
use crate::settings::key_source::KeySource;
use crate::settings::{Checked, InstanceSelector};
use ssh::Address;

/// What is deployed to, once it runs.
pub(super) struct Host {
    /// The instance, where it is one.
    pub(super) instance: Option<(Cloud, InstanceInfo)>,
    /// AWS, where something is to be asked of it.
    pub(super) session: Option<Session>,
    /// Where its SSH server listens.
    pub(super) address: Address,
    /// The ways that may lead there.
    pub(super) routes: Routes,
    /// Whether this run started it.
    pub(super) started: bool,
}

/// What was found.
pub(super) enum Found {
    /// A host that can be connected to.
    Host(Box<Host>),
    /// Only when looking: an instance that does not run, about which nothing more can be learnt.
    NotRunning(Box<Plan>),
}

const BEFORE: &str = "the instance was found";

/// Finds the host, and brings its instance up unless `looks_only`. Without an instance no AWS call is
/// made, but for a key that is kept there.
pub(super) async fn find(
    settings: &Checked,
    context: &Context,
    looks_only: bool,
    limits: &Limits,
) -> Result<Found, Failure> {
    let Some(chosen) = &settings.destination.instance else {
        let Some(address) = settings.destination.address.clone() else {
            return Err(Failure::refused(
                "neither INSTANCE_ID nor DEPLOY_APP_ADDRESS is set",
            ));
        };
        let session = match &settings.ssh_key {
            Some(source) if KeySource::is_in_aws(source) => Some(Session::open(context).await?),
            _ => None,
        };
        return Ok(Found::Host(Box::new(Host {
            instance: None,
            session,
            address,
            routes: Routes::direct(),
            started: false,
        })));
    };
    let session = Session::open(context).await?;
    let cloud = Cloud::new(session.clone());
    let ec2 = &cloud.ec2;
    let id = match chosen {
        InstanceSelector::Id(id) => id.clone(),
        InstanceSelector::Tags(tags) => {
            let seen = limits.in_time(BEFORE, ec2.find(tags)).await?;
            tracing::info!("the instance with {tags} is {}", seen.id);
            seen.id
        }
    };
    if looks_only {
        let seen = limits.in_time(BEFORE, ec2.look(&id)).await?;
        let deed = match instance::next(seen.state) {
            Next::Go => None,
            Next::GiveUp => return Err(ec2.gone(&seen)),
            Next::Start => {
                limits.in_time(BEFORE, ec2.check_start(&id)).await?;
                Some(format!("start instance {id}"))
            }
            Next::Wait => Some(format!(
                "wait until instance {id} runs, starting it if needed"
            )),
        };
        if let Some(deed) = deed {
            let unknown = format!(
                "the instance is {}: what is on it cannot be compared",
                seen.state
            );
            return Ok(Found::NotRunning(Box::new(Plan {
                host: id.clone(),
                target: settings.paths.target.clone(),
                permissions: super::dry_run::permissions(settings, true),
                deeds: vec![deed, "ship the application and start it".to_owned()],
                unknown: Some(unknown),
                ..Plan::default()
            })));
        }
    }
    let (seen, started) = ec2.run(&id, limits).await?;
    let (public, private) = (seen.public_ip.clone(), seen.private_ip.clone());
    // Behind a jump host is the instance's own network.
    let looked_up = match settings.jumps.is_empty() {
        true => public.or(private),
        false => private.or(public),
    };
    let looked_up = looked_up.map(|host| Address { host, port: 22 });
    let address = settings.destination.address.clone().or(looked_up);
    let finding = Routes::find(settings, context, &cloud, &seen, address.as_ref());
    let found = limits
        .in_time("the ways to the instance were found", finding)
        .await;
    let as_started = |failure: Failure| match started {
        true => ec2.started(failure, &id),
        false => failure,
    };
    let routes = found.map_err(as_started)?;
    let Some(address) = address else {
        let failure = Failure::refused(format!(
            "instance {id} in {} has no address",
            session.region
        ))
        .hint("set DEPLOY_APP_ADDRESS");
        return Err(as_started(failure));
    };
    tracing::info!("instance {id} runs, its address is {address}");
    Ok(Found::Host(Box::new(Host {
        instance: Some((cloud, seen)),
        session: Some(session),
        address,
        routes,
        started,
    })))
}
