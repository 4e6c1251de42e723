//! One buildspec alone.

mod features;

use std::path::Path;
use std::time::Duration;

use harness::{Program, Ran};

pub(crate) fn program(folder: &Path, spec: &str) -> Program {
    std::fs::write(folder.join("buildspec.yml"), spec).unwrap();
    Program::new(env!("CARGO_BIN_EXE_run-pipeline"))
        .dir(folder)
        .args(["buildspec", "buildspec.yml"])
}

pub(crate) fn run(spec: &str) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    program(folder.path(), spec).run()
}

#[test]
fn exported_variables_are_those_after_post_build() {
    let ran = run("version: 0.2
env:
  variables: {A: from-spec}
  exported-variables: [A, B, SUM]
phases:
  build:
    commands:
      - B=\"it's\"
  post_build:
    commands:
      - A=late
      - SUM=\"$A-$B\"
");
    let exports = ran.assert_code(0).exports();
    assert_eq!(exports["A"], "late");
    assert_eq!(exports["SUM"], "late-it's");
}

#[test]
fn a_failed_build_runs_post_build_and_finally_and_is_red() {
    let ran = run("version: 0.2
env: {exported-variables: [A]}
phases:
  pre_build: {commands: ['A=1; echo succeeding=$CODEBUILD_BUILD_SUCCEEDING']}
  build:
    commands: [echo one, sh -c 'exit 9', echo never]
    finally: ['echo finally=$CODEBUILD_BUILD_SUCCEEDING']
  post_build:
    commands: ['echo post=$CODEBUILD_BUILD_SUCCEEDING']
");
    ran.assert_code(1)
        .assert_stderr("| succeeding=1")
        .assert_stderr("| finally=1")
        .assert_stderr("| post=0")
        .assert_stderr("the item at buildspec.yml:6 ended with 9")
        .refute_stderr("| never");
    assert_eq!(ran.stdout, "(exit 1)\n");
}

#[test]
fn a_failed_pre_build_ends_the_build_unless_it_may_continue() {
    let spec = |rule: &str| {
        format!(
            "version: 0.2\nphases:\n  pre_build: {{{rule}commands: ['false']}}\n  build: {{commands: ['echo built=$CODEBUILD_BUILD_SUCCEEDING']}}\n"
        )
    };
    run(&spec("")).assert_code(1).refute_stderr("| built");
    run(&spec("on-failure: CONTINUE, "))
        .assert_code(1)
        .assert_stderr("| built=0");
}

#[test]
fn abort_keeps_post_build_from_running() {
    run("version: 0.2\nphases:\n  build: {on-failure: ABORT, commands: ['false']}\n  post_build: {commands: [echo posted]}\n")
        .assert_code(1)
        .refute_stderr("| posted");
}

#[test]
fn the_environment_is_clean_and_the_env_file_wins() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("b.env"),
        "A=from file\nKEY=ssh-ed25519 AAAA\n",
    )
    .unwrap();
    let spec = "version: 0.2
env: {variables: {A: spec, B: spec}, exported-variables: [A, B, KEY, LEAK, SRC]}
phases: {build: {commands: ['SRC=$CODEBUILD_SRC_DIR', 'here=$PWD; test \"$here\" = \"$SRC\"']}}
";
    let ran = program(folder.path(), spec)
        .env("LEAK", "x")
        .args(["--build-env-file", "b.env"])
        .run();
    let exports = ran.assert_code(0).exports();
    assert_eq!(exports["A"], "from file");
    assert_eq!(exports["B"], "spec");
    assert_eq!(exports["KEY"], "ssh-ed25519 AAAA");
    assert!(!exports.contains_key("LEAK"));
    let source = folder.path().canonicalize().unwrap();
    assert_eq!(exports["SRC"], source.display().to_string());
    ran.assert_stderr("buildspec.yml:2: LEAK is not exported: no item that ran has set it");
}

#[test]
fn a_lost_epilogue_is_green_and_said() {
    let ran = run(
        "version: 0.2\nenv: {exported-variables: [A]}\nphases: {build: {commands: ['A=1; exit 0']}}\n",
    );
    ran.assert_code(0)
        .assert_stderr("what it set is lost, as in CodeBuild")
        .assert_stderr("A is not exported: the item at buildspec.yml:3 ends the shell itself");
    assert_eq!(ran.stdout, "");
}

