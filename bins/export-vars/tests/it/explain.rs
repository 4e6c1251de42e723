//! How others read an env file: every row of the table of dialects, as `explain` shows it and as the
//! real programs read it.

use crate::{program, readers};
use action::env_file::explain::explain;
use action::env_file::spelling::Reader;
use export_vars::explain::{as_table, cell};
use harness::readers as real;

/// A line; docker, Compose, python-dotenv, a POSIX shell, CodeBuild's agent; the common spelling.
type Row = (&'static str, [&'static str; 5], &'static str);

const WHITE: &str = "error: white space in the name";
const COMMAND: &str = "runs a command";

const ROWS: [Row; 24] = [
    (
        "A=\"x y\"\n",
        ["`\"x y\"`", "`x y`", "`x y`", "`x y`", "`\"x y\"`"],
        "none: docker and CodeBuild `A=x y`, the others `A='x y'`",
    ),
    (
        "A=x y\n",
        ["`x y`", "`x y`", "`x y`", COMMAND, "`x y`"],
        "none: docker and CodeBuild `A=x y`, the others `A='x y'`",
    ),
    ("A=x #c\n", ["`x #c`", "x", "x", "x", "`x #c`"], "A=x"),
    ("A= 1\n", ["` 1`", "1", "1", COMMAND, "` 1`"], "A=1"),
    ("A =1\n", [WHITE, "1", "1", COMMAND, WHITE], "A=1"),
    ("export A=1\n", [WHITE, "1", "1", "1", WHITE], "A=1"),
    (
        "A\n",
        [
            "\"A\" from its own environment",
            "\"A\" from its own environment",
            "no value",
            COMMAND,
            "error: not documented: each line is VAR=VAL",
        ],
        "none",
    ),
    (
        "A=\"a\\nb\"\n",
        ["`\"a\\nb\"`", "`a␊b`", "`a␊b`", "a\\nb", "`\"a\\nb\"`"],
        "none: the others `A='a␊b'`",
    ),
    (
        "A=$HOME\n",
        ["$HOME", "/home/reader", "$HOME", "/home/reader", "$HOME"],
        "none: docker and CodeBuild A=$HOME, the others `A='$HOME'`",
    ),
    (
        "A=${HOME}\n",
        [
            "${HOME}",
            "/home/reader",
            "/home/reader",
            "/home/reader",
            "${HOME}",
        ],
        "A=/home/reader",
    ),
    (
        "A=$(id -u)\n",
        [
            "`$(id -u)`",
            "`$(id -u)`",
            "`$(id -u)`",
            "runs the command in the value",
            "`$(id -u)`",
        ],
        "none: docker and CodeBuild `A=$(id -u)`, the others `A='$(id -u)'`",
    ),
    (
        "A=`id`\n",
        [
            "``id``",
            "``id``",
            "``id``",
            "runs the command in the value",
            "``id``",
        ],
        "none: docker and CodeBuild `A=`id``, the others `A='`id`'`",
    ),
    (
        "A=x;id\n",
        ["x;id", "x;id", "x;id", "x; runs a command", "x;id"],
        "none: docker and CodeBuild A=x;id, the others `A='x;id'`",
    ),
    (
        "A=a\\b\n",
        ["a\\b", "a\\b", "a\\b", "ab", "a\\b"],
        "none: docker and CodeBuild A=a\\b, the others `A='a\\b'`",
    ),
    ("A=1\r\n", ["1", "1", "1", "`1␍`", "1"], "A=1"),
    ("\u{feff}A=1\n", ["1", "1", "1", COMMAND, "1"], "A=1"),
    (
        "1A=x\n",
        [
            "\"1A\" = x",
            "\"1A\" = x",
            "\"1A\" = x",
            COMMAND,
            "\"1A\" = x",
        ],
        "none",
    ),
    (
        "A-B=x\n",
        [
            "\"A-B\" = x",
            "\"A-B\" = x",
            "\"A-B\" = x",
            COMMAND,
            "\"A-B\" = x",
        ],
        "none",
    ),
    (
        "A.B=x\n",
        [
            "\"A.B\" = x",
            "\"A.B\" = x",
            "\"A.B\" = x",
            COMMAND,
            "\"A.B\" = x",
        ],
        "none",
    ),
    (
        "A=\"x\"y\n",
        [
            "`\"x\"y`",
            "x; \"y\" from its own environment",
            "dropped: the line does not parse",
            "xy",
            "`\"x\"y`",
        ],
        "none: docker and CodeBuild `A=\"x\"y`, the others `A='\"x\"y'`",
    ),
    (
        "A=\"one\ntwo\"\n",
        [
            "`\"one`; a name of 4 characters from its own environment",
            "`one␊two`",
            "`one␊two`",
            "`one␊two`",
            "`\"one`; error: not documented: each line is VAR=VAL",
        ],
        "none: the others `A='one␊two'`",
    ),
    (
        "A=~/x\n",
        ["~/x", "~/x", "~/x", "/home/reader/x", "~/x"],
        "none: docker and CodeBuild A=~/x, the others `A='~/x'`",
    ),
    (
        "A=x>f\n",
        [
            "x>f",
            "x>f",
            "x>f",
            "runs a redirection, which reads or writes a file",
            "x>f",
        ],
        "none: docker and CodeBuild A=x>f, the others `A='x>f'`",
    ),
    (
        "A=plain\n",
        ["plain", "plain", "plain", "plain", "plain"],
        "A=plain",
    ),
];

