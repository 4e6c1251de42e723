//! What CodeBuild's wrapper keeps and loses between two items, in dash and in bash.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::process::Command;

use super::{Epilogue, FIRST_USER_LINE, Saved};

const SHELLS: [&str; 2] = ["dash", "bash"];

/// Items run one after another in one build.
struct Build {
    folder: tempfile::TempDir,
    shell: &'static str,
    saved: Saved,
    variables: BTreeMap<String, String>,
}

/// How one item ended.
struct Item {
    status: i32,
    epilogue: Epilogue,
    output: String,
}

impl Build {
    fn new(shell: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let variables = BTreeMap::from([
            ("PATH".to_owned(), "/usr/bin:/bin".to_owned()),
            ("not.a.name".to_owned(), "x".to_owned()),
        ]);
        let mut first = Command::new(shell);
        first
            .env_clear()
            .envs(&variables)
            .current_dir(folder.path());
        let saved = Saved::begin(folder.path(), shell, first).unwrap();
        Self {
            folder,
            shell,
            saved,
            variables,
        }
    }

    fn item(&self, script: &str) -> Item {
        let path = self.saved.prepare(script).unwrap();
        let output = Command::new(self.shell)
            .arg(path)
            .env_clear()
            .envs(&self.variables)
            .output()
            .unwrap();
        Item {
            status: output.status.code().unwrap(),
            epilogue: self.saved.epilogue().unwrap(),
            output: String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(),
        }
    }

    /// Runs items that must succeed and gives the output of the last.
    #[track_caller]
    fn items(&self, scripts: &[&str]) -> String {
        let mut last = String::new();
        for script in scripts {
            let item = self.item(script);
            assert_eq!(
                (item.status, item.epilogue),
                (0, Epilogue::Ran),
                "{}: {script}: {}",
                self.shell,
                item.output
            );
            last = item.output;
        }
        last
    }

    fn get(&self, name: &str) -> Option<String> {
        let mut values = self.saved.read(&[name.to_owned()]).unwrap();
        values
            .remove(name)
            .map(|value| String::from_utf8(value).unwrap())
    }
}

fn in_both(test: impl Fn(&Build)) {
    for shell in SHELLS {
        test(&Build::new(shell));
    }
}

#[test]
fn an_assignment_without_export_is_kept() {
    in_both(|build| {
        assert_eq!(build.items(&["AMI_ID=x", "sh -c 'echo $AMI_ID'"]), "x\n");
        assert_eq!(build.get("AMI_ID").as_deref(), Some("x"));
    });
}

#[test]
fn exit_0_loses_what_was_set_and_is_green() {
    in_both(|build| {
        let item = build.item("export AMI_ID=x; exit 0");
        assert_eq!((item.status, item.epilogue), (0, Epilogue::Lost));
        assert_eq!(build.get("AMI_ID"), None);
    });
}

#[test]
fn exec_loses_what_was_set() {
    in_both(|build| {
        let item = build.item("export AMI_ID=x; exec true");
        assert_eq!((item.status, item.epilogue), (0, Epilogue::Lost));
        assert_eq!(build.get("AMI_ID"), None);
    });
}

#[test]
fn a_syntax_error_loses_it_too_and_is_red() {
    in_both(|build| {
        let item = build.item("AMI_ID=x\nif");
        assert_ne!(item.status, 0);
        assert_eq!(item.epilogue, Epilogue::Lost);
    });
}

#[test]
fn shell_options_functions_aliases_and_traps_are_gone() {
    in_both(|build| {
        let set = "set -e; f() { :; }; alias g=true; trap 'echo trapped' EXIT; set -f";
        let item = build.item(set);
        assert_eq!((item.status, item.output.as_str()), (0, "trapped\n"));
        assert_eq!(build.items(&["false\necho on"]), "on\n");
        assert_eq!(build.item("f").status, 127);
        assert_eq!(build.item("g").status, 127);
        assert_eq!(build.items(&["cd /; echo et*"]), "etc\n");
    });
}

