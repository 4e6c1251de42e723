//! The tests that docs/promises.md names exist, and are tests.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The names of all tests of the workspace.
fn tests() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders =
        Vec::from(["bins", "common", "scripts", "tests"].map(|one| repository().join(one)));
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                found.extend(tests_of(&fs::read_to_string(path).unwrap()));
            }
        }
    }
    found
}

/// The names of the functions that a line such as `#[test]` or `#[tokio::test(…)]` makes tests.
fn tests_of(source: &str) -> Vec<String> {
    let marked = source.split("#[").skip(1).filter(|rest| {
        let attribute = rest.split(['(', ']']).next().unwrap_or_default();
        ["test", "tokio::test"].contains(&attribute)
    });
    marked
        .filter_map(|rest| {
            let (_, name) = rest.split_once("fn ")?;
            Some(name.split('(').next()?.to_owned())
        })
        .collect()
}

#[test]
fn every_promise_names_tests_that_exist() {
    let page = fs::read_to_string(repository().join("docs/promises.md")).unwrap();
    let (_, block) = page.split_once("<!-- checked:promises -->").unwrap();
    let (block, _) = block.split_once("<!-- end:promises -->").unwrap();
    let known = tests();
    let rows: Vec<&str> = block
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| promise |"))
        .collect();
    assert!(rows.len() >= 20, "{block}");
    for row in rows {
        let (promise, named) = row.trim_matches('|').split_once('|').unwrap();
        let named: Vec<&str> = named.split('`').skip(1).step_by(2).collect();
        assert!(!named.is_empty(), "no test for: {promise}");
        for name in named {
            assert!(known.contains(name), "{promise}: there is no test {name}");
        }
    }
}
