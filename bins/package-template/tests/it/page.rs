//! The page says what the program says of itself.

use action::page;
use harness::page::check_block;
use package_template::PROGRAM;
use package_template::Raw;

#[test]
fn the_page_is_generated_from_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    check_block(path, "settings", &page::settings::<Raw>(&PROGRAM));
    check_block(path, "exports", &page::exports(&PROGRAM));
    check_block(path, "permissions", &page::permissions(&PROGRAM));
    check_block(path, "exits", &page::exits());
}
