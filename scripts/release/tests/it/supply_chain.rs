//! What is fetched from others is named by its content.

use std::fs;

use crate::repository;

/// Every Python package of these files has an exact version, and the digests of its files.
#[test]
fn python_requirements_have_versions_and_digests() {
    for name in [
        "scripts/requirements.txt",
        "scripts/requirements-static.txt",
        "examples/rag-app/requirements.txt",
        "examples/rag-app/requirements-test.txt",
        "cfn/rules/cfn-lint.txt",
        "cfn/rules/checkov.txt",
    ] {
        let text = fs::read_to_string(repository().join(name)).unwrap();
        let text = text.replace("\\\n", " ");
        let packages = text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#') && !line.starts_with("-r "));
        let mut count = 0;
        for package in packages {
            count += 1;
            assert!(
                package.contains("==") && package.contains(" --hash=sha256:"),
                "{name}: {package}"
            );
        }
        assert!(count > 0, "{name}");
    }
}

/// An action of others is named by its commit; a tag could move.
#[test]
fn actions_of_github_are_named_by_digest() {
    let mut workflows = 0;
    for entry in fs::read_dir(repository().join(".github/workflows")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        workflows += 1;
        let used = text.lines().filter_map(|line| {
            line.trim_start()
                .trim_start_matches("- ")
                .strip_prefix("uses:")
        });
        for used in used {
            let name = used.split('#').next().unwrap_or_default().trim();
            let digest = name.rsplit_once('@').map_or("", |(_, digest)| digest);
            assert!(
                name.starts_with("./")
                    || (digest.len() == 40 && digest.bytes().all(|byte| byte.is_ascii_hexdigit())),
                "{}: {name}",
                path.display()
            );
        }
    }
    assert!(workflows > 0);
}

/// The image's recipe names the programs one by one.
#[test]
fn the_image_has_every_program() {
    let recipe = fs::read_to_string(repository().join("Dockerfile")).unwrap();
    for entry in fs::read_dir(repository().join("bins")).unwrap() {
        let program = entry.unwrap().file_name().into_string().unwrap();
        let copied = format!("build/dist/${{TARGET}}/{program}");
        assert!(
            recipe.split_whitespace().any(|word| word == copied),
            "{program}"
        );
    }
}
