//! Build projects as `aws codebuild batch-get-projects` tells them, for definitions that hold none.

use std::time::Duration;

use contract::finding::Place;
use contract::project::{Project, Spec};
use serde_json::Value;

/// The buildspec of a project that names none.
pub(crate) const DEFAULT_BUILDSPEC: &str = "buildspec.yml";
/// How long CodeBuild lets a build take when its project does not say, in minutes.
const DEFAULT_MINUTES: u64 = 60;

/// Reads the projects of a file.
pub(crate) fn read(file: &str) -> Result<Vec<Project>, String> {
    let bytes = std::fs::read(file).map_err(|error| error.to_string())?;
    let value: Value = serde_json::from_slice(&bytes)
        .map_err(|error| format!("not JSON (line {})", error.line()))?;
    let listed = value.get("projects").and_then(Value::as_array);
    let listed = listed.ok_or("no list `projects`; write the answer of batch-get-projects")?;
    listed.iter().map(project).collect()
}

/// A project of which only the name is known.
pub(crate) fn unknown(name: &str) -> Project {
    Project {
        id: name.to_owned(),
        name: name.to_owned(),
        buildspec: Spec::File(DEFAULT_BUILDSPEC.to_owned()),
        buildspec_place: Place::default(),
        buildspec_lines: None,
        variables: Vec::new(),
        parameter_store: Vec::new(),
        secrets_manager: Vec::new(),
        open: true,
        image: String::new(),
        limit: Duration::from_secs(DEFAULT_MINUTES * 60),
    }
}

/// Reads one project.
pub(crate) fn project(value: &Value) -> Result<Project, String> {
    let text = |path: &str| value.pointer(path).and_then(Value::as_str);
    let name = text("/name").ok_or("a project has no name")?;
    let mut project = unknown(name);
    project.open = false;
    project.buildspec = spec(text("/source/buildspec").unwrap_or_default());
    text("/environment/image")
        .unwrap_or_default()
        .clone_into(&mut project.image);
    if let Some(minutes) = value.get("timeoutInMinutes").and_then(Value::as_u64) {
        project.limit = Duration::from_secs(minutes * 60);
    }
    let listed = value.pointer("/environment/environmentVariables");
    let listed = listed.and_then(Value::as_array).into_iter().flatten();
    for one in listed {
        let get = |key: &str| one.get(key).and_then(Value::as_str);
        let (Some(variable), Some(value)) = (get("name"), get("value")) else {
            return Err(format!(
                "an environment variable of {name} has no name or value"
            ));
        };
        let list = match get("type") {
            Some("PARAMETER_STORE") => &mut project.parameter_store,
            Some("SECRETS_MANAGER") => &mut project.secrets_manager,
            _ => &mut project.variables,
        };
        list.push((variable.to_owned(), value.to_owned()));
    }
    Ok(project)
}

fn spec(text: &str) -> Spec {
    if text.is_empty() {
        Spec::File(DEFAULT_BUILDSPEC.to_owned())
    } else if text.contains('\n') || text.starts_with('{') {
        Spec::Inline(text.to_owned())
    } else if text.starts_with("arn:") {
        Spec::Object(text.to_owned())
    } else {
        Spec::File(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn projects_are_read_as_aws_tells_them() {
        let value = serde_json::json!({
            "name": "p",
            "source": {"type": "CODEPIPELINE", "buildspec": "ci/b.yml"},
            "environment": {"image": "aws/codebuild/standard:7.0", "environmentVariables": [
                {"name": "A", "value": "1", "type": "PLAINTEXT"},
                {"name": "B", "value": "/b", "type": "PARAMETER_STORE"},
                {"name": "C", "value": "c:k", "type": "SECRETS_MANAGER"},
            ]},
            "timeoutInMinutes": 5,
        });
        let read = project(&value).unwrap();
        assert_eq!(read.buildspec, Spec::File("ci/b.yml".into()));
        assert_eq!(read.variables, [("A".to_owned(), "1".to_owned())]);
        assert_eq!(read.parameter_store, [("B".to_owned(), "/b".to_owned())]);
        assert_eq!(read.secrets_manager, [("C".to_owned(), "c:k".to_owned())]);
        assert_eq!(read.limit, Duration::from_secs(300));
        assert_eq!(
            spec("version: 0.2\n"),
            Spec::Inline("version: 0.2\n".into())
        );
        assert_eq!(spec(""), Spec::File(DEFAULT_BUILDSPEC.into()));
    }
}
