//! Runs a CodePipeline definition with its buildspecs on this machine.
//!
//! Reading order: `settings` and `definition` say what to run; `commands` are the
//! things the program does, with the check in `check` and an editor's server over it in `lsp`; `execution` runs stage
//! after stage and keeps artifacts and variables; each action is a file in `actions`, which takes an
//! `action_io::ActionInput` and gives an `action_io::ActionOutput`. A build is `build` over `phases` over
//! `command_script`, with `build_env` around it, `process` below it and `missing_exports` for what it did
//! not export. A custom action or a Lambda invoke is a `job-worker` that `job_programs` finds, over the `job_api` that
//! `job_server` serves.

mod account;
mod action_io;
mod actions;
mod artifact;
mod artifact_bucket;
mod aws_access;
mod batch;
mod build;
mod build_env;
mod build_options;
mod cache;
mod check;
mod command_script;
mod commands;
mod conditions;
mod container;
mod definition;
mod execution;
mod files;
mod follow;
mod graph;
mod history;
mod ids;
mod job_api;
mod job_programs;
mod job_server;
mod local_source;
mod lsp;
mod missing_exports;
mod phases;
mod pipeline_options;
mod plan_text;
mod process;
mod project_build;
mod projects;
mod record;
mod replay;
mod reports;
mod rerun;
mod run_plan;
mod runtimes;
pub mod settings;
mod stack_events;
mod stack_failures;
mod stack_texts;
mod store;
mod stores;
mod template_argument;
mod tree;
mod users;
mod yaml_fields;

use std::process::ExitCode;

use action::program::{self, Permission, Program, Subcommand};

