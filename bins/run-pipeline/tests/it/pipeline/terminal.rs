//! The tree of a run on a terminal, and plain lines everywhere else. `script` makes the terminal.

use std::path::Path;

use harness::{Program, missing};
use serde_json::{Value, json};

use super::foreign::{SHOW, action, build, connection, definition, program, stage};

fn pipeline() -> Value {
    let lambda = json!({"configuration": {"FunctionName": "f"}});
    definition(json!([
        stage("Source", vec![connection()]),
        stage(
            "Work",
            vec![
                build("Good", 1, "[]"),
                build("Bad", 2, "[]"),
                build("Never", 3, "[]")
            ]
        ),
        stage("Then", vec![action("Notify", ("Invoke", "Lambda"), lambda)]),
    ]))
}

/// Runs the pipeline in a terminal; nothing where none can be made.
fn on_a_terminal(folder: &Path, variables: &[(&str, &str)], more: &str) -> Option<String> {
    let more = format!("--skip Notify {more}");
    typed_on_a_terminal(folder, &pipeline(), variables, &more, "")
}

fn typed_on_a_terminal(
    folder: &Path,
    definition: &Value,
    variables: &[(&str, &str)],
    more: &str,
    typed: &str,
) -> Option<String> {
    let spec = SHOW.replace("OUT=\"$WHAT\"", "sleep 0.4; echo line of the build; false");
    drop(program(folder, definition, &spec));
    let script = ["/usr/bin/script", "/bin/script"]
        .iter()
        .find(|one| Path::new(one).exists());
    let Some(script) = script else {
        missing("script, of util-linux");
        return None;
    };
    let command = format!(
        "stty rows 40 cols 100; {} pipeline.json --source app {more}",
        env!("CARGO_BIN_EXE_run-pipeline")
    );
    // What is typed comes when it is asked for, and the keyboard stays open after it.
    let keyboard = format!(
        "if [ -n \"$TYPED\" ]; then until grep -q approval log; do sleep 0.1; done; printf '%s' \"$TYPED\"; sleep 2; fi | {script} -qefc \"$COMMAND\" log"
    );
    let mut program = Program::new("/bin/sh")
        .dir(folder)
        .args(["-c", &keyboard])
        .env("TYPED", typed)
        .env("COMMAND", &command)
        .env("TERM", "xterm-256color");
    for (name, value) in variables {
        program = program.env(name, value);
    }
    Some(program.run().stdout)
}

#[test]
fn the_tree_stands_below_the_log_and_is_gone_in_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let Some(shown) = on_a_terminal(folder.path(), &[], "") else {
        return;
    };
    for part in [
        "· Never",
        "· Bad",
        "of 5 actions",
        "\u{1b}[31m✗\u{1b}[0m Good",
        "\u{1b}[32m✓\u{1b}[0m App",
    ] {
        assert!(shown.contains(part), "no {part:?} in {shown:?}");
    }
    // Each line of the log is whole, whatever was drawn between.
    for line in [
        "Good | line of the build\r\n",
        "---- Work/Good (CodeBuild) ----\r\n",
        "error: the build Work/Good failed\r\n",
    ] {
        assert!(shown.contains(line), "no {line:?} in {shown:?}");
    }
    // What comes after the table is not drawn over.
    let (_, end) = shown
        .rsplit_once("error: the build Work/Good failed")
        .unwrap();
    assert!(!end.contains('·') && !end.contains("actions"), "{end:?}");
}

#[test]
fn without_colours_there_are_none() {
    let folder = tempfile::tempdir().unwrap();
    let Some(shown) = on_a_terminal(folder.path(), &[("NO_COLOR", "1")], "") else {
        return;
    };
    assert!(shown.contains("✗ Good"), "{shown:?}");
    // Sequences that end with `m` are colours; the others move.
    let sequences = shown.split("\u{1b}[").skip(1);
    let colours = sequences.filter(|rest| {
        rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';')
            .starts_with('m')
    });
    assert_eq!(colours.count(), 0, "{shown:?}");
}

#[test]
fn no_tree_is_drawn_where_it_would_not_be_one() {
    let folder = tempfile::tempdir().unwrap();
    for (variables, more) in [
        (&[("TERM", "dumb")][..], ""),
        (&[][..], "--log-format json"),
    ] {
        let Some(shown) = on_a_terminal(folder.path(), variables, more) else {
            return;
        };
        assert!(
            !shown.contains('·') && !shown.contains('\u{1b}'),
            "{shown:?}"
        );
    }
    // In a pipe there are plain lines.
    let ran = program(folder.path(), &pipeline(), SHOW)
        .args(["--source", "app", "--skip", "Notify"])
        .env("TERM", "xterm")
        .run();
    ran.assert_code(0)
        .refute_stderr("\u{1b}")
        .refute_stderr("·");
}

#[test]
fn an_approval_is_asked_for_without_a_tree_in_the_way() {
    let gate = action("Gate", ("Approval", "Manual"), json!({}));
    let definition = definition(json!([
        stage("Source", vec![connection()]),
        stage("Release", vec![gate]),
    ]));
    for (typed, said) in [
        ("yes\n", "Release/Gate is approved"),
        ("no\n", "Release/Gate was rejected"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let shown = typed_on_a_terminal(folder.path(), &definition, &[], "", typed);
        let Some(shown) = shown else { return };
        let (_, asked) = shown.split_once("waits for an approval: type yes").unwrap();
        let echo = format!("{}\r\n", typed.trim_end());
        let (question, rest) = asked.split_once(&echo).unwrap();
        assert!(rest.contains(said), "{shown:?}");
        assert!(
            !question.contains('·') && !question.contains("of 2 actions"),
            "{question:?}"
        );
    }
}
