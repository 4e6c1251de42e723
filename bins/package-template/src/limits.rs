//! What an archive may hold, and what to do about what it may not.

use std::collections::BTreeSet;

use action::export::quote::posix;
use bundle::tree::{TreeError, Why};

/// The largest input artifact of a CloudFormation action, in bytes; AWS says "256 MB", and this is
/// the smaller reading (CodePipeline user guide, "Quotas").
pub(crate) const MAX_ARCHIVE: u64 = 256_000_000;

/// How many names a hint repeats.
const EXCLUDES_SHOWN: usize = 3;

/// What to do when a source, or a folder that a template names, cannot be read into an archive.
pub(crate) fn hint_for(error: &TreeError) -> String {
    let refusals = match error {
        TreeError::Refused(refusals) => refusals.all(),
        TreeError::Read { .. } => {
            return "paths are relative to the folder the program runs in".to_owned();
        }
        TreeError::Walk { .. } => {
            return "look at the folder, and at the ignore file in it".to_owned();
        }
        TreeError::Empty { .. } => return "name the template, and files that exist".to_owned(),
    };
    let is_secret = |why: &Why| matches!(why, Why::PrivateKey { .. } | Why::EnvFile);
    let unwanted = refusals
        .iter()
        .filter(|refusal| is_secret(&refusal.why) || refusal.why == Why::Litter);
    let names: BTreeSet<&str> = unwanted
        .filter_map(|refusal| refusal.path.file_name()?.to_str())
        .collect();
    let mut flags: Vec<String> = names
        .iter()
        .take(EXCLUDES_SHOWN)
        .map(|name| format!("--exclude {}", word(name)))
        .collect();
    if flags.is_empty() {
        return "rename the files, or leave them out with --exclude".to_owned();
    }
    if names.len() > EXCLUDES_SHOWN {
        flags.push("…".to_owned());
    }
    let secret = if refusals.iter().any(|refusal| is_secret(&refusal.why)) {
        "whoever can read the artifact can read a secret in it; "
    } else {
        ""
    };
    format!(
        "{secret}leave out of folders what does not belong there: {} (PACKAGE_TEMPLATE_EXCLUDE, one a line), or an ignore file (--ignore-file)",
        flags.join(" ")
    )
}

/// A name as a shell takes it.
fn word(name: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if name.chars().all(is_plain) {
        name.to_owned()
    } else {
        posix(name)
    }
}
