//! What a buildspec may say beside its phases: retries, users, stores, runtimes, reports, a cache, version 0.1.

use harness::{FakeAws, Reply};
use serde_json::json;

use super::{program, run};

#[test]
fn a_phase_is_repeated_as_often_as_it_says() {
    let spec = |rule: &str, goal: u32| {
        format!(
            "version: 0.2
phases:
  build:
    on-failure: {rule}
    commands: ['echo x >> tries', 'echo succeeding=$CODEBUILD_BUILD_SUCCEEDING', 'test \"$(wc -l < tries)\" -ge {goal}']
  post_build: {{commands: ['echo post=$CODEBUILD_BUILD_SUCCEEDING']}}
"
        )
    };
    let tries = |rule: &str, goal: u32| {
        let folder = tempfile::tempdir().unwrap();
        let ran = program(folder.path(), &spec(rule, goal)).run();
        let count = std::fs::read_to_string(folder.path().join("tries")).unwrap();
        (ran, count.lines().count())
    };
    let (ran, count) = tries("RETRY-4", 3);
    ran.assert_code(0)
        .assert_stderr("repeating the phase build")
        .assert_stderr("| post=1")
        .refute_stderr("succeeding=0");
    assert_eq!(count, 3);
    let (ran, count) = tries("RETRY", 9);
    ran.assert_code(1).assert_stderr("| post=0");
    assert_eq!(count, 4);
    let (ran, count) = tries("RETRY-.*no such text.*", 9);
    ran.assert_code(1).refute_stderr("repeating");
    assert_eq!(count, 1);
    let (_, count) = tries("RETRY-1-exit status 1", 9);
    assert_eq!(count, 2);
}

#[test]
fn values_of_stores_come_from_a_file_and_are_hidden() {
    let spec = "version: 0.2
env:
  variables: {LEVEL: spec}
  parameter-store: {TOKEN: /app/token}
  secrets-manager: {USER: 'login:user', WHOLE: plain}
  exported-variables: [TOKEN, LEVEL, SUM]
phases: {build: {commands: ['echo said $TOKEN $USER $WHOLE', 'SUM=\"$USER-$WHOLE\"; SUM=${#SUM}']}}
";
    run(spec)
        .assert_code(2)
        .assert_stderr("TOKEN comes from parameter-store (/app/token)")
        .assert_stderr("USER comes from secrets-manager (login:user)")
        .assert_stderr("--store-file");
    let folder = tempfile::tempdir().unwrap();
    let stores = r#"{"parameter-store": {"/app/token": "tok-123456"},
        "secrets-manager": {"login": {"user": "usr-123456"}, "plain": "whole-1234"}}"#;
    std::fs::write(folder.path().join("stores.json"), stores).unwrap();
    let ran = program(folder.path(), spec)
        .args(["--store-file", "stores.json"])
        .run();
    let exports = ran
        .assert_code(0)
        .assert_stderr("| said [secret] [secret] [secret]")
        .assert_stderr("TOKEN is not exported: its value comes from a store")
        .refute_stderr("tok-123456")
        .exports();
    assert_eq!(exports["SUM"], "21");
    assert!(!exports.contains_key("TOKEN"));
    // What is given for the variable itself wins, and no store is needed for it.
    std::fs::write(folder.path().join("b.env"), "TOKEN=t\nUSER=u\nWHOLE=w\n").unwrap();
    program(folder.path(), spec)
        .args(["--build-env-file", "b.env"])
        .run()
        .assert_code(0)
        .assert_stderr("| said t u w");
    std::fs::write(folder.path().join("stores.json"), r#"{"secrets": {}}"#).unwrap();
    program(folder.path(), spec)
        .args(["--store-file", "stores.json"])
        .run()
        .assert_code(2)
        .assert_stderr("secrets: write parameter-store or secrets-manager");
}

