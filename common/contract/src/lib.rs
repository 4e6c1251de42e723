//! The contract between the files of a pipeline: a template, its buildspecs, the pipeline.
//!
//! Everything here is pure: text comes in, models and findings go out. The crate reads no
//! file, calls no service and knows neither the AWS SDK nor how a program reports.
//!
//! Reading order:
//!
//! - [`finding`], [`rule`] and [`rules`]: what is wrong, where, by which rule, and what to do about it;
//! - [`yaml`]: a tree that keeps tags, styles and spans (JSON is read by the same parser), and
//!   [`edit`] and [`expand`]: replacing values and aliases in a text by these spans;
//! - [`language`]: the words of the template language, [`template`]: a CloudFormation template, [`evaluate`]: its functions resolved,
//!   [`transform`]: what rewrites it, [`local`]: its local paths, [`diff`]: what changed in it;
//! - [`buildspec`]: a CodeBuild buildspec, and [`shell`]: the commands of its scripts;
//! - [`variables`]: `#{namespace.KEY}` in a string, and the limits around it;
//! - [`pipeline`]: a CodePipeline definition, [`actions`]: the kinds of actions and their settings, and
//!   [`project`]: the build projects beside it;
//! - [`checks`]: looks at one file that find faults of several rules;
//! - [`check`]: all of them over all files, [`policy`]: what a project ignores, [`repair`]: what mends
//!   findings, and [`report`]: what was found, for people and programs.

pub mod check;
pub mod checks;
pub mod finding;
mod model;
pub mod policy;
pub mod repair;
pub mod report;
pub mod rule;
pub mod rules;

pub use model::{
    actions, buildspec, diff, edit, evaluate, expand, functions, images, language, local,
    parameters, pipeline, programs, project, shell, template, transform, variables, yaml, yaml11,
};
