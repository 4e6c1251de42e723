//! The files with variables for every build.

use action::env_file::{self, Dialect};
use action::settings::faults::Faults;
use action::settings::value::Lines;

pub(super) fn read(files: &Lines, dialect: Dialect, faults: &mut Faults) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for file in &files.0 {
        let bytes = match std::fs::read(file) {
            Ok(bytes) => bytes,
            Err(error) => {
                faults.of("build_env_file", format!("cannot read {file}: {error}"));
                continue;
            }
        };
        match env_file::parse(&bytes, dialect, |name| std::env::var(name).ok()) {
            Ok(lines) => all.extend(lines.into_iter().map(|one| (one.name, one.value))),
            Err(wrong) => {
                for fault in wrong {
                    faults.of("build_env_file", format!("{file}:{fault}"));
                }
            }
        }
    }
    for (name, _) in &all {
        if name.starts_with("CODEBUILD_") {
            faults.of(
                "build_env_file",
                format!("{name:?}: reserved by CodeBuild; it cannot be set"),
            );
        }
    }
    all
}
