//! What to deploy, read from the artifacts and checked before anything is touched.

use action::failure::Failure;
use contract::finding::Finding;
use contract::template::Template;
use serde_json::Value;

use super::artifact_attribute;
use crate::action_io::ActionInput;
use crate::stack_events;
use crate::template_argument::{ReadTemplate, TemplateArgument};

/// A deployment.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) stack: String,
    pub(super) template: TemplateArgument,
    pub(super) parameters: Vec<(String, String)>,
    pub(super) tags: Vec<(String, String)>,
    pub(super) policy: Option<String>,
    pub(super) capabilities: Vec<String>,
    pub(super) role: Option<String>,
}

impl Request {
    /// Of an action that needs no template: it deletes a stack or executes a change set.
    pub(super) fn without_template(input: &ActionInput<'_>) -> Result<Self, Failure> {
        Ok(Self {
            stack: stack_name(input)?,
            template: TemplateArgument::default(),
            parameters: Vec::new(),
            tags: Vec::new(),
            policy: None,
            capabilities: Vec::new(),
            role: role(input),
        })
    }

    pub(super) async fn read(input: &ActionInput<'_>) -> Result<Self, Failure> {
        let name = input.name();
        let refused = |why: String| Failure::refused(format!("{name} cannot deploy")).cause(why);
        let read = ReadTemplate::of(input)?;

        let mut request = Self {
            stack: stack_name(input)?,
            template: TemplateArgument::default(),
            parameters: Vec::new(),
            tags: Vec::new(),
            policy: None,
            capabilities: input
                .optional("Capabilities")
                .unwrap_or_default()
                .split(',')
                .map(str::trim)
                .filter(|one| !one.is_empty())
                .map(str::to_owned)
                .collect(),
            role: role(input),
        };
        if let Some(path) = input.optional("TemplateConfiguration") {
            let bytes = input.read_path("TemplateConfiguration", path)?;
            let value = serde_json::from_slice(&bytes)
                .map_err(|error| refused(format!("{path}: {error}")))?;
            request
                .configuration(&value)
                .map_err(|why| refused(format!("{path}: {why}")))?;
        }
        if let Some(text) = input.optional("ParameterOverrides") {
            let why = |error: String| refused(format!("ParameterOverrides: {error}"));
            for (key, value) in overrides(input, text).await.map_err(why)? {
                request.set(key, value);
            }
        }
        request
            .check(&read.template)
            .map_err(|wrong| findings::refusal(&format!("{name} cannot deploy"), &wrong))?;
        request.template = read.argument(input).await?;
        Ok(request)
    }

    /// Takes over a template configuration file.
    fn configuration(&mut self, value: &Value) -> Result<(), String> {
        let Value::Object(map) = value else {
            return Err("not a JSON object".to_owned());
        };
        let texts = |key: &str| match map.get(key) {
            None => Ok(Vec::new()),
            Some(value @ Value::Object(_)) => contract::parameters::read_parameters(value),
            Some(_) => Err(format!("{key} is not an object")),
        };
        for (key, value) in texts("Parameters")? {
            self.set(key, value);
        }
        self.tags = texts("Tags")?;
        self.policy = map.get("StackPolicy").map(Value::to_string);
        Ok(())
    }

    fn set(&mut self, key: String, value: String) {
        self.parameters.retain(|(known, _)| *known != key);
        self.parameters.push((key, value));
    }

    /// Every given parameter is declared, every declared one has a value.
    fn check(&self, template: &Template) -> Result<(), Vec<Finding>> {
        let names = self.parameters.iter().map(|(name, _)| name.as_str());
        let mut wrong = template.undeclared(names);
        for declared in &template.parameters {
            let given = self
                .parameters
                .iter()
                .any(|(name, _)| *name == declared.name);
            if !given && declared.default.is_none() {
                wrong.push(
                    Finding::new(
                        &contract::rules::no_value::RULE,
                        &template.file,
                        Some(declared.node.place),
                        format!("parameter {} has no value and no default", declared.name),
                    )
                    .hint("give it in TemplateConfiguration or ParameterOverrides"),
                );
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong) }
    }
}

fn stack_name(input: &ActionInput<'_>) -> Result<String, Failure> {
    let name = input.required("StackName")?;
    if stack_events::is_stack_name(name) {
        return Ok(name.to_owned());
    }
    let deed = format!("{} cannot deploy", input.name());
    Err(Failure::refused(deed).cause(format!(
        "StackName {name:?} is neither a stack's name (a letter, then letters, digits and -) nor its ARN"
    )))
}

/// The stack's role. One that the pipeline's template makes itself does not exist here: there
/// its ARN is only `LogicalId.Arn`.
fn role(input: &ActionInput<'_>) -> Option<String> {
    let role = input.optional("RoleArn")?;
    if role.starts_with("arn:") {
        return Some(role.to_owned());
    }
    tracing::warn!(
        "{}: the role {role} is not deployed here; the stack is deployed with your own permissions",
        input.name()
    );
    None
}

/// The overrides, `Fn::GetParam` and `Fn::GetArtifactAtt` resolved.
async fn overrides(input: &ActionInput<'_>, text: &str) -> Result<Vec<(String, String)>, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let Value::Object(map) = value else {
        return Err("not a JSON object".to_owned());
    };
    let mut all = Vec::new();
    for (key, value) in map {
        let texts = |function: &str| {
            let arguments = value.get(function)?.as_array()?.iter();
            arguments.map(Value::as_str).collect::<Option<Vec<&str>>>()
        };
        let text = if let Value::String(text) = &value {
            text.clone()
        } else if let Some([artifact, file, name]) = texts("Fn::GetParam").as_deref() {
            get_param(input, artifact, file, name)?
        } else if let Some([artifact, attribute]) = texts("Fn::GetArtifactAtt").as_deref() {
            let found = artifact_attribute::read(input, artifact, attribute).await;
            found.map_err(|failure| failure.to_string())?
        } else if value.is_object() {
            return Err(format!(
                "{key}: only text, Fn::GetParam [artifact, file, key] and Fn::GetArtifactAtt [artifact, attribute] are resolved"
            ));
        } else {
            return Err(format!(
                "{key}: {value} is not text; put it in quotation marks"
            ));
        };
        all.push((key, text));
    }
    Ok(all)
}

fn get_param(
    input: &ActionInput<'_>,
    artifact: &str,
    file: &str,
    name: &str,
) -> Result<String, String> {
    let bytes = input
        .artifact("Fn::GetParam", artifact)
        .and_then(|from| from.read(file))
        .map_err(|failure| failure.to_string())?;
    let value: Value =
        serde_json::from_slice(&bytes).map_err(|error| format!("{artifact}::{file}: {error}"))?;
    match value.get(name) {
        Some(Value::String(text)) => Ok(text.clone()),
        _ => Err(format!("{artifact}::{file} has no text {name}")),
    }
}
