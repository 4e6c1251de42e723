//! The catalogue of rules: every one has an example that breaks it and one that keeps it, and the page
//! shows them.

use std::collections::BTreeSet;

use contract::rule::{self, Example};
use contract::rules;

#[test]
fn every_rule_is_in_the_catalogue_once() {
    let mut codes = BTreeSet::new();
    let mut names = BTreeSet::new();
    for rule in rules::ALL {
        assert!(codes.insert(rule.code), "{} twice", rule.code);
        assert!(names.insert(rule.name), "{} twice", rule.name);
        assert_eq!(rules::by_code(rule.code), Some(*rule));
        let module = include_str!("../../src/rules.rs");
        let module = module.contains(&format!("pub mod {};", rule.name.replace('-', "_")));
        assert!(module, "{} has no file of its name", rule.code);
    }
    let order = |code: &str| ("YTCPBI".find(&code[..1]), code.to_owned());
    let all: Vec<_> = rules::ALL.iter().map(|rule| order(rule.code)).collect();
    assert!(all.is_sorted(), "{all:?}");
    let modules = include_str!("../../src/rules.rs")
        .matches("\npub mod ")
        .count();
    assert_eq!(modules, rules::ALL.len(), "a rule is not listed");
}

/// The references of functions, attributes and resources moved to a guide of their own, and whoever follows an old
/// link is asked to update it. What may vanish is named by its commit.
#[test]
fn sources_are_where_they_moved() {
    for rule in rules::ALL {
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
    for rule in rules::ALL {
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
    for rule in rules::ALL {
        text.push_str(&format!(
            "### {}\n\n**{}** ({}). {}\n\nFix: {}. Source: {}.\n\n",
            rule.code,
            rule.name,
            rule.severity.word(),
            rule.summary,
            rule.fix,
            linked(rule.source)
        ));
        match &rule.example {
            Example::Change {
                file,
                at,
                failing,
                passing,
            } => {
                text.push_str(&shown("Fails", file, at, failing));
                text.push_str(&shown("Passes", file, at, passing));
            }
            Example::Words { fails, passes } => {
                text.push_str(&format!("Fails: {fails}.\n\nPasses: {passes}.\n\n"));
            }
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

fn shown(word: &str, file: &str, at: &str, text: &str) -> String {
    let language = if file.ends_with(".json") {
        "json"
    } else {
        "yaml"
    };
    let (excerpt, without) = rule::excerpt(at, text);
    let preposition = if without { ", without" } else { ":" };
    format!("{word}, in `{file}`{preposition}\n\n```{language}\n{excerpt}\n```\n\n")
}

#[test]
fn what_explains_a_rule_holds_what_its_page_holds() {
    let rule = rules::by_word("unknown-namespace").unwrap();
    assert_eq!(rule, rules::by_word("p201").unwrap());
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
    for rule in rules::ALL {
        let text = rule.explained();
        assert!(
            text.contains("\nFails") && text.contains("\nPasses"),
            "{text}"
        );
    }
    let unknown = rules::by_word("P2033").unwrap_err();
    assert!(unknown.contains("did you mean P203?"), "{unknown}");
}
