//! The exports of a program, as its export file has them.

use action::env_file::{self, Dialect};
use std::collections::BTreeMap;
use std::path::Path;

/// Reads an export file; nothing where there is none, or where it is not one.
pub(crate) fn read(file: &Path) -> Option<BTreeMap<String, String>> {
    let bytes = std::fs::read(file).ok()?;
    let all = env_file::parse(&bytes, Dialect::Sh, |_| None).ok()?;
    Some(all.into_iter().map(|one| (one.name, one.value)).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::read;
    use action::export::Exports;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_a_program_exports_is_read_back(value in "[^\0]{0,60}") {
            let mut exports = Exports::new();
            exports.add("VALUE", &value).unwrap();
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("exports");
            std::fs::write(&file, exports.to_shell()).unwrap();
            let found = read(&file).unwrap();
            prop_assert_eq!(found.get("VALUE"), Some(&value));
        }
    }

    #[test]
    fn no_file_is_no_exports() {
        assert_eq!(read(std::path::Path::new("/nowhere/exports")), None);
    }
}
