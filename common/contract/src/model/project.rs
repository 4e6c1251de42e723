//! A CodeBuild project of a template, as far as a build of it needs to be known.

use std::time::Duration;

use crate::finding::{Finding, Place};
use crate::model::evaluate::{Evaluator, is_unknown};
use crate::model::template::{Resource, Template};
use crate::model::yaml::{Content, Node, Style};
use crate::rules::pipeline_shape;

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
    /// Where the text of one that is written inside the project begins, when its lines are the file's.
    pub buildspec_lines: Option<Place>,
    /// Its plain environment variables.
    pub variables: Vec<(String, String)>,
    /// Variables whose values Parameter Store holds: name and parameter.
    pub parameter_store: Vec<(String, String)>,
    /// Variables whose values Secrets Manager holds: name and reference.
    pub secrets_manager: Vec<(String, String)>,
    /// Whether it may have more variables, which depend on what is not known.
    pub open: bool,
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
    each(template, evaluator).collect()
}

/// The build projects of a template one by one, each read or with what is wrong with it.
pub(crate) fn each(
    template: &Template,
    evaluator: &Evaluator<'_>,
) -> impl Iterator<Item = Result<Project, Finding>> {
    template
        .resources_of(PROJECT_TYPE)
        .map(|resource| project(&template.file, resource, evaluator))
}

/// Where the lines of a literal block stand, as it is or as the text of Fn::Sub.
fn lines(node: &Node) -> Option<Place> {
    match &node.content {
        Content::Scalar(_, Style::Literal) => Some(Place {
            line: node.first_text_line(),
            ..node.place
        }),
        Content::Mapping(_) => lines(node.get("Fn::Sub")?),
        _ => None,
    }
}

fn project(file: &str, resource: &Resource, evaluator: &Evaluator<'_>) -> Result<Project, Finding> {
    let fault = |node: &Node, message: String| {
        Finding::new(&pipeline_shape::RULE, file, Some(node.place), message)
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
    let is_open = |node: &Node| node.as_str().is_some_and(is_unknown);
    let buildspec = match text(&["Source", "BuildSpec"]) {
        None if find(&["Source"]).is_some_and(is_open) => Spec::File("${Source}".to_owned()),
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
        Err(_) if is_unknown(minutes) => 60,
        Err(_) => {
            return Err(fault(
                &node,
                format!("{id}: TimeoutInMinutes {minutes:?} is not a number"),
            ));
        }
    };
    let listed = find(&["Environment", "EnvironmentVariables"]);
    let mut open = find(&["Environment"]).is_some_and(is_open) || listed.is_some_and(is_open);
    let mut variables = Vec::new();
    let mut parameter_store = Vec::new();
    let mut secrets_manager = Vec::new();
    for one in listed.and_then(Node::as_sequence).unwrap_or_default() {
        if is_open(one) {
            open = true;
            continue;
        }
        let get = |key: &str| one.get(key).and_then(Node::as_str);
        let (Some(name), Some(value)) = (get("Name"), get("Value")) else {
            return Err(fault(
                one,
                format!("{id}: an environment variable needs Name and Value"),
            ));
        };
        let list = match get("Type") {
            Some("PARAMETER_STORE") => &mut parameter_store,
            Some("SECRETS_MANAGER") => &mut secrets_manager,
            _ => &mut variables,
        };
        list.push((name.to_owned(), value.to_owned()));
    }
    Ok(Project {
        name: text(&["Name"]).unwrap_or(id).to_owned(),
        id: id.clone(),
        buildspec,
        buildspec_place: find(&["Source", "BuildSpec"])
            .or_else(|| find(&["Source"]))
            .map_or(resource.node.place, |node| node.place),
        buildspec_lines: resource
            .properties
            .as_ref()
            .and_then(|properties| lines(properties.get("Source")?.get("BuildSpec")?)),
        variables,
        parameter_store,
        secrets_manager,
        open,
        image: text(&["Environment", "Image"])
            .unwrap_or_default()
            .to_owned(),
        limit: Duration::from_secs(minutes * 60),
    })
}
