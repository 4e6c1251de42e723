//! The actions of a pipeline that run here, a file for each provider.

mod cloudformation;
pub(crate) mod codebuild;
mod s3_source;

use action::failure::Failure;
use contract::pipeline::{Action, Stage};

use crate::action_io::{ActionInput, ActionOutput};

/// What runs an action.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Runner {
    S3Source,
    CodeBuild,
    CloudFormation,
}

impl Runner {
    /// What runs the action; decided for all of them before the first one touches anything.
    pub(crate) fn of(stage: &Stage, action: &Action) -> Result<Self, Failure> {
        let name = format!("{}/{}", stage.name, action.name);
        match (action.category.as_str(), action.provider.as_str()) {
            ("Source", "S3") => Ok(Self::S3Source),
            ("Build" | "Test", "CodeBuild") => Ok(Self::CodeBuild),
            ("Deploy", "CloudFormation") => match action.setting("ActionMode") {
                None | Some("CREATE_UPDATE") => Ok(Self::CloudFormation),
                Some(mode) => Err(Failure::refused(format!(
                    "{name}: ActionMode {mode} does not run here"
                ))
                .hint("CREATE_UPDATE does; choose the stages before it with --stage")),
            },
            ("Approval", _) => Err(Failure::refused(format!(
                "{name} waits for an approval, which nobody can give here"
            ))
            .hint("choose the stages around it with --stage")),
            (category, provider) => Err(Failure::refused(format!(
                "{name}: {provider} actions of the category {category} do not run here"
            ))
            .hint("S3 sources, CodeBuild and CloudFormation do; choose stages with --stage")),
        }
    }

    pub(crate) async fn run(self, input: &ActionInput<'_>) -> Result<ActionOutput, Failure> {
        match self {
            Self::S3Source => s3_source::run(input).await,
            Self::CodeBuild => codebuild::run(input).await,
            Self::CloudFormation => cloudformation::run(input).await,
        }
    }
}
