//! The page says what the program says of itself.

use action::page;
use harness::page::check_block;
use package_template::PROGRAM;
use package_template::Raw;

use crate::world::{program, write};

#[test]
fn the_page_is_generated_from_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    check_block(path, "settings", &page::settings::<Raw>(&PROGRAM));
    check_block(path, "exports", &page::exports(&PROGRAM));
    check_block(path, "permissions", &page::permissions(&PROGRAM));
}

#[test]
fn the_page_shows_what_the_check_says() {
    let world = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../common/contract/tests/world/"
    );
    let folder = tempfile::tempdir().unwrap();
    for (from, to) in [
        ("app.yml", "app.yml"),
        ("config.json", "config.json"),
        ("pipeline.yml", "pipeline.yml"),
        ("ami.yml", "buildspecs/ami.yml"),
    ] {
        let text = std::fs::read_to_string(format!("{world}{from}")).unwrap();
        let broken = text.replace("SourceOutput::app.yml", "SourceOutput::ap.yml");
        write(folder.path(), to, &broken);
    }
    let arguments =
        "check app.yml=app.yml config.json=config.json buildspecs --pipeline pipeline.yml";
    let ran = program(&folder).args(arguments.split(' ')).run();
    let said = &ran.assert_code(1).stdout;
    let text = format!("```console\n$ package-template {arguments}\n{said}```");
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    check_block(path, "check", &text);
}
