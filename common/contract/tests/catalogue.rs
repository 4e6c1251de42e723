//! The catalogue of rules: every one has an example that breaks it and one that keeps it, and the page
//! shows them.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod examples;

use std::collections::{BTreeMap, BTreeSet};

use contract::check::{self, Archive, Definition, File, LocalFiles, Report, Subject, Written};
use contract::evaluate::World;
use contract::rule;

use examples::{EXAMPLES, Example, expand};

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
    check_with(files, &[], None)
}

/// A check in which some names of the archive are links, and local paths may be packaged.
fn check_with(
    files: &BTreeMap<&'static str, String>,
    links: &[&str],
    local_files: Option<&LocalFiles<'_>>,
) -> Report {
    let read = |name: &str| {
        (!links.contains(&name)).then_some(())?;
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
        local_files,
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

/// The world with its pipeline changed at several places.
fn world_with(changes: &[(&str, &str)]) -> BTreeMap<&'static str, String> {
    let mut files = world();
    let pipeline = files.get_mut("pipeline.yml").unwrap();
    for (at, instead) in changes {
        assert_eq!(pipeline.matches(at).count(), 1, "{at}");
        *pipeline = pipeline.replace(at, instead);
    }
    files
}

const POLLS: (&str, &str) = ("                PollForSourceChanges: 'false'\n", "");
const PARAMETER: (&str, &str) = (
    "  SourceBucket: {Type: String}\n",
    "  SourceBucket: {Type: String}\n  Kind: {Type: String}\nConditions:\n  Gpu: !Equals [!Ref Kind, gpu]\n",
);

#[test]
fn only_a_rule_that_starts_the_pipeline_excludes_polling() {
    let pattern = "      EventPattern:
        source: [aws.s3]
        detail-type: [Object Created]
        detail: {bucket: {name: [!Ref SourceBucket]}, object: {key: [template.zip]}}
";
    let arn = "Arn: !Sub 'arn:aws:codepipeline:${AWS::Region}:${AWS::AccountId}:${Pipeline}'";
    let kind = "    Type: AWS::Events::Rule\n";
    let polls =
        |changes: &[(&str, &str)]| lines(&check(&world_with(&[&[POLLS][..], changes].concat())));
    for other in [
        // A schedule starts it whatever the source holds.
        &[(pattern, "      ScheduleExpression: rate(1 day)\n")][..],
        // A rule that tells people about the pipeline.
        &[
            (
                pattern,
                "      EventPattern: {source: [aws.codepipeline], detail: {pipeline: [!Ref Pipeline]}}\n",
            ),
            (
                arn,
                "Arn: !Ref SourceBucket, InputTransformer: {InputTemplate: 'the Pipeline demo'}",
            ),
        ],
        &[(
            arn,
            "Arn: !Ref SourceBucket, InputTransformer: {InputTemplate: 'the Pipeline demo'}",
        )],
        &[(
            arn,
            "Arn: !Sub 'arn:aws:codepipeline:${AWS::Region}:${AWS::AccountId}:other-demo'",
        )],
        // Nobody knows whether it is there.
        &[
            PARAMETER,
            (kind, "    Type: AWS::Events::Rule\n    Condition: Gpu\n"),
        ],
        &[(pattern, &format!("      State: DISABLED\n{pattern}"))],
    ] {
        assert_eq!(polls(other), [] as [&str; 0], "{other:?}");
    }
    for same in [
        &[][..],
        &[(
            arn,
            "Arn: !Join [':', [arn:aws:codepipeline, !Ref AWS::Region, !Ref AWS::AccountId, !Ref Pipeline]]",
        )],
        &[(
            arn,
            "Arn: !Sub 'arn:aws:codepipeline:${AWS::Region}:${AWS::AccountId}:demo'",
        )],
        &[(
            pattern,
            "      EventPattern: {source: [aws.s3], detail: {eventSource: [s3.amazonaws.com]}}\n",
        )],
    ] {
        let found = polls(same);
        assert!(
            found.len() == 1 && found[0].contains("P403"),
            "{same:?}: {found:?}"
        );
    }
}

#[test]
fn a_rule_of_another_source_excludes_no_polling() {
    let source = "              Namespace: SourceVariables\n";
    let more = format!(
        "{source}            - Name: More
              ActionTypeId: {{Category: Source, Owner: AWS, Provider: S3, Version: '1'}}
              Configuration: {{S3Bucket: !Ref SourceBucket, S3ObjectKey: data.zip}}
              OutputArtifacts: [{{Name: MoreOutput}}]
"
    );
    assert_eq!(
        lines(&check(&world_with(&[(source, &more)]))),
        [] as [&str; 0]
    );
}

/// What depends on a condition over a value that is not known is not looked into.
#[test]
fn no_branch_of_an_unknown_condition_is_guessed() {
    let environment =
        "        EnvironmentVariables: [{Name: INSTANCE_ID, Value: i-0123456789abcdef0}]";
    for (at, instead) in [
        POLLS,
        (
            "BuildSpec: buildspecs/ami.yml",
            "BuildSpec: !If [Gpu, buildspecs/ami.yml, other.yml]",
        ),
        (
            "Namespace: AMIcreation",
            "Namespace: !If [Gpu, AMIcreation, Other]",
        ),
        (
            "[{Name: AmiOutput}]",
            "[{Name: !If [Gpu, AmiOutput, ami.output]}]",
        ),
        (
            "[{Name: AmiOutput}]",
            "!If [Gpu, [{Name: AmiOutput}], !Ref AWS::NoValue]",
        ),
        (
            "RoleArn: !GetAtt Role.Arn",
            "RoleArn: !If [Gpu, !GetAtt Role.Arn, !Ref AWS::NoValue]",
        ),
        ("StackName: app", "StackName: !If [Gpu, app, other]"),
        (
            environment,
            "        EnvironmentVariables: [!If [Gpu, {Name: INSTANCE_ID, Value: i-1}, !Ref AWS::NoValue]]",
        ),
        (
            environment,
            "        EnvironmentVariables: !If [Gpu, [{Name: INSTANCE_ID, Value: i-1}], !Ref AWS::NoValue]",
        ),
        (
            "            - Name: Bake\n",
            "            - !If [Gpu, {Name: Test, ActionTypeId: {Category: Approval, Owner: AWS, Provider: Manual, Version: '1'}}, !Ref AWS::NoValue]\n            - Name: Bake\n",
        ),
        (
            "        - Name: Deploy\n",
            "        - !If [Gpu, {Name: Ask, Actions: [{Name: A, ActionTypeId: {Category: Approval, Owner: AWS, Provider: Manual, Version: '1'}}]}, !Ref AWS::NoValue]\n        - Name: Deploy\n",
        ),
        (
            "              Namespace: App\n",
            "              Namespace: App\n              RunOrder: !If [Gpu, 1, 2]\n",
        ),
    ] {
        let rule = "    Type: AWS::Events::Rule\n";
        let conditional = format!("{rule}    Condition: Gpu\n");
        let mut changes = vec![PARAMETER, (at, instead)];
        if at == POLLS.0 {
            changes[1].1 = "                PollForSourceChanges: !If [Gpu, 'false', 'true']\n";
            changes.push((rule, &conditional));
        }
        assert_eq!(
            lines(&check(&world_with(&changes))),
            [] as [&str; 0],
            "{instead}"
        );
    }
}

#[test]
fn the_key_is_open_only_where_a_value_is() {
    let with = |key: &str| lines(&check(&world_with(&[("S3ObjectKey: template.zip", key)])));
    assert_eq!(with("S3ObjectKey: !Sub '${Project}.zip'"), [] as [&str; 0]);
    let found = with("S3ObjectKey: wrong/Project.zip");
    assert!(found.iter().any(|one| one.contains("P307")), "{found:?}");
}

#[test]
fn a_link_in_the_archive_is_not_read_and_so_not_there() {
    for (name, what) in [
        ("app.yml", "TemplatePath app.yml"),
        ("config.json", "TemplateConfiguration config.json"),
        (
            "buildspecs/ami.yml",
            "the buildspec buildspecs/ami.yml of Project",
        ),
    ] {
        let found = lines(&check_with(&world(), &[name], None)).join("\n");
        let said = format!("{what} is no plain file in artifact SourceOutput");
        assert!(found.contains(&said) && found.contains("P306"), "{found}");
    }
}

#[test]
fn what_is_in_another_artifact_is_said_to_be_unread() {
    let files = world_with(&[
        (
            "TemplatePath: SourceOutput::app.yml",
            "TemplatePath: AmiOutput::app.yml",
        ),
        (
            "InputArtifacts: [{Name: SourceOutput}]\n              Namespace: App",
            "InputArtifacts: [{Name: SourceOutput}, {Name: AmiOutput}]\n              Namespace: App",
        ),
    ]);
    let report = check(&files);
    assert_eq!(lines(&report), [] as [&str; 0]);
    assert_eq!(
        report.unread,
        ["app.yml of Stack: it is in the artifact AmiOutput"]
    );
}

#[test]
fn a_commands_action_makes_the_variables_that_it_lists() {
    let commands = |stack: &str| {
        let action = "        - Name: Deploy
          Actions:
            - Name: Run
              ActionTypeId: {Category: Compute, Owner: AWS, Provider: Commands, Version: '1'}
              Commands: [make]
              OutputVariables: [TAG]
              InputArtifacts: [{Name: SourceOutput}]
              Namespace: Ran
              RunOrder: 1
";
        let old = "        - Name: Deploy\n          Actions:\n";
        let last = "              Namespace: App\n";
        let later = format!("{last}              RunOrder: 2\n");
        lines(&check(&world_with(&[
            (old, action),
            ("StackName: app", stack),
            (last, &later),
        ])))
    };
    assert_eq!(commands("StackName: 'app-#{Ran.TAG}'"), [] as [&str; 0]);
    let found = commands("StackName: 'app-#{Ran.TAGS}'").join("\n");
    assert!(
        found.contains("P203") && found.contains("did you mean TAG?"),
        "{found}"
    );
}

#[test]
fn a_finding_in_an_inline_buildspec_stands_in_the_template() {
    let block = "BuildSpec: |
          version: 0.2
          env: {exported-variables: [AMI_ID]}
          phases: {build: {commands: [make-ami]}}
          cash: {}
";
    let source = "      Source: {Type: CODEPIPELINE, BuildSpec: buildspecs/ami.yml}\n";
    let place = |instead: &str| {
        let files = world_with(&[(source, instead)]);
        let report = check(&files);
        let found = report
            .findings
            .iter()
            .find(|one| one.rule.code == "B003")
            .unwrap();
        assert_eq!(found.file, "pipeline.yml");
        let text = &files["pipeline.yml"];
        let line = text.lines().nth(found.place.unwrap().line - 1).unwrap();
        (line.to_owned(), found.place.unwrap().column)
    };
    for start in ["", "!Sub "] {
        let block = block.replace("BuildSpec: ", &format!("BuildSpec: {start}"));
        let found = place(&format!(
            "      Source:\n        Type: CODEPIPELINE\n        {block}"
        ));
        assert_eq!(found, ("          cash: {}".to_owned(), 11), "{block}");
    }
    let quoted = "      Source: {Type: CODEPIPELINE, BuildSpec: \"version: 0.2\\nphases: {build: {commands: [x]}}\\ncash: {}\\n\"}\n";
    assert!(place(quoted).0.contains("BuildSpec: \"version"));
}

#[test]
fn replacing_on_failure_is_for_tests() {
    let with = |stack: &str| {
        let files = world_with(&[
            (
                "ActionMode: CREATE_UPDATE",
                "ActionMode: REPLACE_ON_FAILURE",
            ),
            ("StackName: app", stack),
        ]);
        lines(&check(&files))
    };
    assert_eq!(with("StackName: app-test"), [] as [&str; 0]);
    assert_eq!(with("StackName: !Ref SourceBucket"), [] as [&str; 0]);
    assert!(with("StackName: latest")[0].contains("P404"));
}

#[test]
fn nested_templates_need_capabilities_too() {
    let mut files = world();
    let app = files.get_mut("app.yml").unwrap();
    *app = app.replace(
        "Outputs:",
        "  Nested: {Type: AWS::CloudFormation::Stack, Properties: {TemplateURL: nested.yml}}\nOutputs:",
    );
    let nested = |file: &str, path: &str| {
        assert_eq!((file, path), ("app.yml", "nested.yml"));
        Some(File {
            shown: "cfn/nested.yml".to_owned(),
            bytes: b"Resources: {R: {Type: AWS::IAM::Role, Properties: {RoleName: x}}}".to_vec(),
        })
    };
    let found = lines(&check_with(&files, &[], Some(&nested))).join("\n");
    assert!(
        found.contains("CAPABILITY_NAMED_IAM is not acknowledged, and cfn/nested.yml:1: R (AWS::IAM::Role) has a RoleName"),
        "{found}"
    );
    let acknowledged = (
        "Capabilities: CAPABILITY_IAM",
        "Capabilities: CAPABILITY_NAMED_IAM",
    );
    let pipeline = world_with(&[acknowledged]);
    files.insert("pipeline.yml", pipeline["pipeline.yml"].clone());
    assert_eq!(
        lines(&check_with(&files, &[], Some(&nested))),
        [] as [&str; 0]
    );
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
            || ELSEWHERE.iter().any(|(code, ..)| *code == rule.code);
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
