//! What is not known is not guessed at.

use crate::{POLLS, check, lines, world, world_with};

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

pub(crate) const PARAMETER: (&str, &str) = (
    "  SourceBucket: {Type: String}\n",
    "  SourceBucket: {Type: String}\n  Kind: {Type: String}\nConditions:\n  Gpu: !Equals [!Ref Kind, gpu]\n",
);

/// What depends on a condition over a value that is not known is not checked.
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
