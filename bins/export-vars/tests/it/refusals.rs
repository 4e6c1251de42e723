//! Bad input is refused in words that a user can act on, before anything is written: a test for each
//! kind of it. What concerns several files of a pipeline at once is refused by `run-pipeline check`
//! and tested there and in `contract`.

use crate::program;
use harness::Ran;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// A folder with one file.
fn file(name: &str, content: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    (folder, path)
}

/// Refused with this message, and with nothing on stdout that a shell would take for a variable.
#[track_caller]
fn refused(arguments: &[&str], message: &str) -> Ran {
    let ran = program().args(arguments).run();
    ran.assert_code(2).assert_stderr(message);
    assert_eq!(ran.stdout, "(exit 2)\n");
    ran
}

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
        "--template B: what stands in the brackets at offset 0 is no name; write {{ and }} for plain ones",
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
                "\"{name}\": a shell keeps this name for itself: it refuses the assignment, or later commands see another value; use --allow-name {name}"
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
fn a_nul_byte() {
    let (_folder, path) = file("m.json", br#"{"id":"ab\u0000c"}"#);
    refused(
        &["--from-json", &format!("NOTE={}#/id", path.display())],
        "NOTE: value holds a NUL byte at offset 2; an environment variable cannot",
    );
    let (_folder, path) = file("f.env", b"A=1\nB=x\0y\n");
    refused(
        &["--from-file", path.to_str().unwrap()],
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
        &["--from-file", path.to_str().unwrap()],
        "f.env:2:4: byte 0xff at offset 7 is not UTF-8",
    );
    let (_folder, path) = file("m.json", b"{\"id\":\"\xff\"}");
    refused(
        &["--from-json", &format!("A={}#/id", path.display())],
        "byte 0xff at offset 7 is not UTF-8",
    );
}

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

#[test]
fn a_name_twice_with_two_values() {
    let (_folder, path) = file("f.env", b"# note\n\nA=1\n\n\n\nA=2\n");
    refused(
        &["--from-file", path.to_str().unwrap()],
        "f.env:7: A already set on line 3 to another value",
    );
    refused(
        &["A=1", "A=2"],
        "argument 2: A already set by argument 1 to another value",
    );
}

#[test]
fn a_line_that_readers_understand_differently() {
    let (_folder, path) = file("f.env", b"B=1\n\n\nA=x y\nDB_PASSWORD=\"hunter2\"\n");
    let ran = refused(
        &["--from-file", path.to_str().unwrap()],
        "f.env:4:3: A: docker takes the whole line, a shell runs the second word as a command; name the dialect with --dialect docker if docker's reading is meant",
    );
    ran.assert_stderr(
        "f.env:5:13: DB_PASSWORD: docker keeps quotes as part of the value, others remove them",
    )
    .assert_stderr("hint: `export-vars explain FILE` shows how each program reads each line")
    .refute_stderr("hunter2");
    let read = |dialect: &str| {
        let file = format!("{dialect}:{}", path.display());
        let ran = program()
            .args(["--from-file", &file, "--allow-secret", "DB_PASSWORD"])
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
        refused(&["--from-file", path.to_str().unwrap()], message);
        if !content.contains('\r') && !content.contains("AB") {
            refused(
                &["--dialect", "docker", "--from-file", path.to_str().unwrap()],
                message,
            );
        }
    }
    let (_folder, path) = file("f.env", b"A=1\nAB\n");
    refused(
        &["--dialect", "docker", "--from-file", path.to_str().unwrap()],
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
            .args(["--multiline", "--dialect", dialect, "--from-file"])
            .arg(&path)
            .run();
        ran.assert_code(2).refute_stderr("MIIE");
        assert!(!ran.stdout.contains("MIIE"));
    }
}

#[test]
fn a_reference_that_was_never_resolved() {
    refused(
        &["RELEASE=#{Src.CommitId}"],
        "RELEASE: \"#{Src.CommitId}\" was never resolved: set it on the pipeline action, not on the project",
    );
}

#[test]
fn names_that_the_buildspec_does_not_export_and_the_reverse() {
    let spec = b"version: 0.2\nenv:\n  variables:\n    REGION: eu\n  exported-variables:\n    - AMI_ID\n    - AMI_NAME\n    - REGION\n    - LATER\nphases:\n  build:\n    commands: ['true']\n";
    let (_folder, path) = file("buildspec.yml", spec);
    let run = |arguments: &[&str]| {
        program()
            .arg("--buildspec")
            .arg(&path)
            .args(arguments)
            .run()
    };
    let ran = run(&["AMI_IDS=x"]);
    ran.assert_code(2)
        .assert_stderr("AMI_IDS is set but ")
        .assert_stderr("buildspec.yml:6 does not export it (did you mean AMI_ID?)")
        .assert_stderr("buildspec.yml:7 exports AMI_NAME but nothing sets it (--set-elsewhere AMI_NAME if another item does)")
        .refute_stderr("exports REGION");
    run(&[
        "AMI_ID=ami-0123abcd",
        "AMI_NAME=x",
        "--set-elsewhere",
        "LA*",
    ])
    .assert_code(0);
}

#[test]
fn a_buildspec_whose_exports_cannot_work() {
    let (_folder, path) = file(
        "buildspec.yml",
        b"version: 0.1\nphases: {build: {commands: ['true']}}\n",
    );
    refused(
        &["A=1", "--buildspec", path.to_str().unwrap()],
        "version 0.1 runs each command in its own shell; exports cannot work",
    );
}

#[test]
fn success_of_a_job_after_a_failed_build_phase() {
    let job = [
        "--format",
        "job",
        "--job-id",
        "11111111-abcd-1111-abcd-111111abcdef",
    ];
    program()
        .env("CODEBUILD_BUILD_SUCCEEDING", "0")
        .args(job)
        .arg("A=1")
        .run()
        .assert_code(2)
        .assert_stderr("an earlier phase of this build failed (CODEBUILD_BUILD_SUCCEEDING=0); export-vars does nothing")
        .assert_stderr("--even-if-failed acts all the same");
    // Variables alone change nothing outside.
    program()
        .env("CODEBUILD_BUILD_SUCCEEDING", "0")
        .arg("A=1")
        .run()
        .assert_code(0);
}

#[test]
fn variables_together_with_a_continuation_token() {
    refused(
        &[
            "--format",
            "job",
            "--job-id",
            "11111111-abcd-1111-abcd-111111abcdef",
            "--continuation-token",
            "later",
            "A=1",
        ],
        "outputVariables are not accepted together with a continuation token",
    );
    refused(
        &["--format", "job", "A=1"],
        "--format job needs the id of the job",
    );
    refused(
        &["--format", "job", "--job-id", "7", "A=1"],
        "--job-id: not the id of a job (8-4-4-4-12 hexadecimal digits)",
    );
}

/// The export file may be anything but a plain file of its own that can be replaced.
mod export_file {
    use super::*;

    fn export_to(path: &Path) -> Ran {
        program().arg("A=1").arg("--export-file").arg(path).run()
    }

    #[test]
    fn links_folders_and_pipes() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        std::fs::write(&target, "precious").unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&target, &link).unwrap();
        export_to(&link).assert_code(2).assert_stderr(
            "link is a symbolic link; an export file must be a plain file of its own",
        );
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "precious");
        export_to(folder.path())
            .assert_code(2)
            .assert_stderr("is a folder; an export file must be a plain file of its own");
        let pipe = folder.path().join("pipe");
        assert!(
            std::process::Command::new("mkfifo")
                .arg(&pipe)
                .status()
                .unwrap()
                .success()
        );
        export_to(&pipe)
            .assert_code(2)
            .assert_stderr("is not a file (a fifo, socket or device)");
    }

    #[test]
    fn one_that_is_not_ours_to_remove() {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &Path, bits| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(bits)).unwrap();
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".exports");
        std::fs::write(&path, "export A='stale'\n").unwrap();
        // The checkout may lie where nobody but root can look.
        let program = folder.path().join("export-vars");
        std::fs::copy(env!("CARGO_BIN_EXE_export-vars"), &program).unwrap();
        mode(&program, 0o755);
        mode(folder.path(), 0o555);
        let id = std::process::Command::new("id").arg("-u").output().unwrap();
        // No permission stops root, so it acts as nobody.
        let mut command = if id.stdout == b"0\n" {
            let mut command = std::process::Command::new("setpriv");
            command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
            command.arg(&program);
            command
        } else {
            std::process::Command::new(&program)
        };
        let output = command
            .args(["A=1", "--export-file"])
            .arg(&path)
            .output()
            .unwrap();
        mode(folder.path(), 0o755);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(
            said.contains("cannot remove the old ") && said.contains("Permission denied"),
            "{said}"
        );
    }

    #[test]
    fn one_of_another_user() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".exports");
        std::fs::write(&path, "export A='theirs'\n").unwrap();
        // Only root can give a file away.
        if std::os::unix::fs::chown(&path, Some(65_534), None).is_err() {
            return;
        }
        export_to(&path).assert_code(2).assert_stderr(
            ".exports belongs to another user (id 65534); an export file must be a plain file of its own",
        );
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "export A='theirs'\n"
        );
    }

    #[test]
    fn one_to_which_a_github_step_appends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("output");
        std::fs::write(&path, "EARLIER=1\n").unwrap();
        for format in ["github", "sh"] {
            program()
                .env("GITHUB_OUTPUT", &path)
                .args(["--format", format, "A=1", "--export-file"])
                .arg(folder.path().join("../").join(folder.path().file_name().unwrap()).join("output"))
                .run()
                .assert_code(2)
                .assert_stderr("is the file that GITHUB_OUTPUT names; writing it anew would lose what the step wrote there before: append to it, as in `… >> \"$GITHUB_OUTPUT\"`");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), "EARLIER=1\n");
        }
    }

    #[test]
    fn one_on_a_file_system_that_takes_no_files() {
        // The kernel's own file system is not for files of ours, root or not.
        export_to(Path::new("/proc/self/.exports"))
            .assert_code(2)
            .assert_stderr("cannot write a file in /proc/self: ");
    }

    #[test]
    fn a_full_disk_leaves_no_partial_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".exports");
        std::fs::write(&path, "export A='stale'\n").unwrap();
        // A limit on the size of files meets the write as a full disk does.
        let output = std::process::Command::new("sh")
            .args(["-c", "trap '' XFSZ; ulimit -f 1; exec \"$@\"", "sh"])
            .args([env!("CARGO_BIN_EXE_export-vars"), "--export-file"])
            .arg(&path)
            .arg(format!("LOG={}", "x".repeat(100_000)))
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(
            said.contains("cannot write the exports") && said.contains("File too large"),
            "{said}"
        );
        assert_eq!(
            std::fs::read_dir(folder.path()).unwrap().count(),
            0,
            "nothing is left"
        );
    }
}

