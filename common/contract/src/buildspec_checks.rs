//! Idioms of a buildspec's scripts that lose exported variables or hide failures.
//!
//! CodeBuild runs each item as a script of its own and saves the environment in its last lines, so that
//! `exit` loses what the item set (seen in AWS's codecatalyst-runner-cli and in build logs, not
//! documented; to be settled with `run-pipeline buildspec` beside a real build). What a shell does with a
//! status is POSIX.

use crate::buildspec::{Buildspec, Item};
use crate::finding::Finding;
use crate::programs;
use crate::rule::{self, Rule};
use crate::shell::{self, Command, Join};

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

/// Every finding in the scripts of a buildspec.
#[must_use]
pub fn check(spec: &Buildspec) -> Vec<Finding> {
    let posix = spec
        .env
        .shell
        .as_deref()
        .is_none_or(|shell| matches!(shell, "bash" | "/bin/sh" | "sh"));
    if !posix {
        return Vec::new();
    }
    let exported: Vec<&str> = spec
        .env
        .exported
        .iter()
        .map(|one| one.name.as_str())
        .collect();
    let mut findings = Vec::new();
    let scripts: Vec<_> = items(spec)
        .filter_map(|item| Some((item, shell::commands(&item.script)?)))
        .collect();
    let in_shell: Vec<&str> = scripts
        .iter()
        .flat_map(|(_, commands)| commands)
        .filter(|one| !is_child(one))
        .flat_map(Command::sets)
        .collect();
    for (at, (item, commands)) in scripts.iter().enumerate() {
        let mut look = Look {
            spec,
            item,
            commands,
            later: &scripts[at + 1..],
            exported: &exported,
            findings: &mut findings,
        };
        look.substitutions();
        look.hidden_failures();
        look.lost_exports();
        look.children(&in_shell);
        look.pipes();
        look.sources();
    }
    findings
}

/// All items, in the order of the phases.
pub fn items(spec: &Buildspec) -> impl Iterator<Item = &Item> {
    spec.phases
        .iter()
        .flat_map(|phase| phase.commands.iter().chain(&phase.finally))
}

/// Whether a command runs in a child of the item's shell.
fn is_child(command: &Command) -> bool {
    command.subshells > 0
        || command.before == Join::Pipe
        || matches!(command.after, Join::Pipe | Join::Background)
}

struct Look<'a> {
    spec: &'a Buildspec,
    item: &'a Item,
    commands: &'a [Command],
    /// The items that run after it.
    later: &'a [(&'a Item, Vec<Command>)],
    exported: &'a [&'a str],
    findings: &'a mut Vec<Finding>,
}

