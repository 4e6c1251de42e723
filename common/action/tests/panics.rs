//! A panic ends a program like a failure: `(exit N)`, a message without values, no export file, a code of the
//! table. This test is the programs too: with `PANICS_AT` in its environment it is one that panics there.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::panic,
    reason = "a test may panic, this one on purpose, and it reports itself"
)]

use action::export::Exports;
use action::failure::Failure;
use action::program::{self, Context, Output, Program, Subcommand};
use action::settings::Settings;
use action::settings::faults::Faults;
use action::settings::given::Given;
use action::settings::secret::Secret;
use harness::Ran;
use serde::Deserialize;
use std::path::Path;
use std::process::{Command, ExitCode};

const PROGRAM: Program = Program {
    name: "panics",
    about: "Panic",
    version: "1.2.3",
    prefix: "PANICS_",
    plain: &[],
    none_when_empty: &[],
    commands: &[Subcommand::read_only("check", "Look only")],
    secret_names_field: None,
    timeout: "1m",
    changes_the_world: true,
    exports: &[],
    permissions: &[],
    examples: "",
};

/// A value that no message may hold.
const VALUE: &str = "hunter2-is-secret";

#[derive(Debug, clap::Args, Deserialize, Default)]
#[serde(default)]
struct Raw {
    /// Where
    #[arg(long)]
    at: Given<String>,
}

impl Settings for Raw {
    type Checked = String;

    fn check(self, faults: &mut Faults) -> Option<String> {
        let at = faults.required("at", self.at)?;
        if at == "settings" {
            let bad: Result<u32, _> = VALUE.parse::<u32>().map_err(|_| VALUE.to_owned());
            bad.unwrap();
        }
        Some(at)
    }
}

async fn act(at: String, _: Context) -> Result<Output, Failure> {
    match at.as_str() {
        "action" => panic!("the words in the source"),
        "value" => panic!("the value is {VALUE}{}", ""),
        "task" => {
            let task = tokio::spawn(async { panic!("in a task") });
            drop(task.await);
        }
        "thread" => drop(std::thread::spawn(|| panic!("in a thread")).join()),
        "blocking" => drop(tokio::task::spawn_blocking(|| panic!("in a pool")).await),
        "two" => {
            let both: Vec<_> = (0..2)
                .map(|_| std::thread::spawn(|| panic!("in two threads")))
                .collect();
            both.into_iter().for_each(|one| drop(one.join()));
        }
        "drop" => {
            struct Bad;
            impl Drop for Bad {
                fn drop(&mut self) {
                    panic!("while another panic unwinds");
                }
            }
            let _bad = Bad;
            panic!("first");
        }
        _ => {}
    }
    let mut exports = Exports::new();
    exports.add("A", "1").unwrap();
    Ok(Output::Exports(exports))
}

fn main() -> ExitCode {
    if std::env::var_os("PANICS_AT").is_some() {
        return program::run::<Raw, _, _>(&PROGRAM, act);
    }
    let tests: [(&str, fn()); 6] = [
        (
            "every_panic_is_an_exit_of_the_table",
            every_panic_is_an_exit_of_the_table,
        ),
        (
            "a_shell_that_evaluates_it_turns_red",
            a_shell_that_evaluates_it_turns_red,
        ),
        (
            "no_export_file_is_left_and_none_is_stale",
            no_export_file_is_left_and_none_is_stale,
        ),
        ("no_value_is_shown", no_value_is_shown),
        ("a_log_in_json_stays_json", a_log_in_json_stays_json),
        (
            "what_only_looks_leaves_nothing",
            what_only_looks_leaves_nothing,
        ),
    ];
    // As much of the command line of Rust's own test programs as `cargo test` and nextest use.
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let names: Vec<_> = arguments
        .iter()
        .filter(|one| !one.starts_with('-') && *one != "terse")
        .collect();
    let wanted = |name: &str| match has("--exact") {
        true => names.iter().any(|one| *one == name),
        false => names.is_empty() || names.iter().any(|one| name.contains(one.as_str())),
    };
    for (name, test) in tests
        .into_iter()
        .filter(|(name, _)| !has("--ignored") && wanted(name))
    {
        if has("--list") {
            println!("{name}: test");
        } else {
            test();
            println!("test {name} ... ok");
        }
    }
    ExitCode::SUCCESS
}

