//! A pipeline with what stands around it.

use std::rc::Rc;

use crate::model::pipeline::Pipeline;
use crate::model::project::Project;
use crate::model::template::Template;

/// A pipeline with what stands around it.
pub(super) struct Around {
    pub(super) pipeline: Pipeline,
    pub(super) template: Option<Rc<Template>>,
    pub(super) projects: Vec<Project>,
    /// The artifact that is the archive.
    pub(super) artifact: Option<String>,
}
