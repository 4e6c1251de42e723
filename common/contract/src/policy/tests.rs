#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::rule::Rule;
use crate::rules::{large_body, unknown_key};

/// The report of a finding at the first `@` of each text that has one, which is left out of the text, with the
/// policy applied: what is found, by code and line, and what is ignored, with its reason.
fn applied(
    rule: &'static Rule,
    texts: &[(&str, &str)],
    configuration: &str,
) -> (Vec<String>, Vec<String>) {
    let mut report = Report {
        texts: texts
            .iter()
            .map(|(file, text)| ((*file).to_owned(), text.replace('@', "")))
            .collect::<BTreeMap<_, _>>(),
        ..Report::default()
    };
    for (file, text) in texts {
        let Some(at) = text.find('@') else { continue };
        let place = yaml::place_of_offset(text, at);
        report
            .findings
            .push(Finding::new(rule, file, Some(place), "m"));
    }
    let policy = if configuration.is_empty() {
        Policy::default()
    } else {
        Policy::read("ci/check.yml", configuration.as_bytes())
    };
    policy.apply(&mut report, &|file| file == "ci/there.json");
    let found = report.findings.iter().map(|one| {
        let line = one.place.map_or(0, |place| place.line);
        format!(
            "{} {} {}:{line}",
            one.severity.word(),
            one.rule.code,
            one.file
        )
    });
    let ignored = report.ignored.iter().map(|one| {
        format!(
            "{} {}: {}",
            one.finding.rule.code, one.finding.file, one.reason
        )
    });
    (found.collect(), ignored.collect())
}

fn in_text(text: &str) -> (Vec<String>, Vec<String>) {
    applied(&unknown_key::RULE, &[("t.yml", text)], "")
}

const NONE: [&str; 0] = [];

#[test]
fn a_comment_is_about_its_line_or_the_next_one() {
    for text in [
        "a: @x # pipeline-actions: ignore[P203] why\n",
        "# pipeline-actions: ignore[P203] why\na: @x\n",
        "b: 1\r\n# pipeline-actions: ignore[P203] why\r\n\r\n# more\r\na: @x\r\n",
        "a: @x #pipeline-actions:ignore[T201, P203]: why\nb: 1 # pipeline-actions: ignore[T302] why\n",
        "a: [@{b: 1}, # pipeline-actions: ignore[P203] why\n  2]\n",
        // No comment can stand in the text of a block: what stands beside its `|` is about all of it.
        "a: | # pipeline-actions: ignore[P203] why\n\n  x\n  @y\nb: 1\n",
        "# pipeline-actions: ignore[P203] why\na: >-\n  x\n  @y\nb: 1\n",
        // A script has comments of its own.
        "a: |\n  # pipeline-actions: ignore[P203] why\n  @y\n",
        "a: |\n  x\n  @y # pipeline-actions: ignore[P203] why\n",
    ] {
        let (found, ignored) = in_text(text);
        let unused = found.iter().filter(|one| !one.contains(" I003 "));
        assert_eq!(unused.count(), 0, "{text}: {found:?}");
        assert_eq!(ignored, ["P203 t.yml: why"], "{text}");
    }
}

#[test]
fn an_ignore_of_something_else_ignores_nothing_and_is_told() {
    for (text, unused) in [
        ("a: @x\nb: 1 # pipeline-actions: ignore[P203] why\n", 2),
        ("a: @x # pipeline-actions: ignore[P202] why\n", 1),
        ("# pipeline-actions: ignore[P203] why\nb: 1\na: @x\n", 1),
        (
            "a: @x\nb: |\n  y\n  # pipeline-actions: ignore[P203] why\n",
            4,
        ),
    ] {
        let (found, ignored) = in_text(text);
        assert_eq!(ignored, NONE, "{text}");
        assert!(
            found.contains(&format!("warning I003 t.yml:{unused}")),
            "{text}: {found:?}"
        );
        assert_eq!(found.len(), 2, "{text}: {found:?}");
    }
    // A check without the archive does not find this.
    let (found, _) = in_text("a: 1 # pipeline-actions: ignore[P306] why\n");
    assert_eq!(found, ["note I003 t.yml:1"]);
}

#[test]
fn an_ignore_that_is_not_understood_ignores_nothing_and_is_told() {
    for (text, code) in [
        ("a: @x # pipeline-actions: ignore[P203]\n", "I001"),
        ("a: @x # pipeline-actions: ignore[P203] \t\n", "I001"),
        ("a: @x # pipeline-actions: ignore[P2003] why\n", "I002"),
        ("a: @x # pipeline-actions: ignore[p203] why\n", "I002"),
        ("a: @x # pipeline-actions: ignore[] why\n", "I002"),
        ("a: @x # pipeline-actions: ignore P203 why\n", "I002"),
        ("a: @x # pipeline-actions: ignore[P203 why\n", "I002"),
        ("a: @x # pipeline-actions: ignroe[P203] why\n", "I002"),
        // Nothing silences what is said about ignores.
        ("a: @x # pipeline-actions: ignore[I002,P2003] why\n", "I003"),
    ] {
        let (found, _) = in_text(text);
        assert!(
            found.iter().any(|one| one.contains(code)),
            "{text}: {found:?}"
        );
    }
    let (found, _) =
        in_text("a: 1 # pipeline-actions: made by hand\nb: '# pipeline-actions: ignore[P203]'\n");
    assert_eq!(found, NONE);
}