#[test]
fn pipefail_and_arrays_are_gone_in_bash() {
    let build = Build::new("bash");
    build.items(&["set -o pipefail; declare -A map=([a]=1); list=(1 2)"]);
    assert_eq!(
        build.items(&["false | true; echo \"$?-${map[a]}-${list[1]}\""]),
        "0--\n"
    );
}

#[test]
fn the_directory_is_kept() {
    in_both(|build| {
        let folder = build.folder.path().join("it's a \"dir\"");
        std::fs::create_dir(&folder).unwrap();
        let quoted = action::export::quote::posix(&folder.to_string_lossy());
        build.items(&[&format!("cd {quoted}")]);
        assert_eq!(build.items(&["pwd"]), format!("{}\n", folder.display()));
    });
}

#[test]
fn a_child_process_cannot_set_anything() {
    in_both(|build| {
        build.items(&["(export A=1)", "sh -c 'export B=1'", "echo 1 | read C"]);
        for name in ["A", "B", "C"] {
            assert_eq!(build.get(name), None, "{name} in {}", build.shell);
        }
    });
}

#[test]
fn hostile_values_survive() {
    let values = [
        "a\nb",
        "tail\n\n",
        "\r\n",
        "it's",
        "\"q\"",
        "$(id)",
        "`id`",
        "$HOME",
        "\\",
        "\\n",
        "*",
        "~",
        " a ",
        "é€\u{1F600}",
        "\u{1b}[0m",
        "",
        "a;b&c|d",
        "!x",
        "#x",
    ];
    in_both(|build| {
        for value in values {
            let script = format!("V={}", action::export::quote::posix(value));
            build.items(&[&script, ":", "W=\"$V\""]);
            assert_eq!(build.get("V").as_deref(), Some(value), "{}", build.shell);
            assert_eq!(build.get("W").as_deref(), Some(value), "{}", build.shell);
        }
    });
}

#[test]
fn readonly_lasts_in_bash_and_not_in_dash() {
    let dash = Build::new("dash");
    assert_eq!(dash.items(&["readonly R=1", "R=2; echo $R"]), "2\n");
    let bash = Build::new("bash");
    bash.items(&["readonly R=1"]);
    let item = bash.item("R=2; echo \"then $R\"");
    assert!(item.output.contains("readonly variable"), "{}", item.output);
    assert_eq!(bash.get("R").as_deref(), Some("1"));
}

#[test]
fn names_that_are_no_identifiers_and_exported_functions_are_dropped() {
    in_both(|build| {
        // The process environment still holds the name; the saved one does not.
        let saved = std::fs::read_to_string(build.folder.path().join("env.sh")).unwrap();
        assert!(!saved.contains("not.a.name"), "{saved}");
    });
    let bash = Build::new("bash");
    bash.items(&["f() { echo hi; }; export -f f"]);
    assert_eq!(bash.item("f").status, 127);
}

#[test]
fn one_huge_exported_value_breaks_every_later_command() {
    in_both(|build| {
        build.items(&["BIG=$(head -c 140000 /dev/zero | tr '\\0' x)"]);
        let item = build.item("ls /");
        assert_eq!(item.status, 126, "{}", item.output);
        assert!(
            item.output.contains("Argument list too long"),
            "{}",
            item.output
        );
        // Builtins still run, so the value can still be looked at.
        assert_eq!(build.get("BIG").unwrap().len(), 140_000);
    });
}

#[test]
fn the_users_first_line_is_line_4() {
    assert_eq!(FIRST_USER_LINE, 4);
    let dash = Build::new("dash").item("nosuch");
    assert!(
        dash.output.contains("script.sh: 4: nosuch: not found"),
        "{}",
        dash.output
    );
    let bash = Build::new("bash").item("\nnosuch");
    assert!(
        bash.output.contains("script.sh: line 5: nosuch"),
        "{}",
        bash.output
    );
}

#[test]
fn the_status_of_an_item_is_that_of_its_last_line() {
    in_both(|build| {
        assert_eq!(build.item("false\ntrue").status, 0);
        assert_eq!(build.item("true\nsh -c 'exit 7'").status, 7);
        assert_eq!(
            build.items(&["sh -c 'exit 7'; :", "echo $CODEBUILD_LAST_EXIT"]),
            "0\n"
        );
    });
}