#[test]
fn secrets_of_the_build_are_not_exported() {
    let spec = b"version: 0.2\nenv:\n  parameter-store: {DB_PASS: /db}\n  secrets-manager: {TOKEN: app}\n  exported-variables: [NOTE]\nphases: {build: {commands: ['true']}}\n";
    let (_folder, path) = file("buildspec.yml", spec);
    let run = |value: &str| {
        program()
            .env("DB_PASS", "hunter2-hunter2")
            .env("TOKEN", "s3")
            .env("CODEBUILD_AUTH_TOKEN", "build-token-1")
            .env("MY_SECRET", "from-the-project")
            .args(["--secret", "MY_*", "--buildspec"])
            .arg(&path)
            .arg(format!("NOTE={value}"))
            .run()
    };
    for (value, message) in [
        (
            "hunter2-hunter2",
            "NOTE: is the value of DB_PASS, from Parameter Store; output variables are shown in plain text (--allow-secret NOTE exports it all the same)",
        ),
        (
            "url?p=hunter2-hunter2&x",
            "NOTE: holds the value of DB_PASS, from Parameter Store",
        ),
        ("s3", "NOTE: is the value of TOKEN, from Secrets Manager"),
        (
            "xx build-token-1",
            "NOTE: holds the value of CODEBUILD_AUTH_TOKEN, a credential of this build",
        ),
        (
            "fake-secret-for-tests",
            "NOTE: is the value of AWS_SECRET_ACCESS_KEY, a credential of this build",
        ),
        (
            "from-the-project",
            "NOTE: is the value of MY_SECRET, named by --secret",
        ),
        ("AKIAIOSFODNN7EXAMPLE", "NOTE: holds an AWS access key id"),
        (
            "ghp_0123456789abcdefghijABCDEFGHIJ012345",
            "NOTE: holds a GitHub token",
        ),
    ] {
        let ran = run(value);
        ran.assert_code(2)
            .assert_stderr(message)
            .refute_stderr(value);
    }
    // A short secret is in many values by chance.
    run("s3://bucket").assert_code(0);
    program()
        .args(["--allow-secret", "NOTE", "NOTE=fake-secret-for-tests"])
        .run()
        .assert_code(0);
}

