//! Packing and unpacking: same bytes, other readers agree, hostile archives stay inside.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod packing;
mod readers;
mod unpacking;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use bundle::manifest::Manifest;
use bundle::tree::{self, Rules, Source};

const LIMIT: u64 = 1 << 30;

fn read(root: &Path) -> Manifest {
    tree::read(&[Source::root(root)], &Rules::default()).unwrap()
}

fn sample() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let at = |name: &str| root.path().join(name);
    fs::create_dir_all(at("sub/empty")).unwrap();
    fs::write(at("template.yaml"), "Resources: {}\n".repeat(1000)).unwrap();
    fs::write(at("sub/ünïcode"), "").unwrap();
    fs::write(at("sub/run"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(at("sub/run"), fs::Permissions::from_mode(0o775)).unwrap();
    symlink("../template.yaml", at("sub/link")).unwrap();
    root
}
