//! What is run on the host is the same whatever the login shell makes of a command.

use std::path::PathBuf;

use harness::sshd::Options;

use crate::world::{Tools, World, executable};

/// A host whose login shell can be changed: its server hands the command to `sh` as it would hand it to that.
struct Host {
    world: World,
    tools: Tools,
}

impl Host {
    fn start() -> Option<Self> {
        let tools = Tools::new();
        let login = tools.path().join("login");
        let options = Options {
            config: vec![format!(
                "ForceCommand exec {} -c \"$SSH_ORIGINAL_COMMAND\"",
                login.display()
            )],
            ..Options::default()
        };
        let world = World::start_with(&options)?;
        Some(Self { world, tools })
    }

    /// Makes this script the login shell.
    fn log_in_by(&self, script: &str) {
        let login = self.tools.path().join("login");
        drop(std::fs::remove_file(&login));
        std::fs::write(&login, format!("#!/bin/sh\n{script}\n")).unwrap();
        executable(&login);
    }
}

/// What shells read in different ways.
const ODD: &str = "it's a\\b \\\\ \"two\" $HOME `id` ! !! {a,b} * ~ # & ; | é ☃ \t end\\";

#[test]
fn a_hook_is_run_as_it_is_written_by_whatever_shell_the_user_logs_in_with() {
    let Some(host) = Host::start() else { return };
    let (world, shells) = (&host.world, harness::shells::login());
    let said = world.state().join("said");
    world.write("back\\slash", "1");
    world.write("new\nline's", "2");
    for (n, shell) in shells.iter().enumerate() {
        host.log_in_by(&format!("exec {shell} \"$@\""));
        world.write("content", &n.to_string());
        let word = ODD.replace('\'', "'\\''");
        let hook = format!(
            "printf '%s\n' '{word}' >'{}'\n# it's done\n:",
            said.display()
        );
        let program = world.files_only();
        program
            .clone()
            .env("DEPLOY_APP_BEFORE", hook)
            .run()
            .assert_code(0);
        let told = std::fs::read_to_string(&said).unwrap();
        assert_eq!(told, format!("{ODD}\n"), "{shell}");
        std::fs::remove_file(&said).unwrap();
        let current = world.target().join("current");
        for (name, content) in [("content", n.to_string().as_str()), ("new\nline's", "2")] {
            assert_eq!(
                std::fs::read_to_string(current.join(name)).unwrap(),
                content,
                "{shell}"
            );
        }
        world.write("content", "another");
        program
            .env(
                "DEPLOY_APP_BEFORE",
                "printf '%s\\n' \"it's\" 'a\\b'; exit 3",
            )
            .run()
            .assert_code(1)
            .assert_stderr("before: it's\n")
            .assert_stderr("before: a\\b\n")
            .assert_stderr("exit status 3");
    }
}

#[test]
fn what_a_login_prints_is_no_answer_of_the_host() {
    let Some(host) = Host::start() else { return };
    let world = &host.world;
    // Without a line end, and like an answer of ours.
    host.log_in_by("printf 'lock build 7\\nclosed /\\nWelcome'; exec sh \"$@\"");
    for content in ["one", "two"] {
        world.write("content", content);
        let program = world.files_only().env("DEPLOY_APP_BEFORE", "echo migrated");
        let ran = program.run();
        ran.assert_code(0).assert_stderr("before: migrated\n");
        ran.refute_stderr("Welcome")
            .refute_stderr("another deployment");
        program
            .run()
            .assert_code(0)
            .assert_stderr("nothing to deploy");
    }
}

#[test]
fn a_login_that_runs_no_command_is_told_with_its_own_words() {
    let Some(host) = Host::start() else { return };
    let world = &host.world;
    let nologin: Vec<String> = ["/usr/sbin/nologin", "/sbin/nologin"]
        .into_iter()
        .filter(|path| PathBuf::from(path).exists())
        .map(|path| format!("exec {path}"))
        .collect();
    let refused = |login: &str, status: &str, words: &str| {
        host.log_in_by(login);
        for program in [world.files_only(), world.files_only().arg("releases")] {
            program
                .run()
                .assert_code(3)
                .assert_stderr("cannot start the agent")
                .assert_stderr(&format!(
                    "the host did not run the command, and what it ran instead ended with status {status}"
                ))
                .assert_stderr(words)
                .assert_stderr("ForceCommand");
        }
        assert!(!world.target().exists(), "{login}");
    };
    for login in nologin {
        refused(&login, "1", "This account is currently not available");
    }
    // What ends well has not run the command either.
    refused("echo Only backups here.", "0", "  Only backups here.\n");
    refused(
        "echo Log in as ubuntu. >&2; exit 142",
        "142",
        "Log in as ubuntu.",
    );
    refused("exec cat", "0", "deplyag");
    // A part of a script is none.
    let swallowed = "does a start-up file of the login shell read standard input?";
    for eaten in [
        "read -r line",
        "head -c 100 >/dev/null",
        "head -c 100000 >/dev/null",
    ] {
        refused(&format!("{eaten}; exec sh \"$@\""), "1", swallowed);
    }
}
