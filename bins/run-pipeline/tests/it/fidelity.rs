//! What CodeBuild does with a buildspec, as data: the cases of `fidelity/*.txt`, each in dash and in bash.

use std::path::Path;

use harness::Program;

/// Parts of a file that begin with a marker at the start of a line: the rest of that line, and the lines below.
pub(crate) fn parts<'a>(text: &'a str, marker: &str) -> Vec<(&'a str, &'a str)> {
    let mut all = Vec::new();
    let mut rest = text.strip_prefix(marker).map(|rest| ("", rest));
    if rest.is_none() {
        rest = text.split_once(&format!("\n{marker}"));
    }
    while let Some((_, part)) = rest {
        let next = part.split_once(&format!("\n{marker}"));
        let whole = next.map_or(part, |(whole, _)| whole);
        let (title, body) = whole.split_once('\n').unwrap_or((whole, ""));
        all.push((title.trim(), body));
        rest = next;
    }
    all
}

/// Runs one case in one shell; gives what is wrong.
fn check(case: &str, shell: &str) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let parts = parts(case, "--- ");
    let part = |name: &str| {
        let found = parts.iter().find(|(title, _)| title.starts_with(name));
        found.map(|(title, body)| (title.trim_start_matches(name).trim(), *body))
    };
    let (_, spec) = part("buildspec").ok_or("no buildspec")?;
    let spec = spec.replace("SHELL", shell);
    std::fs::write(folder.path().join("buildspec.yml"), spec).unwrap();
    let ran = Program::new(env!("CARGO_BIN_EXE_run-pipeline"))
        .dir(folder.path())
        .args(["buildspec", "buildspec.yml"])
        .run();
    let (code, _) = part("exit").ok_or("no exit")?;
    if ran.code != code.parse().ok() {
        return Err(format!(
            "exit {:?} instead of {code}\n{}",
            ran.code, ran.stderr
        ));
    }
    // The lines of the log in their order.
    let mut rest = ran.stderr.as_str();
    for line in part("log")
        .map(|(_, body)| body)
        .unwrap_or_default()
        .lines()
    {
        match rest.find(line) {
            Some(at) => rest = &rest[at + line.len()..],
            None => return Err(format!("no {line:?} in its place\n{}", ran.stderr)),
        }
    }
    for line in part("never")
        .map(|(_, body)| body)
        .unwrap_or_default()
        .lines()
    {
        if ran.stderr.contains(line) {
            return Err(format!("{line:?} is there\n{}", ran.stderr));
        }
    }
    if let Some((_, wanted)) = part("exports") {
        let exports = ran.exports();
        let shown: Vec<String> = exports
            .iter()
            .map(|(name, value)| format!("{name}={}", value.replace('\n', "\\n")))
            .collect();
        let wanted: Vec<&str> = wanted.lines().collect();
        if shown != wanted {
            return Err(format!("exports {shown:?} instead of {wanted:?}"));
        }
    }
    for line in part("missing")
        .map(|(_, body)| body)
        .unwrap_or_default()
        .lines()
    {
        let (name, why) = line.split_once(": ").ok_or("a missing line needs `: `")?;
        let said = ran
            .stderr
            .lines()
            .any(|one| one.contains(&format!("{name} is not exported: ")) && one.contains(why));
        if !said {
            return Err(format!(
                "{name} is not missing because {why}\n{}",
                ran.stderr
            ));
        }
    }
    Ok(())
}

#[test]
fn every_case_is_as_codebuild_does_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fidelity");
    let mut wrong = Vec::new();
    let mut count = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for (name, case) in parts(&text, "=== ") {
            for shell in ["sh", "bash"] {
                count += 1;
                if let Err(why) = check(case, shell) {
                    wrong.push(format!("{name} ({shell}): {why}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= 60, "{count} cases");
}
