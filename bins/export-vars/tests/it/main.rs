//! Runs the built `export-vars` as a build does.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod aws;
mod diff;
mod explain;
mod job;
mod page;
mod proxy;
mod readers;
mod refusals;
mod sdk_settings;
mod secret_settings;
mod sinks;
mod sources;

use harness::Program;

/// The built program in an environment of its own.
fn program() -> Program {
    Program::new(env!("CARGO_BIN_EXE_export-vars"))
}

#[test]
fn nothing_given_is_a_refusal_and_turns_an_eval_red() {
    let ran = program().run();
    ran.assert_code(2).assert_stderr("nothing to export");
    assert_eq!(ran.stdout, "(exit 2)\n");
}

#[test]
fn every_fault_is_reported_at_once() {
    program()
        .env("EXPORT_VARS_FROMAT", "json")
        .env("EXPORT_VARS_LOG", "loud")
        .args(["--format", "xml", "--timeout", "6", "A=1"])
        .args([
            "--gitlab-variables",
            "many",
            "--from-json",
            "A=b",
            "--only",
            "é",
        ])
        .args(["--consumer", "me", "--rename", "x", "--base", "b.json"])
        .run()
        .assert_code(2)
        .assert_stderr("10 settings are wrong; nothing was touched")
        .assert_stderr("--gitlab-variables: \"many\" is not a number from 1 to 150")
        .assert_stderr("--from-json: \"A=b\": write NAME=FILE#/POINTER or FILE#/POINTER")
        .assert_stderr("--only: \"é\" is not a pattern of names")
        .assert_stderr(
            "--consumer: \"me\" is not a consumer; use parameter-overrides or commands-action",
        )
        .assert_stderr("--rename: write NEW=OLD")
        .assert_stderr("--base: only --format template-configuration completes a file")
        .assert_stderr("EXPORT_VARS_FROMAT: no such setting (did you mean EXPORT_VARS_FORMAT?)")
        .assert_stderr("EXPORT_VARS_LOG: \"loud\" is not a log level")
        .assert_stderr("--format: \"xml\" is not a format")
        .assert_stderr("--timeout: \"6\" is not a duration");
}

#[test]
fn flag_beats_environment_beats_file_beats_default() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("dev.env");
    std::fs::write(&file, "EXPORT_VARS_FORMAT=docker\n").unwrap();
    let with_file = || program().arg("--env-file").arg(&file).arg("A=1");
    assert_eq!(program().arg("A=1").run().stdout, "export A='1'\n");
    assert_eq!(with_file().run().assert_code(0).stdout, "A=1\n");
    let ran = with_file().env("EXPORT_VARS_FORMAT", "json").run();
    assert_eq!(ran.stdout, "{\n  \"A\": \"1\"\n}\n");
    let ran = with_file()
        .env("EXPORT_VARS_FORMAT", "json")
        .args(["--format", "sh"])
        .run();
    assert_eq!(ran.stdout, "export A='1'\n");
    let ran = with_file().env("EXPORT_VARS_FORMAT", "").run();
    assert_eq!(ran.stdout, "A=1\n", "empty means unset");
}

#[test]
fn env_files_are_refused_by_line_and_missing_ones_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("dev.env");
    std::fs::write(&file, "A=1\nB=\"x y\"\nexport C=1\n").unwrap();
    program()
        .arg("--env-file")
        .arg(&file)
        .args(["--env-file", "/no/such.env", "A"])
        .run()
        .assert_code(2)
        .assert_stderr("dev.env:2:3: B: docker keeps quotes as part of the value")
        .assert_stderr("dev.env:3:1: docker does not know `export`")
        .assert_stderr("cannot read env file /no/such.env");
    // What another dialect would have said of the lines is no fault.
    let ran = program()
        .arg("--env-file")
        .arg(&file)
        .args(["--env-dialect", "dokcer", "--timeout", "6", "A"])
        .run();
    ran.assert_code(2)
        .assert_stderr("2 settings are wrong")
        .assert_stderr("--env-dialect: \"dokcer\" is not a dialect")
        .assert_stderr("--timeout: \"6\" is not a duration");
}

