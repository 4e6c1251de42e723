//! Reading a pipeline's definition with what stands around it: a template, or the JSON of get-pipeline.

use std::rc::Rc;

use super::around::Around;
use super::run::Run;
use super::subject::{Definition, File};
use crate::checks;
use crate::finding::{Finding, did_you_mean};
use crate::model::evaluate::{Evaluator, World, is_unknown};
use crate::model::functions;
use crate::model::loops::{self, LOOP};
use crate::model::pipeline::{PIPELINE_TYPE, Pipeline};
use crate::model::project::{self, Project};
use crate::model::template::Template;
use crate::model::yaml::{self, Content, Node};
use crate::rule::Severity;
use crate::rules::{unresolved_function, yaml_alias};

impl Run<'_> {
    /// Reads what can be read of the definition, in either of its two forms: each pipeline of it, or the one that is chosen.
    pub(super) fn pipelines(&mut self, definition: &Definition<'_>) -> Vec<Around> {
        let File { shown, bytes } = &definition.file;
        let root = match yaml::read_bytes(shown, bytes) {
            Ok(document) => document.root,
            Err(finding) => {
                self.find(finding);
                return Vec::new();
            }
        };
        if is_definition(&root) {
            let read = Pipeline::read_definition(shown, &root);
            self.find_all(read.faults);
            let around = |pipeline| Around {
                pipeline,
                template: None,
                projects: Vec::new(),
                artifact: None,
            };
            return read.pipeline.map(around).into_iter().collect();
        }
        let read = Template::read(shown, bytes);
        self.find_all(read.faults);
        let Some(template) = read.template else {
            return Vec::new();
        };
        self.find_all(checks::template::check(&template, bytes.len()));
        // Whoever deploys it may write them out, as `aws cloudformation package` does.
        let aliases = yaml_alias::check(&template).into_iter();
        self.find_all(aliases.map(|one| one.lowered(Severity::Warning)));
        // What only an account knows is not known here.
        let world = World {
            lenient: true,
            ..definition.world.clone()
        };
        let (evaluator, faults) = Evaluator::read(&template, &world);
        self.find_all(faults);
        if world.imports_are_all {
            self.find_all(missing_exports(&template, &evaluator, &world));
        }
        let template = loops::written_out(&template, &evaluator).unwrap_or(template);
        self.pipelines_of(Rc::new(template), &world, definition.id)
    }

    fn pipelines_of(
        &mut self,
        template: Rc<Template>,
        world: &World,
        chosen: Option<&str>,
    ) -> Vec<Around> {
        if looped_pipeline(&template) {
            let file = &template.file;
            let unread =
                format!("the pipeline in {file}: Fn::ForEach makes it of what is not known");
            self.report.unread.push(unread);
            return Vec::new();
        }
        let (evaluator, _) = Evaluator::read(&template, world);
        let mut projects = Vec::new();
        for project in project::each(&template, &evaluator) {
            match project {
                Ok(project) => projects.push(project),
                Err(finding) => self.find(finding),
            }
        }
        let all = template.resources_of(PIPELINE_TYPE);
        let all: Vec<Option<&str>> = all.map(|one| Some(one.id.as_str())).collect();
        let each = chosen.is_none() && all.len() > 1;
        let ids = if each { all } else { vec![chosen] };
        let mut pipelines = Vec::new();
        for id in ids {
            let read = Pipeline::read_template(&template, &evaluator, id);
            self.find_all(read.faults);
            pipelines.extend(read.pipeline.map(|pipeline| Around {
                pipeline,
                template: Some(Rc::clone(&template)),
                projects: projects.clone(),
                artifact: None,
            }));
        }
        pipelines
    }
}

/// A finding for each known name that no stack exports.
fn missing_exports(template: &Template, evaluator: &Evaluator<'_>, world: &World) -> Vec<Finding> {
    let mut findings = Vec::new();
    functions::each(template, &mut |function, argument, place| {
        if function != "Fn::ImportValue" {
            return;
        }
        let name = evaluator.node(argument).ok().flatten();
        let name = name.as_ref().and_then(Node::as_str);
        let known = world.imports.keys().map(String::as_str);
        if let Some(name) = name.filter(|name| !is_unknown(name))
            && !world.imports.contains_key(name)
        {
            let message = format!("no stack exports {name}");
            findings.push(
                Finding::new(
                    &unresolved_function::RULE,
                    &template.file,
                    Some(place),
                    message,
                )
                .hint("deploy the stack that exports it first")
                .maybe_hint(did_you_mean(name, known)),
            );
        }
    });
    findings
}

/// Whether a document is the JSON of get-pipeline, not a template.
fn is_definition(root: &Node) -> bool {
    root.get("pipeline").is_some() || root.get("stages").is_some()
}

/// Whether the only pipeline of a template is made by a loop.
fn looped_pipeline(template: &Template) -> bool {
    fn holds(node: &Node) -> bool {
        let kind = node.get("Type").and_then(Node::as_str);
        match &node.content {
            Content::Scalar(..) => false,
            Content::Sequence(items) => items.iter().any(holds),
            Content::Mapping(entries) => {
                kind == Some(PIPELINE_TYPE) || entries.iter().any(|(_, value)| holds(value))
            }
        }
    }
    let entries = template.root.get("Resources").and_then(Node::as_mapping);
    let mut loops = entries
        .unwrap_or_default()
        .iter()
        .filter(|(key, _)| key.as_str().is_some_and(|name| name.starts_with(LOOP)));
    template.resources_of(PIPELINE_TYPE).next().is_none() && loops.any(|(_, body)| holds(body))
}

/// A pipeline, the template that it was read from and that template's build projects.
pub type Read = (Pipeline, Option<Template>, Vec<Project>);

/// Reads a template with a pipeline, or a pipeline's JSON.
///
/// # Errors
/// Every fault of the file.
pub fn read_definition(
    shown: &str,
    bytes: &[u8],
    world: &World,
    id: Option<&str>,
) -> Result<Read, Vec<Finding>> {
    let root = yaml::read_bytes(shown, bytes)
        .map_err(|finding| vec![finding])?
        .root;
    if is_definition(&root) {
        let pipeline = Pipeline::read_definition(shown, &root).whole()?;
        return Ok((pipeline, None, Vec::new()));
    }
    let mut template = Template::parse(shown, bytes)?;
    let looped = loops::written_out(&template, &Evaluator::new(&template, world)?);
    template = looped.unwrap_or(template);
    let evaluator = Evaluator::new(&template, world)?;
    let pipeline = Pipeline::from_template(&template, &evaluator, id)?;
    let projects = project::projects(&template, &evaluator).map_err(|finding| vec![finding])?;
    Ok((pipeline, Some(template), projects))
}
