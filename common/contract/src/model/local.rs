//! Local paths in a template: what they are, and what must stand in their place.
//!
//! The properties are those that `aws cloudformation package` and `sam package` rewrite
//! (awscli/customizations/cloudformation/artifact_exporter.py, samcli/lib/utils/resources.py), SAM's `Globals`
//! where a resource takes its value from there, and `AWS::Include` anywhere.

use crate::model::evaluate::function;
use crate::model::yaml::{Content, Node};

/// How a file or folder is stored, and how the template names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A nested template, packaged itself: its https URL.
    Template,
    /// A file as it is, a folder as a zip: `s3://bucket/key`.
    Url,
    /// Always a zip, unless the file is one: `s3://bucket/key`.
    ZipUrl,
    /// A file as it is, a folder as a zip: a mapping with these names of bucket and key.
    Place(&'static str, &'static str),
    /// Always a zip, unless the file is one: a mapping with these names of bucket and key.
    ZipPlace(&'static str, &'static str),
    /// A piece of a template, packaged itself: `s3://bucket/key`.
    Include,
}

impl Form {
    /// Whether a single file is put into a zip of its own.
    #[must_use]
    pub fn is_zip(self) -> bool {
        matches!(self, Self::ZipUrl | Self::ZipPlace(..))
    }
}

/// A local path with its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Local<'t> {
    /// The value.
    pub node: &'t Node,
    /// Its text.
    pub path: &'t str,
    /// The property, such as `Command.ScriptLocation`.
    pub property: &'static str,
    /// What has it.
    pub owner: Owner<'t>,
    /// What must become of it.
    pub form: Form,
}

/// What has a local path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner<'t> {
    /// A resource: its logical id and its type.
    Resource(&'t str, &'static str),
    /// A section of SAM's `Globals`, such as `Function`.
    Globals(&'static str),
    /// An include.
    Include,
}

impl Local<'_> {
    /// The property with what has it, for messages.
    #[must_use]
    pub fn what(&self) -> String {
        match self.owner {
            Owner::Resource(id, kind) => format!("{} of {id} ({kind})", self.property),
            Owner::Globals(section) => format!("{} of Globals.{section}", self.property),
            Owner::Include => format!("{} of AWS::Include", self.property),
        }
    }
}

use Form::{Include, Place, Template, Url, ZipPlace, ZipUrl};

/// Resource types with the property, dots between levels, that may hold a local path.
const PROPERTIES: [(&str, &str, Form); 26] = [
    (
        "AWS::ApiGateway::RestApi",
        "BodyS3Location",
        Place("Bucket", "Key"),
    ),
    ("AWS::AppSync::FunctionConfiguration", "CodeS3Location", Url),
    (
        "AWS::AppSync::FunctionConfiguration",
        "RequestMappingTemplateS3Location",
        Url,
    ),
    (
        "AWS::AppSync::FunctionConfiguration",
        "ResponseMappingTemplateS3Location",
        Url,
    ),
    ("AWS::AppSync::GraphQLSchema", "DefinitionS3Location", Url),
    ("AWS::AppSync::Resolver", "CodeS3Location", Url),
    (
        "AWS::AppSync::Resolver",
        "RequestMappingTemplateS3Location",
        Url,
    ),
    (
        "AWS::AppSync::Resolver",
        "ResponseMappingTemplateS3Location",
        Url,
    ),
    (
        "AWS::CloudFormation::ModuleVersion",
        "ModulePackage",
        ZipUrl,
    ),
    (
        "AWS::CloudFormation::ResourceVersion",
        "SchemaHandlerPackage",
        ZipUrl,
    ),
    ("AWS::CloudFormation::Stack", "TemplateURL", Template),
    ("AWS::CloudFormation::StackSet", "TemplateURL", Template),
    (
        "AWS::CodeCommit::Repository",
        "Code.S3",
        ZipPlace("Bucket", "Key"),
    ),
    (
        "AWS::ElasticBeanstalk::ApplicationVersion",
        "SourceBundle",
        Place("S3Bucket", "S3Key"),
    ),
    ("AWS::Glue::Job", "Command.ScriptLocation", Url),
    (
        "AWS::Lambda::Function",
        "Code",
        ZipPlace("S3Bucket", "S3Key"),
    ),
    (
        "AWS::Lambda::LayerVersion",
        "Content",
        ZipPlace("S3Bucket", "S3Key"),
    ),
    ("AWS::Serverless::Api", "DefinitionUri", Url),
    ("AWS::Serverless::Application", "Location", Template),
    ("AWS::Serverless::Function", "CodeUri", ZipUrl),
    ("AWS::Serverless::HttpApi", "DefinitionUri", Url),
    ("AWS::Serverless::LayerVersion", "ContentUri", ZipUrl),
    ("AWS::Serverless::StateMachine", "DefinitionUri", Url),
    (
        "AWS::StepFunctions::StateMachine",
        "DefinitionS3Location",
        Place("Bucket", "Key"),
    ),
    // These two stand in the template's Metadata.
    (REPOSITORY, "ReadmeUrl", Url),
    (REPOSITORY, "LicenseUrl", Url),
];

