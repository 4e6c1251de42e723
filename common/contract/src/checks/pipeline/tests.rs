#![allow(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::model::pipeline::tests::{GOOD, from_template};

fn check_changed(old: &str, new: &str, expected: &str) {
    assert!(GOOD.contains(old), "the sample does not hold {old:?}");
    let pipeline = from_template(&GOOD.replace(old, new)).unwrap();
    let keys = BTreeMap::from([("AMIcreation".to_owned(), vec!["AMI_ID".to_owned()])]);
    let all: String = check(&pipeline, &keys)
        .iter()
        .map(|one| format!("{one}\n"))
        .collect();
    assert!(all.contains(expected), "{new:?}: {all}");
}

#[test]
fn a_good_pipeline_has_no_findings() {
    let pipeline = from_template(GOOD).unwrap();
    let keys = BTreeMap::from([("AMIcreation".to_owned(), vec!["AMI_ID".to_owned()])]);
    assert_eq!(check(&pipeline, &keys), []);
}

#[test]
fn references_must_be_resolvable() {
    check_changed(
        "#{AMIcreation.AMI_ID}",
        "#{AMIcreaton.AMI_ID}",
        "t.yml:38:37: Deploy/CF: #{AMIcreaton.AMI_ID}: no such namespace\n  hint: did you mean AMIcreation?",
    );
    check_changed(
        "#{AMIcreation.AMI_ID}",
        "#{AMIcreation.AMIID}",
        "#{AMIcreation.AMIID}: AMI/Bake makes no variable AMIID\n  hint: did you mean AMI_ID?",
    );
    check_changed(
        "#{AMIcreation.AMI_ID}",
        "#{AMIcreation}",
        "is not a variable",
    );
    check_changed(
        "#{AMIcreation.AMI_ID}",
        "#{App.Url}",
        "Deploy/CF makes it and does not run earlier",
    );
    check_changed(
        "#{AMIcreation.AMI_ID}",
        "#{codepipeline.Id}",
        "the only variable is PipelineExecutionId",
    );
    check_changed(
        "#{AMIcreation.AMI_ID}",
        "#{variables.X}",
        "declares no variable X",
    );
}

#[test]
fn namespaces_must_be_unique_and_free() {
    check_changed(
        "Namespace: App",
        "Namespace: AMIcreation",
        "Deploy/CF: namespace AMIcreation is already the namespace of AMI/Bake on line 27",
    );
    check_changed(
        "Namespace: App",
        "Namespace: Src",
        "is also the artifact name on line",
    );
    check_changed(
        "Namespace: App",
        "Namespace: codepipeline",
        "is reserved by CodePipeline",
    );
    check_changed("Namespace: App", "Namespace: a b", "is not 1 to 100");
}

#[test]
fn artifacts_must_be_made_earlier() {
    check_changed(
        "InputArtifacts: [{Name: Src}]",
        "InputArtifacts: [{Name: Scr}]",
        "no action makes the artifact Scr\n  hint: did you mean Src?",
    );
    check_changed(
        "OutputArtifacts: [{Name: Src}]",
        "OutputArtifacts: [{Name: S.c}]",
        "artifact name \"S.c\"",
    );
}

#[test]
fn stages_keep_their_rules() {
    check_changed(
        "Category: Source",
        "Category: Build",
        "the first stage holds only source actions",
    );
    check_changed(
        "Category: Deploy",
        "Category: Source",
        "only in the first stage",
    );
    check_changed(
        "- Name: AMI",
        "- Name: Deploy",
        "stage name Deploy appears twice",
    );
    check_changed(
        "StackName: s",
        &format!("StackName: {}", "x".repeat(1001)),
        "Deploy/CF: StackName has 1001 characters, the limit is 1000",
    );
}

/// The codes and the first words of what is found when a text of the sample becomes another.
fn found(old: &str, new: &str) -> Vec<String> {
    assert!(GOOD.contains(old), "the sample does not hold {old:?}");
    let pipeline = from_template(&GOOD.replace(old, new)).unwrap();
    check(&pipeline, &BTreeMap::new())
        .iter()
        .map(|one| format!("{} {} {}", one.rule.code, one.severity.word(), one.message))
        .collect()
}

#[test]
fn what_a_stages_conditions_use_must_be_there() {
    let with = |moment: &str, value: &str| {
        let stage = format!(
            "        - Name: Deploy
          {moment}:
            Conditions:
              - Result: FAIL
                Rules:
                  - Name: Check
                    RuleTypeId: {{Category: Rule, Owner: AWS, Provider: VariableCheck, Version: '1'}}
                    InputArtifacts: [{{Name: Src}}]
                    Configuration: {{Variable: '{value}', Value: x, Operator: NE}}
"
        );
        found("        - Name: Deploy\n", &stage)
    };
    assert_eq!(
        with("BeforeEntry", "#{AMIcreation.AMI_ID}"),
        [] as [&str; 0]
    );
    assert_eq!(with("OnSuccess", "#{App.Url}"), [] as [&str; 0]);
    assert_eq!(
        with("BeforeEntry", "#{AMIcreaton.AMI_ID}"),
        ["P201 error Deploy/Check (BeforeEntry): #{AMIcreaton.AMI_ID}: no such namespace"]
    );
    assert_eq!(
        with("BeforeEntry", "#{App.Url}"),
        [
            "P202 error Deploy/Check (BeforeEntry): #{App.Url}: Deploy/CF makes it and does not run earlier"
        ]
    );
    assert_eq!(
        with("OnFailure", "#{nothing}"),
        [
            "P204 error Deploy/Check (OnFailure): Variable: #{nothing} is not a variable; write #{namespace.KEY} with letters, digits and @ - _"
        ]
    );
}