impl Look<'_> {
    fn add(&mut self, rule: &'static Rule, command: &Command, message: String) -> &mut Finding {
        let place = self.item.place_of_line(command.line);
        let at = self.findings.len();
        self.findings
            .push(Finding::new(rule, &self.spec.file, Some(place), message));
        &mut self.findings[at]
    }

    /// `eval "$(…)"` and `export X=$(…)`.
    fn substitutions(&mut self) {
        for command in self.commands {
            let rule = match command.name() {
                Some("eval") => &rule::EVAL_SUBSTITUTION,
                Some("export" | "declare" | "readonly" | "typeset" | "local") => {
                    &rule::EXPORT_SUBSTITUTION
                }
                _ => continue,
            };
            let fails = command.arguments()[1..].iter().find_map(|word| {
                let inner = word.substitutions.iter().find(|inner| can_fail(inner))?;
                Some((
                    word.assigned().unwrap_or("X").to_owned(),
                    inner.trim().to_owned(),
                ))
            });
            let Some((name, inner)) = fails else { continue };
            let what = command.name().unwrap_or_default().to_owned();
            let short: String = inner
                .lines()
                .next()
                .unwrap_or_default()
                .chars()
                .take(60)
                .collect();
            let finding = self.add(
                rule,
                command,
                format!("{what} succeeds although `{short}` in it fails"),
            );
            if what != "eval" {
                finding.hint = Some(format!("write `{name}=$(…)` and then `{what} {name}`"));
            }
        }
    }

    fn hidden_failures(&mut self) {
        let script = &self.item.script;
        // Whoever looks at statuses or traps errors knows what they do.
        if ["$?", "PIPESTATUS", "trap "]
            .iter()
            .any(|word| script.contains(word))
        {
            return;
        }
        let mut statement: Vec<&Command> = Vec::new();
        let mut unseen: Option<&Command> = None;
        let mut ended = false;
        for command in self.commands {
            if ended {
                // Something follows, so the status of what came before is lost.
                if unseen.is_none() {
                    unseen = first_that_fails(&statement);
                }
                statement.clear();
            }
            if command.subshells == 0 && command.nested == 0 && sets_errexit(command) {
                break;
            }
            statement.push(command);
            ended = command.open_after == 0
                && command.subshells == 0
                && matches!(command.after, Join::Next | Join::Background);
        }
        if let Some(command) = unseen {
            let name = match command.name() {
                Some(name) => name.to_owned(),
                None => command
                    .words
                    .first()
                    .map(|word| word.text.clone())
                    .unwrap_or_default(),
            };
            self.add(
                &rule::HIDDEN_FAILURE,
                command,
                format!("a failure of `{name}` is not seen: only the item's last command counts"),
            );
        }
    }

    fn lost_exports(&mut self) {
        let mut set: Option<String> = None;
        for command in self.commands {
            let arguments = command.arguments();
            let ends = match (
                command.name(),
                arguments.get(1).map(|word| word.text.as_str()),
            ) {
                (Some("exit"), None | Some("0")) => {
                    command.before != Join::Or && command.subshells == 0
                }
                (Some("exec"), Some(program)) => {
                    command.subshells == 0 && !program.starts_with(['>', '<', '2', '1'])
                }
                _ => false,
            };
            if let Some(name) = set.as_ref().filter(|_| ends) {
                let what = command.name().unwrap_or_default().to_owned();
                let message = format!("`{what}` loses {name}, which the item has set");
                self.add(&rule::EXIT_LOSES_EXPORTS, command, message);
                return;
            }
            if is_child(command) {
                continue;
            }
            if let Some(name) = command
                .sets()
                .iter()
                .find(|name| self.exported.contains(name) || self.is_read_later(name))
            {
                set.get_or_insert_with(|| (*name).to_owned());
            } else if command.sources().is_some() && !self.exported.is_empty() {
                set.get_or_insert_with(|| "what it sourced".to_owned());
            }
        }
    }

    /// Whether a later item reads a variable that it does not set itself.
    fn is_read_later(&self, name: &str) -> bool {
        self.later.iter().any(|(item, commands)| {
            let mut own = commands.iter().flat_map(Command::sets);
            reads_variable(&item.script, name) && !own.any(|one| one == name)
        })
    }

    fn children(&mut self, in_shell: &[&str]) {
        for command in self.commands {
            if !is_child(command) {
                continue;
            }
            let lost = command
                .sets()
                .into_iter()
                .find(|name| self.exported.contains(name) && !in_shell.contains(name))
                .map(str::to_owned);
            if let Some(name) = lost {
                let message = format!("{name} is set in a child process and is lost with it");
                self.add(&rule::SET_IN_CHILD, command, message);
            }
        }
    }

    fn pipes(&mut self) {
        if self.item.script.contains("pipefail") {
            return;
        }
        for command in self.commands {
            let program = command.name().and_then(programs::of);
            if let Some(program) = program.filter(|_| command.after == Join::Pipe) {
                let message = format!("a failure of {} is not seen behind the pipe", program.name);
                self.add(&rule::PIPE_HIDES_FAILURE, command, message);
            }
        }
    }

    fn sources(&mut self) {
        if self.spec.env.shell.as_deref() == Some("bash") {
            // Outside of its POSIX mode bash looks in the folder as well.
            return;
        }
        for command in self.commands {
            let Some(file) = command.sources() else {
                continue;
            };
            if command.name() == Some(".") && !file.text.contains(['/', '$', '…']) {
                let name = file.text.clone();
                let message = format!("`. {name}` looks for {name} in PATH");
                self.add(&rule::SOURCE_BY_PATH, command, message).hint =
                    Some(format!("write `. ./{name}`"));
            }
        }
    }
}

/// Commands that succeed, or whose failure nobody waits for.
const HARMLESS: [&str; 27] = [
    ":", "[", "[[", "alias", "basename", "date", "dirname", "echo", "env", "exit", "export",
    "false", "hostname", "printenv", "printf", "ps", "pwd", "return", "set", "shopt", "sleep",
    "test", "true", "type", "uname", "unset", "whoami",
];