/// What this program is.
pub const PROGRAM: Program = Program {
    name: "run-pipeline",
    about: "Run a CodePipeline definition with its buildspecs on this machine",
    version: env!("CARGO_PKG_VERSION"),
    prefix: "RUN_PIPELINE_",
    plain: &[],
    none_when_empty: &[],
    commands: &[
        Subcommand::acting(
            "buildspec",
            "Run one buildspec alone and export its variables",
        ),
        Subcommand::read_only(
            "plan",
            "Show what would run, with which variables, and where each comes from",
        ),
        Subcommand::read_only(
            "graph",
            "Draw the pipeline, with artifacts and variables on its arrows",
        ),
        Subcommand::acting(
            "follow",
            "Follow an execution of a real pipeline as one log; exit 0 only when it succeeds",
        ),
        Subcommand::acting(
            "replay",
            "Run one action of a real execution here, with its artifacts, variables and environment",
        ),
        Subcommand::read_only("check", "Check a pipeline for faults without running it"),
        Subcommand::read_only(
            "lsp",
            "Serve an editor: check files while they are edited, over the Language Server Protocol on stdin and stdout",
        ),
    ],
    secret_names_field: None,
    timeout: "8h",
    changes_the_world: true,
    exports: &[],
    permissions: &[
        Permission {
            action: "s3:GetObject",
            purpose: "S3 sources: fetch the archive, which must have a version; replay: fetch artifacts",
        },
        Permission {
            action: "s3:GetObjectVersion",
            purpose: "S3 sources: fetch the same version again when its body breaks off",
        },
        Permission {
            action: "s3:PutObject",
            purpose: "S3 deployments; uploads to `--artifact-bucket`: artifacts that `Fn::GetArtifactAtt` names, large templates",
        },
        Permission {
            action: "cloudformation:DescribeStacks",
            purpose: "CloudFormation: look at the stack, wait for it, read its outputs",
        },
        Permission {
            action: "cloudformation:DescribeStackEvents",
            purpose: "CloudFormation: say what happens, and why a deployment failed",
        },
        Permission {
            action: "cloudformation:DescribeEvents",
            purpose: "CloudFormation: say which validation, resource or hook failed first; without it the stack's events have to do",
        },
        Permission {
            action: "cloudformation:CreateStack",
            purpose: "CloudFormation: a stack that is not there yet",
        },
        Permission {
            action: "cloudformation:UpdateStack",
            purpose: "CloudFormation: a stack that is there",
        },
        Permission {
            action: "cloudformation:DeleteStack",
            purpose: "CloudFormation: DELETE_ONLY, and REPLACE_ON_FAILURE where the stack has failed",
        },
        Permission {
            action: "cloudformation:DescribeChangeSet",
            purpose: "CloudFormation: the modes of change sets",
        },
        Permission {
            action: "cloudformation:CreateChangeSet",
            purpose: "CloudFormation: CHANGE_SET_REPLACE",
        },
        Permission {
            action: "cloudformation:DeleteChangeSet",
            purpose: "CloudFormation: CHANGE_SET_REPLACE, for the earlier change set",
        },
        Permission {
            action: "cloudformation:ExecuteChangeSet",
            purpose: "CloudFormation: CHANGE_SET_EXECUTE",
        },
        Permission {
            action: "cloudformation:DescribeStackSet",
            purpose: "stack sets: look whether the set is there",
        },
        Permission {
            action: "cloudformation:CreateStackSet",
            purpose: "CloudFormationStackSet: a set that is not there yet",
        },
        Permission {
            action: "cloudformation:UpdateStackSet",
            purpose: "CloudFormationStackSet: a set that is there",
        },
        Permission {
            action: "cloudformation:CreateStackInstances",
            purpose: "CloudFormationStackInstances, and the first instances of a new set",
        },
        Permission {
            action: "cloudformation:DescribeStackSetOperation",
            purpose: "stack sets: wait for the operation",
        },
        Permission {
            action: "cloudformation:ListStackSetOperationResults",
            purpose: "stack sets: say what became of each instance",
        },
        Permission {
            action: "codepipeline:GetPipeline",
            purpose: "replay: the definition; follow: the sources that `--source-revision` names, and whether a failed stage is rolled back",
        },
        Permission {
            action: "codepipeline:StartPipelineExecution",
            purpose: "follow: `--start-execution`",
        },
        Permission {
            action: "codepipeline:ListPipelineExecutions",
            purpose: "follow, replay: the newest execution, and one that rolls a stage back",
        },
        Permission {
            action: "codepipeline:GetPipelineExecution",
            purpose: "follow: the state of the execution; replay: its source versions and variables",
        },
        Permission {
            action: "codepipeline:ListActionExecutions",
            purpose: "follow, replay: its actions, with their configuration, variables and errors",
        },
        Permission {
            action: "codebuild:BatchGetBuilds",
            purpose: "follow: where the log of a build is; replay: its project and variables",
        },
        Permission {
            action: "logs:GetLogEvents",
            purpose: "follow: the logs of builds and Commands actions",
        },
        Permission {
            action: "ssm:GetParameter",
            purpose: "builds with values from Parameter Store that no file gives",
        },
        Permission {
            action: "secretsmanager:GetSecretValue",
            purpose: "builds with values from Secrets Manager that no file gives",
        },
        Permission {
            action: "cloudformation:ListExports",
            purpose: "templates with `Fn::ImportValue`",
        },
    ],
    examples: "The whole pipeline:\n  run-pipeline cfn/pipeline.yml --parameter-file cfn/config/pipeline-dev.json\n\n\
               One stage, with what an earlier run made:\n  run-pipeline cfn/pipeline.yml --parameter-file dev.json --only Deploy \\\n      --variable AMIcreation.AMI_ID=ami-0abc\n\n\
               One buildspec alone:\n  run-pipeline buildspec buildspecs/make-ami.yml --build-env-file dev.env\n\n\
               Only look:\n  run-pipeline check cfn/pipeline.yml --parameter-file dev.json",
};

/// Runs the program on the process's arguments and environment.
#[must_use]
pub fn main() -> ExitCode {
    program::run::<settings::Raw, _, _>(&PROGRAM, commands::run)
}
