//! Man pages and completions of every program, read by the programs that they are for.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use harness::{Program, missing};
use release::pages;

use crate::repository;

/// The pages of all programs, in a folder.
fn written() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    Program::new(env!("CARGO_BIN_EXE_release-pages"))
        .arg(folder.path())
        .run()
        .assert_code(0);
    folder
}

#[test]
fn a_man_page_has_the_exit_codes() {
    let folder = written();
    let page = std::fs::read_to_string(folder.path().join("signal-health/man/signal-health.1"));
    let page = page.unwrap();
    let (_, codes) = page.split_once(".SH \"EXIT STATUS\"").unwrap();
    assert_eq!(codes.matches(".TP").count(), action::exit::ALL.len());
    assert!(codes.contains("7\nlost to a concurrent change"), "{codes}");
}

#[test]
fn every_program_that_ships_has_its_pages() {
    let folder = written();
    let programs = Command::new(repository().join("scripts/programs"))
        .output()
        .unwrap();
    let programs: BTreeSet<String> = String::from_utf8(programs.stdout)
        .unwrap()
        .lines()
        .map(str::to_owned)
        .collect();
    let commands: BTreeSet<String> = pages::commands()
        .iter()
        .map(|command| command.get_name().to_owned())
        .collect();
    assert_eq!(
        commands, programs,
        "scripts/release/src/pages.rs lists the programs"
    );
    for program in &programs {
        for name in [
            "man/{}.1",
            "completions/{}.bash",
            "completions/{}.zsh",
            "completions/{}.fish",
        ] {
            let path = folder
                .path()
                .join(program)
                .join(name.replace("{}", program));
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(
                text.contains("log-format") || text.contains("log\\-format"),
                "{}",
                path.display()
            );
        }
    }
}

/// Every flag stands there, by group, with the way to its variable, and no terminal has to scroll far.
#[test]
fn help_fits_on_a_screen() {
    for (help, command) in pages::overviews().iter().zip(pages::commands()) {
        let name = command.get_name();
        let lines = help.lines().count();
        assert!((15..=50).contains(&lines), "{name}: {lines} lines\n{help}");
        for line in help.lines() {
            assert!(line.chars().count() <= 100, "{name}: {line}");
        }
        let prefix = name.to_uppercase().replace('-', "_");
        assert!(
            help.contains(&format!("--timeout is {prefix}_TIMEOUT")),
            "{help}"
        );
        for argument in command.get_arguments() {
            let Some(flag) = argument.get_long() else {
                continue;
            };
            assert!(
                help.contains(&format!("--{flag}")),
                "{name}: {flag}\n{help}"
            );
        }
        assert!(!help.contains("\nSettings:\n"), "{name}: no groups\n{help}");
    }
}

#[test]
fn completions_are_read_by_their_shells() {
    let folder = written();
    for (shell, ending) in [("bash", "bash"), ("zsh", "zsh")] {
        for command in pages::commands() {
            let name = command.get_name();
            let file = folder
                .path()
                .join(name)
                .join(format!("completions/{name}.{ending}"));
            let Ok(status) = Command::new(shell)
                .arg("-n")
                .arg(&file)
                .stdin(Stdio::null())
                .status()
            else {
                missing(shell);
                continue;
            };
            assert!(status.success(), "{shell}: {}", file.display());
        }
    }
}

/// What bash offers after `make-ami --inst`.
#[test]
fn bash_completes_a_flag() {
    let folder = written();
    let script = ". make-ami/completions/make-ami.bash; COMP_WORDS=(make-ami --instance-); COMP_CWORD=1; \
                  words=($(complete -p make-ami)); for at in \"${!words[@]}\"; do \
                  [[ ${words[at]} != -F ]] || \"${words[at + 1]}\" make-ami --instance- make-ami; done; \
                  printf '%s\\n' \"${COMPREPLY[@]}\"";
    let output = Command::new("bash")
        .args(["-c", script])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let offered = String::from_utf8(output.stdout).unwrap();
    assert!(
        offered.lines().any(|line| line == "--instance-id"),
        "{offered}"
    );
}

#[test]
fn a_wrong_call_says_how() {
    Program::new(env!("CARGO_BIN_EXE_release-pages"))
        .run()
        .assert_code(2)
        .assert_stderr("usage:");
}
