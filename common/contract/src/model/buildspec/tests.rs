#![allow(clippy::unwrap_used, reason = "a test may panic")]

use super::*;
use crate::rule::Severity;

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
        "env:\n  variables: {CODEBUILD_X: 1}\n  exported-variables: [AWS_X, A-B]\nphases:\n  build:\n    on-failure: continue\n    commands:\n      - echo a: b\n    finally: {a: b}\nartifacts: {}\n",
    );
    for expected in [
        "the buildspec has no version",
        "\"CODEBUILD_X\": reserved by CodeBuild",
        "\"AWS_X\": CodeBuild does not export names that start with AWS_",
        "\"A-B\": not a shell variable name",
        "on-failure \"continue\" is not supported\n  hint: did you mean CONTINUE?",
        "b.yml:8:9: an item of commands is a mapping, not text\n  hint: quote the item",
        "finally is a mapping, not a list",
        "artifacts has no files",
    ] {
        assert!(all.contains(expected), "missing {expected:?} in:\n{all}");
    }
}

/// What AWS's own tutorials and many real buildspecs hold.
#[test]
fn one_text_is_a_list_of_one() {
    let text = "version: 0.2\nenv: {exported-variables: X}\nphases:\n  build:\n    commands: make image\n    finally: echo\n\
                artifacts: {files: a.json, exclude-paths: b, secondary-artifacts: {S: {files: c}}}\n";
    let spec = Buildspec::parse("b.yml", text.as_bytes()).unwrap();
    let build = spec.phase(PhaseName::Build);
    assert_eq!(build.commands[0].script, "make image");
    assert_eq!((build.commands[0].line, build.finally.len()), (5, 1));
    assert_eq!(spec.env.exported[0].name, "X");
    let artifacts = spec.artifacts.unwrap();
    assert_eq!(
        (artifacts.files, artifacts.exclude_paths),
        (vec!["a.json".to_owned()], vec!["b".to_owned()])
    );
    assert_eq!(artifacts.secondary[0].1.files, ["c"]);
    assert_eq!(spec.warnings, []);
}

#[test]
fn an_item_that_a_comment_took_out_is_none() {
    let text = "version: 0.2\nphases:\n  build:\n    commands:\n      - # not yet\n      - make\n";
    let spec = Buildspec::parse("b.yml", text.as_bytes()).unwrap();
    assert_eq!(spec.phase(PhaseName::Build).commands.len(), 1);
    assert_eq!(spec.warnings, []);
}

#[test]
fn a_batch_or_artifacts_alone_need_no_phases() {
    for rest in [
        "batch: {build-list: [{identifier: one}]}",
        "artifacts: {files: [a]}",
    ] {
        let text = format!("version: 0.2\n{rest}\n");
        let spec = Buildspec::parse("b.yml", text.as_bytes()).unwrap();
        assert_eq!(spec.warnings, []);
        assert_eq!(spec.batch.is_some(), rest.starts_with("batch"));
    }
}

#[test]
fn what_aws_itself_is_of_two_minds_about_is_a_note_or_a_warning() {
    let text = "version: 0.2\nphases: {build: {commands: [make]}}\nartifacts: {secondary-artifacts: {a: {files: [b]}}}\n";
    let spec = Buildspec::parse("b.yml", text.as_bytes()).unwrap();
    assert_eq!(spec.warnings[0].severity, Severity::Note);
    assert!(spec.warnings[0].message.contains("artifacts has no files"));
    let twice =
        "version: 0.2\nenv: {shell: bash}\nphases: {build: {commands: [make]}}\nenv: {shell: sh}\n";
    let spec = Buildspec::parse("b.yml", twice.as_bytes()).unwrap();
    assert_eq!(spec.env.shell.as_deref(), Some("sh"));
    assert_eq!(
        (spec.warnings[0].rule.code, spec.warnings[0].severity),
        ("Y003", Severity::Warning)
    );
}

#[test]
fn steps_are_known_and_found_again() {
    let text = "version: 0.2\nphases:\n  build:\n    runtime-versions: {python: 3.13}\n    steps:\n      - uses: a/b@v1\n";
    let spec = Buildspec::parse("b.yml", text.as_bytes()).unwrap();
    let build = spec.phase(PhaseName::Build);
    assert_eq!(build.steps.map(|place| place.line), Some(6));
    assert_eq!(build.runtime_versions.map(|place| place.line), Some(4));
    assert_eq!(spec.warnings, []);
}

#[test]
fn a_reference_in_env_is_never_resolved() {
    let text = "version: 0.2\nenv: {variables: {TAG: '#{Build.TAG}'}}\nphases: {build: {commands: [make]}}\n";
    let spec = Buildspec::parse("b.yml", text.as_bytes()).unwrap();
    assert_eq!(
        spec.warnings[0].to_string(),
        "b.yml:2:24: TAG in env holds #{Build.TAG}, which CodePipeline does not resolve there"
    );
}

#[test]
fn what_can_be_known_is_read_beside_a_fault() {
    let text = "version: 0.3\nphases: {build: {commands: [make, [a]]}, biuld: {}}\n";
    let read = Buildspec::read("b.yml", text.as_bytes());
    assert_eq!(read.faults.len(), 2);
    let spec = read.spec.unwrap();
    assert_eq!(spec.phase(PhaseName::Build).commands[0].script, "make");
    assert_eq!(spec.warnings.len(), 1);
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