#[test]
fn an_emulator_is_asked_for_values_of_stores() {
    let fake = FakeAws::start();
    fake.on(
        "ssm:GetParameter",
        [Reply::json(
            &json!({"Parameter": {"Name": "/app/token", "Value": "tok-123456", "Type": "SecureString"}}),
        )],
    );
    fake.on(
        "secretsmanager:GetSecretValue",
        [Reply::json(
            &json!({"Name": "login", "SecretString": r#"{"user": "usr-123456"}"#}),
        )],
    );
    let spec = "version: 0.2
env: {parameter-store: {TOKEN: /app/token}, secrets-manager: {USER: 'login:user'}}
phases: {build: {commands: ['test \"$TOKEN-$USER\" = tok-123456-usr-123456']}}
";
    let folder = tempfile::tempdir().unwrap();
    program(folder.path(), spec)
        .envs(fake.env())
        .run()
        .assert_code(0);
    fake.assert_all_scripted();
}

#[test]
fn a_runtime_is_compared_with_what_runs_instead() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let bin = folder.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    let tool = |name: &str, says: &str| {
        std::fs::write(bin.join(name), format!("#!/bin/sh\necho '{says}'\n")).unwrap();
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(bin.join(name), mode).unwrap();
    };
    tool("node", "v20.1.0");
    tool("python3", "Python 3.12.4");
    let spec = "version: 0.2
phases:
  install:
    runtime-versions:
      nodejs: 18
      python: 3.12
      fortran: 90
  build: {commands: ['true']}
";
    program(folder.path(), spec)
        .args(["--bin-dir", "bin"])
        .run()
        .assert_code(0)
        .assert_stderr(
            "buildspec.yml:5: runtime-versions asks for nodejs 18; 20.1.0 runs here instead",
        )
        .assert_stderr("buildspec.yml:6: python 3.12 is 3.12.4 here")
        .assert_stderr(
            "buildspec.yml:7: runtime-versions asks for fortran 90, which is not on PATH",
        );
}

#[test]
fn run_as_is_followed_by_root_and_said_by_others() {
    let ran = run("version: 0.2
run-as: nobody
env: {exported-variables: [WHO, KEPT, TOP]}
phases:
  pre_build: {commands: ['KEPT=\"$(id -un)\"']}
  build: {run-as: root, commands: ['TOP=\"$(id -un)\"']}
  post_build: {commands: ['WHO=\"$(id -un)\"']}
");
    let exports = ran.assert_code(0).exports();
    if exports["TOP"] == "root" {
        assert_eq!(exports["KEPT"], "nobody");
        assert_eq!(exports["WHO"], "nobody");
        run("version: 0.2\nrun-as: nosuchuser\nphases: {build: {commands: ['true']}}\n")
            .assert_code(2)
            .assert_stderr("this machine has no user nosuchuser");
    } else {
        ran.assert_stderr("run-as nobody is not followed here");
    }
}

#[test]
fn version_0_1_gives_each_command_a_shell_of_its_own() {
    run("version: 0.1
env: {variables: {B: kept}}
phases:
  build:
    commands:
      - export A=1; cd /
      - echo \"A=${A:-none} B=$B\"; test \"$PWD\" != /
")
    .assert_code(0)
    .assert_stderr("| A=none B=kept");
}

#[test]
fn reports_are_summarised_and_change_nothing() {
    run("version: 0.2
phases:
  build:
    commands:
      - mkdir out
      - printf '<testsuite><testcase name=\"good\"/><testcase classname=\"c\" name=\"bad\"><failure/></testcase></testsuite>' > out/unit.xml
reports:
  unit: {files: ['*.xml'], base-directory: out}
  none: {files: ['*.json'], file-format: CUCUMBERJSON}
")
    .assert_code(0)
    .assert_stderr("report unit: 1 passed, 1 failed, 0 skipped")
    .assert_stderr("report unit: c.bad failed")
    .assert_stderr("report none: no file matches *.json");
}

#[test]
fn a_cache_lasts_from_run_to_run() {
    let spec = "version: 0.2
phases: {build: {commands: ['test -e deps/a && echo warm || echo cold', 'mkdir -p deps', 'touch deps/a']}}
cache: {paths: ['deps/**/*']}
";
    let folder = tempfile::tempdir().unwrap();
    let again = || {
        let ran = program(folder.path(), spec)
            .args(["--cache-dir", "kept"])
            .run();
        drop(std::fs::remove_dir_all(folder.path().join("deps")));
        ran
    };
    again().assert_code(0).assert_stderr("| cold");
    again().assert_code(0).assert_stderr("| warm");
    program(folder.path(), spec)
        .run()
        .assert_code(0)
        .assert_stderr("the cache is not kept without --cache-dir");
}
