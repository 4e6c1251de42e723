//! The rules that have a file of their own: what each is, an example that breaks it and one that keeps it, and
//! the code that finds it. [`examples()`] has those of all rules.

use crate::finding::Finding;
use crate::pipeline::Pipeline;
use crate::rule::{Example, Rule};
use crate::template::Template;

mod examples;

macro_rules! rules {
    ($($module:ident)*) => {
        $(pub mod $module;)*
        pub(crate) static ALL: &[&Rule] = &[$(&$module::RULE),*];
        static EXAMPLES: &[&Example] = &[$(&$module::EXAMPLE),*];
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
    ignore_without_reason
    ignore_malformed
    ignore_unused
    check_configuration
}

/// Every example, at most one of a rule.
pub fn examples() -> impl Iterator<Item = &'static Example> {
    examples::EXAMPLES.iter().chain(EXAMPLES.iter().copied())
}

/// Rules that no change of the examples' world can break, with what breaks and what keeps them.
pub(crate) const IN_WORDS: [(&str, &str, &str); 2] = [
    // Only an evaluation that knows every value gives up: contract's evaluate tests.
    (
        "T202",
        "`S3ObjectKey: !Select [5, [a.zip, b.zip]]`, where the value is needed",
        "`S3ObjectKey: !Select [1, [a.zip, b.zip]]`",
    ),
    // It needs a disk: package-template's references tests.
    (
        "T303",
        "`TemplateURL: missing.yml` beside no such file",
        "`TemplateURL: nested.yml` beside `nested.yml`",
    ),
];

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
