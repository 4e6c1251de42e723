//! How others read an env file: every row of the table of dialects, as `explain` shows it and as the
//! real programs read it.

use crate::{program, readers};
use action::env_file::explain::explain;
use action::env_file::spelling::Reader;
use export_vars::for_tests::{as_table, cell};
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
        "A=xy",
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
            let cell = cell(&explained[0], reader, &[]);
            assert_eq!(cell, wanted, "{line:?} for {}", reader.name());
        }
        let table = as_table(&explained, &[]);
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
fn of_duplicates_the_later_one_counts_for_every_reader() {
    let text = "A=1\nB=x\nA=2\n";
    let explained = explain(text, &readers::host);
    for reader in Reader::ALL {
        let cells: Vec<_> = explained
            .iter()
            .map(|one| (one.line, cell(one, reader, &[])))
            .collect();
        let wanted = [
            (1, "1".to_owned()),
            (2, "x".to_owned()),
            (3, "2".to_owned()),
        ];
        assert_eq!(cells, wanted, "{}", reader.name());
        let read = reader.read(text, &readers::host);
        let last = read.iter().rev().find(|one| one.name == "A").unwrap();
        assert_eq!(last.reading.value(), Some("2"), "{}", reader.name());
    }
    let table = as_table(&explained, &[]);
    let ends: Vec<_> = table
        .lines()
        .skip(1)
        .map(|line| line.rsplit("  ").next().unwrap())
        .collect();
    assert_eq!(ends, ["A=1 (set again on line 3)", "B=x", "A=2"]);
    let python = real::python_dotenv(&[text.as_bytes()]).map(|found| found[0].clone());
    let real = [
        real::docker(text.as_bytes()),
        real::compose(text.as_bytes()),
        python,
        real::dash(text.as_bytes()),
    ];
    for found in real.into_iter().flatten() {
        assert_eq!(found.unwrap()["A"].as_deref(), Some("2"));
    }
}

#[test]
fn a_long_spelling_is_whole_and_read_back_by_every_reader() {
    let url = format!(
        "https://registry.example.com/{}",
        "some/long/path/".repeat(4)
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("f.env");
    std::fs::write(&file, format!("URL={url}\nNOTE=\"one\ntwo\"\nB=x;id\n")).unwrap();
    let ran = program().arg("explain").arg(&file).run();
    assert!(
        ran.assert_code(0)
            .stdout
            .contains(&format!("  URL={url}\n")),
        "{}",
        ran.stdout
    );
    let ran = program()
        .args(["explain", "--format", "json"])
        .arg(&file)
        .run();
    let rows: serde_json::Value = serde_json::from_str(&ran.assert_code(0).stdout).unwrap();
    let spelling = rows[0]["same_everywhere"].as_str().unwrap();
    for reader in Reader::ALL {
        let read = reader.read(&format!("{spelling}\n"), &readers::host);
        assert_eq!(
            read[0].reading.value(),
            Some(url.as_str()),
            "{}",
            reader.name()
        );
    }
    assert_eq!(rows[0]["readings"]["docker"][0]["value"], url.as_str());
    assert_eq!(
        rows[1]["same_everywhere"]["docker_and_codebuild"],
        serde_json::Value::Null
    );
    assert_eq!(rows[1]["same_everywhere"]["others"], "NOTE='one\ntwo'");
    assert_eq!(rows[1]["readings"]["compose"][0]["value"], "one\ntwo");
    assert_eq!(rows[2]["same_everywhere"]["docker_and_codebuild"], "B=x;id");
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
    assert_eq!(rows[1]["readings"]["POSIX shell"][0]["runs"], "a command");
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
