//! Checking paths, here and on the host.

use std::collections::BTreeMap;
use std::path::Path;

use action::settings::faults::Faults;
use action::settings::given::Given;
use action::settings::value::Lines;

use super::key_source::KeySource;

/// What is shipped is there, and the key of the deployment is no part of it.
pub(super) fn shipped(faults: &mut Faults, source: &Path, ssh_key: Option<&KeySource>) {
    let shown = source.display();
    if !source.is_dir() {
        faults.of("source", format!("`{shown}` is not a folder"));
    }
    if let Some(KeySource::File { path, .. }) = ssh_key
        && is_inside(path, source)
    {
        let key = path.display();
        faults.of(
            "ssh_key",
            format!(
                "`{key}` lies inside the application `{shown}`; a private key must never be shipped"
            ),
        );
    }
}

fn is_inside(path: &Path, folder: &Path) -> bool {
    match (path.canonicalize(), folder.canonicalize()) {
        (Ok(path), Ok(folder)) => path.starts_with(folder),
        _ => false,
    }
}

pub(super) fn target(faults: &mut Faults, given: Given<String>) -> Option<String> {
    let target = faults.required("target", given)?;
    let trimmed = target.trim_end_matches('/');
    let parts: Vec<&str> = trimmed.split('/').skip(1).collect();
    let is_good = trimmed.starts_with('/')
        && !trimmed.contains(char::is_control)
        && parts
            .iter()
            .all(|part| !part.is_empty() && !matches!(*part, "." | ".."));
    if !is_good {
        faults.of(
            "target",
            format!("{target:?} is not an absolute path of a folder of its own"),
        );
        return None;
    }
    Some(trimmed.to_owned())
}

/// Paths relative to the application, also as a Compose file writes them (`./data`), and whether each was written with
/// a slash at its end.
pub(super) fn paths_below(
    faults: &mut Faults,
    field: &str,
    given: Given<Lines>,
) -> BTreeMap<String, bool> {
    let lines = faults.optional(field, given).unwrap_or_default().0;
    let mut paths = BTreeMap::new();
    for line in lines {
        let path = line.trim_start_matches("./").trim_end_matches('/');
        match bundle::names::check(path, bundle::names::Names::Unix) {
            Ok(()) => drop(paths.insert(path.to_owned(), line.ends_with('/'))),
            Err(fault) => faults.of(
                field,
                format!("`{line}` {fault}; write paths relative to the application"),
            ),
        }
    }
    paths
}

/// The same; the whole application (`.`) becomes the empty path.
pub(super) fn ephemeral(faults: &mut Faults, given: Given<Lines>) -> Vec<String> {
    let mut lines = faults.optional("ephemeral", given).unwrap_or_default();
    let all = lines.0.len();
    lines.0.retain(|line| !matches!(line.as_str(), "." | "./"));
    let whole = (lines.0.len() < all).then(String::new);
    let below = paths_below(faults, "ephemeral", Given::Value(lines));
    whole.into_iter().chain(below.into_keys()).collect()
}

pub(super) fn host_path(faults: &mut Faults, given: Given<String>) -> Option<String> {
    let path = faults.optional("host_path", given)?;
    let is_good = |folder: &str| folder.starts_with('/') && !folder.chars().any(char::is_control);
    if !path.split(':').all(is_good) {
        faults.of(
            "host_path",
            format!("{path:?} is not a list of absolute paths with colons between them"),
        );
    }
    Some(path)
}

/// The host's own names only: what the folder is there is not known here.
pub(super) fn agent_dir(faults: &mut Faults, given: Given<String>) -> Option<String> {
    let folder = faults.optional("agent_dir", given)?;
    if !folder.starts_with('/') || folder.chars().any(char::is_control) {
        faults.of(
            "agent_dir",
            format!("{folder:?} is not an absolute path of a folder on the host"),
        );
    }
    Some(folder)
}