#[test]
fn bash_is_used_where_the_buildspec_says_so() {
    run("version: 0.2\nenv: {shell: bash}\nphases: {build: {commands: ['[[ -n $BASH_VERSION ]]']}}\n").assert_code(0);
    run("version: 0.2\nenv: {shell: powershell.exe}\nphases: {build: {commands: [x]}}\n")
        .assert_code(2)
        .assert_stderr("the shell powershell.exe is not available here");
}

#[test]
fn bin_dir_stands_first_on_the_path() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let tool = folder.path().join("bin/make-ami");
    std::fs::create_dir(folder.path().join("bin")).unwrap();
    std::fs::write(&tool, "#!/bin/sh\necho ours\n").unwrap();
    std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(0o755)).unwrap();
    program(
        folder.path(),
        "version: 0.2\nphases: {build: {commands: [make-ami]}}\n",
    )
    .env("RUN_PIPELINE_BIN_DIR", "bin")
    .run()
    .assert_code(0)
    .assert_stderr("| ours");
}

#[test]
fn wrong_settings_are_refused_all_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let ran = program(folder.path(), "version: 0.1\nphases: {}\n")
        .args([
            "--bin-dir",
            "nowhere",
            "--account",
            "12",
            "--variable",
            "x",
            "--parameter",
            "p",
        ])
        .args(["--build-env-file", "absent.env"])
        .env("RUN_PIPELINE_ONLYS", "x")
        .run();
    ran.assert_code(2)
        .assert_stderr("nowhere")
        .assert_stderr("\"12\" is not an account id")
        .assert_stderr("--variable: number 1 of them has no name and `=`")
        .assert_stderr("--parameter: number 1 of them has no name and `=`")
        .assert_stderr("cannot read absent.env")
        .assert_stderr("RUN_PIPELINE_ONLYS: no such setting (did you mean RUN_PIPELINE_ONLY?)");
    let spec = "version: 0.1\nenv: {exported-variables: [A]}\nphases: {}\n";
    program(folder.path(), spec)
        .run()
        .assert_code(2)
        .assert_stderr("buildspec.yml:1:10: version 0.1 runs each command in its own shell");
}

#[test]
fn sigterm_ends_the_whole_build_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let temporary = tempfile::tempdir().unwrap();
    let spec = "version: 0.2
phases:
  build:
    commands:
      - sleep 301 &
      - |
        sh -c 'trap \"echo cleaning; exit 0\" TERM; echo ready; while :; do sleep 0.1; done'
      - echo never
";
    let running = program(folder.path(), spec)
        .env("TMPDIR", temporary.path())
        .spawn();
    running.wait_for_stderr("| ready", Duration::from_secs(20));
    assert!(
        std::fs::read_dir(temporary.path())
            .unwrap()
            .next()
            .is_some()
    );
    running.signal(15);
    let ran = running.finish();
    ran.assert_code(143)
        .assert_stderr("| cleaning")
        .refute_stderr("| never");
    assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 0);
    let left = std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        let command = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        command == b"sleep\x00301\x00"
    });
    assert!(!left, "the background process still runs");
}

#[test]
fn the_deadline_ends_a_build() {
    let folder = tempfile::tempdir().unwrap();
    program(
        folder.path(),
        "version: 0.2\nphases: {build: {commands: [sleep 60]}}\n",
    )
    .args(["--timeout", "1s"])
    .run()
    .assert_code(6)
    .assert_stderr("the deadline passed while the item at buildspec.yml:2 ran");
}

#[test]
fn a_dry_run_only_lists_the_items() {
    let folder = tempfile::tempdir().unwrap();
    let ran = program(
        folder.path(),
        "version: 0.2\nphases: {build: {commands: [touch made]}}\n",
    )
    .arg("--dry-run")
    .run();
    ran.assert_code(0)
        .assert_stderr("buildspec.yml:2 touch made");
    assert!(!folder.path().join("made").exists());
}

#[test]
fn what_codebuild_and_the_shell_set_is_passed_on() {
    let ran = run("version: 0.2
env: {exported-variables: [CODEBUILD_BUILD_ID, PATH, A]}
phases: {build: {commands: ['A=1']}}
");
    let exports = ran.assert_code(0).exports();
    assert!(exports["CODEBUILD_BUILD_ID"].contains(':'));
    assert!(exports["PATH"].contains('/'));
    assert_eq!(exports["A"], "1");
}

#[test]
fn steps_are_refused_before_anything_runs() {
    let ran = run("version: 0.2
phases:
  pre_build:
    commands: [touch made]
  build:
    steps:
      - uses: super-linter/super-linter@v5
");
    ran.assert_code(2)
        .assert_stderr("buildspec.yml:7: the steps of build do not run here")
        .refute_stderr("pre_build");
}
