//! The built `run-pipeline` as a user runs it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod buildspec;
mod container;
mod corpus;
mod fidelity;
mod follow;
mod lsp;
mod own_buildspecs;
mod pipeline;
mod quick_start;
mod replay;
mod speed;
mod world;

use harness::page;

#[test]
fn page_is_that_of_the_code() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let table = action::page::settings::<run_pipeline::settings::Raw>(&run_pipeline::PROGRAM);
    page::check_block(page, "settings", &table);
    page::check_block(
        page,
        "permissions",
        &action::page::permissions(&run_pipeline::PROGRAM),
    );
}

#[test]
fn the_picture_of_the_readme_is_that_of_the_pipeline() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let drawn = harness::Program::new(env!("CARGO_BIN_EXE_run-pipeline"))
        .dir(root)
        .args(["graph", "cfn/pipeline.yml"])
        .args(["--parameter-file", "cfn/config/pipeline-dev.json"])
        .run();
    let picture = format!("```mermaid\n{}```", drawn.assert_code(0).stdout);
    page::check_block(format!("{root}/README.md"), "pipeline", &picture);
}
