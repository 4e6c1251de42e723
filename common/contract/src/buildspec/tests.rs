#![allow(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::finding::Severity;

const GOOD: &str = r#"version: 0.2
run-as: app
env:
  shell: bash
  variables:
    A: "1"
    B: 2
  parameter-store: {P: /p}
  exported-variables:
    - AMI_ID
    - CODEBUILD_BUILD_ID
phases:
  install:
    runtime-versions: {python: 3.12}
    commands: []
  build:
    on-failure: ABORT
    commands:
      - make-ami --export-file "$PWD/.exports"
      - |

        . "$PWD/.exports"
        echo done
    finally: [echo bye]
artifacts:
  files: ['**/*']
  base-directory: out
  discard-paths: yes
  secondary-artifacts:
    Two: {files: [a]}
"#;

fn faults(text: &str) -> String {
    let all = Buildspec::parse("b.yml", text.as_bytes()).unwrap_err();
    all.iter().map(|one| format!("{one}\n")).collect()
}

#[test]
fn a_buildspec_is_read_with_its_lines() {
    let spec = Buildspec::parse("b.yml", GOOD.as_bytes()).unwrap();
    assert_eq!(spec.warnings, []);
    assert_eq!(spec.run_as.as_deref(), Some("app"));
    assert_eq!(spec.env.shell.as_deref(), Some("bash"));
    assert_eq!(spec.env.variables[1], ("B".to_owned(), "2".to_owned()));
    assert_eq!(spec.env.parameter_store.len(), 1);
    assert_eq!(spec.env.exported[0].line, 10);
    let build = spec.phase(PhaseName::Build);
    assert_eq!(build.on_failure, OnFailure::Abort);
    assert_eq!(build.commands[0].line, 19);
    // The block begins with a blank line; it belongs to the script.
    assert_eq!(build.commands[1].line, 21);
    assert_eq!(
        build.commands[1].script,
        "\n. \"$PWD/.exports\"\necho done\n"
    );
    assert_eq!(build.finally[0].script, "echo bye");
    assert_eq!(spec.phase(PhaseName::PostBuild).commands, []);
    let artifacts = spec.artifacts.unwrap();
    assert!(artifacts.discard_paths);
    assert_eq!(artifacts.secondary[0].0, "Two");
}

#[test]
fn version_0_1_is_refused_with_its_reason() {
    let text = "version: 0.1\nenv: {exported-variables: [X]}\nphases: {}\n";
    let said = "b.yml:1:10: version 0.1 runs each command in its own shell; exports cannot work";
    assert!(faults(text).contains(said));
    assert!(faults("version: 2\nphases: {}\n").contains("\"2\" is not a version"));
}

#[test]
fn version_0_1_without_exports_and_every_form_of_retry_are_no_errors() {
    let text = b"version: 0.1\nphases: {build: {commands: [make]}}\n";
    let faults_of = Buildspec::parse("b.yml", text).unwrap_err();
    let notes: Vec<_> = faults_of
        .iter()
        .map(|one| (one.rule.code, one.severity))
        .collect();
    assert_eq!(
        notes,
        [("B002", Severity::Note)],
        "nothing that fails a check"
    );
    for value in ["RETRY", "RETRY-3", "'RETRY-.*throttl.*'", "RETRY-3-x"] {
        let text =
            format!("version: 0.2\nphases: {{build: {{on-failure: {value}, commands: [make]}}}}\n");
        let spec = Buildspec::parse("b.yml", text.as_bytes()).unwrap();
        assert_eq!(spec.phase(PhaseName::Build).on_failure, OnFailure::Default);
        assert_eq!(spec.warnings, []);
    }
    assert!(
        faults("version: 0.2\nphases: {build: {on-failure: RETRYX}}\n")
            .contains("did you mean RETRY?")
    );
}

#[test]
fn every_fault_is_reported_at_once() {
    let all = faults(
        "env:\n  variables: {CODEBUILD_X: 1}\n  exported-variables: [AWS_X, A-B]\nphases:\n  build:\n    on-failure: continue\n    commands:\n      - echo a: b\n      -\n    finally: echo\nartifacts: {}\n",
    );
    for expected in [
        "the buildspec has no version",
        "\"CODEBUILD_X\": reserved by CodeBuild",
        "\"AWS_X\": CodeBuild does not export names that start with AWS_",
        "\"A-B\": not a shell variable name",
        "on-failure \"continue\" is not supported\n  hint: did you mean CONTINUE?",
        "b.yml:8:9: an item of commands is a mapping, not text\n  hint: quote the item",
        "an item of commands is nothing",
        "finally is text, not a list",
        "artifacts has no files",
    ] {
        assert!(all.contains(expected), "missing {expected:?} in:\n{all}");
    }
}

#[test]
fn unknown_keys_are_warned_about() {
    let text = "version: 0.2\nenvs: {}\nphases:\n  prebuild:\n    commands: [a]\n  build:\n    command: [a]\n";
    let spec = Buildspec::parse("b.yml", text.as_bytes()).unwrap();
    let all: String = spec.warnings.iter().map(|one| format!("{one}\n")).collect();
    assert!(
        all.contains(
            "b.yml:2:1: key `envs` is not known here and is ignored\n  hint: did you mean env?"
        ),
        "{all}"
    );
    assert!(all.contains("did you mean pre_build?"), "{all}");
    assert!(all.contains("did you mean commands?"), "{all}");
}

#[test]
fn what_is_not_a_buildspec_is_named() {
    assert!(faults("").contains("a buildspec is a mapping, this is nothing"));
    assert!(faults("[]").contains("this is a list"));
    assert!(faults("version: 0.2\n").contains("no phases"));
    assert!(faults("version: 0.2\nphases: [a]\n").contains("phases is a list"));
}
