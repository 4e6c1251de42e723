//! The rules, a file each: what it is, where it comes from, what to do, an example that breaks it and one that keeps it,
//! and the code that finds it. Where one look finds faults of several rules, as reading a file does, the file names it.
//!
//! `tests/rules` has a file of the same name for each: what the check prints for the rule's examples, and further cases.

use crate::finding::{Finding, did_you_mean};
use crate::model::buildspec::script::Script;
use crate::model::pipeline::Pipeline;
use crate::model::template::Template;
use crate::rule::Rule;

pub mod account_id;
pub mod artifact_count;
pub mod artifact_later;
pub mod artifact_name;
pub mod artifact_not_input;
pub mod artifact_not_made;
pub mod artifact_twice;
pub mod base_sixty;
pub mod boolean_word;
pub mod buildspec_shape;
pub mod buildspec_version;
pub mod capabilities;
pub mod check_configuration;
pub mod commands_limits;
pub mod compute_only;
pub mod configuration_section;
pub mod default_not_text;
pub mod duplicate_key;
pub mod eval_substitution;
pub mod exit_loses_exports;
pub mod export_name;
pub mod export_substitution;
pub mod exported_twice;
pub mod file_not_in_artifact;
pub mod function_shape;
pub mod hard_coded_image;
pub mod hidden_failure;
pub mod ignore_not_understood;
pub mod ignore_unused;
pub mod ignore_without_reason;
pub mod image_not_used;
pub mod image_type;
pub mod key_never_set;
pub mod key_not_text;
pub mod large_body;
pub mod leading_zero;
pub mod local_file;
pub mod local_path;
pub mod logical_id;
pub mod malformed_reference;
pub mod merge_key;
pub mod missing_setting;
pub mod name_twice;
pub mod namespace_artifact;
pub mod namespace_name;
pub mod namespace_reserved;
pub mod namespace_twice;
pub mod never_set;
pub mod no_resources;
pub mod no_role;
pub mod no_type;
pub mod no_value;
pub mod not_a_template;
pub mod not_earlier;
pub mod not_json;
pub mod not_zipped;
pub mod number_form;
pub mod overrides_not_json;
pub mod pipe_hides_failure;
pub mod pipeline_name;
pub mod pipeline_shape;
pub mod polling_and_rule;
pub mod reference_not_resolved;
pub mod replace_on_failure;
pub mod reserved_variable;
pub mod rule_key;
pub mod second_document;
pub mod set_in_child;
pub mod setting_too_long;
pub mod setting_value;
pub mod source_by_path;
pub mod source_stage;
pub mod stage_count;
pub mod syntax;
pub mod template_url;
pub mod too_large;
pub mod too_long;
pub mod too_many;
pub mod too_many_values;
pub mod undeclared_name;
pub mod undeclared_parameter;
pub mod unfit_default;
pub mod unknown_attribute;
pub mod unknown_buildspec_key;
pub mod unknown_function;
pub mod unknown_key;
pub mod unknown_namespace;
pub mod unknown_provider;
pub mod unknown_section;
pub mod unknown_setting;
pub mod unresolved_function;
pub mod value_not_text;
pub mod wrong_key;
pub mod wrong_value;
pub mod yaml_alias;

