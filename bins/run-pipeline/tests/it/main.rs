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

/// Both of the README's: the one before is what people have, not what breaks a rule.
#[test]
fn the_buildspecs_of_the_pages_have_no_findings() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let folder = tempfile::tempdir().unwrap();
    let mut count = 0;
    for page in ["README.md", "docs/buildspecs.md"] {
        let text = std::fs::read_to_string(format!("{root}/{page}")).unwrap();
        for block in text.split("```yaml\n").skip(1) {
            let block = block.split("```").next().unwrap();
            if block.starts_with("version: 0.2\n") {
                count += 1;
                std::fs::write(folder.path().join(format!("{count}.yml")), block).unwrap();
            }
        }
    }
    assert_eq!(count, 6);
    let checked = harness::Program::new(env!("CARGO_BIN_EXE_run-pipeline"))
        .dir(folder.path())
        .args(["check", "."])
        .run();
    assert_eq!(checked.assert_code(0).stdout, "no findings\n");
}

#[test]
fn the_picture_of_the_readme_is_that_of_the_pipeline() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let drawn = harness::Program::new(env!("CARGO_BIN_EXE_run-pipeline"))
        .dir(root)
        .args(["graph", "cfn/pipeline.yml"])
        .args(["--parameter-file", "cfn/config/pipeline-dev.json"])
        .args(["--drawing", "svg"])
        .run();
    let picture = &drawn.assert_code(0).stdout;
    page::check_file(format!("{root}/docs/pictures/pipeline.svg"), picture);
}
