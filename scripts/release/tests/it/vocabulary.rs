//! One vocabulary: a flag that several programs have means the same in each of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use clap::{Arg, ArgAction, Command};
use release::pages;

/// Flags with one word and two meanings, and why each is left so.
const HOMONYMS: [(&str, &str); 4] = [
    (
        "only",
        "each program leaves out all but the items it is about: stages, variables",
    ),
    (
        "secret",
        "both name variables with secrets; export-vars takes patterns, too",
    ),
    (
        "source",
        "both name what is shipped; run-pipeline has several sources, deploy-app one folder",
    ),
    (
        "status",
        "signal-health is about health alone, so that its flags have no prefix",
    ),
];

/// Repeatable flags whose singular ends like a plural.
const SINGULAR: [&str; 1] = ["pass"];

fn is_list(flag: &Arg) -> bool {
    matches!(flag.get_action(), ArgAction::Append)
}

/// What the user sees of a flag's kind: the placeholder of its value, and whether it is repeatable.
fn kind(flag: &Arg) -> (Vec<String>, bool) {
    let names = flag.get_value_names().unwrap_or_default();
    (
        names.iter().map(ToString::to_string).collect(),
        is_list(flag),
    )
}

fn flags(command: &Command) -> impl Iterator<Item = (&str, &Arg)> {
    let arguments = command.get_arguments();
    arguments.filter_map(|argument| Some((argument.get_long()?, argument)))
}

#[test]
fn a_flag_means_the_same_in_every_program() {
    let commands = pages::commands();
    let mut kinds: BTreeMap<&str, BTreeSet<(Vec<String>, bool)>> = BTreeMap::new();
    for (long, flag) in commands.iter().flat_map(flags) {
        kinds.entry(long).or_default().insert(kind(flag));
    }
    kinds.retain(|_, kinds| kinds.len() > 1);
    let differing: Vec<&str> = kinds.keys().copied().collect();
    let known: Vec<&str> = HOMONYMS.iter().map(|(flag, _)| *flag).collect();
    assert_eq!(differing, known, "{kinds:#?}");
}

/// A flag is given once for each element, so its name and its placeholder are those of one.
#[test]
fn a_repeatable_flag_names_one_element() {
    for command in pages::commands() {
        let program = command.get_name();
        for (long, flag) in flags(&command).filter(|(_, flag)| is_list(flag)) {
            let is_plural = long.ends_with('s') && !SINGULAR.contains(&long);
            assert!(!is_plural, "{program}: --{long}");
            for name in flag.get_value_names().unwrap_or_default() {
                assert!(!name.ends_with('S'), "{program}: --{long} <{name}>");
            }
            let help = flag.get_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains("; repeatable"), "{program}: --{long}: {help}");
        }
    }
}

/// `yes` and `no` are the words of every switch: in the placeholder, in a default, and for the flag alone.
#[test]
fn a_switch_is_yes_or_no() {
    for command in pages::commands() {
        let program = command.get_name();
        let is_switch = |flag: &Arg| kind(flag).0 == ["YES|NO"];
        for (long, flag) in flags(&command).filter(|(_, flag)| is_switch(flag)) {
            for word in flag.get_default_values() {
                assert!(word == "yes" || word == "no", "{program}: --{long}");
            }
            let usage = flag.to_string();
            assert!(usage.contains("[="), "{program}: {usage} is given alone");
        }
    }
}

/// Whether a text has one of the odd phrases; "there is no file" and "for every file" are good ones.
fn is_odd(text: &str) -> bool {
    let text = text.replace("there is no ", "there is not a ");
    let text = text.replace("for every", "for each");
    ODD.iter().any(|phrase| text.contains(phrase))
}

/// What a newcomer reads twice. A phrase that was rewritten once does not come back.
const ODD: [&str; 13] = [
    "leads nowhere",
    "makes no sense",
    "as far as can be told",
    "cannot be told",
    "nobody can",
    "nobody could",
    "for ever",
    " of before",
    " is no folder",
    " is no file",
    " is no key",
    " is no number",
    " is no name",
];

#[test]
fn messages_and_help_hold_no_odd_phrase() {
    let mut odd = Vec::new();
    for root in ["agent", "bins", "common"] {
        sources(&crate::repository().join(root), &mut |path, text| {
            let shown = text.lines().enumerate().filter(|(_, line)| {
                let line = line.trim_start();
                // A comment of the code is for its programmer; the fields' doc comments are the help.
                !line.starts_with("//") && line.contains('"')
            });
            for (number, line) in shown {
                if is_odd(line) {
                    odd.push(format!(
                        "{}:{}: {}",
                        path.display(),
                        number + 1,
                        line.trim()
                    ));
                }
            }
        });
    }
    for command in pages::commands() {
        for (long, flag) in flags(&command) {
            let help = flag.get_help().map(ToString::to_string).unwrap_or_default();
            if is_odd(&help) {
                odd.push(format!("{} --{long}: {help}", command.get_name()));
            }
        }
    }
    assert!(odd.is_empty(), "{}", odd.join("\n"));
}

/// Every Rust file in a folder `src` below `folder`.
fn sources(folder: &Path, each: &mut impl FnMut(&Path, &str)) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if !path.ends_with("target") {
                sources(&path, each);
            }
            continue;
        }
        let is_rust = path.extension().is_some_and(|ending| ending == "rs");
        if is_rust && path.iter().any(|part| part == "src") {
            each(&path, &std::fs::read_to_string(&path).unwrap());
        }
    }
}