fn panicking(at: &str) -> harness::Program {
    harness::Program::new(std::env::current_exe().unwrap()).env("PANICS_AT", at)
}

#[track_caller]
fn assert_ended(ran: &Ran, code: i32, stdout: &str) {
    ran.assert_code(code)
        .assert_stdout(stdout)
        .assert_stderr(
            "error: panics 1.2.3 has a defect: it panicked in common/action/tests/panics.rs:",
        )
        .assert_stderr("hint: please report this");
}

fn every_panic_is_an_exit_of_the_table() {
    panicking("nowhere")
        .run()
        .assert_code(0)
        .assert_stdout("export A='1'\n");
    assert_ended(&panicking("settings").run(), 1, "(exit 1)\n");
    for at in [
        "action", "value", "task", "thread", "blocking", "two", "drop",
    ] {
        let ran = panicking(at).run();
        assert_ended(&ran, 5, "(exit 5)\n");
        ran.assert_stderr("what was made before may still be there");
        assert_eq!(ran.stderr.matches("error: ").count(), 1, "{ran}");
    }
    panicking("action")
        .run()
        .assert_stderr("cause: the words in the source");
}

fn a_shell_that_evaluates_it_turns_red() {
    let ours = std::env::current_exe().unwrap();
    for at in ["settings", "action", "thread"] {
        let ended = Command::new("sh")
            .args(["-c", "eval \"$(\"$0\")\"", ours.to_str().unwrap()])
            .env("PANICS_AT", at)
            .output()
            .unwrap();
        assert_eq!(
            ended.status.code(),
            Some(if at == "settings" { 1 } else { 5 }),
            "{at}"
        );
    }
}

fn no_export_file_is_left_and_none_is_stale() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("exports");
    let stale = |file: &Path| std::fs::write(file, "export A='stale'\n").unwrap();
    for at in ["settings", "action", "thread"] {
        for program in [
            panicking(at).arg("--export-file").arg(&file),
            panicking(at).env("PANICS_EXPORT_FILE", &file),
        ] {
            stale(&file);
            // Nobody evaluates standard output then.
            assert_ended(&program.run(), if at == "settings" { 1 } else { 5 }, "");
            assert!(!file.exists(), "{at}");
        }
    }
    stale(&file);
    let dry = panicking("action")
        .arg("--dry-run")
        .arg("--export-file")
        .arg(&file);
    assert_ended(&dry.run(), 1, "");
    assert!(file.exists(), "a dry run removes nothing");
}

fn no_value_is_shown() {
    for at in ["settings", "value"] {
        let ran = panicking(at).run();
        ran.refute_stderr(VALUE).assert_stderr("PANICS_LOG=debug");
        panicking(at)
            .env("PANICS_LOG", "trace")
            .run()
            .refute_stderr("PANICS_LOG=debug");
    }
    let loud = panicking("value").env("PANICS_LOG", "debug").run();
    loud.assert_stderr(&format!("cause: the value is {VALUE}"));
    // And a declared secret not even then.
    let secret = Secret::from(VALUE.to_owned());
    action::redact::hide([secret]);
    assert!(!action::redact::redacted(&loud.stderr).contains(VALUE));
}

fn a_log_in_json_stays_json() {
    let ran = panicking("action").env("PANICS_LOG_FORMAT", "json").run();
    ran.assert_code(5).assert_stdout("(exit 5)\n");
    let line: serde_json::Value = serde_json::from_str(&ran.stderr).unwrap();
    assert_eq!(line["exit"], 5, "{line}");
    assert!(
        line["text"].as_str().unwrap().contains("please report"),
        "{line}"
    );
}

fn what_only_looks_leaves_nothing() {
    let looking = panicking("action").arg("check").run();
    // What only looks prints a report, which no shell evaluates.
    assert_ended(&looking, 1, "");
    looking.refute_stderr("may still be there");
}
