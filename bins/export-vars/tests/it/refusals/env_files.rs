//! Lines of env files.

use super::{file, refused};
use crate::program;

#[test]
fn a_line_that_readers_understand_differently() {
    let (_folder, path) = file("f.env", b"B=1\n\n\nA=x y\nDB_PASSWORD=\"hunter2\"\n");
    let ran = refused(
        &["--from-env-file", path.to_str().unwrap()],
        "f.env:4:3: A: docker takes the whole line, a shell runs the second word as a command; name the dialect with --from-env-dialect docker if docker's reading is meant",
    );
    ran.assert_stderr(
        "f.env:5:13: DB_PASSWORD: docker keeps quotes as part of the value, others remove them",
    )
    .assert_stderr("hint: `export-vars explain FILE` shows how each program reads each line")
    .refute_stderr("hunter2");
    let read = |dialect: &str| {
        let file = format!("{dialect}:{}", path.display());
        let ran = program()
            .args(["--from-env-file", &file, "--allow-secret", "DB_PASSWORD"])
            .run();
        (ran.code, ran.stdout.clone())
    };
    let said = "export B='1'\nexport A='x y'\nexport DB_PASSWORD=";
    assert_eq!(read("docker"), (Some(0), format!("{said}'\"hunter2\"'\n")));
    assert_eq!(read("compose"), (Some(0), format!("{said}'hunter2'\n")));
    assert_eq!(read("dotenv"), (Some(0), format!("{said}'hunter2'\n")));
    assert_eq!(read("sh").0, Some(2));
}

#[test]
fn lines_of_no_dialect() {
    for (content, message) in [
        (
            "export A=1\n",
            "f.env:1:1: docker does not know `export`; write only NAME=value",
        ),
        (
            "B=1\n  A=1\n",
            "f.env:2:1: starts with white space; begin the line with the name",
        ),
        (
            "\u{feff}A=1\n",
            "f.env:1:1: the file starts with a byte order mark; save it as UTF-8 without one",
        ),
        (
            "AB=1\r\n",
            "f.env:1:5: a carriage return, which a shell keeps in the value; save the file with Unix line ends",
        ),
        (
            "A=1\nAB\n",
            "f.env:2:3: the line has no `=`; write NAME=value",
        ),
        (
            "A =1\n",
            "f.env:1:1: not a variable name before `=` (letters, digits, _, not a digit first, no space)",
        ),
        (
            "=1\n",
            "f.env:1:1: no variable name before `=`; write NAME=value",
        ),
    ] {
        let (_folder, path) = file("f.env", content.as_bytes());
        refused(&["--from-env-file", path.to_str().unwrap()], message);
        if !content.contains('\r') && !content.contains("AB") {
            refused(
                &[
                    "--from-env-dialect",
                    "docker",
                    "--from-env-file",
                    path.to_str().unwrap(),
                ],
                message,
            );
        }
    }
    let (_folder, path) = file("f.env", b"A=1\nAB\n");
    refused(
        &[
            "--from-env-dialect",
            "docker",
            "--from-env-file",
            path.to_str().unwrap(),
        ],
        "f.env:2: the line has no `=`, and the environment has no such variable; write NAME=value",
    );
}

#[test]
fn a_line_of_a_key_is_in_no_message() {
    let key = "MIIEpAIBAAKCAQEAvY0v5X1gkHhK9J3zZ0aQxq2nY5f8sQ7v";
    let content = format!("KEY=\"-----BEGIN PRIVATE KEY-----\n{key}\n{key}==\n\"\n");
    let (_folder, path) = file("f.env", content.as_bytes());
    for dialect in ["portable", "docker", "compose", "dotenv", "sh"] {
        let ran = program()
            .args([
                "--multiline",
                "--from-env-dialect",
                dialect,
                "--from-env-file",
            ])
            .arg(&path)
            .run();
        ran.assert_code(2).refute_stderr("MIIE");
        assert!(!ran.stdout.contains("MIIE"));
    }
}
