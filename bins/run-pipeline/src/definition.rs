//! From files to a pipeline and the build projects that it names.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use action::failure::Failure;
use contract::evaluate::{Evaluator, World};
use contract::finding::{Finding, did_you_mean};
use contract::pipeline::Pipeline;
use contract::template::{Resource, Template};
use contract::yaml::{self, Node};
use serde_json::Value;

use crate::findings;

const PROJECT_TYPE: &str = "AWS::CodeBuild::Project";

/// What to run.
#[derive(Debug)]
pub struct Definition {
    /// The pipeline.
    pub pipeline: Pipeline,
    /// The build projects of the same template.
    pub projects: Vec<Project>,
}

/// A build project, as far as a build here needs it.
#[derive(Debug, Clone)]
pub struct Project {
    /// Its logical id, which is what `Ref` gives here.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Where its buildspec is.
    pub buildspec: Spec,
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
}

impl Definition {
    /// The project of that name or logical id.
    #[must_use]
    pub fn project(&self, name: &str) -> Option<&Project> {
        self.projects
            .iter()
            .find(|one| one.id == name || one.name == name)
    }
}

/// Whether a definition needs the exports of other stacks.
#[must_use]
pub fn needs_imports(bytes: &[u8]) -> bool {
    bytes
        .windows(b"ImportValue".len())
        .any(|part| part == b"ImportValue")
}

/// Reads a template or a pipeline's JSON.
///
/// # Errors
/// A refusal with every fault of the file.
pub fn read(
    file: &Path,
    bytes: &[u8],
    world: &World,
    id: Option<&str>,
) -> Result<Definition, Failure> {
    let shown = file.display().to_string();
    let wrong = |findings: Vec<Finding>| findings::refusal("the pipeline cannot run", &findings);
    let root = yaml::parse_bytes(&shown, bytes).map_err(|finding| wrong(vec![finding]))?;
    if root.get("pipeline").is_some() || root.get("stages").is_some() {
        return Ok(Definition {
            pipeline: Pipeline::parse_definition(&shown, bytes).map_err(wrong)?,
            projects: Vec::new(),
        });
    }
    let template = Template::parse(&shown, bytes).map_err(wrong)?;
    for warning in &template.warnings {
        tracing::warn!("{warning}");
    }
    let evaluator = Evaluator::new(&template, world).map_err(wrong)?;
    let pipeline = Pipeline::from_template(&template, &evaluator, id).map_err(wrong)?;
    let mut projects = Vec::new();
    for resource in template.resources_of(PROJECT_TYPE) {
        projects.push(project(&shown, resource, &evaluator).map_err(|one| wrong(vec![one]))?);
    }
    Ok(Definition { pipeline, projects })
}

fn project(file: &str, resource: &Resource, evaluator: &Evaluator<'_>) -> Result<Project, Finding> {
    let fault = |node: &Node, message: String| Finding::error(file, Some(node.place), message);
    let id = &resource.id;
    let properties = match &resource.properties {
        Some(node) => evaluator.node(node)?,
        None => None,
    };
    let Some(node) = properties else {
        return Err(fault(&resource.node, format!("{id} has no Properties")));
    };
    let text = |path: &[&str]| {
        path.iter()
            .try_fold(&node, |node, key| node.get(key))
            .and_then(Node::as_str)
    };
    let buildspec = match text(&["Source", "BuildSpec"]) {
        None | Some("") => Spec::File("buildspec.yml".to_owned()),
        Some(inline) if inline.contains('\n') || inline.starts_with('{') => {
            Spec::Inline(inline.to_owned())
        }
        Some(arn) if arn.starts_with("arn:") => {
            return Err(fault(
                &node,
                format!("{id}: the buildspec {arn} is in a bucket, which is not read here"),
            )
            .hint("name a file of the source"));
        }
        Some(path) => Spec::File(path.to_owned()),
    };
    let minutes = text(&["TimeoutInMinutes"]).unwrap_or("60");
    let Ok(minutes) = minutes.parse::<u64>() else {
        return Err(fault(
            &node,
            format!("{id}: TimeoutInMinutes {minutes:?} is not a number"),
        ));
    };
    let listed = node
        .get("Environment")
        .and_then(|one| one.get("EnvironmentVariables"))
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
        variables,
        stored,
        image: text(&["Environment", "Image"])
            .unwrap_or_default()
            .to_owned(),
        limit: Duration::from_secs(minutes * 60),
    })
}

/// Reads parameter files: a template configuration (`{"Parameters": {…}}`), the list of the
/// AWS CLI (`[{"ParameterKey": …}]`) or a plain object of names and values.
///
/// # Errors
/// A refusal that names the file and what is wrong in it.
pub fn parameters(
    files: &[std::path::PathBuf],
    single: &[(String, String)],
) -> Result<BTreeMap<String, String>, Failure> {
    let mut all = BTreeMap::new();
    for file in files {
        let shown = file.display().to_string();
        let bytes = std::fs::read(file).map_err(|error| {
            Failure::refused(format!("cannot read the parameters {shown}")).cause(error)
        })?;
        let value = yaml::parse_bytes(&shown, &bytes)
            .map_err(|finding| findings::refusal("the parameters cannot be used", &[finding]))?
            .to_json();
        all.extend(read_parameters(&value).map_err(|why| {
            Failure::refused(format!("the parameters {shown} cannot be used")).cause(why)
        })?);
    }
    all.extend(single.iter().cloned());
    Ok(all)
}

/// The names and texts of a parameter file's content.
///
/// # Errors
/// What is wrong, in words.
pub fn read_parameters(value: &Value) -> Result<Vec<(String, String)>, String> {
    let pair = |name: &str, value: &Value| match scalar(value) {
        Some(text) => Ok((name.to_owned(), text)),
        None => Err(format!("parameter {name} is not text")),
    };
    match value {
        Value::Object(map) => {
            let inner = map.get("Parameters").unwrap_or(value);
            let Value::Object(map) = inner else {
                return Err("Parameters is not an object".to_owned());
            };
            map.iter().map(|(name, value)| pair(name, value)).collect()
        }
        Value::Array(items) => items
            .iter()
            .map(
                |item| match (item.get("ParameterKey"), item.get("ParameterValue")) {
                    (Some(Value::String(name)), Some(value)) => pair(name, value),
                    _ => Err("an item needs ParameterKey and ParameterValue".to_owned()),
                },
            )
            .collect(),
        _ => Err("it is neither an object nor a list".to_owned()),
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

/// The nearest known stage, for a name that is none.
#[must_use]
pub fn nearest_stage(pipeline: &Pipeline, name: &str) -> Option<String> {
    did_you_mean(name, pipeline.stages.iter().map(|one| one.name.as_str()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;
    use serde_json::json;

    #[test]
    fn parameter_files_come_in_three_forms() {
        let expected = vec![
            ("A".to_owned(), "1".to_owned()),
            ("B".to_owned(), "x".to_owned()),
        ];
        for form in [
            json!({"Parameters": {"A": 1, "B": "x"}, "Tags": {}}),
            json!({"A": "1", "B": "x"}),
            json!([{"ParameterKey": "A", "ParameterValue": "1"}, {"ParameterKey": "B", "ParameterValue": "x"}]),
        ] {
            assert_eq!(read_parameters(&form).unwrap(), expected);
        }
        assert!(read_parameters(&json!({"A": []})).is_err());
        assert!(read_parameters(&json!("x")).is_err());
        assert!(read_parameters(&json!([{"Key": "A"}])).is_err());
    }
}
