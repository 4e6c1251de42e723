//! In-place: moving the target folder from one release's files to another's.

use std::collections::BTreeSet;

use action::exit::Exit;
use action::failure::Failure;
use action::wait::Limits;
use bundle::manifest::Kind;

use crate::release::scripts;
use crate::remote::Remote;
use crate::sync::Tree;
use crate::sync::upload::null_separated;
use ssh::Stdin as Input;

/// What has to be done with the target folder. Pure.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Moves {
    /// Paths that come and were nobody's of ours: what is there now is kept aside.
    pub new: Vec<String>,
    /// Files and links that go.
    pub remove: Vec<String>,
    /// Folders that may be empty then, the deepest first.
    pub fold: Vec<String>,
    /// Paths that are copied from the release's own folder.
    pub place: Vec<String>,
}

/// What leads from `from`, everything that we may have put there, to `to`. `altered` paths are placed
/// although they are the same in both.
#[must_use]
pub fn moves(from: &Tree, to: &Tree, altered: &BTreeSet<String>) -> Moves {
    let is_of_another_sort = |path: &str, kind: &Kind| {
        to.get(path)
            .is_none_or(|wanted| std::mem::discriminant(wanted) != std::mem::discriminant(kind))
    };
    let mut moves = Moves::default();
    let mut folders = BTreeSet::new();
    for (path, kind) in from {
        if !is_of_another_sort(path, kind) {
            continue;
        }
        if *kind == Kind::EmptyDir {
            folders.insert(path.clone());
        } else {
            moves.remove.push(path.clone());
        }
        let mut above = path.as_str();
        while let Some((folder, _)) = above.rsplit_once('/') {
            folders.insert(folder.to_owned());
            above = folder;
        }
    }
    moves.fold = folders.into_iter().collect();
    moves
        .fold
        .sort_by_key(|folder| std::cmp::Reverse(folder.matches('/').count()));
    for (path, kind) in to {
        if from.get(path) != Some(kind) || altered.contains(path) {
            moves.place.push(path.clone());
        }
        if !from.contains_key(path) {
            moves.new.push(path.clone());
        }
    }
    moves
}

/// Moves the target folder to `to`, and has it verified. Gives the stamp of what was verified.
///
/// # Errors
/// When the host cannot do it, holds something else then, or the lock is lost. Running it again goes on.
pub async fn put(
    remote: &Remote<'_>,
    release: &str,
    (from, to, altered): (&Tree, &Tree, &BTreeSet<String>),
    limits: &Limits,
) -> Result<String, Failure> {
    let paths = &remote.settings.paths;
    let moves = moves(from, to, altered);
    let list = |paths: &[String]| null_separated(paths.iter().map(String::as_str));
    let deed = format!("put release {release} into place");
    let everything = list(&moves.new);
    // Also where nothing is new: it writes down what is about to be placed.
    let first = if everything.is_empty() {
        b"./\0".to_vec()
    } else {
        everything
    };
    for (script, input) in [
        (scripts::keep_replaced(paths, release), first),
        (scripts::remove_files(paths), list(&moves.remove)),
        (scripts::remove_folders(paths), list(&moves.fold)),
    ] {
        remote.with_paths(&deed, &script, input, limits).await?;
    }
    let script = scripts::place(paths, release);
    let placed = remote.with_paths(&deed, &script, list(&moves.place), limits);
    if let Err(failure) = placed.await {
        return Err(explained(remote, failure, &needed(&moves.place, to), limits).await);
    }
    remote.verify_live(release, to, limits).await
}

/// What must not be something else where these paths are placed: each of them, and the folders above, which end in a
/// slash.
fn needed(place: &[String], to: &Tree) -> BTreeSet<String> {
    let mut needed = BTreeSet::new();
    for path in place {
        needed.insert(match to.get(path) {
            Some(Kind::EmptyDir) => format!("{path}/"),
            _ => path.clone(),
        });
        let mut above = path.as_str();
        while let Some((folder, _)) = above.rsplit_once('/') {
            needed.insert(format!("{folder}/"));
            above = folder;
        }
    }
    needed
}

/// How many of the things that are in the way a hint names.
const SHOWN: usize = 5;

/// Adds to a failure to place files what is in the way: all that is ours was removed before.
async fn explained(
    remote: &Remote<'_>,
    failure: Failure,
    needed: &BTreeSet<String>,
    limits: &Limits,
) -> Failure {
    if failure.exit() != Exit::Failed {
        return failure;
    }
    let paths = &remote.settings.paths;
    let script = scripts::find_in_the_way(paths);
    let input = Input::Bytes(null_separated(needed.iter().map(String::as_str)));
    let Ok(found) = remote
        .script("see what is in the way", &script, input, limits)
        .await
    else {
        return failure;
    };
    let found: Vec<String> = found
        .stdout
        .split(|byte| *byte == 0)
        .filter_map(|path| path.strip_prefix(b"./"))
        .take(SHOWN)
        .map(|path| format!("`{}`", String::from_utf8_lossy(path).escape_debug()))
        .collect();
    if found.is_empty() {
        return failure;
    }
    failure.hint(format!(
        "in the way in {} is what no earlier deployment put there: {}; move it away, or leave out of the application what is to lie there",
        paths.target,
        found.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::{Moves, moves, needed};
    use crate::sync::Tree;
    use bundle::digest::Digest;
    use bundle::manifest::{Kind, Mode};
    use std::collections::BTreeSet;

    fn tree(entries: &[(&str, Option<&str>)]) -> Tree {
        entries
            .iter()
            .map(|(path, content)| {
                let kind = content.map_or(Kind::EmptyDir, |content| Kind::File {
                    mode: Mode::Plain,
                    size: content.len() as u64,
                    sha256: Digest::of(content.as_bytes()),
                });
                ((*path).to_owned(), kind)
            })
            .collect()
    }

    #[test]
    fn only_what_differs_moves_and_only_ours_goes() {
        let from = tree(&[
            ("same", Some("1")),
            ("edited", Some("1")),
            ("a/b/gone", Some("1")),
            ("file-to-folder", Some("1")),
            ("folder-to-file/x", Some("1")),
            ("empty", None),
        ]);
        let to = tree(&[
            ("same", Some("1")),
            ("edited", Some("2")),
            ("file-to-folder/x", Some("1")),
            ("folder-to-file", Some("1")),
            ("new", Some("1")),
        ]);
        let strings = |paths: &[&str]| paths.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(
            moves(&from, &to, &BTreeSet::new()),
            Moves {
                new: strings(&["file-to-folder/x", "folder-to-file", "new"]),
                remove: strings(&["a/b/gone", "file-to-folder", "folder-to-file/x"]),
                fold: strings(&["a/b", "a", "empty", "folder-to-file"]),
                place: strings(&["edited", "file-to-folder/x", "folder-to-file", "new"]),
            }
        );
        let place = strings(&["a/b/c", "empty"]);
        assert_eq!(
            needed(&place, &tree(&[("a/b/c", Some("1")), ("empty", None)])),
            BTreeSet::from_iter(strings(&["a/", "a/b/", "a/b/c", "empty/"]))
        );
        let altered = BTreeSet::from(["same".to_owned()]);
        assert_eq!(moves(&to, &to, &altered).place, ["same"]);
        assert_eq!(moves(&to, &to, &BTreeSet::new()), Moves::default());
    }
}