#[test]
fn a_hint_names_the_code() {
    let text = "a: 1 # pipeline-actions: ignore[unknown-key] why\n";
    let read = comments::read("t.yml", text);
    assert_eq!(read.faults[0].hint.as_deref(), Some("write its code, P203"));
    let place = read.faults[0].place.unwrap();
    assert_eq!(&text[place.start..place.end], "unknown-key");
    assert_eq!((place.line, place.column), (1, 33));
}

#[test]
fn what_is_about_a_whole_file_is_ignored_at_its_head() {
    let check = |text: &str| {
        let mut report = Report::default();
        report.texts.insert("t.yml".to_owned(), text.to_owned());
        report
            .findings
            .push(Finding::new(&large_body::RULE, "t.yml", None, "m"));
        Policy::default().apply(&mut report, &|_| false);
        report.ignored.len()
    };
    assert_eq!(
        check("# A template.\n\n# pipeline-actions: ignore[T102] why\nA: 1\n"),
        1
    );
    assert_eq!(
        check("A: 1\n# pipeline-actions: ignore[T102] why\nB: 1\n"),
        0
    );
}

#[test]
fn the_configuration_file_ignores_by_file_and_code() {
    let ignore = |file: &str| format!("ignore: [{{code: [P203], file: '{file}', reason: why}}]\n");
    let texts = [("ci/a.json", "{\"a\": @\"x\"}"), ("ci/sub/b.json", "{}")];
    for (file, is_ignored) in [
        ("a.json", true),
        ("*.json", true),
        ("**/*.json", true),
        ("b.json", false),
        ("sub/*.json", false),
        ("../ci/a.json", false),
    ] {
        let (_, ignored) = applied(&unknown_key::RULE, &texts, &ignore(file));
        assert_eq!(!ignored.is_empty(), is_ignored, "{file}");
    }
    let told = |file: &str| applied(&unknown_key::RULE, &texts[1..], &ignore(file)).0;
    assert_eq!(told("sub/b.json"), ["warning I003 ci/check.yml:1"]);
    assert_eq!(told("missing.json"), ["warning I003 ci/check.yml:1"]);
    // The check of another pipeline reads it.
    assert_eq!(told("there.json"), NONE);
    assert_eq!(told("other/*.json"), NONE);
}

#[test]
fn severities_are_set_by_code() {
    let texts = [("a.json", "@{}")];
    let (found, _) = applied(
        &unknown_key::RULE,
        &texts,
        "severity: {P203: note, P404: error}\n",
    );
    assert_eq!(found, ["note P203 a.json:1"]);
}

#[test]
fn what_is_wrong_in_the_configuration_file_is_found_at_its_place() {
    for (text, wanted) in [
        ("", ""),
        ("# nothing yet\n", ""),
        ("- a\n", "error I004 ci/check.yml:1"),
        ("a: [\n", "error Y001 ci/check.yml:1"),
        (
            "severity: {}\nseverity: {}\n",
            "warning Y003 ci/check.yml:2",
        ),
        ("\nseverty: {}\n", "error I004 ci/check.yml:2"),
        ("severity: [P203]\n", "error I004 ci/check.yml:1"),
        ("severity:\n  P203: fatal\n", "error I004 ci/check.yml:2"),
        ("severity:\n  P2003: error\n", "error I002 ci/check.yml:2"),
        ("ignore: P203\n", "error I004 ci/check.yml:1"),
        (
            "ignore:\n- {code: P203, reason: why}\n",
            "error I004 ci/check.yml:2",
        ),
        (
            "ignore:\n- {code: P203, file: a.json}\n",
            "error I001 ci/check.yml:2",
        ),
        (
            "ignore:\n- {code: P2003, file: a.json, reason: why}\n",
            "error I002 ci/check.yml:2",
        ),
        (
            "ignore:\n- {code: P203, flie: a.json, file: there.json, reason: why}\n",
            "error I004 ci/check.yml:2",
        ),
        (
            "ignore:\n- {code: P203, file: '[', reason: why}\n",
            "error I004 ci/check.yml:2",
        ),
    ] {
        let mut report = Report::default();
        Policy::read("ci/check.yml", text.as_bytes()).apply(&mut report, &|_| true);
        let found = report.findings.iter().map(|one| {
            format!(
                "{} {} {}:{}",
                one.severity.word(),
                one.rule.code,
                one.file,
                one.place.unwrap().line
            )
        });
        let wanted: Vec<String> = [wanted]
            .iter()
            .filter(|one| !one.is_empty())
            .map(|one| (*one).to_owned())
            .collect();
        assert_eq!(found.collect::<Vec<_>>(), wanted, "{text}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read(parts in proptest::collection::vec(
        prop_oneof![
            Just("# pipeline-actions: ignore[P203] why"), Just("# pipeline-actions: ignore["), Just("#pipeline-actions:"),
            Just("ignore:\n- {code: P203, file: '*', reason: why}"), Just("severity: {P203: note}"),
            Just("\n"), Just("\r\n"), Just("\r"), Just("  "), Just("a: "), Just("- "), Just("|"), Just(">-\n"), Just("ü"), Just("'"), Just("\""),
            Just("{"), Just("]"), Just("\u{feff}"), Just("]"), Just(","), Just("x"),
        ], 0..24)
    ) {
        let text = parts.concat();
        let read = comments::read("t", &text);
        for finding in &read.faults {
            let place = finding.place.unwrap();
            prop_assert!(text.get(place.start..place.end).is_some());
        }
        let mut report = Report::default();
        report.texts.insert("t".to_owned(), text.clone());
        for line in 0..4 {
            let place = Place { line, column: 1, ..Place::default() };
            report.findings.push(Finding::new(&unknown_key::RULE, "t", Some(place), "m"));
        }
        Policy::read("c", text.as_bytes()).apply(&mut report, &|_| true);
    }
}
