//! Generated blocks in Markdown pages: the code writes them, the test finds them out of date.

use std::fs;
use std::path::Path;

/// Compares the text between `<!-- generated:NAME -->` and `<!-- end:NAME -->` in the page at
/// `path` with `generated`; with `UPDATE_PAGES=1` in the environment it writes it there instead.
///
/// # Panics
/// When the page or the block is missing, or when the block says something else.
#[track_caller]
pub fn check_block(path: impl AsRef<Path>, name: &str, generated: &str) {
    let path = path.as_ref();
    let page = fs::read_to_string(path)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    let (before, found, after) = split(&page, name)
        .unwrap_or_else(|| panic!("{} has no block generated:{name}", path.display()));
    let wanted = format!("\n{}\n", generated.trim_matches('\n'));
    if found == wanted {
        return;
    }
    if std::env::var_os("UPDATE_PAGES").is_some_and(|value| value == "1") {
        fs::write(path, format!("{before}{wanted}{after}"))
            .unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
        return;
    }
    panic!(
        "block {name} in {} is out of date (UPDATE_PAGES=1 rewrites it)\n--- page{found}--- code{wanted}",
        path.display()
    );
}

/// Compares the file at `path`, such as a picture, with `generated`; with `UPDATE_PAGES=1` in the environment it
/// writes it instead.
///
/// # Panics
/// When the file says something else, or cannot be written.
#[track_caller]
pub fn check_file(path: impl AsRef<Path>, generated: &str) {
    let path = path.as_ref();
    if fs::read_to_string(path).is_ok_and(|found| found == generated) {
        return;
    }
    if std::env::var_os("UPDATE_PAGES").is_some_and(|value| value == "1") {
        fs::write(path, generated)
            .unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
        return;
    }
    panic!(
        "{} is out of date (UPDATE_PAGES=1 rewrites it)",
        path.display()
    );
}

/// What stands before, within and after the block; the marks belong to the outer parts.
fn split<'a>(page: &'a str, name: &str) -> Option<(&'a str, &'a str, &'a str)> {
    let (open, close) = (
        format!("<!-- generated:{name} -->"),
        format!("<!-- end:{name} -->"),
    );
    let start = page.find(&open)? + open.len();
    let end = start + page[start..].find(&close)?;
    Some((&page[..start], &page[start..end], &page[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_found_between_its_own_marks() {
        let page = "a\n<!-- generated:t -->\nrow\n<!-- end:t -->\nb";
        let (before, found, after) = split(page, "t").unwrap();
        assert_eq!(
            (before, found, after),
            ("a\n<!-- generated:t -->", "\nrow\n", "<!-- end:t -->\nb")
        );
        assert!(split(page, "u").is_none());
    }

    #[test]
    #[should_panic(expected = "out of date")]
    fn a_block_that_differs_fails() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "<!-- generated:t -->\nold\n<!-- end:t -->").unwrap();
        check_block(file.path(), "t", "new");
    }

    #[test]
    #[should_panic(expected = "out of date")]
    fn a_file_that_differs_fails() {
        let file = tempfile::NamedTempFile::new().unwrap();
        check_file(file.path(), "new");
    }
}
