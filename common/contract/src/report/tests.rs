#![allow(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::finding::Place;
use crate::rules::{hidden_failure, large_body, unknown_namespace};

const TOOL: Tool = Tool {
    name: "package-template",
    version: "0.1.0",
};

fn report() -> Report {
    let text = "Resources:\n  A:\n    Type: AWS::S3::Bucket\n    Ä: \"yes\" # x\n".to_owned();
    let start = text.find("\"yes\"").unwrap();
    let place = Place {
        start,
        end: start + 5,
        line: 4,
        column: 8,
    };
    let line = Place {
        line: 3,
        column: 5,
        ..Place::default()
    };
    let mut report = Report {
        findings: vec![
            Finding::new(
                &unknown_namespace::RULE,
                "a dir/t.yml",
                Some(place),
                "#{X.Y}: no <such> \"namespace\"",
            )
            .hint("did you mean Z?"),
            Finding::new(
                &hidden_failure::RULE,
                "a dir/t.yml",
                Some(line),
                "a failure of `x` is not seen",
            ),
            Finding::new(
                &large_body::RULE,
                "other.yml",
                None,
                "60000 bytes of template",
            ),
        ],
        unread: vec!["app.yml: it is not in the folder".to_owned()],
        ..Report::default()
    };
    report.texts.insert("a dir/t.yml".to_owned(), text);
    report
        .texts
        .insert("clean.json".to_owned(), "{}".to_owned());
    report.sort();
    report
}

/// The lines of YAML are others than those of an editor where a carriage return stands alone.
#[test]
fn text_shows_a_place_behind_the_last_line() {
    let text = "A: 1\r\nB: 2 # x\r  C: 3\r\nD: !Sub x\r\n";
    let mut report = Report {
        findings: vec![Finding::new(
            &hidden_failure::RULE,
            "t.yml",
            Some(Place {
                start: 0,
                end: 0,
                line: 4,
                column: 4,
            }),
            "here",
        )],
        ..Report::default()
    };
    report.texts.insert("t.yml".to_owned(), text.to_owned());
    let shown = render(&report, Format::Text, TOOL);
    assert!(shown.contains("t.yml:3:"), "{shown}");
    assert!(shown.contains("D: !Sub x"), "{shown}");
}

#[test]
fn text_shows_the_source() {
    let shown = render(&report(), Format::Text, TOOL);
    let expected = "
error[P201]: #{X.Y}: no <such> \"namespace\"
 --> a dir/t.yml:4:8
  |
3 |     Type: AWS::S3::Bucket
4 |     Ä: \"yes\" # x
  |        ^^^^^
  |
  = help: did you mean Z?
  = note: unknown-namespace: https://docs.aws.amazon.com/codepipeline/latest/userguide/reference-variables.html
";
    assert!(shown.contains(expected), "{shown}");
    assert!(
        shown.contains("note: other.yml: 60000 bytes")
            || shown.contains("note[T102]: other.yml: 60000 bytes"),
        "{shown}"
    );
    assert!(shown.contains("not checked: app.yml"));
    assert!(shown.ends_with("1 error, 1 warning, 1 note\n"), "{shown}");
}

#[test]
fn json_holds_everything() {
    let value: serde_json::Value =
        serde_json::from_str(&render(&report(), Format::Json, TOOL)).unwrap();
    assert_eq!(value["errors"], 1);
    assert_eq!(value["schemaVersion"], 1);
    let all = value["findings"].as_array().unwrap();
    let error = all.iter().find(|one| one["code"] == "P201").unwrap();
    assert_eq!((&error["line"], &error["column"]), (&4.into(), &8.into()));
    assert_eq!(
        (&error["endLine"], &error["endColumn"]),
        (&4.into(), &13.into())
    );
    assert_eq!(error["fix"], "did you mean Z?");
    assert_eq!(error["file"], "a dir/t.yml");
    let note = all.iter().find(|one| one["code"] == "T102").unwrap();
    assert!(note["line"].is_null());
}

#[test]
fn sarif_has_rules_levels_and_regions() {
    let value: serde_json::Value =
        serde_json::from_str(&render(&report(), Format::Sarif, TOOL)).unwrap();
    assert_eq!(value["version"], "2.1.0");
    let run = &value["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    for result in run["results"].as_array().unwrap() {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
    }
    let error = run["results"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["ruleId"] == "P201")
        .unwrap();
    assert_eq!(error["level"], "error");
    let place = &error["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "a%20dir/t.yml");
    assert_eq!(place["region"]["endColumn"], 13);
}

#[test]
fn junit_fails_a_case_for_each_file_with_errors() {
    let shown = render(&report(), Format::Junit, TOOL);
    assert!(
        shown.contains("<testsuite name=\"package-template\" tests=\"3\" failures=\"1\""),
        "{shown}"
    );
    assert!(
        shown.contains("name=\"clean.json\">\n    </testcase>"),
        "{shown}"
    );
    assert!(
        shown.contains("message=\"P201 #{X.Y}: no &lt;such&gt; &quot;namespace&quot;\""),
        "{shown}"
    );
    assert!(
        shown.contains("<system-out>warning: a dir/t.yml:3:5:"),
        "{shown}"
    );
}

#[test]
fn github_shows_each_finding_at_its_place() {
    let mut report = report();
    report.findings[0].file = "a, b: 100%/t.yml".to_owned();
    report.findings[0].message = "100% of\r\n`a::b`, c".to_owned();
    let text = report.texts["a dir/t.yml"].clone();
    report.texts.insert("a, b: 100%/t.yml".to_owned(), text);
    let shown = render(&report, Format::Github, TOOL);
    let lines: Vec<&str> = shown.lines().collect();
    let rest = "title=B203 hidden-failure::100%25 of%0D%0A`a::b`, c%0Amake it several items";
    assert!(
        lines[0].starts_with(&format!(
            "::warning file=a%2C b%3A 100%25/t.yml,line=3,endLine=3,col=5,endColumn=26,{rest}"
        )),
        "{shown}"
    );
    assert_eq!(
        lines[1],
        "::error file=a dir/t.yml,line=4,endLine=4,col=8,endColumn=13,title=P201 unknown-namespace::#{X.Y}: no <such> \"namespace\"%0Adid you mean Z?"
    );
    assert!(
        lines[2].starts_with(
            "::notice file=other.yml,title=T102 large-body::60000 bytes of template%0A"
        ),
        "{shown}"
    );
    assert_eq!(
        lines[3],
        "::notice::not checked: app.yml: it is not in the folder"
    );
    assert_eq!(lines[4], "1 error, 1 warning, 1 note");
    assert_eq!(lines.len(), 5);
    // A place of several lines has no columns.
    let place = report.findings[1].place.as_mut().unwrap();
    (place.start, place.line) = (13, 2);
    let shown = render(&report, Format::Github, TOOL);
    assert!(
        shown.contains("::error file=a dir/t.yml,line=2,endLine=4,title="),
        "{shown}"
    );
}

#[test]
fn a_report_without_findings_says_so() {
    assert_eq!(
        render(&Report::default(), Format::Text, TOOL),
        "no findings\n"
    );
    assert!("xml".parse::<Format>().is_err());
    assert_eq!("sarif".parse(), Ok(Format::Sarif));
}
