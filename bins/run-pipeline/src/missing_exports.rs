//! Why a variable that a buildspec lists is not there after the build.

use contract::buildspec::{Buildspec, Item};

use crate::command_script::Epilogue;

/// An item that ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ran {
    /// Its script and line.
    pub(crate) item: Item,
    /// Whether its environment was saved.
    pub(crate) epilogue: Epilogue,
    /// Its exit status.
    pub(crate) status: i32,
}

/// The most probable reason, with the line to look at.
pub(crate) fn why(name: &str, spec: &Buildspec, ran: &[Ran]) -> String {
    let file = &spec.file;
    // Of the items that name it, one that sets it says more than one that only reads it.
    let last = |is: fn(&str, &str) -> bool| ran.iter().rev().find(|one| is(&one.item.script, name));
    let naming = last(sets).or_else(|| last(mentions));
    let lost = ran.iter().rev().find(|one| one.epilogue == Epilogue::Lost);
    let never_ran = || {
        spec.phases
            .iter()
            .flat_map(|phase| phase.commands.iter().chain(&phase.finally))
            .find(|item| mentions(&item.script, name) && !ran.iter().any(|one| &one.item == *item))
    };
    if let Some(one) = naming
        && one.epilogue == Epilogue::Lost
    {
        format!(
            "the item at {file}:{} ends the shell itself (exit, exec or a syntax error), so CodeBuild never saves what it sets",
            one.item.line
        )
    } else if let Some(item) = never_ran() {
        format!("the item at {file}:{} names it, but did not run", item.line)
    } else if let Some(one) = naming {
        format!(
            "the item at {file}:{} names it, but its shell did not have it at the end: a child process ((…), sh -c, a pipe, a program) cannot set it",
            one.item.line
        )
    } else if let Some(one) = lost {
        format!(
            "no item names it; the item at {file}:{} ended the shell itself, and whatever it set is lost",
            one.item.line
        )
    } else {
        "no item that ran has set it".to_owned()
    }
}

/// Whether a script holds the name as a whole word.
fn mentions(script: &str, name: &str) -> bool {
    words(script, name).next().is_some()
}

/// Whether a script assigns to the name: `NAME=`, `export NAME`, `read NAME`.
fn sets(script: &str, name: &str) -> bool {
    words(script, name).any(|(before, after)| {
        let before = before.trim_end();
        after.starts_with('=') || before.ends_with("export") || before.ends_with("read")
    })
}

/// What stands before and after each place of the name as a whole word.
fn words<'a>(script: &'a str, name: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    script
        .match_indices(name)
        .map(move |(at, _)| (&script[..at], &script[at + name.len()..]))
        .filter(move |(before, after)| !before.ends_with(word) && !after.starts_with(word))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;
    use Epilogue::{Lost, Ran as Saved};

    fn check(commands: &[(&str, Option<Epilogue>)], expected: &str) {
        let mut text = String::from("version: 0.2\nphases:\n  build:\n    commands:\n");
        for (command, _) in commands {
            text.push_str(&format!("      - '{command}'\n"));
        }
        let spec = Buildspec::parse("b.yml", text.as_bytes()).unwrap();
        let items = &spec.phases[2].commands;
        let ran: Vec<Ran> = items
            .iter()
            .zip(commands)
            .filter_map(|(item, (_, epilogue))| {
                Some(Ran {
                    item: item.clone(),
                    epilogue: (*epilogue)?,
                    status: 0,
                })
            })
            .collect();
        let said = why("X", &spec, &ran);
        assert!(said.contains(expected), "{said}");
    }

    #[test]
    fn each_way_to_lose_a_variable_has_its_words() {
        check(
            &[("export X=1; exit 0", Some(Lost))],
            "b.yml:5 ends the shell itself",
        );
        check(
            &[("(export X=1)", Some(Saved))],
            "b.yml:5 names it, but its shell did not have it",
        );
        check(
            &[("false", Some(Saved)), ("X=1", None)],
            "b.yml:6 names it, but did not run",
        );
        check(
            &[(". ./f; exit 0", Some(Lost))],
            "b.yml:5 ended the shell itself, and whatever",
        );
        // An item that only reads it says nothing.
        check(
            &[("export X=1; exit 0", Some(Lost)), ("echo $X", Some(Saved))],
            "b.yml:5 ends the shell itself",
        );
        check(
            &[("XX=1 MAX=2", Some(Saved))],
            "no item that ran has set it",
        );
    }
}
