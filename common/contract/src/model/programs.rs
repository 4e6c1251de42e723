//! What the programs of this repository export, for the checks of buildspecs that run them.
//!
//! A test compares this with the generated tables in their pages.

/// A program with the variables that it exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Program {
    /// Its name.
    pub name: &'static str,
    /// What it exports; nothing when that depends on how it is called.
    pub exports: Option<&'static [&'static str]>,
}

/// The programs.
pub const PROGRAMS: [Program; 7] = [
    Program {
        name: "package-template",
        exports: Some(&["TEMPLATE_VERSION_ID", "TEMPLATE_DIGEST", "TEMPLATE_CHANGED"]),
    },
    Program {
        name: "deploy-app",
        exports: Some(&[
            "EC2_PUBLIC_IP",
            "INSTANCE_ID",
            "RELEASE_ID",
            "DEPLOY_CHANGED",
        ]),
    },
    Program {
        name: "make-ami",
        exports: Some(&["AMI_ID", "AMI_NAME", "AMI_SNAPSHOT_IDS"]),
    },
    Program {
        name: "export-vars",
        exports: None,
    },
    Program {
        name: "run-pipeline",
        exports: None,
    },
    Program {
        name: "job-worker",
        exports: Some(&[]),
    },
    Program {
        name: "signal-health",
        exports: Some(&[]),
    },
];

/// The program behind a command's first word, a path or not.
#[must_use]
pub fn of(command: &str) -> Option<&'static Program> {
    let name = command.rsplit('/').next().unwrap_or(command);
    PROGRAMS.iter().find(|one| one.name == name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn every_program_is_listed() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../bins");
        let mut names: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort_unstable();
        let mut listed = PROGRAMS.map(|program| program.name);
        listed.sort_unstable();
        assert_eq!(listed.as_slice(), names);
    }

    #[test]
    fn the_exports_are_those_of_the_programs_pages() {
        for program in PROGRAMS {
            let Some(exports) = program.exports.filter(|exports| !exports.is_empty()) else {
                continue;
            };
            let path = format!(
                "{}/../../bins/{}/README.md",
                env!("CARGO_MANIFEST_DIR"),
                program.name
            );
            let page = std::fs::read_to_string(&path).unwrap();
            let block = page.split("<!-- generated:exports -->").nth(1).unwrap();
            let block = block.split("<!-- end:exports -->").next().unwrap();
            let listed: Vec<_> = block
                .lines()
                .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
                .collect();
            assert_eq!(listed, exports, "{path}");
        }
    }
}
