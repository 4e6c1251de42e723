//! Values that would not arrive as they are, or that nobody can use.

use super::{file, refused};
use crate::program;
use std::os::unix::ffi::OsStrExt as _;

#[test]
fn a_nul_byte() {
    let (_folder, path) = file("m.json", br#"{"id":"ab\u0000c"}"#);
    refused(
        &["--from-json", &format!("NOTE={}#/id", path.display())],
        "NOTE: value holds a NUL byte at offset 2; an environment variable cannot",
    );
    let (_folder, path) = file("f.env", b"A=1\nB=x\0y\n");
    refused(
        &["--from-env-file", path.to_str().unwrap()],
        "f.env:2:4: a NUL byte; an environment variable cannot hold one",
    );
}

#[test]
fn a_line_break_in_a_value_for_a_pipeline() {
    refused(
        &["NOTE=one\ntwo\u{1b}"],
        "NOTE: line 1 ends in a line break or holds a control character; pass --multiline if the consumer accepts it",
    );
    refused(
        &["NOTE=one\u{1b}"],
        "NOTE: line 1 ends in a line break or holds a control character",
    );
    let allowed = program().args(["NOTE=one\ntwo", "--multiline"]).run();
    assert_eq!(allowed.assert_code(0).exports()["NOTE"], "one\ntwo");
}

#[test]
fn a_value_that_breaks_the_json_of_parameter_overrides() {
    for value in ["say \"hi\"", "a b c \\x"] {
        let ran = refused(
            &[
                "--consumer",
                "parameter-overrides",
                &format!("NOTE={value}"),
            ],
            "NOTE: would break the ParameterOverrides JSON at offset ",
        );
        ran.refute_stderr(value);
    }
    refused(
        &[
            "--multiline",
            "--parameter-overrides",
            r##"{"Note":"#{Build.NOTE}"}"##,
            "NOTE=ab\nc",
        ],
        "NOTE: would break the ParameterOverrides JSON at offset 2",
    );
    // A variable that the overrides do not use may hold what it likes.
    program()
        .args(["--parameter-overrides", r##"{"Note":"#{Build.NOTE}"}"##])
        .args(["NOTE=plain", "OTHER=say \"hi\""])
        .run()
        .assert_code(0);
    refused(
        &[
            "--parameter-overrides",
            r##"{"Note":#{Build.NOTE}}"##,
            "NOTE=plain",
        ],
        "--parameter-overrides: not a JSON object",
    );
}

#[test]
fn bytes_that_are_not_utf8() {
    let value = std::ffi::OsStr::from_bytes(b"ab\xffc");
    program()
        .env("NOTE", value)
        .arg("NOTE")
        .run()
        .assert_code(2)
        .assert_stderr("NOTE: byte 0xff at offset 2 is not UTF-8");
    let (_folder, path) = file("f.env", b"A=1\nB=x\xff\n");
    refused(
        &["--from-env-file", path.to_str().unwrap()],
        "f.env:2:4: byte 0xff at offset 7 is not UTF-8",
    );
    let (_folder, path) = file("m.json", b"{\"id\":\"\xff\"}");
    refused(
        &["--from-json", &format!("A={}#/id", path.display())],
        "byte 0xff at offset 7 is not UTF-8",
    );
}

#[test]
fn an_empty_value() {
    refused(
        &["AMI_ID="],
        "AMI_ID: is empty; nothing downstream can use it (--allow-empty to pass it)",
    );
    let allowed = program().args(["NOTE=", "--allow-empty"]).run();
    allowed.assert_code(0).assert_stdout("export NOTE=''\n");
    let program = || program().env("NOTE", "").env("NOTE_2", "x");
    program().arg("NOTE").run().assert_code(2).assert_stderr(
        "NOTE: empty in the environment; nothing downstream can use it (--allow-empty to pass it)",
    );
    for names in ["NOTE", "NOT?"] {
        program()
            .args([names, "--allow-empty"])
            .run()
            .assert_code(0)
            .assert_stdout("export NOTE=''\n");
    }
    program()
        .arg("NOTE*")
        .run()
        .assert_code(0)
        .assert_stdout("export NOTE_2='x'\n");
}

#[test]
fn an_id_that_is_none() {
    refused(
        &["AMI_ID=ami-12"],
        "AMI_ID: \"ami-12\" is not an AMI id (ami- and 8 or 17 hexadecimal digits)",
    );
    // What may be something else altogether is not repeated.
    let ran = refused(
        &["BASE_AMI_ID=hunter2"],
        "BASE_AMI_ID: a value of 7 bytes is not an AMI id",
    );
    ran.refute_stderr("hunter2");
}