#[test]
fn every_row_of_the_table_of_dialects_is_shown_so() {
    for (line, wanted, spelling) in ROWS {
        let explained = explain(line, &readers::host);
        assert_eq!(explained.len(), 1, "{line:?}");
        for (reader, wanted) in Reader::ALL.into_iter().zip(wanted) {
            let cell = cell(&explained[0], reader);
            assert_eq!(cell, wanted, "{line:?} for {}", reader.name());
        }
        let table = as_table(&explained);
        let row = table.lines().nth(1).unwrap();
        assert!(row.ends_with(&format!("  {spelling}")), "{line:?}: {row}");
    }
}

#[test]
fn every_row_is_what_the_real_programs_read() {
    let files: Vec<&[u8]> = ROWS.iter().map(|row| row.0.as_bytes()).collect();
    let python = real::python_dotenv(&files);
    for (index, (line, ..)) in ROWS.iter().enumerate() {
        let check = |reader, found: Option<real::Read>| {
            if let Some(found) = found {
                readers::agree(reader, line, &found).unwrap();
            }
        };
        check(Reader::Docker, real::docker(line.as_bytes()));
        check(Reader::Compose, real::compose(line.as_bytes()));
        check(
            Reader::Dotenv,
            python.as_ref().map(|found| found[index].clone()),
        );
        // A redirection is done without a word; that it is one is what we say.
        if !line.contains('>') {
            check(Reader::Shell, real::dash(line.as_bytes()));
        }
    }
}

#[test]
fn duplicates_are_told_line_by_line() {
    let explained = explain("A=1\nA=2\n", &readers::host);
    let lines: Vec<_> = explained
        .iter()
        .map(|one| (one.line, cell(one, Reader::Docker)))
        .collect();
    assert_eq!(lines, [(1, "1".to_owned()), (2, "2".to_owned())]);
}

#[test]
fn the_table_and_its_json_are_data_and_the_summary_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("f.env");
    std::fs::write(&file, "# note\nA=1\n\nB=x y\n").unwrap();
    let ran = program().arg("explain").arg(&file).run();
    ran.assert_code(0)
        .assert_stderr("f.env: all readers agree on 1 of 2 lines");
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{}", ran.stdout);
    assert!(lines[0].starts_with("line  docker  compose  python-dotenv  POSIX shell"));
    assert!(lines[1].starts_with("2     1       1"), "{}", lines[1]);
    let ran = program()
        .args(["explain", "--format", "json"])
        .arg(&file)
        .run();
    let rows: serde_json::Value = serde_json::from_str(&ran.assert_code(0).stdout).unwrap();
    assert_eq!(rows[1]["line"], 4);
    assert_eq!(rows[1]["agree"], false);
    assert_eq!(rows[1]["readings"]["POSIX shell"], "runs a command");
}

#[test]
fn secrets_are_masked_in_every_column() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("f.env");
    let text = "DB_PASSWORD=\"hunter2 x\"\nexport API_TOKEN='hunter2'\nURL=https://me:hunter2@x\n\
                A=$HUNTER\nKEY=\"-----BEGIN PRIVATE KEY-----\nhunter2\n\"\n";
    std::fs::write(&file, text).unwrap();
    for format in ["sh", "json"] {
        let ran = program()
            .env("HUNTER", "hunter2")
            .args(["explain", "--format", format])
            .arg(&file)
            .run();
        ran.assert_code(0).refute_stderr("hunter2");
        assert!(!ran.stdout.contains("hunter2"), "{}", ran.stdout);
        assert!(
            ran.stdout.contains("*** (9 bytes)") && ran.stdout.contains("<HUNTER>"),
            "{}",
            ran.stdout
        );
    }
}

#[test]
fn a_file_that_cannot_be_explained() {
    program().arg("explain").run().assert_code(2);
    program()
        .args(["explain", "/no/such.env"])
        .run()
        .assert_code(2)
        .assert_stderr("cannot explain /no/such.env\n  cause: No such file or directory");
}
