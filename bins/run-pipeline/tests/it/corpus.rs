//! Pipelines of as many shapes as people write, in `corpus/*.txt`: each is planned over local folders, with stubs for
//! what only AWS can do. The definitions are rewritten from what is common in public ones; none is a copy.

use std::path::Path;

use harness::Program;

use crate::fidelity::parts;

/// Writes the files of a case and plans it; gives why it was refused.
fn plan(case: &str) -> Result<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let mut definition = String::new();
    let mut arguments = Vec::new();
    for (title, body) in parts(case, "--- ") {
        match title {
            "arguments" => arguments.extend(body.split_whitespace().map(str::to_owned)),
            "refused" => {}
            file => {
                let path = folder.path().join(file);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, body).unwrap();
                if definition.is_empty() {
                    file.clone_into(&mut definition);
                }
            }
        }
    }
    std::fs::create_dir_all(folder.path().join("app")).unwrap();
    std::fs::write(folder.path().join("app/README"), "x").unwrap();
    std::fs::write(folder.path().join("outputs.json"), "{\"Out\": \"o\"}").unwrap();
    let ran = Program::new(env!("CARGO_BIN_EXE_run-pipeline"))
        .dir(folder.path())
        .args(["plan", definition.as_str()])
        .args(arguments)
        .run();
    match ran.code {
        Some(0) => Ok(ran.stdout),
        _ => Err(ran.stderr),
    }
}

#[test]
fn nine_of_ten_pipelines_plan_without_a_refusal() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/corpus");
    let (mut good, mut refused, mut wrong) = (0, 0, Vec::new());
    for file in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for (name, case) in parts(&text, "=== ") {
            let parts = parts(case, "--- ");
            let reason = parts.iter().find(|(title, _)| *title == "refused");
            match (plan(case), reason) {
                (Ok(plan), None) => {
                    assert!(plan.contains("Source/"), "{name}: {plan}");
                    good += 1;
                }
                (Err(said), Some((_, reason))) if said.contains(reason.trim()) => refused += 1,
                (ended, _) => wrong.push(format!("{name}: {ended:?}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(good >= 40, "only {good} are planned");
    assert!(
        good >= 9 * (good + refused) / 10,
        "{refused} are refused, {good} are not"
    );
}
