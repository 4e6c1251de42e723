//! What a release needs beside the programs: pages that fit them, notices that fit `Cargo.lock`, and
//! a way into a bucket that loses nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod notices;
mod pages;
mod publish;
mod supply_chain;
mod vocabulary;

use std::path::{Path, PathBuf};

fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap().into()
}