#[test]
fn an_actions_own_variables_use_what_is_there() {
    let with = |value: &str| {
        let commands = format!(
            "            - Name: Run
              ActionTypeId: {{Category: Compute, Owner: AWS, Provider: Commands, Version: '1'}}
              InputArtifacts: [{{Name: Src}}]
              Commands: [make]
              EnvironmentVariables: [{{Name: TAG, Value: '{value}'}}]
            - Name: CF
"
        );
        found("            - Name: CF\n", &commands)
    };
    assert_eq!(with("#{AMIcreation.AMI_ID}"), [] as [&str; 0]);
    assert_eq!(
        with("#{Scr.VersionId}"),
        ["P201 error Deploy/Run: #{Scr.VersionId}: no such namespace"]
    );
}

#[test]
fn a_variable_of_the_pipeline_resolves_nothing() {
    assert_eq!(
        found(
            "      Name: demo\n",
            "      Name: demo\n      Variables: [{Name: V, DefaultValue: '#{Src.VersionId}'}]\n"
        ),
        [
            "P206 warning the default of the pipeline's variable V holds #{Src.VersionId}, which CodePipeline does not resolve there"
        ]
    );
}

#[test]
fn the_words_of_a_configuration_are_those_of_its_provider() {
    for (old, new, expected) in [
        (
            "ActionMode: CREATE_UPDATE",
            "ActionMode: CREATE_UPDAT",
            "P411 error CF: ActionMode has no value \"CREATE_UPDAT\"",
        ),
        (
            "ActionMode: CREATE_UPDATE",
            "ActionMode: create_update",
            "P411 error CF: ActionMode has no value \"create_update\"",
        ),
        (
            "                ActionMode: CREATE_UPDATE\n",
            "",
            "P410 error CF has no ActionMode, which CloudFormation needs",
        ),
        (
            "                StackName: s\n",
            "",
            "P410 error CF has no StackName, which CloudFormation needs",
        ),
        (
            "                TemplatePath: Src::app.yml\n",
            "",
            "P410 error CF has no TemplatePath, which ActionMode CREATE_UPDATE needs",
        ),
        (
            "TemplatePath: Src::app.yml",
            "TemplatePaht: Src::app.yml",
            "P409 error CF: CloudFormation takes no TemplatePaht",
        ),
        (
            "                S3Bucket: b\n",
            "",
            "P410 error Source has no S3Bucket, which S3 needs",
        ),
        (
            "S3ObjectKey: template.zip",
            "S3Key: template.zip",
            "P410 error Source has no S3ObjectKey, which S3 needs",
        ),
        (
            "PollForSourceChanges: false",
            "PollForSourceChanges: 'nope'",
            "P411 error Source: PollForSourceChanges is \"nope\", not true or false",
        ),
        (
            "StackName: s",
            "StackName: s\n                Capabilities: CAPABILITY_IAM,CAPABILITY_NAMED_AIM",
            "P411 error CF: Capabilities has no value \"CAPABILITY_NAMED_AIM\"",
        ),
        (
            "StackName: s",
            "StackName: s\n                Colour: blue",
            "P409 warning CF: CloudFormation takes no Colour",
        ),
        (
            "Provider: CodeBuild",
            "Provider: CodeBuilt",
            "P408 error Bake: there is no provider CodeBuilt",
        ),
        (
            "Provider: CodeBuild",
            "Provider: Quantum",
            "P408 warning Bake: Quantum is not a provider that is known here",
        ),
        (
            "Category: Build, Owner: AWS",
            "Category: Deploy, Owner: AWS",
            "P408 error Bake: CodeBuild of AWS is not in the category Deploy",
        ),
        (
            "Category: Build, Owner: AWS",
            "Category: Biuld, Owner: AWS",
            "P408 error Bake: Biuld is not a category of actions",
        ),
        (
            "Category: Build, Owner: AWS",
            "Category: Build, Owner: Amazon",
            "P408 error Bake: Amazon is not an owner of actions",
        ),
        (
            "Provider: CodeBuild, Version: '1'",
            "Provider: CodeBuild, Version: '2'",
            "P408 error Bake: CodeBuild has no version 2",
        ),
        (
            "- Name: Bake",
            "- Name: Bake it",
            "P005 error the action name \"Bake it\" is not 1 to 100 letters, digits and . @ - _",
        ),
        (
            "- Name: AMI",
            "- Name: 'AMI/1'",
            "P005 error the stage name \"AMI/1\" is not 1 to 100 letters, digits and . @ - _",
        ),
        (
            "ProjectName: !Ref Project",
            "ProjectName: !Ref Project\n                EnvironmentVariables: 'A=b'",
            "P411 error Bake: EnvironmentVariables is not JSON: expected value at line 1 column 1",
        ),
        (
            "InputArtifacts: [{Name: Src}]\n              Configuration:\n                ProjectName",
            "InputArtifacts: [{Name: Src}, {Name: Src}]\n              Configuration:\n                ProjectName",
            "P410 error Bake has no PrimarySource, which an action with several input artifacts needs",
        ),
    ] {
        let all = found(old, new);
        assert!(all.iter().any(|one| one == expected), "{new:?}: {all:#?}");
    }
    let variables = |text: &str| {
        let setting =
            format!("ProjectName: !Ref Project\n                EnvironmentVariables: '{text}'");
        found("ProjectName: !Ref Project", &setting).join("\n")
    };
    assert_eq!(
        variables(
            r##"[{"name":"A","value":"#{codepipeline.PipelineExecutionId}","type":"PLAINTEXT"}]"##
        ),
        ""
    );
    for (text, said) in [
        (r#"{"A":"b"}"#, "EnvironmentVariables is not a list"),
        (
            r#"[{"name":"A"}]"#,
            "has an item without a text for name and value",
        ),
        (
            r#"[{"name":"A","value":1}]"#,
            "has an item without a text for name and value",
        ),
        (
            r#"[{"name":"A","value":"b","type":"PARAMETER-STORE"}]"#,
            "A: type has no value \"PARAMETER-STORE\"",
        ),
        (
            r#"[{"name":"A","value":"b","typ":"PLAINTEXT"}]"#,
            "A: typ is not name, value or type",
        ),
    ] {
        assert!(
            variables(text).contains(said),
            "{text}: {}",
            variables(text)
        );
    }
    // Whatever its author names it.
    let own = "Owner: Custom, Provider: Quantum";
    assert_eq!(
        found("Owner: AWS, Provider: CodeBuild", own),
        [] as [&str; 0]
    );
    let unknown = "ActionMode: '#{Src.Mode}'";
    let all = found("ActionMode: CREATE_UPDATE", unknown);
    assert!(!all.iter().any(|one| one.starts_with("P411")), "{all:?}");
}

#[test]
fn fields_of_commands_actions_stand_on_them_alone() {
    for (field, what) in [
        ("Commands: [make]", "Commands"),
        ("OutputVariables: [A]", "OutputVariables"),
        (
            "OutputArtifacts: [{Name: Out, Files: [a]}]",
            "Files of an output artifact",
        ),
    ] {
        let all = found(
            "              RunOrder: 2\n",
            &format!("              {field}\n"),
        );
        let expected = format!("P412 error Bake: an action of the category Build has no {what}");
        assert_eq!(all, [expected]);
    }
}

#[test]
fn a_commands_action_has_limits() {
    let with = |fields: &str| {
        let action = format!(
            "            - Name: Run
              ActionTypeId: {{Category: Compute, Owner: AWS, Provider: Commands, Version: '1'}}
              InputArtifacts: [{{Name: Src}}]
{fields}            - Name: CF
"
        );
        found("            - Name: CF\n", &action)
    };
    let list = |count: usize, item: &str| vec![item; count].join(", ");
    let commands = |count| format!("              Commands: [{}]\n", list(count, "make"));
    let names: Vec<String> = (0..16).map(|n| format!("V{n}")).collect();
    assert_eq!(with(&commands(50)), [] as [&str; 0]);
    assert_eq!(
        with(&commands(51)),
        ["P413 error Run: 51 commands, the limit is 50"]
    );
    assert_eq!(
        with(""),
        ["P413 error Run: a Commands action without commands"]
    );
    let rest = |fields: &str| with(&format!("{}              {fields}\n", commands(1)));
    assert_eq!(
        rest(&format!("OutputVariables: [{}]", names.join(", "))),
        ["P413 error Run: 16 output variables, the limit is 15"]
    );
    let long = format!("{{Name: A, Value: {}}}", "x".repeat(2001));
    assert_eq!(
        rest(&format!("EnvironmentVariables: [{long}]")),
        ["P413 error Run: 2001 characters in A, the limit is 2000"]
    );
    assert_eq!(
        rest(&format!(
            "EnvironmentVariables: [{}]",
            list(11, "{Name: A, Value: b}")
        )),
        ["P413 error Run: 11 environment variables, the limit is 10"]
    );
    assert_eq!(
        rest(&format!(
            "OutputArtifacts: [{{Name: Out, Files: [{}]}}]",
            list(11, "a")
        )),
        ["P413 error Run: 11 files of an output artifact, the limit is 10"]
    );
}
