#![allow(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::rules::unknown_key;

/// A place that begins with that word, and ends with its line.
fn at(text: &str, word: &str) -> Place {
    let start = text.find(word).unwrap();
    let end = text[start..]
        .find('\n')
        .map_or(text.len(), |end| start + end);
    Place {
        end,
        ..yaml::place_of_offset(text, start)
    }
}

fn exporting(text: &str) -> Option<String> {
    let repair = Repair::Export {
        file: "b.yml".to_owned(),
        name: "NEW".to_owned(),
    };
    repair.applied(text)
}

#[test]
fn a_variable_is_exported_in_the_manner_of_the_file() {
    for (before, after) in [
        (
            "env:\n  exported-variables: [A, 'B'] # c\n",
            "env:\n  exported-variables: [A, 'B', NEW] # c\n",
        ),
        (
            "env:\n  exported-variables:\n    - A # a\n    - B # b\n  shell: bash\n",
            "env:\n  exported-variables:\n    - A # a\n    - B # b\n    - NEW\n  shell: bash\n",
        ),
        (
            "env:\r\n  exported-variables:\r\n  - A\r\nphases: {}\r\n",
            "env:\r\n  exported-variables:\r\n  - A\r\n  - NEW\r\nphases: {}\r\n",
        ),
        (
            "env:\n  exported-variables:\n    - A",
            "env:\n  exported-variables:\n    - A\n    - NEW",
        ),
        (
            "version: 0.2\n\n# What runs.\nphases:\n  build: {}\n",
            "version: 0.2\n\n# What runs.\nenv:\n  exported-variables:\n    - NEW\nphases:\n  build: {}\n",
        ),
        (
            "env:\n    shell: bash\n",
            "env:\n    exported-variables: ['NEW']\n    shell: bash\n",
        ),
        (
            "env: {shell: bash}\n",
            "env: {exported-variables: ['NEW'], shell: bash}\n",
        ),
        (
            "{\"env\": {\"exported-variables\": [\"A\"]}}",
            "{\"env\": {\"exported-variables\": [\"A\", \"NEW\"]}}",
        ),
        (
            "{\n  \"env\": {\n    \"shell\": \"bash\"\n  }\n}\n",
            "{\n  \"env\": {\n    \"exported-variables\": [\"NEW\"],\n    \"shell\": \"bash\"\n  }\n}\n",
        ),
    ] {
        let done = exporting(before);
        assert_eq!(done.as_deref(), Some(after), "{before}");
        assert!(yaml::read("", after).is_ok(), "{after}");
    }
    for text in [
        "env:\n  exported-variables: A\n",
        "env:\n  exported-variables: []\n",
        "{\"version\": 0.2, \"phases\": {}}",
        "env: {}\nphases: {}\n",
        "a: [\n",
    ] {
        assert_eq!(exporting(text), None, "{text}");
    }
}

#[test]
fn a_source_polls_no_more() {
    for (before, after) in [
        (
            "a:\n  - c:\n      S3ObjectKey: @k\n      S3Bucket: b\n",
            "a:\n  - c:\n      PollForSourceChanges: 'false'\n      S3ObjectKey: k\n      S3Bucket: b\n",
        ),
        (
            "- S3Bucket: b\n  S3ObjectKey: @k\n",
            "- PollForSourceChanges: 'false'\n  S3Bucket: b\n  S3ObjectKey: k\n",
        ),
        (
            "c: {S3Bucket: b, S3ObjectKey: @k}\n",
            "c: {PollForSourceChanges: 'false', S3Bucket: b, S3ObjectKey: k}\n",
        ),
        (
            "{\n\t\"S3Bucket\": \"b\",\n\t\"S3ObjectKey\": @\"k\"\n}\n",
            "{\n\t\"PollForSourceChanges\": \"false\",\n\t\"S3Bucket\": \"b\",\n\t\"S3ObjectKey\": \"k\"\n}\n",
        ),
        (
            "S3ObjectKey: @k\nPollForSourceChanges: \"true\" # yes\n",
            "S3ObjectKey: k\nPollForSourceChanges: \"false\" # yes\n",
        ),
        (
            "S3ObjectKey: @k\nPollForSourceChanges: true\n",
            "S3ObjectKey: k\nPollForSourceChanges: 'false'\n",
        ),
    ] {
        let start = before.find('@').unwrap();
        let text = before.replace('@', "");
        let beside = yaml::place_of_offset(&text, start);
        let done = Repair::StopPolling { beside }.applied(&text);
        assert_eq!(done.as_deref(), Some(after), "{before}");
    }
    let text = "S3ObjectKey: k\nPollForSourceChanges: !Ref Poll\n";
    let beside = at(text, "k\n");
    assert_eq!(Repair::StopPolling { beside }.applied(text), None);
}

#[test]
fn every_reference_of_a_value_is_replaced_and_none_outside() {
    let text = "a: '#{X.A} #{X.B}'\nb: '#{X.A}' # #{X.A}\n";
    let repair = Repair::Replace {
        place: at(text, "'#{X.A} "),
        from: "#{X.".to_owned(),
        to: "#{Y.".to_owned(),
    };
    let after = "a: '#{Y.A} #{Y.B}'\nb: '#{X.A}' # #{X.A}\n";
    assert_eq!(repair.applied(text).as_deref(), Some(after));
}

#[test]
fn what_leaves_as_much_behind_is_not_kept() {
    let finding = |file: &str, name: &str| {
        let repair = Repair::Export {
            file: file.to_owned(),
            name: name.to_owned(),
        };
        Finding::new(&unknown_key::RULE, "p", None, name).repair(Some(repair))
    };
    let text = "env:\n  exported-variables: [A]\n";
    let check = |texts: &BTreeMap<String, String>| {
        let mut report = Report::default();
        let now = texts.get("b.yml").map_or(text, String::as_str);
        report.texts.insert("b.yml".to_owned(), now.to_owned());
        for name in ["GOOD", "BAD", "GONE"] {
            if name != "GOOD" || !now.contains("GOOD") {
                let file = if name == "GONE" { "inline" } else { "b.yml" };
                report.findings.push(finding(file, name));
            }
        }
        Ok::<_, ()>(report)
    };
    let done = mended(&check).unwrap();
    assert_eq!(done.findings, [finding("b.yml", "GOOD")]);
    assert_eq!(
        done.files["b.yml"].after,
        "env:\n  exported-variables: [A, GOOD]\n"
    );
    assert_eq!(done.files["b.yml"].before, text);
    assert_eq!(done.report.findings.len(), 2);
}
