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
//! - [`language`]: the words of the template language, [`template`]: a CloudFormation template, [`evaluate`]: its functions resolved, [`local`]: its local
//!   paths, [`diff`]: what changed in it;
//! - [`buildspec`]: a CodeBuild buildspec, and [`shell`]: the commands of its scripts;
//! - [`variables`]: `#{namespace.KEY}` in a string, and the limits around it;
//! - [`pipeline`]: a CodePipeline definition, [`actions`]: the kinds of actions and their settings, and
//!   [`project`]: the build projects beside it;
//! - the rules of each by itself: [`template_checks`], [`capabilities`], [`yaml11`], [`parameters`],
//!   [`buildspec_checks`] with [`programs`], [`pipeline_checks`];
//! - [`check`]: all of them over all files, [`policy`]: what a project ignores, [`repair`]: what mends
//!   findings, and [`report`]: what was found, for people and programs.

pub mod actions;
pub mod buildspec;
pub mod buildspec_checks;
pub mod capabilities;
pub mod check;
pub mod diff;
pub mod edit;
pub mod evaluate;
pub mod expand;
pub mod finding;
pub mod language;
pub mod local;
pub mod parameters;
pub mod pipeline;
pub mod pipeline_checks;
pub mod policy;
pub mod programs;
pub mod project;
pub mod repair;
pub mod report;
pub mod rule;
pub mod rules;
pub mod shell;
pub mod template;
pub mod template_checks;
pub mod variables;
pub mod yaml;
pub mod yaml11;
