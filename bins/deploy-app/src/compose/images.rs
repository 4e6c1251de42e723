//! The scripts about the images of a project: each release keeps its own.

use super::Service;
use crate::host::ssh::quote;

/// The name under which a release's image is kept: the image's own, with the release for a tag.
#[must_use]
pub fn kept_name(image: &str, release: &str) -> String {
    let folder = image.rfind('/').map_or(0, |at| at + 1);
    let end = image[folder..]
        .find([':', '@'])
        .map_or(image.len(), |at| folder + at);
    format!("{}:deploy-{release}", &image[..end])
}

/// Keeps the images that were just built for a release, so that going back to it needs no build.
#[must_use]
pub fn keep_images(services: &[Service], release: &str) -> String {
    let tags: Vec<String> = built(services)
        .map(|service| {
            format!(
                "docker image tag {} {}",
                quote(&service.image),
                quote(&kept_name(&service.image, release))
            )
        })
        .collect();
    tags.join(" && ")
}

/// Gives a release's kept images their own names back; fails when one is gone.
#[must_use]
pub fn recall_images(services: &[Service], release: &str) -> String {
    let tags: Vec<String> = built(services)
        .map(|service| {
            let kept = quote(&kept_name(&service.image, release));
            format!(
                "docker image inspect {kept} >/dev/null 2>&1 && docker image tag {kept} {}",
                quote(&service.image)
            )
        })
        .collect();
    if tags.is_empty() {
        "true".to_owned()
    } else {
        tags.join(" && ")
    }
}

fn built(services: &[Service]) -> impl Iterator<Item = &Service> {
    services.iter().filter(|service| service.context.is_some())
}

/// Removes the kept images of these releases.
#[must_use]
pub fn remove_images(project: &str, releases: &[String]) -> String {
    format!(
        r#"gone={gone}; docker image ls --filter label=com.docker.compose.project={project} --format '{{{{.Repository}}}}:{{{{.Tag}}}}' | while read -r i; do
case $i in *:deploy-*) case $gone in *" ${{i##*:deploy-}} "*) docker image rm "$i" >/dev/null;; esac;; esac; done"#,
        gone = quote(&format!(" {} ", releases.join(" "))),
    )
}

/// Removes kept images of releases that are not there any more, and what the project's builds left
/// without a name. Images of anybody else are not looked at.
#[must_use]
pub fn prune_images(project: &str, releases: &[String]) -> String {
    format!(
        r#"keep={keep}; docker image ls --filter label=com.docker.compose.project={project} --format '{{{{.Repository}}}}:{{{{.Tag}}}}' | while read -r i; do
case $i in *:deploy-*) case $keep in *" ${{i##*:deploy-}} "*) ;; *) docker image rm "$i" >/dev/null;; esac;; esac; done
docker image prune -f --filter label=com.docker.compose.project={project} >/dev/null"#,
        keep = quote(&format!(" {} ", releases.join(" "))),
    )
}

#[cfg(test)]
mod tests {
    use super::kept_name;

    #[test]
    fn kept_images_carry_the_release_for_a_tag() {
        for (image, kept) in [
            ("app-api", "app-api:deploy-r"),
            ("me/app:latest", "me/app:deploy-r"),
            ("host:5000/app", "host:5000/app:deploy-r"),
            ("host:5000/app:1", "host:5000/app:deploy-r"),
        ] {
            assert_eq!(kept_name(image, "r"), kept);
        }
    }
}
