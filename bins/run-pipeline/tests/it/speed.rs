//! How much the program adds to what it runs: bounds that hold for a program without optimisation too. `--nocapture` shows
//! what was measured.
#![allow(clippy::print_stderr, reason = "what was measured is for whoever asks")]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::pipeline::foreign::{SHOW, build, connection, definition, program, stage};

/// The most that an item may cost beside a shell of its own, in time of the processor.
const PER_ITEM: Duration = Duration::from_millis(5);
const ITEMS: u32 = 200;
const ACTIONS: u32 = 20;

/// The shortest of several times: what a neighbour takes is not ours.
fn shortest(mut work: impl FnMut()) -> Duration {
    let times = (0..3).map(|_| {
        let began = Instant::now();
        work();
        began.elapsed()
    });
    times.min().unwrap()
}

/// What a command and all that it starts take of the processor, as a shell tells it. A machine with much to do lets wait,
/// which is not the command's.
fn processor(folder: &Path, command: &[&str]) -> Duration {
    let output = Command::new("sh")
        .args(["-c", "\"$@\" >/dev/null 2>&1 && times", "sh"])
        .args(command)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{command:?}");
    // The second line is that of the children: `0m0.12s 0m0.03s`.
    let text = String::from_utf8(output.stdout).unwrap();
    let children = text.lines().nth(1).unwrap().split_whitespace();
    let seconds = children.map(|time| {
        let (minutes, seconds) = time.trim_end_matches('s').split_once('m').unwrap();
        minutes.parse::<f64>().unwrap() * 60.0 + seconds.parse::<f64>().unwrap()
    });
    Duration::from_secs_f64(seconds.sum())
}

#[test]
fn an_item_costs_five_milliseconds_at_most() {
    let folder = tempfile::tempdir().unwrap();
    let spec = |count: u32| {
        let items = "      - 'true'\n".repeat(count as usize);
        format!("version: 0.2\nphases:\n  build:\n    commands:\n{items}")
    };
    let program = env!("CARGO_BIN_EXE_run-pipeline");
    let run = |count: u32| {
        std::fs::write(folder.path().join("b.yml"), spec(count)).unwrap();
        processor(folder.path(), &[program, "buildspec", "b.yml"])
    };
    let item = run(ITEMS).saturating_sub(run(1)) / (ITEMS - 1);
    let loop_of = format!("for one in $(seq {ITEMS}); do sh -c true; done");
    let shell = processor(folder.path(), &["sh", "-c", &loop_of]) / ITEMS;
    eprintln!("an item takes {item:?} of the processor, `sh -c true` {shell:?}");
    assert!(
        item.saturating_sub(shell) <= PER_ITEM,
        "an item takes {item:?}, `sh -c true` {shell:?}"
    );
}

#[test]
fn twenty_actions_that_do_nothing_end_within_a_second() {
    let folder = tempfile::tempdir().unwrap();
    let actions = (1..=ACTIONS).map(|number| build(&format!("Do{number}"), number, "[]"));
    let stages = json!([
        stage("Source", vec![connection()]),
        stage("Do", actions.collect())
    ]);
    let nothing = SHOW
        .replace("OUT=\"$WHAT\"", "true")
        .replace("env: {exported-variables: [OUT]}\n", "");
    let program = program(folder.path(), &definition(stages), &nothing).args(["--source", "app"]);
    let took = shortest(|| {
        program.run().assert_code(0);
    });
    let shell = shortest(|| {
        for _ in 0..ACTIONS {
            let status = Command::new("sh").args(["-c", "true"]).status();
            assert!(status.unwrap().success());
        }
    });
    eprintln!("{ACTIONS} actions take {took:?}, as many of `sh -c true` {shell:?}");
    assert!(
        took < Duration::from_secs(1),
        "{ACTIONS} actions take {took:?}"
    );
}
