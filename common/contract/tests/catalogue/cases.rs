//! Each rule over the small world: its two examples, and the cases in the file of its name under `tests/rules`.
//!
//! Such a file holds what the check prints. It begins with the rule's failing example; each further case has a title
//! and, like a diff, the lines of a file of the world that others stand in place of:
//!
//! ```text
//! # a name with a blank
//! @ pipeline.yml
//! -            - Name: Bake
//! +            - Name: Bake the image
//! error: pipeline.yml:17:15: … [P005]
//! ```
//!
//! `UPDATE_PAGES=1` writes what is printed now: read it before you commit it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use contract::check::Report;
use contract::rule::{Example, Rule};
use contract::rules;

use crate::{check, lines, world};

type Files = BTreeMap<&'static str, String>;

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

fn change(files: &mut Files, name: &str, at: &str, instead: &str) {
    let (_, file) = files
        .iter_mut()
        .find(|(one, _)| **one == name)
        .unwrap_or_else(|| panic!("no file {name}"));
    assert_eq!(file.matches(at).count(), 1, "{at:?} in {name}");
    *file = file.replace(at, &expand(instead));
}

/// What is found when the rule's example stands in the world, by what is chosen of it.
fn example(rule: &Rule, passes: bool) -> Option<Report> {
    let Example::Change {
        file,
        at,
        failing,
        passing,
    } = &rule.example
    else {
        return None;
    };
    let mut files = world();
    change(&mut files, file, at, if passes { passing } else { failing });
    Some(check(&files))
}

fn cases_file(rule: &Rule) -> PathBuf {
    let name = rule.name.replace('-', "_");
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/rules/{name}.txt"))
}

#[test]
fn every_failing_example_breaks_its_rule_at_a_place() {
    for rule in rules::ALL {
        let Some(report) = example(rule, false) else {
            continue;
        };
        let found = report.findings.iter().find(|one| one.rule == *rule);
        let Some(found) = found else {
            panic!("{}: {:#?}", rule.code, lines(&report));
        };
        let code = rule.code;
        let known = report.texts.contains_key(&found.file);
        assert!(known, "{code}: {}", found.file);
        // What is about the whole file has no place in it.
        let whole = matches!(code, "T101" | "T102");
        assert!(
            whole || found.place.is_some_and(|place| place.line > 0),
            "{code}"
        );
    }
}

#[test]
fn every_passing_example_keeps_all_rules() {
    for rule in rules::ALL {
        if let Some(report) = example(rule, true) {
            assert_eq!(lines(&report), [] as [&str; 0], "{}", rule.code);
        }
    }
}

/// A case of a file: its lines up to what the check prints, and the world with its changes.
struct Case {
    head: String,
    files: Files,
}

impl Case {
    fn read(text: &str) -> Self {
        let mut case = Self {
            head: String::new(),
            files: world(),
        };
        let mut hunk: Option<(String, String, String)> = None;
        let mut apply = |hunk: &mut Option<(String, String, String)>| {
            if let Some((file, at, instead)) = hunk.take() {
                change(&mut case.files, &file, &at, &instead);
            }
        };
        for line in text.split_inclusive('\n') {
            if let Some(file) = line.strip_prefix("@ ") {
                apply(&mut hunk);
                hunk = Some((file.trim_end().to_owned(), String::new(), String::new()));
            } else if let (Some((_, at, _)), Some(rest)) = (&mut hunk, line.strip_prefix('-')) {
                at.push_str(rest);
            } else if let (Some((.., to)), Some(rest)) = (&mut hunk, line.strip_prefix('+')) {
                to.push_str(rest);
            } else if !line.starts_with("# ") {
                break;
            }
            case.head.push_str(line);
        }
        apply(&mut hunk);
        case
    }
}

fn printed(report: &Report) -> String {
    if report.findings.is_empty() {
        return "nothing\n".to_owned();
    }
    let findings = report.findings.iter();
    findings
        .map(|one| format!("{}: {}\n", one.severity.word(), one.coded()))
        .collect()
}

#[test]
fn every_rule_has_a_file_of_cases_that_says_what_is_printed() {
    let update = std::env::var_os("UPDATE_PAGES").is_some();
    let mut wrong = Vec::new();
    for rule in rules::ALL {
        let Some(report) = example(rule, false) else {
            continue;
        };
        let path = cases_file(rule);
        let text = fs::read_to_string(&path).unwrap_or_default();
        let mut now = format!(
            "# the failing example of {}\n{}",
            rule.code,
            printed(&report)
        );
        let more = text.split("\n\n").skip(1);
        for case in more.map(|text| Case::read(&format!("{}\n", text.trim_end()))) {
            let printed = printed(&check(&case.files));
            now.push_str(&format!("\n{}{printed}", case.head));
        }
        if now != text {
            wrong.push(format!("{}:\n{now}", path.display()));
            if update {
                fs::write(&path, now).unwrap();
            }
        }
    }
    assert!(
        update || wrong.is_empty(),
        "the check prints something else; UPDATE_PAGES=1 writes it:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn every_file_of_cases_is_of_a_rule() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rules");
    let files = fs::read_dir(folder).unwrap();
    let files: BTreeSet<_> = files.map(|entry| entry.unwrap().path()).collect();
    let shown = |rule: &&&Rule| matches!(rule.example, Example::Change { .. });
    let rules = rules::ALL.iter().filter(shown);
    let wanted: BTreeSet<_> = rules.map(|rule| cases_file(rule)).collect();
    let odd: Vec<_> = files.symmetric_difference(&wanted).collect();
    assert!(odd.is_empty(), "without a rule, or missing: {odd:#?}");
}
