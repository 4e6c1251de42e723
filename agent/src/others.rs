//! Agents of other versions of deploy-app, which lie beside this one.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// One that was put there since may be about to be started, by another version that deploys just now.
const OLD: Duration = Duration::from_secs(3600);

/// Removes those beside this program that are old. One that runs needs its file no more.
pub(crate) fn remove_old() {
    if let Ok(own) = std::env::current_exe() {
        remove_beside(&own, SystemTime::now());
    }
}

fn remove_beside(own: &Path, now: SystemTime) {
    let entries = own.parent().and_then(|folder| fs::read_dir(folder).ok());
    for entry in entries.into_iter().flatten().flatten() {
        let is_agent = entry.file_name().to_str().is_some_and(is_agent);
        let put = entry.metadata().and_then(|found| found.modified()).ok();
        let age = put.and_then(|put| now.duration_since(put).ok());
        if is_agent && entry.path() != own && age.is_some_and(|age| age > OLD) {
            // Whoever comes next tries again.
            drop(fs::remove_file(entry.path()));
        }
    }
}

/// Whether a file has the name of an agent, or of one that did not arrive whole: deploy-app's `host/agent/bootstrap` gives
/// these names. Whatever else a user keeps there stays.
fn is_agent(name: &str) -> bool {
    let is_digest = |name: &str| {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        name.len() == 64 && name.bytes().all(is_digit)
    };
    let number = name.strip_prefix(".new.").or(name.strip_prefix("once."));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_digest(name) || number.is_some_and(is_number)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::{OLD, remove_beside};
    use std::time::{Duration, SystemTime};

    #[test]
    fn old_agents_go_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let digest = |digit: &str| digit.repeat(64);
        let stays = [
            "deploy",
            "abc",
            "once.sh",
            ".new.",
            ".profile",
            &digest("g"),
        ];
        let goes = [
            digest("0"),
            digest("f"),
            ".new.17".to_owned(),
            "once.4".to_owned(),
        ];
        for name in stays.into_iter().chain(goes.iter().map(String::as_str)) {
            std::fs::write(path(name), "").unwrap();
        }
        let own = path(&digest("a"));
        std::fs::write(&own, "").unwrap();
        let there = || std::fs::read_dir(folder.path()).unwrap().count();
        let now = SystemTime::now();
        remove_beside(&own, now);
        assert_eq!(there(), stays.len() + goes.len() + 1, "they are new");
        remove_beside(&own, now + OLD + Duration::from_secs(1));
        assert_eq!(there(), stays.len() + 1);
        assert!(own.exists() && stays.iter().all(|name| path(name).exists()));
    }
}
