//! The images of a release: pulled before it is started, kept for as long as it is, and given back their names when it
//! comes back.

use action::exit::Exit;
use action::failure::Failure;
use action::wait::Limits;

use super::commands::Commands;
use super::compose::{self, Pulls, Service};
use crate::host::Remote;
use ssh::Stdin;

/// The services of a release, as Compose reads them in its own folder; none without Compose.
pub(crate) async fn services(
    remote: &Remote<'_>,
    commands: &Commands<'_>,
    release: &str,
    limits: &Limits,
) -> Result<Vec<Service>, Failure> {
    let Some(script) = commands.compose_stored(release, "config --format json") else {
        return Ok(Vec::new());
    };
    let deed = format!("read the Compose configuration of release {release}");
    let output = remote.compose(&deed, &script, limits).await?;
    let paths = &remote.settings.paths;
    let folder = format!("{}/{}", paths.target, paths.stored(release));
    compose::services(&output.stdout, &[&folder, &paths.current_folder()])
        .map_err(|cause| Failure::failed(format!("cannot {deed} on {}", remote.shown)).cause(cause))
}

/// The services whose images are pulled before a start: those that are not on the host, and those that the project would
/// have pulled whenever a service starts. What is built here is left to the build.
pub(crate) async fn to_pull<'a>(
    remote: &Remote<'_>,
    services: &'a [Service],
    limits: &Limits,
) -> Result<Vec<&'a Service>, Failure> {
    let mut foreign: Vec<&Service> = services.iter().collect();
    foreign.retain(|it| it.context.is_none());
    if foreign.is_empty() {
        return Ok(foreign);
    }
    let names: Vec<&str> = foreign.iter().map(|it| it.image.as_str()).collect();
    let script = compose::absent(&names);
    let deed = "look for images";
    let output = remote.script(deed, &script, Stdin::Empty, limits).await?;
    let absent = String::from_utf8_lossy(&output.stdout).into_owned();
    foreign.retain(|it| match it.pulls {
        Pulls::Always => true,
        Pulls::Missing => absent.lines().any(|name| name == it.image),
        Pulls::Never => false,
    });
    Ok(foreign)
}

/// Pulls images while what ran before still serves.
pub(crate) async fn pull(
    remote: &Remote<'_>,
    commands: &Commands<'_>,
    release: &str,
    services: &[Service],
    limits: &Limits,
) -> Result<(), Failure> {
    let due = to_pull(remote, services, limits).await?;
    let due: Vec<String> = due.into_iter().map(|it| it.name.clone()).collect();
    let Some(pull) = commands.pull(release, &due).filter(|_| !due.is_empty()) else {
        return Ok(());
    };
    remote.timings.begin("pull");
    let deed = format!("pull the images of release {release}");
    remote.command(&pull, &deed, limits).await
}

/// Writes down which images a release runs, and keeps them.
pub(crate) async fn keep(
    remote: &Remote<'_>,
    commands: &Commands<'_>,
    release: &str,
    images: compose::Of<'_>,
    limits: &Limits,
) -> Result<(), Failure> {
    let Some(project) = commands.project() else {
        return Ok(());
    };
    let script = compose::keep(&remote.settings.paths, project, release, images);
    let deed = "keep the images of the release";
    remote.run_script(deed, &script, limits).await
}

/// Gives the images that a release ran their names back. Gives the services whose images are gone and can be built again.
pub(super) async fn recall(
    remote: &Remote<'_>,
    services: &[Service],
    release: &str,
    limits: &Limits,
) -> Result<Vec<String>, Failure> {
    let built = services.iter().filter(|service| service.context.is_some());
    let names: Vec<&str> = built.map(|service| service.image.as_str()).collect();
    let script = compose::recall(&remote.settings.paths, release, &names);
    let script = compose::logged_in(&remote.settings.logins, &script);
    let deed = format!("find the images of release {release}");
    let output = remote.script(&deed, &script, Stdin::Empty, limits).await?;
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    for line in told.lines() {
        match line.split_once(' ').unwrap_or((line, "")) {
            ("pulled", name) => tracing::warn!(
                "the image {name} of release {release} was gone from the host: it was pulled again, by its digest"
            ),
            ("unknown", _) if names.len() < services.len() => tracing::warn!(
                "which images release {release} ran was not written down by the version that deployed it: an image that is not built here is what its name leads to now"
            ),
            _ => {}
        }
    }
    without(&told, services, release)
}

/// The services whose images are gone, of those that are built.
fn without(told: &str, services: &[Service], release: &str) -> Result<Vec<String>, Failure> {
    let mut again = Vec::new();
    for name in told.lines().filter_map(|line| line.strip_prefix("gone ")) {
        let mut of_it = services.iter().filter(|service| service.image == name);
        match of_it.find(|service| service.context.is_some()) {
            Some(service) => {
                tracing::warn!(
                    "the image {name} of release {release} is gone from the host: it is built again, from the files of that release"
                );
                again.push(service.name.clone());
            }
            None => return Err(image_is_gone(name, release)),
        }
    }
    Ok(again)
}

fn image_is_gone(name: &str, release: &str) -> Failure {
    Failure::failed(format!("cannot start release {release} with the images that it ran"))
        .cause(format!(
            "the image {name} that it ran is gone from the host, and has no digest in a registry to pull it by"
        ))
        .hint("deploy the application with an image that is there instead")
}

/// Refuses a release that ran images which cannot be had again.
pub(crate) async fn are_there(
    remote: &Remote<'_>,
    commands: &Commands<'_>,
    release: &str,
    limits: &Limits,
) -> Result<(), Failure> {
    if commands.project().is_none() {
        return Ok(());
    }
    let script = compose::gone(&remote.settings.paths, release);
    let deed = format!("look for the images of release {release}");
    let output = remote.script(&deed, &script, Stdin::Empty, limits).await?;
    if output.stdout.is_empty() {
        return Ok(());
    }
    let services = services(remote, commands, release, limits).await?;
    without(&String::from_utf8_lossy(&output.stdout), &services, release)
        .map(drop)
        .map_err(|failure| failure.with_exit(Exit::Refused))
}
