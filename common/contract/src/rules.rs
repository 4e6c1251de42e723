//! The rules that have a file of their own: what each is, an example that breaks it and one that keeps it, and
//! the code that finds it.

use crate::finding::Finding;
use crate::pipeline::Pipeline;
use crate::rule::{Example, Rule};
use crate::template::Template;

macro_rules! rules {
    ($($module:ident)*) => {
        $(pub mod $module;)*
        pub(crate) static ALL: &[&Rule] = &[$(&$module::RULE),*];
        /// A failing and a passing example of each.
        pub static EXAMPLES: &[&Example] = &[$(&$module::EXAMPLE),*];
    };
}

rules! {
    yaml_alias
    number_form
    function_shape
    unknown_function
    template_url
    pipeline_name
    reference_unresolved
    unknown_provider
    unknown_setting
    missing_setting
    setting_value
    compute_only
    commands_limits
}

/// What these rules find in a template by itself.
pub(crate) fn of_template(template: &Template) -> Vec<Finding> {
    [
        function_shape::check,
        unknown_function::check,
        template_url::check,
        reference_unresolved::in_projects,
    ]
    .iter()
    .flat_map(|check| check(template))
    .collect()
}

/// What these rules find in a pipeline.
pub(crate) fn of_pipeline(pipeline: &Pipeline) -> Vec<Finding> {
    [
        pipeline_name::check,
        unknown_provider::check,
        unknown_setting::check,
        missing_setting::check,
        setting_value::check,
        compute_only::check,
        commands_limits::check,
    ]
    .iter()
    .flat_map(|check| check(pipeline))
    .collect()
}
