//! Any tree and any edits.

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use bundle::names::bytes;
use proptest::prelude::*;

use super::host::{Target, name as release};
use crate::Layout;

/// One edit of a random tree.
#[derive(Debug, Clone)]
pub(super) enum Edit {
    Write(String, Vec<u8>, u32),
    Link(String, String),
    Folder(String),
    Remove(String),
}

/// Names as text, see [`bytes`].
pub(super) fn name() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        "[a-c]",
        Just("-n".to_owned()),
        Just("with blank".to_owned()),
        Just("back\\slash".to_owned()),
        Just("quote'\"$x".to_owned()),
        Just("ünïcode".to_owned()),
        Just("*".to_owned()),
        Just("new\nline".to_owned()),
        Just("tab\tand\rreturn".to_owned()),
        Just(bytes::to_text(std::ffi::OsStr::from_bytes(b"l\xe4tin"))),
        Just("l".repeat(200)),
        Just("m".repeat(255)),
    ];
    proptest::collection::vec(part, 1..3).prop_map(|parts| parts.join("/"))
}

pub(super) fn mode() -> impl Strategy<Value = u32> {
    proptest::sample::select(vec![0o644, 0o755, 0o600, 0o700, 0o640])
}

pub(super) fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let edit = prop_oneof![
        4 => (name(), proptest::collection::vec(any::<u8>(), 0..40), mode()).prop_map(|(n, c, mode)| Edit::Write(n, c, mode)),
        1 => (name(), prop_oneof![Just("a".to_owned()), Just("./a/../b".to_owned()), Just("z".repeat(150)), Just("line\nfeed\n".to_owned())]).prop_map(|(n, t)| Edit::Link(n, t)),
        1 => name().prop_map(Edit::Folder),
        1 => name().prop_map(Edit::Remove),
    ];
    proptest::collection::vec(edit, 1..12)
}

/// Applies an edit where the tree allows it; a name below a file does not.
pub(super) fn apply(root: &Path, edit: &Edit) {
    use std::os::unix::fs::PermissionsExt as _;
    let (Edit::Write(name, ..) | Edit::Link(name, _) | Edit::Folder(name) | Edit::Remove(name)) =
        edit;
    let path = root.join(bytes::to_path(name));
    if std::fs::create_dir_all(path.parent().unwrap()).is_err() {
        return;
    }
    if std::fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir()) {
        std::fs::remove_dir_all(&path).unwrap();
    } else if std::fs::symlink_metadata(&path).is_ok() {
        std::fs::remove_file(&path).unwrap();
    }
    match edit {
        Edit::Write(_, content, mode) => {
            std::fs::write(&path, content).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(*mode)).unwrap();
        }
        Edit::Link(name, target) => {
            // Only links that stay inside and lead nowhere else travel; others are refused earlier.
            if bundle::names::link_stays_inside(name, target) {
                std::os::unix::fs::symlink(target, &path).unwrap();
            }
        }
        Edit::Folder(_) => std::fs::create_dir_all(&path).unwrap(),
        Edit::Remove(_) => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Any tree, then any edits of it, arrive with content, mode and links, and nothing else, in
    /// either layout.
    #[test]
    fn released_trees_equal_their_sources(first in edits(), second in edits(), in_place in any::<bool>()) {
        let source = tempfile::tempdir().unwrap();
        let mut target = Target::new(if in_place { Layout::InPlace } else { Layout::Releases });
        std::fs::write(source.path().join("always"), "there").unwrap();
        let mut before = None;
        for (round, edits) in [first, second, Vec::new()].iter().enumerate() {
            for edit in edits {
                apply(source.path(), edit);
            }
            let (wanted, found) = target.release(source.path(), &release(round));
            // An edit may change nothing, such as removing what is not there.
            let unchanged = before.as_ref() == Some(&wanted);
            prop_assert_eq!(found.is_empty(), unchanged, "{:?}", found);
            prop_assert!(unchanged || !edits.is_empty() || round == 0);
            prop_assert_eq!(&target.live(), &wanted);
            before = Some(wanted);
        }
    }
}
