//! No refused value of a setting that may hold a secret is ever printed: every setting of a program is given
//! what it cannot take, in the forms in which secrets come.

use crate::{Program, Ran};
use std::collections::BTreeSet;

/// What no output may hold.
const SECRET: &str = "Zq7sEntinel9";

/// How a secret, or a setting with a secret in it, may look.
const FORMS: [&str; 7] = [
    "Zq7sEntinel9",
    "Zq7sEntinel9==",
    "-----BEGIN PRIVATE KEY-----\nZq7sEntinel9=\nZq7sEntinel9\n-----END PRIVATE KEY-----\n",
    "ftp://user:Zq7sEntinel9@host:x/",
    "http://user:Zq7sEntinel9@host/",
    "{\"password\": \"Zq7sEntinel9\"}",
    "NA ME=Zq7sEntinel9",
];

/// Checks every setting of `program`, a variable and a flag, but those in `harmless`: they hold no secrets, and
/// a message is better with what it refuses. So are those that every program has. `program` is ready to run but for the setting, and refuses
/// before it calls anybody.
///
/// # Panics
/// When a secret is printed, or when a harmless setting is one that no message repeats.
#[track_caller]
pub fn assert_never_shown(program: &Program, harmless: &[&str]) {
    let mut shown: BTreeSet<String> = BTreeSet::new();
    let mut first = Vec::new();
    let holds = |ran: &Ran| ran.stderr.contains(SECRET) || ran.stdout.contains(SECRET);
    let settings = settings(program);
    for Setting { variable, flag } in &settings {
        if COMMON.iter().any(|name| variable.ends_with(name)) {
            continue;
        }
        for form in FORMS {
            let by_variable = program.clone().env(variable, form);
            // A flag is read like a variable; one form shows that.
            let by_flag = flag
                .iter()
                .filter(|_| form == FORMS[1])
                .map(|flag| program.clone().arg(format!("{flag}={form}")));
            for run in std::iter::once(by_variable).chain(by_flag) {
                let ran = run.run();
                assert!(!ran.stderr.contains("panicked"), "{variable}={form}\n{ran}");
                if holds(&ran) && shown.insert(variable.to_owned()) {
                    first.push(format!("{variable}={form}: {ran}"));
                }
            }
        }
    }
    first.retain(|text| {
        !harmless
            .iter()
            .any(|name| text.starts_with(&format!("{name}=")))
    });
    assert!(first.is_empty(), "these are printed:\n{}", first.join("\n"));
    let harmless: BTreeSet<String> = harmless.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(
        shown, harmless,
        "these are not all printed: they need not be listed"
    );
    // What stands where no argument is expected may be a part of a value that was not quoted. Some programs take
    // paths there.
    let takes_paths = |one: &Setting| one.flag.is_none() && harmless.contains(&one.variable);
    if settings.iter().any(takes_paths) {
        return;
    }
    for arguments in [
        vec![SECRET, SECRET],
        vec!["--no-such-flag=Zq7sEntinel9"],
        vec!["--dry-run", "Zq7sEntinel9 a", "b"],
        vec!["-Zq7sEntinel9"],
    ] {
        let ran = program.clone().args(arguments).run();
        assert!(!holds(&ran), "{ran}");
    }
}

/// The settings that every program has: paths, a duration, switches and words.
const COMMON: [&str; 7] = [
    "_EXPORT_FILE",
    "_PLAN_FILE",
    "_DRY_RUN",
    "_TIMEOUT",
    "_LOG_FORMAT",
    "_LOG",
    "_EVEN_IF_FAILED",
];

struct Setting {
    variable: String,
    flag: Option<String>,
}

/// From the program's own help: `--flag <VALUE>`, and somewhere behind it `[VARIABLE]`.
fn settings(program: &Program) -> Vec<Setting> {
    let help = program.clone().arg("--help").run();
    let mut flag = None;
    let mut found = Vec::new();
    for line in help.stdout.lines().map(str::trim) {
        if line.starts_with(['[', '<']) {
            flag = None;
        }
        if line.starts_with("--") {
            flag = line.split([' ', '=', '[']).next().map(str::to_owned);
        }
        let variable = line
            .split_whitespace()
            .filter_map(|word| word.strip_prefix('[')?.strip_suffix(']'))
            .find(|word| {
                let fits =
                    |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
                word.contains('_') && word.bytes().all(fits)
            });
        if let Some(variable) = variable {
            found.push(Setting {
                variable: variable.to_owned(),
                flag: flag.take(),
            });
        }
    }
    assert!(found.len() > 8, "{help}");
    found
}
