//! `run-pipeline`: an archive from a bucket into a stack; what it makes is the stack.

use harness::Program;

use super::{Job, World, bucket, status_of, unless_is};

const PIPELINE: &str = "
Resources:
  Pipeline:
    Type: AWS::CodePipeline::Pipeline
    Properties:
      Name: demo
      Stages:
        - Name: Source
          Actions:
            - Name: Source
              ActionTypeId: {Category: Source, Owner: AWS, Provider: S3, Version: '1'}
              Configuration: {S3Bucket: NAME, S3ObjectKey: template.zip, PollForSourceChanges: 'false'}
              OutputArtifacts: [{Name: Src}]
              Namespace: Source
        - Name: Deploy
          Actions:
            - Name: Deploy
              ActionTypeId: {Category: Deploy, Owner: AWS, Provider: CloudFormation, Version: '1'}
              Configuration:
                ActionMode: CREATE_UPDATE
                StackName: NAME
                TemplatePath: Src::app.yml
                ParameterOverrides: '{\"AMIId\":\"AMI_ID\"}'
              InputArtifacts: [{Name: Src}]
              Namespace: App
";

const APP: &str = "Parameters:
  AMIId: {Type: String}
Resources:
  Lt: {Type: 'AWS::EC2::LaunchTemplate', Properties: {LaunchTemplateData: {ImageId: !Ref AMIId}}}
Outputs:
  Image: {Value: !Ref AMIId}
";

/// A validation of CloudFormation refuses it: there is a bucket of that name.
const INVALID: &str = "Parameters:
  AMIId: {Type: String}
Resources:
  Data: {Type: 'AWS::S3::Bucket', Properties: {BucketName: NAME}}
";

const OLD: &str = "ami-0aaaaaaaaaaaaaaaa";
const NEW: &str = "ami-0bbbbbbbbbbbbbbbb";

/// With `create` there is no stack; with `update` there is one with another image; with `invalid` there is none, and the
/// template is refused.
pub(super) fn prepare<'a>(way: &str, world: &'a World<'a>) -> Option<Job<'a>> {
    let World { server, name, .. } = *world;
    bucket(server, name);
    // Stored as a user's release stores it, with a checksum.
    let template = match way {
        "invalid" => INVALID.replace("NAME", name),
        _ => APP.to_owned(),
    };
    std::fs::write(world.folder.path().join("app.yml"), template).unwrap();
    Program::of_workspace("package-template")?
        .dir(world.folder.path())
        .envs(server.env())
        .args(["app.yml", "--bucket", name])
        .run()
        .assert_code(0);
    if way == "update" {
        let parameters = [
            ("StackName", name),
            ("TemplateBody", APP),
            ("Parameters.member.1.ParameterKey", "AMIId"),
            ("Parameters.member.1.ParameterValue", OLD),
        ];
        server.query("cloudformation", "CreateStack", &parameters);
        world.stack_is(name, "CREATE_COMPLETE");
    }
    let definition = PIPELINE.replace("NAME", name).replace("AMI_ID", NEW);
    std::fs::write(world.folder.path().join("pipeline.yml"), definition).unwrap();
    let creates = way != "update";
    Some(Job {
        program: Program::of_workspace("run-pipeline")?
            .dir(world.folder.path())
            .arg("pipeline.yml"),
        wrong: Box::new(|exports| unless_is(exports, "App.Image", NEW)),
        made: Box::new(move || {
            let is_there = status_of(server, name).is_some_and(|one| one != "DELETE_COMPLETE");
            Vec::from_iter((creates && is_there).then(|| name.to_owned()))
        }),
    })
}