#[test]
fn the_good_lines_of_a_faulty_env_file_are_used_to_find_what_else_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("dev.env");
    let stale = folder.path().join(".exports");
    std::fs::write(&stale, "export A='stale'\n").unwrap();
    let lines = format!(
        "EXPORT_VARS_EXPORT_FILE={}\nEXPORT_VARS_FORMAT=xml\nB=\"x y\"\n",
        stale.display()
    );
    std::fs::write(&file, lines).unwrap();
    program()
        .arg("--env-file")
        .arg(&file)
        .arg("B")
        .run()
        .assert_code(2)
        .assert_stderr("2 settings are wrong")
        .assert_stderr("dev.env:2: EXPORT_VARS_FORMAT: \"xml\" is not a format")
        .assert_stderr("dev.env:3:3: B: docker keeps quotes");
    assert!(!stale.exists());
}

#[test]
fn a_variable_of_an_env_file_reaches_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("dev.env");
    std::fs::write(&file, "NOTE=from-the-file\n").unwrap();
    let ran = program().arg("--env-file").arg(&file).arg("NOTE").run();
    assert_eq!(ran.assert_code(0).exports()["NOTE"], "from-the-file");
}

#[test]
fn an_argument_with_a_line_break_cannot_smuggle_a_second_variable_in() {
    program()
        .arg("NOTE=hello\nAMI_ID=ami-0123456789abcdef0")
        .run()
        .assert_code(2)
        .assert_stderr("NOTE: line 1 ends in a line break");
    let ran = program()
        .args(["--multiline", "NOTE=hello\nAMI_ID=ami-0123456789abcdef0"])
        .run();
    assert_eq!(ran.assert_code(0).exports().len(), 1);
}

#[test]
fn conflicts_name_both_places() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.env");
    std::fs::write(&file, "\nA=1\n").unwrap();
    program()
        .arg("--from-env-file")
        .arg(&file)
        .args(["A=2", "--on-conflict", "refuse"])
        .run()
        .assert_code(2)
        .assert_stderr("argument 1: A already set by ")
        .assert_stderr("a.env:2 to another value");
    let ran = program().arg("--from-env-file").arg(&file).arg("A=2").run();
    ran.assert_code(0)
        .assert_stdout("export A='2'\n")
        .assert_stderr("a.env:2 to another value; the later one counts");
}

#[test]
fn json_values_come_by_pointer() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("m.json");
    std::fs::write(
        &file,
        r#"{"image":{"id":"ami-0123456789abcdef0","gib":8,"tags":{}}}"#,
    )
    .unwrap();
    let from = |name: &str, pointer: &str| {
        let text = format!("{name}={}#{pointer}", file.display());
        program().arg("--from-json").arg(text).run()
    };
    assert_eq!(
        from("AMI_ID", "/image/id").exports()["AMI_ID"],
        "ami-0123456789abcdef0"
    );
    assert_eq!(from("GIB", "/image/gib").exports()["GIB"], "8");
    from("X", "/image/tags")
        .assert_code(2)
        .assert_stderr("is a list or an object");
    from("X", "/nope")
        .assert_code(2)
        .assert_stderr("there is nothing at this pointer");
}

#[test]
fn a_template_configuration_is_completed_and_the_rest_of_it_kept() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().join("dev.json");
    std::fs::write(
        &base,
        r#"{"Parameters":{"VPCId":7,"Size":"1"},"Tags":{"a":"b"}}"#,
    )
    .unwrap();
    let ran = program()
        .args([
            "--format",
            "template-configuration",
            "VPCId=vpc-0a1b2c3d",
            "--base",
        ])
        .arg(&base)
        .run();
    let document: serde_json::Value = serde_json::from_str(&ran.assert_code(0).stdout).unwrap();
    let wanted =
        serde_json::json!({"Parameters":{"VPCId":"vpc-0a1b2c3d","Size":"1"},"Tags":{"a":"b"}});
    assert_eq!(document, wanted);
}

#[test]
fn a_base_whose_parameters_are_no_text_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().join("dev.json");
    std::fs::write(&base, r#"{"Parameters":{"N":1,"Size":"1"}}"#).unwrap();
    program()
        .args(["--format", "template-configuration", "A=x", "--base"])
        .arg(&base)
        .run()
        .assert_code(2)
        .assert_stderr("Parameters of the base file has a value that is not a string")
        .assert_stderr("N: write the value in quotes");
}

