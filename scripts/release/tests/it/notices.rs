//! `THIRD-PARTY-NOTICES.md` names exactly the crates that `Cargo.lock` links: those of the programs, and
//! the few of this tool and the harness that come along.

use std::collections::BTreeSet;
use std::process::Command;

use crate::repository;

/// `NAME VERSION` of every crate of others that is linked on `target`, as cargo resolves it.
fn linked(target: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(
            "tree --workspace --edges normal --prefix none --locked --offline --target".split(' '),
        )
        .arg(target)
        .current_dir(repository())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let ours = |line: &&str| line.is_empty() || line.contains("(/");
    let lines = text.lines().filter(|line| !ours(line));
    lines
        .map(|line| {
            let mut words = line.split(' ');
            let (name, version) = (words.next().unwrap(), words.next().unwrap());
            format!("{name} {}", version.trim_start_matches('v'))
        })
        .collect()
}

/// `- NAME VERSION, <URL>`, the lines of `scripts/notices.hbs`.
fn noticed() -> BTreeSet<String> {
    let notices = std::fs::read_to_string(repository().join("THIRD-PARTY-NOTICES.md")).unwrap();
    let entry = |line: &str| {
        let mut words = line.strip_prefix("- ")?.split(' ');
        let (name, version) = (words.next()?, words.next()?.trim_end_matches(','));
        let crates = version.starts_with(|first: char| first.is_ascii_digit());
        crates.then(|| format!("{name} {version}"))
    };
    notices.lines().filter_map(entry).collect()
}

#[test]
fn the_notices_are_those_of_the_lock_file() {
    let targets = ["x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl"];
    let linked: BTreeSet<String> = targets.into_iter().flat_map(linked).collect();
    assert!(linked.len() > 100, "{linked:?}");
    let noticed = noticed();
    let missing: Vec<_> = linked.difference(&noticed).collect();
    let left_over: Vec<_> = noticed.difference(&linked).collect();
    assert!(
        missing.is_empty() && left_over.is_empty(),
        "run scripts/notices; without a notice: {missing:?}; not linked any more: {left_over:?}"
    );
}

#[test]
fn what_is_linked_without_cargo_has_its_notice_too() {
    let notices = std::fs::read_to_string(repository().join("THIRD-PARTY-NOTICES.md")).unwrap();
    for text in [
        "## musl",
        "Rich Felker",
        "## LLVM libunwind",
        "standard library (The Rust Project Contributors",
    ] {
        assert!(notices.contains(text), "{text}");
    }
}
