//! Names of Compose projects that follow from the target folder.

/// The target's last part as the name of a Compose project.
pub(crate) fn last_part(target: &str) -> String {
    project_of(target.rsplit('/').next().unwrap_or_default())
}

/// All parts of the target as the name of a Compose project.
pub(crate) fn whole_path(target: &str) -> String {
    project_of(target)
}

/// A text reduced to what Compose takes for a project's name.
fn project_of(text: &str) -> String {
    let name: String = text
        .to_ascii_lowercase()
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') {
                c
            } else {
                '-'
            }
        })
        .collect();
    let name = name.trim_start_matches(['-', '_']);
    if name.is_empty() {
        "app".to_owned()
    } else {
        name.to_owned()
    }
}