#[test]
fn a_secret_that_is_allowed_is_still_masked_for_people() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.env"), "NOTE=s3kr1t-value\n").unwrap();
    std::fs::write(folder.path().join("b.env"), "NOTE=x-s3kr1t-value\n").unwrap();
    let program = || {
        program()
            .dir(folder.path())
            .env("DB", "s3kr1t-value")
            .args(["--secret", "DB"])
    };
    let ran = program()
        .args(["--allow-secret", "NOTE", "NOTE=s3kr1t-value", "--print"])
        .run();
    ran.assert_code(0)
        .assert_stderr("NOTE      *** (12 bytes)")
        .refute_stderr("s3kr1t");
    assert_eq!(ran.exports()["NOTE"], "s3kr1t-value");
    for format in ["sh", "json"] {
        for command in [&["diff", "a.env", "b.env"][..], &["explain", "a.env"]] {
            let ran = harness::Program::new(env!("CARGO_BIN_EXE_export-vars"))
                .dir(folder.path())
                .env("DB", "s3kr1t-value")
                .args([command[0], "--secret", "DB", "--format", format])
                .args(&command[1..])
                .run();
            ran.assert_code(0).refute_stderr("s3kr1t");
            assert!(
                ran.stdout.contains("*** (12 bytes)") && !ran.stdout.contains("s3kr1t"),
                "{}",
                ran.stdout
            );
        }
    }
}

#[test]
fn a_pattern_of_secrets_that_matches_nothing_is_warned_of() {
    let ran = program()
        .env("MY_SECRET", "from-the-project")
        .args(["--secret", "MY_SECRETS", "--secret", "MY_*", "A=1"])
        .run();
    ran.assert_code(0)
        .assert_stderr(
            "--secret MY_SECRETS: matches no variable of the environment and guards nothing",
        )
        .refute_stderr("--secret MY_*");
}

#[test]
fn what_may_be_a_secret_is_warned_of() {
    let random = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY9";
    let ran = program()
        .args([&format!("NOTE={random}"), "DB_PASSWORD=x"])
        .run();
    ran.assert_code(0)
        .assert_stderr("NOTE: its value looks drawn at random, as keys and tokens are; output variables are shown in plain text (--allow-secret NOTE if it is none)")
        .assert_stderr("DB_PASSWORD: its name says that it is a secret")
        .refute_stderr(random);
}
