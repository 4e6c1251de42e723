//! Local paths in a template: CloudFormation cannot read them, so they are refused with their place.
//!
//! The properties are those that `aws cloudformation package` rewrites
//! (awscli/customizations/cloudformation/artifact_exporter.py), and `AWS::Include` anywhere.

use contract::finding::Finding;
use contract::template::Template;
use contract::yaml::{Content, Node};

/// Resource types with the property, dots between levels, that may hold a local path.
const PROPERTIES: [(&str, &str); 22] = [
    ("AWS::ApiGateway::RestApi", "BodyS3Location"),
    ("AWS::AppSync::FunctionConfiguration", "CodeS3Location"),
    (
        "AWS::AppSync::FunctionConfiguration",
        "RequestMappingTemplateS3Location",
    ),
    (
        "AWS::AppSync::FunctionConfiguration",
        "ResponseMappingTemplateS3Location",
    ),
    ("AWS::AppSync::GraphQLSchema", "DefinitionS3Location"),
    ("AWS::AppSync::Resolver", "CodeS3Location"),
    ("AWS::AppSync::Resolver", "RequestMappingTemplateS3Location"),
    (
        "AWS::AppSync::Resolver",
        "ResponseMappingTemplateS3Location",
    ),
    ("AWS::CloudFormation::ModuleVersion", "ModulePackage"),
    (
        "AWS::CloudFormation::ResourceVersion",
        "SchemaHandlerPackage",
    ),
    ("AWS::CloudFormation::Stack", "TemplateURL"),
    ("AWS::CloudFormation::StackSet", "TemplateURL"),
    ("AWS::CodeCommit::Repository", "Code.S3"),
    ("AWS::ElasticBeanstalk::ApplicationVersion", "SourceBundle"),
    ("AWS::Glue::Job", "Command.ScriptLocation"),
    ("AWS::Lambda::Function", "Code"),
    ("AWS::Lambda::LayerVersion", "Content"),
    ("AWS::Serverless::Api", "DefinitionUri"),
    ("AWS::Serverless::Application", "Location"),
    ("AWS::Serverless::Function", "CodeUri"),
    ("AWS::Serverless::LayerVersion", "ContentUri"),
    ("AWS::StepFunctions::StateMachine", "DefinitionS3Location"),
];

/// An error for each local path, in the order of the file.
#[must_use]
pub fn local(template: &Template) -> Vec<Finding> {
    let mut findings = Vec::new();
    for resource in &template.resources {
        for (kind, property) in PROPERTIES {
            let Some(properties) = resource
                .properties
                .as_ref()
                .filter(|_| resource.kind == kind)
            else {
                continue;
            };
            let value = property
                .split('.')
                .try_fold(properties, |node, level| node.get(level));
            if let Some((node, path)) = value.and_then(local_path) {
                let what = format!("{property} of {} ({kind})", resource.id);
                findings.push(finding(template, node, &what, path));
            }
        }
    }
    includes(template, &template.root, &mut findings);
    findings.sort_by_key(|finding| finding.place.map(|place| place.start));
    findings
}

/// `AWS::Include`, as `Fn::Transform`, `!Transform` or a whole `Transform` section.
fn includes(template: &Template, node: &Node, findings: &mut Vec<Finding>) {
    let is_include = node.get("Name").and_then(Node::as_str) == Some("AWS::Include");
    let location = node
        .get("Parameters")
        .and_then(|parameters| parameters.get("Location"));
    if is_include && let Some((place, path)) = location.and_then(local_path) {
        findings.push(finding(template, place, "Location of AWS::Include", path));
    }
    match &node.content {
        Content::Scalar(..) => {}
        Content::Sequence(items) => items
            .iter()
            .for_each(|item| includes(template, item, findings)),
        Content::Mapping(entries) => {
            entries
                .iter()
                .for_each(|(_, value)| includes(template, value, findings));
        }
    }
}

/// The text of a node that is a path on this machine: neither a function nor a URL.
fn local_path(node: &Node) -> Option<(&Node, &str)> {
    let text = node
        .as_str()
        .filter(|text| node.tag.is_none() && !text.is_empty())?;
    let elsewhere = ["s3://", "http://", "https://", "arn:", "{{resolve:"];
    let folded = text.to_ascii_lowercase();
    (!elsewhere.iter().any(|start| folded.starts_with(start))).then_some((node, text))
}

fn finding(template: &Template, node: &Node, what: &str, path: &str) -> Finding {
    Finding::error(
        &template.file,
        Some(node.place),
        format!("{what} is the local path {path:?}, which CloudFormation cannot read"),
    )
    .hint("put the file into S3 and write its URL, or run `aws cloudformation package` first")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::local;
    use contract::template::Template;

    fn found(text: &str) -> Vec<String> {
        let template = Template::parse("t.yml", text.as_bytes()).unwrap();
        local(&template)
            .iter()
            .map(|finding| {
                let shown = finding.to_string();
                shown.split(", which").next().unwrap_or_default().to_owned()
            })
            .collect()
    }

    #[test]
    fn local_paths_are_found_where_they_stand() {
        let text = "Resources:
  Nested:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: ./nested.yml
  F:
    Type: AWS::Lambda::Function
    Properties:
      Code: src/
      Layers: !Transform {Name: AWS::Include, Parameters: {Location: layers.yml}}
  Job:
    Type: AWS::Glue::Job
    Properties: {Command: {ScriptLocation: job.py}}
";
        assert_eq!(
            found(text),
            [
                "t.yml:5:20: TemplateURL of Nested (AWS::CloudFormation::Stack) is the local path \"./nested.yml\"",
                "t.yml:9:13: Code of F (AWS::Lambda::Function) is the local path \"src/\"",
                "t.yml:10:70: Location of AWS::Include is the local path \"layers.yml\"",
                "t.yml:13:44: Command.ScriptLocation of Job (AWS::Glue::Job) is the local path \"job.py\"",
            ]
        );
    }

    #[test]
    fn what_cloudformation_can_read_is_left_alone() {
        let text = "Resources:
  A:
    Type: AWS::CloudFormation::Stack
    Properties: {TemplateURL: 'https://b.s3.amazonaws.com/t.yml'}
  B:
    Type: AWS::CloudFormation::Stack
    Properties: {TemplateURL: !Sub 'https://${Bucket}/t.yml'}
  C:
    Type: AWS::Lambda::Function
    Properties: {Code: {ZipFile: 'x', S3Key: a/b.zip}}
  D:
    Type: AWS::Lambda::Function
    Properties: {Code: {Fn::If: [X, {ZipFile: a}, {ZipFile: b}]}}
  E:
    Type: AWS::Glue::Job
    Properties: {Command: {ScriptLocation: 's3://b/job.py'}}
  F:
    Type: AWS::S3::Bucket
    Properties: {Code: local}
Transform: {Name: AWS::Include, Parameters: {Location: 's3://b/x.yml'}}
";
        assert_eq!(found(text), [] as [&str; 0]);
    }
}
