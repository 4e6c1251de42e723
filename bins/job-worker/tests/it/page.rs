//! The page is that of the code.

use action::page;
use harness::page::check_block;
use job_worker::{PROGRAM, Raw};

#[test]
fn page_is_that_of_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    check_block(path, "settings", &page::settings::<Raw>(&PROGRAM));
    check_block(path, "permissions", &page::permissions(&PROGRAM));
}
