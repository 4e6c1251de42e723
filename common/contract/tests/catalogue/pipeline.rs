//! Pipelines in which a rule depends on more than one place.

use contract::check::File;

use crate::unknown::PARAMETER;
use crate::{POLLS, check, check_with, lines, world, world_with};

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
        let said = format!("{what} is not a regular file in artifact SourceOutput");
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

/// The world whose first stages are replaced by these.
fn with_stage(stage: &str) -> Vec<String> {
    lines(&check(&world_with(&[(
        "        - Name: Deploy\n",
        &format!("{stage}        - Name: Deploy\n"),
    )])))
}

#[test]
fn every_setting_that_names_an_artifact_is_looked_at() {
    let with = |category: &str, provider: &str, inputs: &str, settings: &str| {
        let inputs = if inputs.is_empty() {
            String::new()
        } else {
            format!("              InputArtifacts: [{inputs}]\n")
        };
        with_stage(&format!(
            "        - Name: More
          Actions:
            - Name: One
              ActionTypeId: {{Category: {category}, Owner: AWS, Provider: {provider}, Version: '1'}}
{inputs}              Configuration: {{{settings}}}
"
        ))
        .join("\n")
    };
    let source = "{Name: SourceOutput}";
    let set = |rest: &str| {
        let settings = format!("StackSetName: s, {rest}");
        with("Deploy", "CloudFormationStackSet", source, &settings)
    };
    assert_eq!(set("TemplatePath: SourceOutput::app.yml"), "");
    for (settings, said) in [
        (
            "TemplatePath: SourceOutput::ap.yml",
            "TemplatePath ap.yml does not exist in artifact SourceOutput [P306]\n  hint: did you mean app.yml?",
        ),
        (
            "TemplatePath: SourcOutput::app.yml",
            "SourcOutput is not an input artifact [P305]",
        ),
        ("TemplatePath: app.yml", "is not `Artifact::path` [P305]"),
        (
            "TemplatePath: SourceOutput::app.yml, Parameters: 'SourceOutput::p.txt'",
            "Parameters p.txt does not exist",
        ),
        (
            "TemplatePath: SourceOutput::app.yml, DeploymentTargets: 'SourceOutput::t.json'",
            "DeploymentTargets t.json does not exist",
        ),
    ] {
        assert!(
            set(settings).contains(said),
            "{settings}: {}",
            set(settings)
        );
    }
    assert_eq!(
        set(
            "TemplatePath: SourceOutput::app.yml, Parameters: 'ParameterKey=A,ParameterValue=B::c', DeploymentTargets: '111122223333'"
        ),
        ""
    );
    for (provider, settings, said) in [
        (
            "ECS",
            "ClusterName: c, ServiceName: s, FileName: images.json",
            "FileName images.json does not exist",
        ),
        (
            "CodeDeploy",
            "ApplicationName: a, DeploymentGroupName: d",
            "the AppSpec file appspec.yml does not exist",
        ),
        (
            "CodeDeployToECS",
            "ApplicationName: a, DeploymentGroupName: d, AppSpecTemplateArtifact: SourceOutput, TaskDefinitionTemplateArtifact: Other",
            "Other is not an input artifact [P305]",
        ),
        (
            "CodeDeployToECS",
            "ApplicationName: a, DeploymentGroupName: d, AppSpecTemplateArtifact: SourceOutput, TaskDefinitionTemplateArtifact: SourceOutput",
            "AppSpecTemplatePath appspec.yaml does not exist",
        ),
        (
            "AppConfig",
            "Application: a, Environment: e, ConfigurationProfile: p, InputArtifactConfigurationPath: x.json",
            "InputArtifactConfigurationPath x.json does not exist",
        ),
        (
            "ServiceCatalog",
            "ProductId: p, TemplateFilePath: product.yml",
            "TemplateFilePath product.yml does not exist",
        ),
    ] {
        let found = with("Deploy", provider, source, settings);
        assert!(found.contains(said), "{provider}: {found}");
    }
    let steps = |kind: &str| {
        let settings = format!("StateMachineArn: a, Input: in.json{kind}");
        with("Invoke", "StepFunctions", source, &settings)
    };
    assert_eq!(steps(""), "");
    assert!(steps(", InputType: FilePath").contains("Input in.json does not exist"));
    let build = |primary: &str| {
        let settings = format!("ProjectName: P, PrimarySource: {primary}");
        let inputs = "{Name: SourceOutput}, {Name: AmiOutput}";
        with("Build", "CodeBuild", inputs, &settings)
    };
    assert_eq!(build("AmiOutput"), "");
    assert!(
        build("AmiOuput")
            .contains("AmiOuput is not an input artifact [P305]\n  hint: did you mean AmiOutput?")
    );
}

