#![allow(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::model::evaluate::{Evaluator, World};
use crate::model::template::Template;

pub(crate) const GOOD: &str = r##"Resources:
  Project:
    Type: AWS::CodeBuild::Project
  P:
    Type: AWS::CodePipeline::Pipeline
    Properties:
      Name: demo
      Stages:
        - Name: Source
          Actions:
            - Name: Source
              ActionTypeId: {Category: Source, Owner: AWS, Provider: S3, Version: '1'}
              OutputArtifacts: [{Name: Src}]
              Configuration:
                S3Bucket: b
                S3ObjectKey: template.zip
                PollForSourceChanges: false
        - Name: AMI
          Actions:
            - Name: Bake
              ActionTypeId: {Category: Build, Owner: AWS, Provider: CodeBuild, Version: '1'}
              RunOrder: 2
              InputArtifacts: [{Name: Src}]
              Configuration:
                ProjectName: !Ref Project
              # The namespace of the AMI.
              Namespace: AMIcreation
        - Name: Deploy
          Actions:
            - Name: CF
              ActionTypeId: {Category: Deploy, Owner: AWS, Provider: CloudFormation, Version: '1'}
              InputArtifacts: [{Name: Src}]
              Namespace: App
              Configuration:
                ActionMode: CREATE_UPDATE
                StackName: s
                TemplatePath: Src::app.yml
                ParameterOverrides: '{"AMIId":"#{AMIcreation.AMI_ID}"}'
"##;

pub(crate) fn from_template(text: &str) -> Result<Pipeline, Vec<Finding>> {
    let template = Template::parse("t.yml", text.as_bytes())?;
    let world = World::default();
    let evaluator = Evaluator::new(&template, &world)?;
    Pipeline::from_template(&template, &evaluator, None)
}

fn faults(text: &str) -> String {
    let all = from_template(text).unwrap_err();
    all.iter().map(|one| format!("{one}\n")).collect()
}

#[test]
fn a_template_becomes_a_pipeline() {
    let pipeline = from_template(GOOD).unwrap();
    assert_eq!(pipeline.name, "demo");
    assert_eq!(pipeline.stages.len(), 3);
    let bake = &pipeline.stages[1].actions[0];
    assert_eq!((bake.provider.as_str(), bake.run_order), ("CodeBuild", 2));
    assert_eq!(bake.setting("ProjectName"), Some("Project"));
    assert_eq!(bake.inputs[0].text, "Src");
    assert_eq!(
        pipeline.stages[0].actions[0].setting("PollForSourceChanges"),
        Some("false")
    );
}

#[test]
fn the_json_of_get_pipeline_is_the_same_pipeline() {
    let json = r#"{"pipeline": {"name": "demo", "version": 3, "stages": [
        {"name": "Source", "actions": [{"name": "S", "actionTypeId":
          {"category": "Source", "owner": "AWS", "provider": "S3", "version": "1"},
          "runOrder": 1, "configuration": {"S3Bucket": "b"},
          "outputArtifacts": [{"name": "Src"}], "inputArtifacts": [], "namespace": "N"}]}]},
        "metadata": {"created": 1.5}}"#;
    let pipeline = Pipeline::parse_definition("p.json", json.as_bytes()).unwrap();
    let action = &pipeline.stages[0].actions[0];
    assert_eq!(action.setting("S3Bucket"), Some("b"));
    assert_eq!(action.outputs[0].text, "Src");
    assert_eq!(action.namespace.as_ref().unwrap().text, "N");
}

/// As an SDK writes the answer of get-pipeline.
#[test]
fn an_empty_list_is_as_good_as_none() {
    let json = r#"{"pipeline": {"stages": [{"name": "S", "actions": [{"name": "A", "actionTypeId":
        {"category": "Source", "owner": "AWS", "provider": "S3", "version": "1"}, "configuration": {},
        "commands": [], "outputVariables": [], "environmentVariables": [], "inputArtifacts": [],
        "outputArtifacts": [{"name": "Src", "files": []}]}]}]}}"#;
    let pipeline = Pipeline::parse_definition("p.json", json.as_bytes()).unwrap();
    let action = &pipeline.stages[0].actions[0];
    assert_eq!(
        (&action.commands, action.variables_place, &action.files),
        (&None, None, &Vec::new())
    );
}

#[test]
fn run_order_makes_groups() {
    let text = GOOD.replace("            - Name: CF\n", "            - Name: Late\n              ActionTypeId: {Category: Deploy, Owner: AWS, Provider: S3, Version: '1'}\n              RunOrder: 7\n            - Name: CF\n");
    let pipeline = from_template(&text).unwrap();
    let groups = pipeline.stages[2].groups();
    assert_eq!(groups.len(), 2);
    assert_eq!(groups[0][0].name, "CF");
    assert_eq!(groups[1][0].name, "Late");
}

#[test]
fn faults_of_a_definition_are_reported_at_once() {
    let text = GOOD
        .replace("RunOrder: 2", "RunOrder: 0")
        .replace(
            "ParameterOverrides: '{\"AMIId\":\"#{AMIcreation.AMI_ID}\"}'",
            "ParameterOverrides: {AMIId: x}",
        )
        .replace("OutputArtifacts: [{Name: Src}]", "OutputArtifacts: [Src]")
        .replace("Owner: AWS, Provider: S3, ", "Owner: AWS, ");
    let all = faults(&text);
    assert!(
        all.contains("RunOrder of action AMI/Bake is not a number from 1 to 999"),
        "{all}"
    );
    assert!(
        all.contains(
            "ParameterOverrides of action Deploy/CF is a mapping, not text\n  hint: write JSON"
        ),
        "{all}"
    );
    assert!(
        all.contains("an artifact in OutputArtifacts of action Source/Source has no Name"),
        "{all}"
    );
    assert!(
        all.contains("action Source/Source has no Provider"),
        "{all}"
    );
    assert!(
        faults("Resources:\n  A: {Type: X}\n")
            .contains("no resource of type AWS::CodePipeline::Pipeline")
    );
    assert!(
        faults("Resources:\n  A: {Type: 'AWS::CodePipeline::Pipeline', Properties: {}}\n")
            .contains("no stages")
    );
}