const REPOSITORY: &str = "AWS::ServerlessRepo::Application";

/// The local paths of a template, or of a piece of one that is included, in the order of the text.
#[must_use]
pub fn find(root: &Node) -> Vec<Local<'_>> {
    let mut found = Vec::new();
    if let Some(resources) = root.get("Resources") {
        resources_of(resources, &mut found);
    } else {
        // An included piece may hold resources without their section.
        resources_of(root, &mut found);
    }
    if let Some(globals) = root.get("Globals") {
        globals_of(globals, root, &mut found);
    }
    if let Some(metadata) = root.get("Metadata").and_then(|node| node.get(REPOSITORY)) {
        properties(REPOSITORY, REPOSITORY, metadata, &mut found);
    }
    includes(root, &mut found);
    found.sort_by_key(|one| one.node.place.start);
    found
}

fn resources_of<'t>(section: &'t Node, found: &mut Vec<Local<'t>>) {
    for (key, value) in section.as_mapping().unwrap_or_default() {
        let id = key.as_str().unwrap_or_default();
        if id.starts_with("Fn::ForEach::") {
            // [identifier, collection, body]: the body holds resources again.
            if let Some([_, _, body]) = value.as_sequence() {
                resources_of(body, found);
            }
            continue;
        }
        let kind = value.get("Type").and_then(Node::as_str);
        if let (Some(kind), Some(node)) = (kind, value.get("Properties")) {
            properties(id, kind, node, found);
        }
    }
}

/// What SAM's `Globals` give to every resource of a kind that does not say it itself.
fn globals_of<'t>(globals: &'t Node, root: &Node, found: &mut Vec<Local<'t>>) {
    for (kind, property, form) in &PROPERTIES {
        let Some(section) = kind.strip_prefix("AWS::Serverless::") else {
            continue;
        };
        let value = globals.get(section).and_then(|node| node.get(property));
        if let Some((node, path)) = value.and_then(local_path)
            && is_taken(root.get("Resources"), kind, property)
        {
            found.push(Local {
                node,
                path,
                property,
                owner: Owner::Globals(section),
                form: *form,
            });
        }
    }
}

/// Whether a resource takes a property from the `Globals`: it does not give it, nor code in another form.
fn is_taken(section: Option<&Node>, kind: &str, property: &str) -> bool {
    let entries = section.and_then(Node::as_mapping).unwrap_or_default();
    entries.iter().any(|(key, value)| {
        if key.as_str().is_some_and(|id| id.starts_with("Fn::")) {
            let body = value.as_sequence().and_then(<[Node]>::last);
            return is_taken(body, kind, property);
        }
        let own = value.get("Properties");
        let gives = |name: &str| own.is_some_and(|node| node.get(name).is_some());
        let otherwise = ["InlineCode", "ImageUri", "DefinitionBody"];
        value.get("Type").and_then(Node::as_str) == Some(kind)
            && !gives(property)
            && !otherwise.iter().any(|name| gives(name))
    })
}

fn properties<'t>(id: &'t str, kind: &str, node: &'t Node, found: &mut Vec<Local<'t>>) {
    for (known, property, form) in &PROPERTIES {
        if *known != kind {
            continue;
        }
        let value = property
            .split('.')
            .try_fold(node, |node, level| node.get(level));
        if let Some((node, path)) = value.and_then(local_path) {
            found.push(Local {
                node,
                path,
                property,
                owner: Owner::Resource(id, known),
                form: *form,
            });
        }
    }
}

/// `AWS::Include`, as `Fn::Transform`, `!Transform` or a whole `Transform` section.
fn includes<'t>(node: &'t Node, found: &mut Vec<Local<'t>>) {
    let is_include = node.get("Name").and_then(Node::as_str) == Some("AWS::Include");
    let location = node
        .get("Parameters")
        .and_then(|parameters| parameters.get("Location"));
    if is_include && let Some((node, path)) = location.and_then(local_path) {
        found.push(Local {
            node,
            path,
            property: "Location",
            owner: Owner::Include,
            form: Include,
        });
    }
    match &node.content {
        Content::Scalar(..) => {}
        Content::Sequence(items) => items.iter().for_each(|item| includes(item, found)),
        Content::Mapping(entries) => {
            entries.iter().for_each(|(_, value)| includes(value, found));
        }
    }
}

