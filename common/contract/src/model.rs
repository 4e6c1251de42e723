//! The files of a pipeline as values: a tree of YAML, a template, a buildspec, a pipeline, and what their words mean.

pub mod actions;
pub mod buildspec;
pub mod diff;
pub mod edit;
pub mod evaluate;
pub mod expand;
pub mod functions;
pub mod images;
pub mod language;
pub mod local;
pub(crate) mod loops;
pub mod parameters;
pub mod pipeline;
pub mod programs;
pub mod project;
pub mod shell;
pub mod template;
pub mod transform;
pub mod variables;
pub mod yaml;
pub mod yaml11;
