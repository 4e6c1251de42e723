//! What Docker Compose says by its exit status.

/// What an exit status of `docker compose` means, as its source has it:
/// <https://github.com/docker/compose/blob/v2.2.3/pkg/compose/errors.go>. None where it is 1, which says nothing, or that of
/// a container.
#[must_use]
pub fn meaning(status: u32) -> Option<&'static str> {
    Some(match status {
        14 => "a file that Compose needs is not there",
        15 => "Compose cannot use what a Compose file says",
        16 => "this version of Compose does not know an option that it was given",
        17 => "an image cannot be built",
        18 => "an image cannot be pulled",
        125 => "Docker does not know the command, or did not reach its engine",
        130 => "Compose was interrupted",
        _ => return None,
    })
}
