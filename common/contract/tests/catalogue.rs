//! The catalogue of rules: every one has an example that breaks it and one that keeps it, and the page
//! shows them.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod examples;

use std::collections::{BTreeMap, BTreeSet};

use contract::check::{self, Archive, Definition, File, Report, Subject, Written};
use contract::evaluate::World;
use contract::rule;

use examples::{EXAMPLES, Example, expand};

/// Rules that no example of a world can break, with the test that breaks them.
const ELSEWHERE: [(&str, &str); 2] = [
    // Only an evaluation that knows every value gives up: contract's evaluate tests.
    (
        "T202",
        "`ImageId: !Select [5, [a, b]]`, where the value is needed",
    ),
    // It needs a disk: package-template's references tests.
    ("T303", "`TemplateURL: missing.yml`"),
];

fn world() -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        (
            "pipeline.yml",
            include_str!("world/pipeline.yml").to_owned(),
        ),
        ("app.yml", include_str!("world/app.yml").to_owned()),
        ("config.json", include_str!("world/config.json").to_owned()),
        (
            "buildspecs/ami.yml",
            include_str!("world/ami.yml").to_owned(),
        ),
    ])
}

fn check(files: &BTreeMap<&'static str, String>) -> Report {
    let read = |name: &str| {
        Some(File {
            shown: name.to_owned(),
            bytes: files.get(name)?.clone().into_bytes(),
        })
    };
    let world = World {
        lenient: true,
        ..World::default()
    };
    let names = files.keys().filter(|name| **name != "pipeline.yml");
    check::check(&Subject {
        archive: Archive {
            names: Some(names.map(|name| (*name).to_owned()).collect()),
            read: &read,
        },
        templates: vec!["app.yml".to_owned()],
        configurations: Vec::new(),
        pipeline: Some(Definition {
            file: read("pipeline.yml").unwrap(),
            world: &world,
            id: None,
        }),
        written: Some(Written {
            bucket: Some("source".to_owned()),
            key: "template.zip".to_owned(),
        }),
        buildspecs: Vec::new(),
        packages_local_paths: false,
    })
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

fn lines(report: &Report) -> Vec<String> {
    report
        .findings
        .iter()
        .map(contract::finding::Finding::coded)
        .collect()
}

#[test]
fn the_world_is_clean() {
    let report = check(&world());
    assert_eq!(lines(&report), [] as [&str; 0]);
    assert_eq!(report.unread, [] as [&str; 0]);
}

/// A template says many things that only its stack knows; none of them is guessed at.
#[test]
fn what_only_a_stack_knows_is_no_finding() {
    for (at, instead) in [
        ("S3Bucket: !Ref SourceBucket", "S3Bucket: !Ref Role"),
        (
            "S3Bucket: !Ref SourceBucket",
            "S3Bucket: !Sub '${AWS::AccountId}-${Role}-source'",
        ),
        (
            "S3Bucket: !Ref SourceBucket",
            "S3Bucket: !ImportValue source-bucket",
        ),
        (
            "S3Bucket: !Ref SourceBucket",
            "S3Bucket: '{{resolve:ssm:/bucket}}'",
        ),
        (
            "S3ObjectKey: template.zip",
            "S3ObjectKey: !Sub '${SourceBucket}.zip'",
        ),
        (
            "PollForSourceChanges: 'false'",
            "PollForSourceChanges: !Ref SourceBucket",
        ),
        (
            "StackName: app",
            "StackName: !Join ['-', [!Ref SourceBucket, !GetAtt Role.Arn]]",
        ),
        (
            "TemplatePath: SourceOutput::app.yml",
            "TemplatePath: !Sub '${SourceBucket}::app.yml'",
        ),
        (
            "Capabilities: CAPABILITY_IAM",
            "Capabilities: !Ref SourceBucket",
        ),
        ("ActionMode: CREATE_UPDATE", "ActionMode: !Ref SourceBucket"),
        (
            "ProjectName: !Ref Project",
            "ProjectName: !Select [0, !Split [',', !Ref SourceBucket]]",
        ),
        (
            r##"ParameterOverrides: '{"AMIId":"#{AMIcreation.AMI_ID}"}'"##,
            r##"ParameterOverrides: !Sub '{"AMIId":"#{AMIcreation.AMI_ID}","Size":"${SourceBucket}"}'"##,
        ),
        (
            r##"ParameterOverrides: '{"AMIId":"#{AMIcreation.AMI_ID}"}'"##,
            r##"ParameterOverrides: !Sub '{"AMIId":"#{AMIcreation.AMI_ID}","Size":${SourceBucket}}'"##,
        ),
        (
            "BuildSpec: buildspecs/ami.yml",
            "BuildSpec: !Ref SourceBucket",
        ),
        (
            "BuildSpec: buildspecs/ami.yml",
            "BuildSpec: 'arn:aws:s3:::specs/ami.yml'",
        ),
        ("Value: i-0123456789abcdef0", "Value: !Ref SourceBucket"),
    ] {
        let mut files = world();
        let pipeline = files.get_mut("pipeline.yml").unwrap();
        assert_eq!(pipeline.matches(at).count(), 1, "{at}");
        *pipeline = pipeline.replace(at, instead);
        assert_eq!(lines(&check(&files)), [] as [&str; 0], "{instead}");
    }
}

#[test]
fn every_failing_example_breaks_its_rule_at_a_place() {
    for example in EXAMPLES {
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
    for example in EXAMPLES {
        let report = changed(example, example.passing);
        assert_eq!(lines(&report), [] as [&str; 0], "{}", example.code);
    }
}

#[test]
fn every_rule_is_in_the_catalogue_once() {
    let mut codes = BTreeSet::new();
    let mut names = BTreeSet::new();
    for rule in rule::ALL {
        assert!(codes.insert(rule.code), "{} twice", rule.code);
        assert!(names.insert(rule.name), "{} twice", rule.name);
        assert_eq!(rule::by_code(rule.code), Some(*rule));
        let shown = EXAMPLES.iter().any(|one| one.code == rule.code)
            || ELSEWHERE.iter().any(|(code, _)| *code == rule.code);
        assert!(shown, "{} has no example", rule.code);
    }
    for example in EXAMPLES {
        assert!(codes.contains(example.code), "{} is no rule", example.code);
        assert_ne!(example.failing, example.passing, "{}", example.code);
    }
}

#[test]
fn the_page_shows_the_catalogue() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/RULES.md");
    let mut text = String::from("| code | name | severity | what is wrong |\n|---|---|---|---|\n");
    for rule in rule::ALL {
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
    for rule in rule::ALL {
        text.push_str(&format!(
            "### {}\n\n**{}** ({}). {}\n\nFix: {}. Source: {}.\n\n",
            rule.code,
            rule.name,
            rule.severity.word(),
            rule.summary,
            rule.fix,
            linked(rule.source)
        ));
        match EXAMPLES.iter().find(|one| one.code == rule.code) {
            Some(example) => {
                text.push_str(&shown("Fails", example, example.failing));
                text.push_str(&shown("Passes", example, example.passing));
            }
            None => {
                let (_, what) = ELSEWHERE
                    .iter()
                    .find(|(code, _)| *code == rule.code)
                    .unwrap();
                text.push_str(&format!("Fails: {what}.\n\n"));
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