#[test]
fn a_template_parameter_is_not_named_like_a_shell_variable() {
    program()
        .args(["--format", "template-configuration", "VPC_ID=vpc-0a1b2c3d"])
        .run()
        .assert_code(2)
        .assert_stderr("VPC_ID: not a template parameter's name");
}

#[test]
fn a_stale_export_file_never_survives_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(".exports");
    std::fs::write(&file, "export A='stale'\n").unwrap();
    let ran = program().arg("--export-file").arg(&file).arg("A-B=1").run();
    ran.assert_code(2);
    assert!(!file.exists());
    assert_eq!(ran.stdout, "", "with a file, stdout stays empty");
}

#[test]
fn a_stale_export_file_does_not_survive_a_mistyped_flag_either() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(".exports");
    let env_file = folder.path().join("dev.env");
    std::fs::write(
        &env_file,
        format!("EXPORT_VARS_EXPORT_FILE={}\n", file.display()),
    )
    .unwrap();
    let with_equals = format!("--export-file={}", file.display());
    let ways = [
        program()
            .arg("--export-file")
            .arg(&file)
            .args(["--bogus", "A=1"]),
        program().args(["--bogus", &with_equals, "A=1"]),
        program()
            .env("EXPORT_VARS_EXPORT_FILE", &file)
            .args(["--bogus", "A=1"]),
        program().arg("--bogus").arg("--env-file").arg(&env_file),
    ];
    for way in ways {
        std::fs::write(&file, "export A='stale'\n").unwrap();
        way.run()
            .assert_code(2)
            .assert_stderr("unexpected argument '--bogus' found")
            .assert_stdout("");
        assert!(!file.exists());
    }
    std::fs::create_dir(&file).unwrap();
    program()
        .arg("--bogus")
        .arg("--export-file")
        .arg(&file)
        .run()
        .assert_code(2)
        .assert_stderr(".exports is a folder; an export file must be a regular file of its own");
}

#[test]
fn an_unknown_flag_is_told_the_one_that_was_meant_or_nothing() {
    program()
        .args(["--exprot-file", "x", "A=1"])
        .run()
        .assert_code(2)
        .assert_stderr(
            "unexpected argument '--exprot-file' found\n  did you mean --export-file?\n",
        );
    // Nothing is near; least of all the flags of the help.
    for flag in ["--hedge-all", "--bogus"] {
        program()
            .args([flag, "A=1"])
            .run()
            .assert_code(2)
            .assert_stderr(&format!(
                "unexpected argument '{flag}' found\nhint: `export-vars --help` lists every setting"
            ));
    }
}

#[test]
fn a_stale_export_file_goes_whatever_its_name_is_made_of() {
    use std::os::unix::ffi::OsStrExt as _;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(std::ffi::OsStr::from_bytes(b"exp\xff"));
    let ways = [
        (
            program().arg("--export-file").arg(&file),
            "invalid UTF-8 was detected",
        ),
        (
            program().env("EXPORT_VARS_EXPORT_FILE", &file),
            "EXPORT_VARS_EXPORT_FILE: not UTF-8",
        ),
    ];
    for (way, message) in ways {
        std::fs::write(&file, "export A='stale'\n").unwrap();
        way.arg("A=1").run().assert_code(2).assert_stderr(message);
        assert!(!file.exists());
    }
}

#[test]
fn a_dry_run_leaves_the_old_export_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(".exports");
    std::fs::write(&file, "export A='old'\n").unwrap();
    for more in [&["A=1"][..], &["--bogus"], &["A-B=1"]] {
        program()
            .arg("--export-file")
            .arg(&file)
            .arg("--dry-run")
            .args(more)
            .run();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "export A='old'\n");
    }
}

#[test]
fn a_value_is_in_no_message() {
    let secret = "hunter2-hunter2";
    let ran = program()
        .args([format!("A-B={secret}"), format!("C={secret}\n")])
        .run();
    ran.assert_code(2);
    assert!(
        !ran.stderr.contains(secret) && !ran.stdout.contains(secret),
        "{}",
        ran.stderr
    );
}
