//! From files to a pipeline and the build projects that it names.

use std::path::Path;

use action::failure::Failure;
use contract::check::read_definition;
use contract::evaluate::{Evaluator, World};
use contract::finding::Finding;
use contract::functions::has_function;
use contract::pipeline::{PIPELINE_TYPE, Pipeline};
use contract::project::PROJECT_TYPE;
pub(crate) use contract::project::Project;
use contract::template::Template;
use contract::yaml;

use crate::pipeline_options::PipelineOptions;

/// What to run.
#[derive(Debug)]
pub(crate) struct Definition {
    /// The pipeline.
    pub(crate) pipeline: Pipeline,
    /// The build projects of the same template.
    pub(crate) projects: Vec<Project>,
    /// What else the pipeline says.
    pub(crate) options: PipelineOptions,
}

impl Definition {
    /// The project of that name or logical id.
    pub(crate) fn project(&self, name: &str) -> Option<&Project> {
        self.projects
            .iter()
            .find(|one| one.id == name || one.name == name)
    }
}

/// Whether a definition needs the exports of other stacks: its pipelines and build projects call
/// `Fn::ImportValue`.
pub(crate) fn needs_imports(bytes: &[u8]) -> bool {
    // What cannot be read is refused by whoever reads it next.
    let Some(template) = Template::read("", bytes).template else {
        return false;
    };
    let evaluated = [PIPELINE_TYPE, PROJECT_TYPE];
    evaluated
        .iter()
        .flat_map(|kind| template.resources_of(kind))
        .filter_map(|one| one.properties.as_ref())
        .any(|node| has_function(node, &|name| name == "Fn::ImportValue"))
}

/// Reads a template or a pipeline's JSON.
pub(crate) fn read(
    file: &Path,
    bytes: &[u8],
    world: &World,
    id: Option<&str>,
) -> Result<Definition, Failure> {
    let shown = file.display().to_string();
    let (pipeline, template, projects) = read_definition(&shown, bytes, world, id)
        .map_err(|wrong| findings::refusal("the pipeline cannot run", &wrong))?;
    for warning in template.iter().flat_map(|template| &template.warnings) {
        tracing::warn!("{warning}");
    }
    let options = options(&shown, bytes, template.as_ref(), world, id)
        .map_err(|wrong| findings::refusal("the pipeline cannot run", &wrong))?;
    Ok(Definition {
        pipeline,
        projects,
        options,
    })
}

fn options(
    shown: &str,
    bytes: &[u8],
    template: Option<&Template>,
    world: &World,
    id: Option<&str>,
) -> Result<PipelineOptions, Vec<Finding>> {
    let Some(template) = template else {
        let root = yaml::parse_bytes(shown, bytes).map_err(|finding| vec![finding])?;
        return Ok(PipelineOptions::read(root.get("pipeline").unwrap_or(&root)));
    };
    let evaluator = Evaluator::new(template, world)?;
    let mut found = template.resources_of(PIPELINE_TYPE);
    let found = found.find(|one| id.is_none_or(|id| one.id == id));
    let Some(properties) = found.and_then(|one| one.properties.as_ref()) else {
        return Ok(PipelineOptions::default());
    };
    let node = evaluator
        .node(properties)
        .map_err(|finding| vec![finding])?;
    Ok(node
        .map(|node| PipelineOptions::read(&node))
        .unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::needs_imports;

    #[test]
    fn exports_are_needed_where_a_pipeline_calls_for_them() {
        let with = |properties: &str| {
            let text = format!(
                "# ImportValue\nResources:\n  Other: {{Type: X, Properties: {{a: !ImportValue b}}}}\n  \
                 P: {{Type: AWS::CodePipeline::Pipeline, Properties: {properties}}}\n"
            );
            needs_imports(text.as_bytes())
        };
        assert!(!with("{Name: ImportValue}"));
        assert!(with("{Name: !ImportValue b}"));
        assert!(with("{Name: {'Fn::Join': ['', [{'Fn::ImportValue': b}]]}}"));
    }
}
