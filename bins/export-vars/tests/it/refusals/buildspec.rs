//! What does not go with the buildspec, or with the pipeline that resolves it.

use super::{file, refused};
use crate::program;

#[test]
fn a_reference_that_was_never_resolved() {
    refused(
        &["RELEASE=#{Src.CommitId}"],
        "RELEASE: \"#{Src.CommitId}\" was never resolved: set it on the pipeline action, not on the project",
    );
}

#[test]
fn names_that_the_buildspec_does_not_export_and_the_reverse() {
    let spec = b"version: 0.2\nenv:\n  variables:\n    REGION: eu\n  exported-variables:\n    - AMI_ID\n    - AMI_NAME\n    - REGION\n    - LATER\nphases:\n  build:\n    commands: ['true']\n";
    let (_folder, path) = file("buildspec.yml", spec);
    let run = |arguments: &[&str]| {
        program()
            .arg("--buildspec")
            .arg(&path)
            .args(arguments)
            .run()
    };
    let ran = run(&["AMI_IDS=x"]);
    ran.assert_code(2)
        .assert_stderr("AMI_IDS is set but ")
        .assert_stderr("buildspec.yml:6 does not export it (did you mean AMI_ID?)")
        .assert_stderr("buildspec.yml:7 exports AMI_NAME but nothing sets it (--set-elsewhere AMI_NAME if another item does)")
        .refute_stderr("exports REGION");
    run(&[
        "AMI_ID=ami-0123abcd",
        "AMI_NAME=x",
        "--set-elsewhere",
        "LA*",
    ])
    .assert_code(0);
}

#[test]
fn a_buildspec_whose_exports_cannot_work() {
    let (_folder, path) = file(
        "buildspec.yml",
        b"version: 0.1\nphases: {build: {commands: ['true']}}\n",
    );
    refused(
        &["A=1", "--buildspec", path.to_str().unwrap()],
        "version 0.1 runs each command in its own shell; exports cannot work",
    );
}