#[test]
fn a_variable_of_a_project_resolves_nothing() {
    for value in ["'#{AMIcreation.AMI_ID}'", "!Sub 'x-#{AMIcreation.AMI_ID}'"] {
        let files = world_with(&[("Value: i-0123456789abcdef0", &format!("Value: {value}"))]);
        let found = lines(&check(&files));
        assert!(
            found.len() == 1
                && found[0].contains("the variable INSTANCE_ID of the project Project holds #{AMIcreation.AMI_ID}, which CodePipeline does not resolve there [P206]"),
            "{found:#?}"
        );
    }
}

#[test]
fn overrides_are_texts() {
    let with = |value: &str| {
        let overrides = format!(
            r##"ParameterOverrides: '{{"AMIId":"#{{AMIcreation.AMI_ID}}","Size":{value}}}'"##
        );
        let old = r##"ParameterOverrides: '{"AMIId":"#{AMIcreation.AMI_ID}"}'"##;
        lines(&check(&world_with(&[(old, &overrides)]))).join("\n")
    };
    assert_eq!(with("\"2\""), "");
    for value in ["2", "true", "null", "[\"2\"]"] {
        let said =
            format!("the value of Size in ParameterOverrides is {value}, not a string [P402]");
        assert!(with(value).contains(&said), "{}", with(value));
    }
}

/// Which of two sources is there depends on a parameter.
#[test]
fn a_stage_behind_one_that_may_be_there_is_not_the_first() {
    let source = "        - Name: Source\n";
    let mut files = world_with(&[PARAMETER]);
    let pipeline = files.get_mut("pipeline.yml").unwrap();
    let (before, rest) = pipeline.split_once(source).unwrap();
    let (stage, after) = rest.split_once("        - Name: AMI\n").unwrap();
    let indented: String = stage.lines().map(|line| format!("    {line}\n")).collect();
    *pipeline = format!(
        "{before}        - !If\n          - Gpu\n          - Name: Source\n{indented}          - !Ref AWS::NoValue\n        - Name: AMI\n{after}"
    );
    let found = lines(&check(&files)).join("\n");
    assert!(!found.contains("P004"), "{found}");
}

#[test]
fn a_pipeline_that_a_loop_makes_is_looked_into() {
    let mut files = world();
    let pipeline = files.get_mut("pipeline.yml").unwrap();
    let (head, rest) = pipeline.split_once("  Pipeline:\n").unwrap();
    let (body, tail) = rest.split_once("  Rule:\n").unwrap();
    let indented: String = body.lines().map(|line| format!("      {line}\n")).collect();
    let looped = format!(
        "{head}  Fn::ForEach::All:\n    - Name\n    - [A, B]\n    - 'P${{Name}}':\n{indented}  Rule:\n{tail}"
    );
    *pipeline = format!("Transform: AWS::LanguageExtensions\n{looped}");
    let report = check(&files);
    assert_eq!(lines(&report), [] as [&str; 0]);
    assert_eq!(report.unread, [] as [&str; 0]);
    let second = "S3ObjectKey: !Sub 'template${Name}.zip'";
    let pipeline = files.get_mut("pipeline.yml").unwrap();
    *pipeline = pipeline.replace("S3ObjectKey: template.zip", second);
    let found = lines(&check(&files));
    assert!(found.iter().all(|one| one.contains("P307")), "{found:?}");
    assert!(!found.is_empty());
}

#[test]
fn one_fault_of_shape_hides_no_other() {
    let files = world_with(&[
        (
            "              Namespace: App\n",
            "              Namespace: App\n              RunOrder: x\n",
        ),
        ("#{AMIcreation.AMI_ID}", "#{AMIcreaton.AMI_ID}"),
    ]);
    let found = lines(&check(&files)).join("\n");
    assert!(
        found.contains("[P001]") && found.contains("[P201]"),
        "{found}"
    );
    let files = world_with(&[
        ("            - Name: Bake\n", "            - Nam: Bake\n"),
        (
            "TemplatePath: SourceOutput::app.yml",
            "TemplatePath: SourceOutput::ap.yml",
        ),
    ]);
    let found = lines(&check(&files)).join("\n");
    assert!(
        found.contains("[P001]") && found.contains("[P306]"),
        "{found}"
    );
}

#[test]
fn a_merge_key_is_the_cause_that_is_named() {
    let mut files = world();
    let app = files.get_mut("app.yml").unwrap();
    *app = app.replace(
        "Outputs:",
        "  One: &one {Type: AWS::S3::Bucket}\n  Two:\n    <<: *one\nOutputs:",
    );
    let found = lines(&check(&files));
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].contains("[Y105]"), "{found:#?}");
}