/// Whether the command in a substitution may fail, and nothing in it says what then.
fn can_fail(inner: &str) -> bool {
    if inner.contains("||") {
        return false;
    }
    match shell::commands(inner) {
        // `$(<file)`, a nested construct, or what was not followed: no finding.
        None => false,
        Some(commands) => commands
            .first()
            .and_then(Command::name)
            .is_some_and(|name| !HARMLESS.contains(&name) && !name.starts_with(['<', '$'])),
    }
}

/// The command of a whole statement that may fail unseen; none when the statement is a construct with a
/// status of its own, or says what happens on a failure.
fn first_that_fails<'c>(statement: &[&'c Command]) -> Option<&'c Command> {
    let simple = statement
        .iter()
        .all(|one| one.nested == 0 && one.subshells == 0);
    let handled = statement
        .iter()
        .any(|one| matches!(one.after, Join::Or | Join::Background));
    if !simple || handled {
        return None;
    }
    statement.iter().copied().find(|one| match one.name() {
        None => one
            .words
            .iter()
            .flat_map(|word| &word.substitutions)
            .any(|inner| can_fail(inner)),
        Some(name) => !HARMLESS.contains(&name),
    })
}

fn sets_errexit(command: &Command) -> bool {
    let arguments = command.arguments();
    command.name() == Some("set")
        && arguments[1..].iter().any(|word| {
            word.text == "errexit"
                || word.text.strip_prefix('-').is_some_and(|flags| {
                    flags.contains('e') && flags.bytes().all(|byte| byte.is_ascii_alphabetic())
                })
        })
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
        || items(spec).any(|item| names_variable(&without_children(&item.script), name))
    {
        return Set::Yes;
    }
    let Some(scripts) = items(spec)
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

/// Whether a script reads a variable, as `$NAME` or `${NAME…}`.
fn reads_variable(script: &str, name: &str) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    ["$", "${"].iter().any(|sign| {
        let wanted = format!("{sign}{name}");
        script
            .match_indices(&wanted)
            .any(|(at, _)| !script[at + wanted.len()..].starts_with(word))
    })
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    fn spec(items: &str) -> Buildspec {
        let text = format!(
            "version: 0.2\nenv:\n  exported-variables: [X, AMI_ID]\nphases:\n  build:\n    commands:\n{items}"
        );
        Buildspec::parse("b.yml", text.as_bytes()).unwrap()
    }

    fn found(items: &str) -> Vec<String> {
        check(&spec(items))
            .iter()
            .map(|one| {
                format!("{} {one}", one.rule.code)
                    .lines()
                    .next()
                    .unwrap()
                    .to_owned()
            })
            .collect()
    }

    fn codes(script: &str) -> Vec<&'static str> {
        let lines: String = script
            .lines()
            .map(|line| format!("          {line}\n"))
            .collect();
        check(&spec(&format!("      - |\n{lines}")))
            .iter()
            .map(|one| one.rule.code)
            .collect()
    }

    #[test]
    fn findings_point_at_the_line_of_the_script() {
        assert_eq!(
            found(
                "      - echo a\n      - |\n        set -e\n        echo b\n        eval \"$(make-ami)\"\n"
            ),
            ["B201 b.yml:11:9: eval succeeds although `make-ami` in it fails"]
        );
        assert_eq!(
            found("      - export X=$(aws sts get-caller-identity)\n"),
            ["B202 b.yml:7:9: export succeeds although `aws sts get-caller-identity` in it fails"]
        );
    }

    #[test]
    fn each_idiom_is_found() {
        for (script, code) in [
            ("eval $(make-ami)", "B201"),
            ("eval \"`make-ami`\"", "B201"),
            ("export A=$(aws x) B=2", "B202"),
            ("make build\necho done", "B203"),
            ("a && b\nc", "B203"),
            ("V=$(aws x)\necho $V", "B203"),
            ("export X=1\nexit 0", "B204"),
            ("X=1; exit", "B204"),
            (". \"$PWD/.exports\" && exit 0", "B204"),
            ("X=1\nexec make", "B204"),
            ("(export X=1)", "B205"),
            ("echo 1 | read X", "B205"),
            ("make-ami | tee log", "B206"),
            (". exports", "B207"),
        ] {
            assert_eq!(codes(script), [code], "{script}");
        }
    }

    #[test]
    fn what_is_sound_is_left_alone() {
        for script in [
            "V=$(make-ami) && eval \"$V\"",
            "eval \"$(make-ami || echo \"(exit $?)\")\"",
            "export A=$(date +%s)",
            "export A=$(echo $B | cut -c 1-7)",
            "export A=$(git describe || echo none)",
            "export A=\"$B\"",
            "set -eu\nmake build\necho done",
            "set -o errexit\nmake build\necho done",
            "make build &&\n  echo done",
            "make build || exit 1\necho done",
            "if ! make build; then\n  echo failed\n  exit 1\nfi\necho done",
            "echo a\nprintf b\nmake build",
            "for f in *.yml; do\n  cfn-lint $f || exit 1\ndone\necho done",
            "make build\nstatus=$?\necho $status\nexit $status",
            "export A=1\nexit 0",
            "export X=1\nexit 1",
            "if [ -n \"$SKIP\" ]; then exit 0; fi\nexport X=1",
            "make build; export X=1 || exit",
            "X=1\n(cd x && exit 0) || false",
            "cat <<EOF > x\nexport X=1\nexit 0\nEOF",
            ". ./exports",
            ". \"$PWD/.exports\"",
            "source exports",
            "make-ami --export-file x",
            "docker build . | tee log",
            "exec 2>&1",
            "[[ -n $A && -n $B ]]\necho done",
            "if [[ $A =~ ^x || -z $B ]]; then echo x; fi\nmake",
        ] {
            let found = codes(script);
            let expected: &[&str] = if script.starts_with("make build; export") {
                &["B203"]
            } else {
                &[]
            };
            assert_eq!(found, expected, "{script}");
        }
        // Windows.
        let mut windows = spec("      - export X=$(aws x)\n");
        windows.env.shell = Some("powershell.exe".to_owned());
        assert_eq!(check(&windows), []);
    }

    #[test]
    fn what_a_later_item_reads_is_lost_with_exit() {
        let exits = "      - export TAG=1; exit 0\n";
        assert_eq!(
            found(&format!("{exits}      - docker build -t x:$TAG .\n")),
            ["B204 b.yml:7:9: `exit` loses TAG, which the item has set"]
        );
        for later in ["echo ${TAG:-none}", "echo ${TAG}"] {
            assert_eq!(
                found(&format!("{exits}      - {later}\n")).len(),
                1,
                "{later}"
            );
        }
        for later in ["echo $TAGS", "TAG=2 && echo $TAG", "echo TAG"] {
            let none: [&str; 0] = [];
            assert_eq!(found(&format!("{exits}      - {later}\n")), none, "{later}");
        }
    }

    #[test]
    fn a_shell_of_its_own_sets_nothing() {
        let says = |item: &str| {
            let item = format!("      - '{item}'\n");
            sets(&spec(&item), "AMI_ID", Some(&[]))
        };
        assert_eq!(says("bash -c \"export AMI_ID=1\""), Set::No);
        assert_eq!(says("/bin/sh -ec \"AMI_ID=1; echo done\""), Set::No);
        assert_eq!(says("bash -c \"make\" && export AMI_ID=1"), Set::Yes);
        assert_eq!(says("AMI_ID=$(bash -c \"make id\")"), Set::Yes);
    }

    #[test]
    fn what_sets_a_variable_is_known_or_not() {
        let says = |items: &str| sets(&spec(items), "AMI_ID", Some(&["GIVEN"]));
        let ami = "      - make-ami --export-file \"$PWD/.exports\"\n      - . \"$PWD/.exports\"\n";
        assert_eq!(says(ami), Set::Yes);
        assert_eq!(says(&ami.replace("make-ami", "deploy-app")), Set::No);
        assert_eq!(says(&ami.replace("make-ami", "./other")), Set::Maybe);
        assert_eq!(
            says(&ami.replace("make-ami", "/usr/bin/export-vars")),
            Set::Maybe
        );
        assert_eq!(says("      - echo \"$AMI_ID ${AMI_ID}\"\n"), Set::No);
        assert_eq!(says("      - AMI_ID=$(x)\n"), Set::Yes);
        assert_eq!(says("      - eval \"$(x)\"\n"), Set::Maybe);
        assert_eq!(sets(&spec("      - echo\n"), "AMI_ID", None), Set::Maybe);
        assert_eq!(
            sets(&spec("      - echo\n"), "GIVEN", Some(&["GIVEN"])),
            Set::Yes
        );
    }
}
