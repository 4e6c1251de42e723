//! Whether a buildspec sets a variable.

use crate::model::buildspec::Buildspec;
use crate::model::programs;
use crate::model::shell;

/// Whether anything in a buildspec sets a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Set {
    /// Something names it, or runs a program that exports it.
    Yes,
    /// Something is sourced or evaluated whose content is not known.
    Maybe,
    /// Nothing can.
    No,
}

/// Whether the buildspec sets a variable. `given` are names that its project and action give it; without
/// a known project nothing can be ruled out.
#[must_use]
pub fn sets(spec: &Buildspec, name: &str, given: Option<&[&str]>) -> Set {
    const ALWAYS: [&str; 4] = ["HOME", "PATH", "PWD", "HOSTNAME"];
    let env = &spec.env;
    let listed = env
        .variables
        .iter()
        .chain(&env.parameter_store)
        .chain(&env.secrets_manager)
        .any(|(one, _)| one == name);
    if listed
        || name.starts_with("CODEBUILD_")
        || ALWAYS.contains(&name)
        || given.is_some_and(|names| names.contains(&name))
        || spec
            .items()
            .any(|item| names_variable(&without_children(&item.script), name))
    {
        return Set::Yes;
    }
    // An action of GitHub's may set anything.
    if spec.phases.iter().any(|phase| phase.steps.is_some()) {
        return Set::Maybe;
    }
    let Some(scripts) = spec
        .items()
        .map(|item| shell::commands(&item.script))
        .collect::<Option<Vec<_>>>()
    else {
        return Set::Maybe;
    };
    let mut known_files: Vec<&str> = Vec::new();
    let mut open = given.is_none();
    for command in scripts.iter().flatten() {
        let arguments = command.arguments();
        // `command -v make-ami` names it and does not run it.
        let Some(program) = command.name().and_then(programs::of) else {
            continue;
        };
        match program.exports {
            None => open = true,
            Some(exports) if exports.contains(&name) => return Set::Yes,
            Some(_) => {}
        }
        for (at, word) in arguments.iter().enumerate() {
            if let Some(file) = word.text.strip_prefix("--export-file=") {
                known_files.push(file);
            } else if word.text == "--export-file"
                && let Some(file) = arguments.get(at + 1)
            {
                known_files.push(&file.text);
            }
        }
    }
    for command in scripts.iter().flatten() {
        if let Some(file) = command.sources() {
            open |= !known_files.contains(&file.text.as_str());
        }
        open |= command.name() == Some("eval");
    }
    if open { Set::Maybe } else { Set::No }
}

/// A script without what it gives to shells of their own, `bash -c "…"`: what is set there ends there.
fn without_children(script: &str) -> String {
    let mut rest = script.to_owned();
    for command in shell::commands(script).iter().flatten() {
        let program = command.name().and_then(|name| name.rsplit('/').next());
        if !matches!(program, Some("sh" | "bash" | "dash" | "ksh" | "zsh")) {
            continue;
        }
        let arguments = command.arguments();
        let is_flag =
            |text: &str| text.starts_with('-') && !text.starts_with("--") && text.ends_with('c');
        let inner = arguments
            .iter()
            .position(|word| is_flag(&word.text))
            .and_then(|at| arguments.get(at + 1));
        if let Some(inner) = inner.filter(|inner| !inner.text.is_empty()) {
            rest = rest.replace(&inner.text, "");
        }
    }
    rest
}

/// Whether a script names a variable other than to read it.
fn names_variable(script: &str, name: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    script.match_indices(name).any(|(at, _)| {
        let before = &script[..at];
        let reads = before.ends_with('$') || before.ends_with("${");
        !reads && !before.ends_with(word) && !script[at + name.len()..].starts_with(word)
    })
}
