//! The catalogue of rules: every one has an example that breaks it and one that keeps it, and the page
//! shows them.

use std::collections::BTreeSet;

use contract::check::Report;
use contract::rule::{self, Example, Shown};
use contract::rules;

use crate::{check, lines, world};

/// `⟨N × text⟩` in an example stands for that much of it.
fn expand(text: &str) -> String {
    let Some((before, rest)) = text.split_once('⟨') else {
        return text.to_owned();
    };
    let (inner, after) = rest.split_once('⟩').expect("closed");
    let (count, unit) = inner.split_once(" × ").expect("a count");
    let count: usize = count.parse().expect("a number");
    let repeated: String = (0..count)
        .map(|at| unit.replace('№', &at.to_string()))
        .collect();
    format!("{before}{repeated}{}", expand(after))
}

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
    for example in rules::examples() {
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
    for example in rules::examples() {
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
        assert!(rule.shown().is_some(), "{} has no example", rule.code);
    }
    for example in rules::examples() {
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
        match rule.shown() {
            Some(Shown::Example(example)) => {
                text.push_str(&shown("Fails", example, example.failing));
                text.push_str(&shown("Passes", example, example.passing));
            }
            Some(Shown::Words { fails, passes }) => {
                text.push_str(&format!("Fails: {fails}.\n\nPasses: {passes}.\n\n"));
            }
            None => {}
        }
    }
    harness::page::check_block(path, "rules", &text);
}

fn linked(source: &str) -> String {
    match source.split_once(' ') {
        _ if !source.starts_with("https://") => source.to_owned(),
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
    let (excerpt, without) = example.excerpt(text);
    let preposition = if without { ", without" } else { ":" };
    format!(
        "{word}, in `{}`{preposition}\n\n```{language}\n{excerpt}\n```\n\n",
        example.file
    )
}

#[test]
fn what_explains_a_rule_holds_what_its_page_holds() {
    let rule = rule::by_word("unknown-namespace").unwrap();
    assert_eq!(rule, rule::by_word("p201").unwrap());
    let text = rule.explained();
    for part in [
        "P201 unknown-namespace (error)\n",
        rule.summary,
        rule.fix,
        rule.source,
        "Fails, in pipeline.yml:\n\n    ParameterOverrides:",
        "Passes, in pipeline.yml:\n\n    ParameterOverrides:",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    for rule in rule::all() {
        let text = rule.explained();
        assert!(
            text.contains("\nFails") && text.contains("\nPasses"),
            "{text}"
        );
    }
    let unknown = rule::by_word("P2033").unwrap_err();
    assert!(unknown.contains("did you mean P203?"), "{unknown}");
}