/// The texts of that form of property that are no paths on this machine: what has each, where it is, and the
/// text, which is the pattern of a Fn::Sub where one stands there.
#[must_use]
pub(crate) fn urls(root: &Node, wanted: Form) -> Vec<(String, &Node, String)> {
    let mut found = Vec::new();
    let entries = root.get("Resources").and_then(Node::as_mapping);
    for (key, value) in entries.unwrap_or_default() {
        let kind = value.get("Type").and_then(Node::as_str);
        let fitting = PROPERTIES
            .iter()
            .filter(|(known, _, form)| Some(*known) == kind && *form == wanted);
        for (_, property, _) in fitting {
            let node = value.get("Properties").and_then(|node| node.get(property));
            let Some(node) = node.filter(|node| local_path(node).is_none()) else {
                continue;
            };
            let text = match function(node) {
                None => node.as_str().map(str::to_owned),
                Some((name, argument)) if name == "Fn::Sub" => {
                    let bare = argument.bare();
                    let first = bare.as_sequence().and_then(<[Node]>::first);
                    first.unwrap_or(&bare).as_str().map(str::to_owned)
                }
                Some(_) => None,
            };
            let id = key.as_str().unwrap_or_default().to_owned();
            found.extend(text.map(|text| (id, node, text)));
        }
    }
    found
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    fn found(text: &str) -> Vec<String> {
        let root = crate::model::yaml::parse("t.yml", text).unwrap();
        find(&root)
            .iter()
            .map(|one| {
                let place = one.node.place;
                format!(
                    "{}:{}: {} {:?}",
                    place.line,
                    place.column,
                    one.what(),
                    one.path
                )
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
  Fn::ForEach::Functions:
    - Name
    - [A, B]
    - 'F${Name}': {Type: AWS::Serverless::Function, Properties: {CodeUri: loop/}}
Metadata: {'AWS::ServerlessRepo::Application': {ReadmeUrl: README.md}}
";
        assert_eq!(
            found(text),
            [
                "5:20: TemplateURL of Nested (AWS::CloudFormation::Stack) \"./nested.yml\"",
                "9:13: Code of F (AWS::Lambda::Function) \"src/\"",
                "10:70: Location of AWS::Include \"layers.yml\"",
                "13:44: Command.ScriptLocation of Job (AWS::Glue::Job) \"job.py\"",
                "17:75: CodeUri of F${Name} (AWS::Serverless::Function) \"loop/\"",
                "18:60: ReadmeUrl of AWS::ServerlessRepo::Application (AWS::ServerlessRepo::Application) \"README.md\"",
            ]
        );
    }

    /// As `sam package` applies them: to a resource that does not say it itself.
    #[test]
    fn what_globals_give_is_found_where_a_resource_takes_it() {
        let with = |resources: &str| {
            found(&format!(
                "Globals:\n  Function: {{CodeUri: src/}}\n  LayerVersion: {{ContentUri: layer/}}\n  \
                 Api: {{DefinitionUri: api.yml}}\nResources:\n{resources}"
            ))
        };
        let takes = "  A: {Type: AWS::Serverless::Function, Properties: {Handler: x}}\n";
        let code = "2:23: CodeUri of Globals.Function \"src/\"";
        assert_eq!(with(takes), [code]);
        assert_eq!(with("  A: {Type: AWS::Serverless::Function}\n"), [code]);
        assert_eq!(
            with("  L: {Type: AWS::Serverless::LayerVersion}\n  P: {Type: AWS::Serverless::Api}\n"),
            [
                "3:30: ContentUri of Globals.LayerVersion \"layer/\"",
                "4:24: DefinitionUri of Globals.Api \"api.yml\""
            ]
        );
        let looped = "  Fn::ForEach::All:\n    - N\n    - [A]\n    - 'F${N}': {Type: AWS::Serverless::Function}\n";
        assert_eq!(with(looped), [code]);
        for own in ["CodeUri: 's3://b/k'", "InlineCode: x", "ImageUri: x"] {
            let resource =
                format!("  A: {{Type: AWS::Serverless::Function, Properties: {{{own}}}}}\n");
            assert_eq!(with(&resource), [] as [&str; 0], "{own}");
        }
        assert_eq!(with("  A: {Type: AWS::S3::Bucket}\n"), [] as [&str; 0]);
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
