//! `export-vars`: values from AWS; it makes nothing.

use harness::Program;
use serde_json::json;

use super::{Job, World, instance, unless_is};

/// Long enough that a cut anywhere would leave something that looks like a value.
const VALUE: &str = "vpc-0123456789abcdef0";

const TEMPLATE: &str = "Parameters:
  Vpc: {Type: String}
Resources:
  Topic: {Type: 'AWS::SNS::Topic'}
Outputs:
  VpcId: {Value: !Ref Vpc, Export: {Name: !Sub '${AWS::StackName}-vpc'}}
";

/// A value of an output, of an export, of a parameter, or of a tag.
pub(super) fn prepare<'a>(way: &str, world: &'a World<'a>) -> Option<Job<'a>> {
    let World { server, name, .. } = *world;
    let source = match way {
        "stack" => {
            stack(world);
            ["--from-stack".to_owned(), format!("VPC_ID={name}.VpcId")]
        }
        "export" => {
            stack(world);
            ["--from-export".to_owned(), format!("VPC_ID={name}-vpc")]
        }
        "ssm" => {
            let parameter =
                json!({"Name": format!("/{name}/vpc"), "Value": VALUE, "Type": "String"});
            server.json("ssm", "AmazonSSM.PutParameter", &parameter);
            ["--from-ssm".to_owned(), format!("VPC_ID=/{name}/vpc")]
        }
        "tag" => {
            let instance = instance(server, VALUE);
            ["--from-tag".to_owned(), format!("VPC_ID={instance}:Name")]
        }
        other => panic!("no way {other} of export-vars"),
    };
    Some(Job {
        program: Program::of_workspace("export-vars")?.args(source),
        wrong: Box::new(|exports| unless_is(exports, "VPC_ID", VALUE)),
        made: Box::new(Vec::new),
    })
}

fn stack(world: &World<'_>) {
    world.server.query(
        "cloudformation",
        "CreateStack",
        &[
            ("StackName", world.name),
            ("TemplateBody", TEMPLATE),
            ("Parameters.member.1.ParameterKey", "Vpc"),
            ("Parameters.member.1.ParameterValue", VALUE),
        ],
    );
    world.stack_is(world.name, "CREATE_COMPLETE");
}
