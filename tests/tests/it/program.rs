//! Running programs, with the system's shell as the program.

use std::time::{Duration, Instant};

use harness::Program;

fn sh(script: &str) -> Program {
    Program::new("/bin/sh").args(["-c", script])
}

#[test]
fn a_program_sees_only_what_it_was_given() {
    let given = sh("env").env("MINE", "1").run();
    let mut names: Vec<_> = given
        .stdout
        .lines()
        .filter_map(|line| line.split('=').next())
        .collect();
    names.retain(|name| !["PWD", "OLDPWD", "SHLVL", "_"].contains(name));
    names.sort_unstable();
    let fixed = [
        "AWS_ACCESS_KEY_ID",
        "AWS_EC2_METADATA_DISABLED",
        "AWS_REGION",
        "AWS_SECRET_ACCESS_KEY",
        "HOME",
        "MINE",
        "PATH",
    ];
    assert_eq!(names, fixed);
    let bare = sh("echo \"${HOME-none} ${AWS_REGION-none}\"").bare().run();
    bare.assert_code(0).assert_stdout("none none\n");
}

#[test]
fn input_folder_output_and_code_are_passed_on() {
    let ran = sh("pwd; cat; echo oops >&2; exit 3")
        .dir("/")
        .stdin("input")
        .run();
    ran.assert_code(3)
        .assert_stdout("/\ninput")
        .assert_stderr("oops")
        .refute_stderr("input");
}

#[test]
fn the_time_limit_ends_the_program_with_its_children() {
    let started = Instant::now();
    let ran = sh("sleep 600 & sleep 600")
        .limit(Duration::from_millis(200))
        .run();
    assert!(ran.timed_out);
    assert_eq!((ran.code, ran.signal), (None, Some(9)));
    // The children held standard output; had they lived, this would have taken ten minutes.
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_signal_reaches_a_program_that_has_said_it_is_ready() {
    let running =
        sh("trap 'echo caught >&2; exit 7' TERM; echo ready >&2; while :; do sleep 0.05; done")
            .spawn();
    running.wait_for_stderr("ready", Duration::from_secs(10));
    running.signal(15);
    running.finish().assert_code(7).assert_stderr("caught");
}

#[test]
fn exports_are_what_a_shell_reads() {
    let ran = sh(r#"printf '%s\n' "export A='it'\''s'" "export B='two" "lines'""#).run();
    let exports = ran.exports();
    let pairs: Vec<_> = exports
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    assert_eq!(pairs, [("A", "it's"), ("B", "two\nlines")]);
}

#[test]
#[should_panic(expected = "refuses the exports")]
fn exports_that_a_shell_refuses_fail() {
    sh("echo '(exit 3)'").run().exports();
}
