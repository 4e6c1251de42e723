//! A CodeBuild project of a template, as far as a build of it needs to be known.

use std::time::Duration;

use crate::evaluate::Evaluator;
use crate::finding::{Finding, Place};
use crate::rule;
use crate::template::{Resource, Template};
use crate::yaml::Node;

/// The resource type of a build project.
pub const PROJECT_TYPE: &str = "AWS::CodeBuild::Project";

/// A build project.
#[derive(Debug, Clone)]
pub struct Project {
    /// Its logical id, which is what `Ref` gives here.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Where its buildspec is.
    pub buildspec: Spec,
    /// Where that is said.
    pub buildspec_place: Place,
    /// Its plain environment variables.
    pub variables: Vec<(String, String)>,
    /// Variables whose values a store holds: name and type.
    pub stored: Vec<(String, String)>,
    /// Its image.
    pub image: String,
    /// How long a build may take.
    pub limit: Duration,
}

/// Where a buildspec is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spec {
    /// A file of the source.
    File(String),
    /// Written inside the project.
    Inline(String),
    /// An object in a bucket, by its ARN.
    Object(String),
}

/// The build projects of a template, in its order.
///
/// # Errors
/// The first project that cannot be read.
pub fn projects(template: &Template, evaluator: &Evaluator<'_>) -> Result<Vec<Project>, Finding> {
    template
        .resources_of(PROJECT_TYPE)
        .map(|resource| project(&template.file, resource, evaluator))
        .collect()
}

fn project(file: &str, resource: &Resource, evaluator: &Evaluator<'_>) -> Result<Project, Finding> {
    let fault = |node: &Node, message: String| {
        Finding::new(&rule::PIPELINE_SHAPE, file, Some(node.place), message)
    };
    let id = &resource.id;
    let properties = match &resource.properties {
        Some(node) => evaluator.node(node)?,
        None => None,
    };
    let Some(node) = properties else {
        return Err(fault(&resource.node, format!("{id} has no Properties")));
    };
    let find = |path: &[&str]| path.iter().try_fold(&node, |node, key| node.get(key));
    let text = |path: &[&str]| find(path).and_then(Node::as_str);
    let buildspec = match text(&["Source", "BuildSpec"]) {
        None | Some("") => Spec::File("buildspec.yml".to_owned()),
        Some(inline) if inline.contains('\n') || inline.starts_with('{') => {
            Spec::Inline(inline.to_owned())
        }
        Some(arn) if arn.starts_with("arn:") => Spec::Object(arn.to_owned()),
        Some(path) => Spec::File(path.to_owned()),
    };
    let minutes = text(&["TimeoutInMinutes"]).unwrap_or("60");
    let minutes = match minutes.parse::<u64>() {
        Ok(minutes) => minutes,
        Err(_) if crate::evaluate::is_unknown(minutes) => 60,
        Err(_) => {
            return Err(fault(
                &node,
                format!("{id}: TimeoutInMinutes {minutes:?} is not a number"),
            ));
        }
    };
    let listed = find(&["Environment", "EnvironmentVariables"])
        .and_then(Node::as_sequence)
        .unwrap_or_default();
    let mut variables = Vec::new();
    let mut stored = Vec::new();
    for one in listed {
        let get = |key: &str| one.get(key).and_then(Node::as_str);
        let (Some(name), Some(value)) = (get("Name"), get("Value")) else {
            return Err(fault(
                one,
                format!("{id}: an environment variable needs Name and Value"),
            ));
        };
        match get("Type").unwrap_or("PLAINTEXT") {
            "PLAINTEXT" => variables.push((name.to_owned(), value.to_owned())),
            kind => stored.push((name.to_owned(), kind.to_owned())),
        }
    }
    Ok(Project {
        name: text(&["Name"]).unwrap_or(id).to_owned(),
        id: id.clone(),
        buildspec,
        buildspec_place: find(&["Source", "BuildSpec"])
            .or_else(|| find(&["Source"]))
            .map_or(resource.node.place, |node| node.place),
        variables,
        stored,
        image: text(&["Environment", "Image"])
            .unwrap_or_default()
            .to_owned(),
        limit: Duration::from_secs(minutes * 60),
    })
}
