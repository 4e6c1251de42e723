//! The `release-publish` binary.

use action::program;
use release::publish;
use release::settings::Raw;

fn main() -> std::process::ExitCode {
    program::run::<Raw, _, _>(&publish::PROGRAM, publish::publish)
}
