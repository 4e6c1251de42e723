//! More than CodePipeline, a template or the kernel takes.

use super::{file, refused};
use crate::program;

#[test]
fn more_than_codepipeline_takes_in_all() {
    let (log, more) = ("x".repeat(100_000), "x".repeat(30_000));
    refused(
        &[&format!("LOG={log}"), &format!("MORE={more}")],
        "130007 bytes of output variables; CodePipeline allows 122880 (largest: LOG, 100000 bytes)",
    );
}

#[test]
fn files_have_other_limits_than_output_variables() {
    let (log, more) = ("x".repeat(100_000), "x".repeat(30_000));
    program()
        .args(["--format", "json"])
        .args([format!("LOG={log}"), format!("MORE={more}")])
        .run()
        .assert_code(0);
    refused(
        &[
            "--format",
            "get-param",
            &format!("NOTE={}", "x".repeat(4097)),
        ],
        "NOTE: 4097 bytes; a template parameter has at most 4096",
    );
    program()
        .args(["--format", "get-param"])
        .arg(format!("NOTE={}", "x".repeat(4096)))
        .run()
        .assert_code(0);
}

#[test]
fn one_value_near_the_kernels_limit() {
    let (_folder, path) = file(
        "m.json",
        format!("{{\"log\":\"{}\"}}", "x".repeat(131_072)).as_bytes(),
    );
    refused(
        &["--from-json", &format!("LOG={}#/log", path.display())],
        "LOG: 131072 bytes: later commands in this build would fail with \"Argument list too long\" (limit 131072 with the name)",
    );
}

#[test]
fn more_names_than_a_commands_action_takes() {
    let names: Vec<String> = (0..16).map(|index| format!("V{index}=x")).collect();
    let mut arguments: Vec<&str> = names.iter().map(String::as_str).collect();
    program().args(&arguments).run().assert_code(0);
    arguments.extend(["--consumer", "commands-action"]);
    refused(
        &arguments,
        "16 output variables; a Commands action allows 15",
    );
}

#[test]
fn parameter_overrides_beyond_their_limit_once_resolved() {
    let (big, other) = ("x".repeat(900), "y".repeat(270));
    refused(
        &[
            "--parameter-overrides",
            r##"{"A":"#{Build.BIG}","B":"#{Build.OTHER}"}"##,
            &format!("BIG={big}"),
            &format!("OTHER={other}"),
        ],
        "resolved ParameterOverrides is 1185 bytes, limit 1024: move BIG, OTHER to TemplateConfiguration or Fn::GetParam",
    );
    let (fits, over) = ("x".repeat(990), "x".repeat(993));
    let run = |value: &str| {
        let overrides = r##"{"A":"#{Build.BIG}"}"##;
        let value = format!("BIG={value}");
        program()
            .args(["--parameter-overrides", overrides, &value])
            .run()
    };
    run(&fits).assert_code(0);
    run(&over)
        .assert_code(2)
        .assert_stderr("resolved ParameterOverrides is 1001 characters, limit 1000: move BIG to");
}
