//! Names that no reader takes as they are, or that mean something else to one.

use super::{file, refused};
use crate::program;

#[test]
fn a_name_that_codebuild_would_drop() {
    refused(
        &["AMI-ID=x"],
        "\"AMI-ID\": not a shell variable name; CodeBuild would drop it silently (allowed: letters, digits, _, not a digit first)",
    );
    let long = format!("{}=x", "A".repeat(129));
    refused(
        &[&long],
        "129 characters; a CodePipeline output variable's name has at most 128",
    );
}

#[test]
fn what_is_no_name_is_not_repeated_when_it_may_be_a_secret() {
    for argument in [
        "postgres://app:hunter2@db/app?sslmode=require",
        "postgres://app:hunter2@db/app",
    ] {
        let ran = program().arg(argument).run();
        ran.assert_code(2)
            .assert_stderr("a name of ")
            .refute_stderr("hunter2");
    }
    let ran = refused(
        &["A=1", "--template", "B={\"password\":\"hunter2\"}"],
        "--template B: the text in the brackets at offset 0 is not a name; write {{ and }} for plain brackets",
    );
    ran.refute_stderr("hunter2");
}

#[test]
fn names_of_aws_and_codebuild() {
    refused(
        &["AWS_X=1"],
        "\"AWS_X\": CodeBuild does not export names that start with AWS_",
    );
    refused(
        &["CODEBUILD_X=1"],
        "\"CODEBUILD_X\": reserved by CodeBuild; it may be passed on, not set",
    );
    let passed_on = program()
        .env("CODEBUILD_BUILD_ID", "ami:0a1b")
        .arg("CODEBUILD_BUILD_ID")
        .run();
    passed_on
        .assert_code(0)
        .assert_stdout("export CODEBUILD_BUILD_ID='ami:0a1b'\n");
}

#[test]
fn names_that_change_how_later_commands_run() {
    for name in [
        "PATH",
        "HOME",
        "IFS",
        "ENV",
        "BASH_ENV",
        "LD_PRELOAD",
        "SHELLOPTS",
        "PS4",
        "PWD",
    ] {
        refused(
            &[&format!("{name}=/x")],
            &format!("\"{name}\": would change how later commands run; use --allow-name {name}"),
        );
    }
    let allowed = program().args(["PATH=/x", "--allow-name", "PATH"]).run();
    allowed.assert_code(0).assert_stdout("export PATH='/x'\n");
    let passed_on = program().env("LD_LIBRARY_PATH", "/l");
    passed_on
        .clone()
        .arg("LD_*")
        .run()
        .assert_code(2)
        .assert_stderr("use --allow-name LD_LIBRARY_PATH");
    passed_on
        .args(["LD_*", "--allow-name", "LD_LIBRARY_PATH"])
        .run()
        .assert_code(0)
        .assert_stdout("export LD_LIBRARY_PATH='/l'\n");
}

#[test]
fn aws_names_are_for_files_and_for_later_commands_alone() {
    for format in ["docker", "json", "dotenv"] {
        program()
            .args(["--format", format, "AWS_REGION=eu-west-1"])
            .run()
            .assert_code(0);
    }
    refused(
        &[
            "--format",
            "json",
            "--consumer",
            "commands-action",
            "AWS_X=1",
        ],
        "\"AWS_X\": CodeBuild does not export names that start with AWS_; use --allow-name AWS_X",
    );
    program()
        .args(["AWS_REGION=eu-west-1", "--allow-name", "AWS_REGION"])
        .run()
        .assert_code(0)
        .assert_stdout("export AWS_REGION='eu-west-1'\n");
}

#[test]
fn names_that_a_shell_keeps_for_itself() {
    for name in [
        "UID", "EUID", "PPID", "OPTIND", "RANDOM", "SECONDS", "LINENO", "GROUPS", "_",
    ] {
        refused(
            &[&format!("{name}=5x")],
            &format!(
                "\"{name}\": the shell reserves this name: it refuses the assignment, or later commands see another value; use --allow-name {name}"
            ),
        );
    }
    // Compose's files have it often, and no shell reads them.
    program()
        .args(["--format", "dotenv", "UID=1000"])
        .run()
        .assert_code(0)
        .assert_stdout("UID=1000\n");
}

#[test]
fn a_name_twice_with_two_values() {
    let (_folder, path) = file("f.env", b"# note\n\nA=1\n\n\n\nA=2\n");
    refused(
        &["--from-env-file", path.to_str().unwrap()],
        "f.env:7: A already set on line 3 to another value",
    );
    refused(
        &["A=1", "A=2"],
        "argument 2: A already set by argument 1 to another value",
    );
}
