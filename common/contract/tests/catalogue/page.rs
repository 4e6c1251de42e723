//! The catalogue of rules: every one has an example that breaks it and one that keeps it, and the page
//! shows them.

use std::collections::BTreeSet;

use contract::check::Report;
use contract::rule::{self, Example};

use crate::examples::{self, expand};
use crate::{check, lines, world};

/// Rules that no example of this world can break, with what breaks and what keeps them, and the tests that
/// show it.
const ELSEWHERE: [(&str, &str, &str); 2] = [
    // Only an evaluation that knows every value gives up: contract's evaluate tests.
    (
        "T202",
        "`S3ObjectKey: !Select [5, [a.zip, b.zip]]`, where the value is needed",
        "`S3ObjectKey: !Select [1, [a.zip, b.zip]]`",
    ),
    // It needs a disk: package-template's references tests.
    (
        "T303",
        "`TemplateURL: missing.yml` beside no such file",
        "`TemplateURL: nested.yml` beside `nested.yml`",
    ),
];

fn changed(example: &Example, text: &str) -> Report {
    let mut files = world();
    let file = files.get_mut(example.file).unwrap();
    let count = file.matches(example.at).count();
    assert_eq!(
        count, 1,
        "{}: {:?} in {}",
        example.code, example.at, example.file
    );
    *file = file.replace(example.at, &expand(text));
    check(&files)
}

#[test]
fn every_failing_example_breaks_its_rule_at_a_place() {
    for example in examples::all() {
        let report = changed(example, example.failing);
        let found = report
            .findings
            .iter()
            .find(|one| one.rule.code == example.code);
        let Some(found) = found else {
            panic!("{}: {:#?}", example.code, lines(&report));
        };
        assert!(
            report.texts.contains_key(&found.file),
            "{}: {}",
            example.code,
            found.file
        );
        // What is about the whole file has no place in it.
        let whole = matches!(example.code, "T101" | "T102");
        assert!(
            whole || found.place.is_some_and(|place| place.line > 0),
            "{}",
            example.code
        );
    }
}

#[test]
fn every_passing_example_keeps_all_rules() {
    for example in examples::all() {
        let report = changed(example, example.passing);
        assert_eq!(lines(&report), [] as [&str; 0], "{}", example.code);
    }
}

#[test]
fn every_rule_is_in_the_catalogue_once() {
    let mut codes = BTreeSet::new();
    let mut names = BTreeSet::new();
    for rule in rule::all() {
        assert!(codes.insert(rule.code), "{} twice", rule.code);
        assert!(names.insert(rule.name), "{} twice", rule.name);
        assert_eq!(rule::by_code(rule.code), Some(rule));
        let shown = examples::all().any(|one| one.code == rule.code)
            || ELSEWHERE.iter().any(|(code, ..)| *code == rule.code);
        assert!(shown, "{} has no example", rule.code);
    }
    for example in examples::all() {
        assert!(codes.contains(example.code), "{} is no rule", example.code);
        assert_ne!(example.failing, example.passing, "{}", example.code);
    }
}

/// The references of functions, attributes and resources moved to a guide of their own, and whoever follows an old
/// link is asked to update it. What may vanish is named by its commit.
#[test]
fn sources_are_where_they_moved() {
    for rule in rule::all() {
        let old = ["intrinsic-", "aws-", "pseudo-"]
            .iter()
            .any(|page| rule.source.contains(&format!("/UserGuide/{page}")));
        assert!(!old, "{}: {}", rule.code, rule.source);
        let pinned = !rule.source.contains("codecatalyst") || rule.source.contains("/tree/e553d02");
        assert!(pinned, "{}: {}", rule.code, rule.source);
    }
}

#[test]
fn the_page_shows_the_catalogue() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/RULES.md");
    let mut text = String::from("| code | name | severity | what is wrong |\n|---|---|---|---|\n");
    for rule in rule::all() {
        text.push_str(&format!(
            "| [{0}](#{1}) | {2} | {3} | {4} |\n",
            rule.code,
            rule.code.to_lowercase(),
            rule.name,
            rule.severity.word(),
            rule.summary.replace('|', "\\|")
        ));
    }
    harness::page::check_block(path, "table", &text);
    let mut text = String::new();
    for rule in rule::all() {
        text.push_str(&format!(
            "### {}\n\n**{}** ({}). {}\n\nFix: {}. Source: {}.\n\n",
            rule.code,
            rule.name,
            rule.severity.word(),
            rule.summary,
            rule.fix,
            linked(rule.source)
        ));
        match examples::all().find(|one| one.code == rule.code) {
            Some(example) => {
                text.push_str(&shown("Fails", example, example.failing));
                text.push_str(&shown("Passes", example, example.passing));
            }
            None => {
                let (_, fails, passes) = ELSEWHERE
                    .iter()
                    .find(|(code, ..)| *code == rule.code)
                    .unwrap();
                text.push_str(&format!("Fails: {fails}.\n\nPasses: {passes}.\n\n"));
            }
        }
    }
    harness::page::check_block(path, "rules", &text);
}

fn linked(source: &str) -> String {
    match source.split_once(' ') {
        None => format!("<{source}>"),
        Some((url, rest)) => format!("<{url}> {rest}"),
    }
}

fn shown(word: &str, example: &Example, text: &str) -> String {
    let language = if example.file.ends_with(".json") {
        "json"
    } else {
        "yaml"
    };
    let text = text.trim_matches('\n');
    if text.trim().is_empty() {
        return format!(
            "{word}, in `{}`, without\n\n```{language}\n{}\n```\n\n",
            example.file,
            dedented(example.at)
        );
    }
    format!(
        "{word}, in `{}`:\n\n```{language}\n{}\n```\n\n",
        example.file,
        dedented(text)
    )
}

/// The lines without the indentation that all of them have.
fn dedented(text: &str) -> String {
    let text = text.trim_matches('\n');
    let indent = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.len() - line.trim_start().len())
        .min()
        .unwrap_or(0);
    text.lines()
        .map(|line| line.get(indent..).unwrap_or_default().trim_end())
        .collect::<Vec<_>>()
        .join("\n")
}
