//! A result that CodePipeline would not take from a job.

use super::refused;
use crate::program;

#[test]
fn success_of_a_job_after_a_failed_build_phase() {
    let job = [
        "--format",
        "job",
        "--job-id",
        "11111111-abcd-1111-abcd-111111abcdef",
    ];
    program()
        .env("CODEBUILD_BUILD_SUCCEEDING", "0")
        .args(job)
        .arg("A=1")
        .run()
        .assert_code(2)
        .assert_stderr("an earlier phase of this build failed (CODEBUILD_BUILD_SUCCEEDING=0); export-vars does nothing")
        .assert_stderr("--even-if-failed runs the program anyway");
    // Variables alone change nothing outside.
    program()
        .env("CODEBUILD_BUILD_SUCCEEDING", "0")
        .arg("A=1")
        .run()
        .assert_code(0);
}

#[test]
fn variables_together_with_a_continuation_token() {
    refused(
        &[
            "--format",
            "job",
            "--job-id",
            "11111111-abcd-1111-abcd-111111abcdef",
            "--continuation-token",
            "later",
            "A=1",
        ],
        "outputVariables are not accepted together with a continuation token",
    );
    refused(
        &["--format", "job", "A=1"],
        "--format job needs the id of the job",
    );
    refused(
        &["--format", "job", "--job-id", "7", "A=1"],
        "--job-id: not the id of a job (8-4-4-4-12 hexadecimal digits)",
    );
}
