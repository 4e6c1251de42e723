//! The page of the program says what the code says.

use action::page;
use deploy_app::PROGRAM;
use deploy_app::Raw;
use harness::page::check_block;

#[test]
fn the_page_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    check_block(path, "settings", &page::settings::<Raw>(&PROGRAM));
    check_block(path, "exports", &page::exports(&PROGRAM));
    check_block(path, "permissions", &page::permissions(&PROGRAM));
    let how_it_works = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/deploy-app.md");
    check_block(how_it_works, "transports", &deploy_app::page::transports());
}
