//! The contract between the files of a pipeline: a template, its buildspecs, the pipeline.
//!
//! Everything here is pure: text comes in, models and findings go out. The crate reads no
//! file, calls no service and knows neither the AWS SDK nor how a program reports.
//!
//! Reading order:
//!
//! - [`finding`]: what is wrong, where, and what to do about it;
//! - [`yaml`]: a tree that keeps tags, styles and spans (JSON is read by the same parser);
//! - [`template`]: a CloudFormation template, and [`evaluate`]: its functions resolved;
//! - [`buildspec`]: a CodeBuild buildspec;
//! - [`variables`]: `#{namespace.KEY}` in a string, and the limits around it;
//! - [`pipeline`]: a CodePipeline definition, and [`pipeline_checks`]: its own rules.

pub mod buildspec;
pub mod edit;
pub mod evaluate;
pub mod finding;
pub mod pipeline;
pub mod pipeline_checks;
pub mod template;
pub mod variables;
pub mod yaml;