/// Every rule, in the order of the catalogue.
pub static ALL: &[&Rule] = &[
    &syntax::RULE,
    &second_document::RULE,
    &duplicate_key::RULE,
    &key_not_text::RULE,
    &too_many_values::RULE,
    &boolean_word::RULE,
    &leading_zero::RULE,
    &account_id::RULE,
    &base_sixty::RULE,
    &merge_key::RULE,
    &yaml_alias::RULE,
    &number_form::RULE,
    &not_a_template::RULE,
    &no_resources::RULE,
    &no_type::RULE,
    &unknown_section::RULE,
    &default_not_text::RULE,
    &unknown_attribute::RULE,
    &logical_id::RULE,
    &unfit_default::RULE,
    &too_large::RULE,
    &large_body::RULE,
    &too_many::RULE,
    &too_long::RULE,
    &undeclared_name::RULE,
    &unresolved_function::RULE,
    &function_shape::RULE,
    &unknown_function::RULE,
    &hard_coded_image::RULE,
    &local_path::RULE,
    &local_file::RULE,
    &template_url::RULE,
    &not_json::RULE,
    &configuration_section::RULE,
    &value_not_text::RULE,
    &undeclared_parameter::RULE,
    &no_value::RULE,
    &wrong_value::RULE,
    &pipeline_shape::RULE,
    &stage_count::RULE,
    &name_twice::RULE,
    &source_stage::RULE,
    &pipeline_name::RULE,
    &namespace_name::RULE,
    &namespace_reserved::RULE,
    &namespace_artifact::RULE,
    &namespace_twice::RULE,
    &unknown_namespace::RULE,
    &not_earlier::RULE,
    &unknown_key::RULE,
    &malformed_reference::RULE,
    &key_never_set::RULE,
    &reference_not_resolved::RULE,
    &artifact_name::RULE,
    &artifact_twice::RULE,
    &artifact_not_made::RULE,
    &artifact_later::RULE,
    &artifact_not_input::RULE,
    &file_not_in_artifact::RULE,
    &wrong_key::RULE,
    &not_zipped::RULE,
    &setting_too_long::RULE,
    &overrides_not_json::RULE,
    &polling_and_rule::RULE,
    &replace_on_failure::RULE,
    &no_role::RULE,
    &capabilities::RULE,
    &rule_key::RULE,
    &unknown_provider::RULE,
    &unknown_setting::RULE,
    &missing_setting::RULE,
    &setting_value::RULE,
    &compute_only::RULE,
    &commands_limits::RULE,
    &artifact_count::RULE,
    &image_not_used::RULE,
    &image_type::RULE,
    &buildspec_shape::RULE,
    &buildspec_version::RULE,
    &unknown_buildspec_key::RULE,
    &export_name::RULE,
    &exported_twice::RULE,
    &reserved_variable::RULE,
    &never_set::RULE,
    &eval_substitution::RULE,
    &export_substitution::RULE,
    &hidden_failure::RULE,
    &exit_loses_exports::RULE,
    &set_in_child::RULE,
    &pipe_hides_failure::RULE,
    &source_by_path::RULE,
    &ignore_without_reason::RULE,
    &ignore_not_understood::RULE,
    &ignore_unused::RULE,
    &check_configuration::RULE,
];

/// The rule of that code.
#[must_use]
pub fn by_code(code: &str) -> Option<&'static Rule> {
    ALL.iter().copied().find(|rule| rule.code == code)
}

/// The rule that somebody asks for, by its code in any letter case or by its name.
///
/// # Errors
/// What is asked for, and what may have been meant.
pub fn by_word(word: &str) -> Result<&'static Rule, String> {
    let is = |rule: &&Rule| rule.code.eq_ignore_ascii_case(word) || rule.name == word;
    if let Some(rule) = ALL.iter().copied().find(is) {
        return Ok(rule);
    }
    let words = ALL.iter().flat_map(|rule| [rule.code, rule.name]);
    let hint = did_you_mean(word, words);
    let hint = hint.unwrap_or_else(|| "RULES.md lists them".to_owned());
    Err(format!("no rule has the code {word:?}; {hint}"))
}

/// What these rules find in a template by itself.
pub(crate) fn of_template(template: &Template) -> Vec<Finding> {
    [
        logical_id::check,
        unknown_attribute::check,
        hard_coded_image::check,
        function_shape::check,
        unknown_function::check,
        template_url::check,
        reference_not_resolved::in_projects,
    ]
    .iter()
    .flat_map(|check| check(template))
    .collect()
}

/// What these rules find in a pipeline.
pub(crate) fn of_pipeline(pipeline: &Pipeline) -> Vec<Finding> {
    [
        pipeline_name::check,
        stage_count::check,
        not_zipped::check,
        name_twice::check,
        source_stage::check,
        namespace_name::check,
        namespace_reserved::check,
        namespace_artifact::check,
        namespace_twice::check,
        artifact_name::check,
        artifact_twice::check,
        artifact_not_made::check,
        artifact_later::check,
        setting_too_long::check,
        overrides_not_json::check,
        unknown_provider::check,
        unknown_setting::check,
        missing_setting::check,
        setting_value::check,
        compute_only::check,
        commands_limits::check,
        artifact_count::check,
    ]
    .iter()
    .flat_map(|check| check(pipeline))
    .collect()
}

/// What these rules find in a script of a buildspec.
pub(crate) fn of_script(script: &Script<'_>) -> Vec<Finding> {
    [
        eval_substitution::check,
        export_substitution::check,
        hidden_failure::check,
        exit_loses_exports::check,
        set_in_child::check,
        pipe_hides_failure::check,
        source_by_path::check,
    ]
    .iter()
    .flat_map(|check| check(script))
    .collect()
}
