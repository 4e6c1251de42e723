//! Every format is read back by its consumer, or by that consumer's own rules, unchanged.

use crate::{program, readers};
use action::env_file::spelling::{self, Reader};
use action::export::name;
use export_vars::for_tests::{dotenv, gitlab};
use harness::{FakeAws, Ran, Reply, readers as real, shells};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Anything that can be an environment variable, with a lean towards what is easily misread.
const ANY: &str = "(?s)[^\0]{0,40}|[ '\"\\\\$`\n\r\t*~!#&;|<>(){}%=\u{1b}é]{1,24}";
/// The same on one line.
const LINE: &str = "[^\\p{Cc}]{1,40}|[ '\"\\\\$`*~!#&;|<>(){}%=é]{1,24}";

/// Names with values; those that look like references or credentials are refused, which has tests of
/// its own.
fn variables(values: &'static str) -> impl Strategy<Value = Vec<(String, String)>> {
    proptest::collection::vec(values, 8).prop_map(|values| {
        let kept = values.into_iter().enumerate();
        kept.filter(|(_, value)| !value.contains("#{") && !value.contains("://"))
            .map(|(index, value)| (format!("V{index}"), value))
            .collect()
    })
}

fn write(format: &str, pairs: &[(String, String)]) -> Ran {
    let arguments = pairs.iter().map(|(name, value)| format!("{name}={value}"));
    program()
        .args(["--format", format, "--multiline", "--allow-empty", "--"])
        .args(arguments)
        .run()
}

/// What a format takes of the given values, and what it writes of them; nothing when it takes none.
fn taken(format: &str, pairs: &[(String, String)]) -> Option<(Vec<(String, String)>, Ran)> {
    let fits = |(name, value): &&(String, String)| match format {
        "dotenv" => dotenv::check(name, value).is_ok(),
        _ => gitlab::check(value).is_ok(),
    };
    let kept: Vec<(String, String)> = pairs.iter().filter(fits).cloned().collect();
    // What is plain is taken: the program's own check must not refuse its way through this test.
    let plain = |value: &str| value.bytes().all(|byte| byte.is_ascii_alphanumeric());
    for pair in pairs.iter().filter(|(_, value)| plain(value)) {
        assert!(kept.contains(pair), "{format} refuses {pair:?}");
    }
    if kept.is_empty() {
        return None;
    }
    let ran = write(format, &kept);
    ran.assert_code(0);
    Some((kept, ran))
}

fn map(pairs: &[(String, String)]) -> BTreeMap<String, String> {
    pairs.iter().cloned().collect()
}

/// As a real reader of env files gives it.
fn read(pairs: &[(String, String)]) -> real::Read {
    let pairs = pairs.iter().cloned();
    Ok(pairs.map(|(name, value)| (name, Some(value))).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn sh_is_read_back_by_every_shell(pairs in variables(ANY)) {
        prop_assume!(!pairs.is_empty());
        let names: Vec<&str> = pairs.iter().map(|(name, _)| name.as_str()).collect();
        let ran = write("sh", &pairs);
        ran.assert_code(0);
        let installed = shells::found();
        prop_assert!(!installed.is_empty());
        for shell in installed {
            let got = shells::round_trip(&shell, &ran.stdout_bytes, &names);
            for ((name, wanted), got) in pairs.iter().zip(got) {
                prop_assert_eq!(wanted.as_bytes(), got.as_slice(), "{} in {:?}", name, shell);
            }
        }
    }

    #[test]
    fn every_name_that_is_taken_reaches_every_shell(
        names in proptest::collection::btree_set("[A-Za-z_][A-Za-z0-9_]{0,7}|[A-Z]{2,8}", 8)
    ) {
        // ksh warns of a locale that is not there, and COLUMNS and its like are numbers to zsh.
        let odd = |name: &str| name == "LANG" || name.starts_with("LC_") || name == "LINES" || name == "COLUMNS" || name == "TMOUT";
        let names: Vec<String> = names.into_iter().filter(|name| name::check(name).is_ok() && !odd(name)).collect();
        let pairs: Vec<(String, String)> = names.iter().map(|name| (name.clone(), "5x".to_owned())).collect();
        let ran = write("sh", &pairs);
        ran.assert_code(0);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        for shell in shells::found() {
            let got = shells::round_trip(&shell, &ran.stdout_bytes, &names);
            prop_assert!(got.iter().all(|value| value == b"5x"), "{:?} in {:?}", names, shell);
        }
    }

    #[test]
    fn docker_is_read_back_by_docker(pairs in variables(LINE)) {
        prop_assume!(!pairs.is_empty());
        let ran = write("docker", &pairs);
        ran.assert_code(0);
        if let Some(found) = real::docker(&ran.stdout_bytes) {
            prop_assert_eq!(found, read(&pairs));
        }
    }

    #[test]
    fn dotenv_is_read_back_by_python_dotenv_and_compose(pairs in variables(ANY)) {
        let Some((pairs, ran)) = taken("dotenv", &pairs) else { return Ok(()) };
        if let Some(found) = real::python_dotenv(&[&ran.stdout_bytes]) {
            prop_assert_eq!(&found[0], &read(&pairs));
        }
        if let Some(found) = real::compose(&ran.stdout_bytes) {
            prop_assert_eq!(found, read(&pairs));
        }
    }

    #[test]
    fn dotenv_on_one_line_is_read_back_by_a_shell_too(pairs in variables(LINE)) {
        // A few values have no spelling that a shell reads like the others, such as a backtick
        // beside a single quote.
        let common = [Reader::Compose, Reader::Dotenv, Reader::Shell];
        let pairs: Vec<_> = pairs
            .into_iter()
            .filter(|(name, value)| spelling::of(name, value, &common).is_some())
            .collect();
        let Some((pairs, ran)) = taken("dotenv", &pairs) else { return Ok(()) };
        if let Some(found) = real::dash(&ran.stdout_bytes) {
            prop_assert_eq!(found, read(&pairs));
        }
        prop_assert!(readers::agree(Reader::Shell, &ran.stdout, &read(&pairs)).is_ok());
    }

    #[test]
    fn github_is_read_back_by_the_runners_rules(pairs in variables(ANY)) {
        prop_assume!(!pairs.is_empty());
        let ran = write("github", &pairs);
        ran.assert_code(0);
        prop_assert_eq!(by_github(&ran.stdout), Some(map(&pairs)));
    }

    #[test]
    fn gitlab_is_read_back_by_its_parsers_rules(pairs in variables(LINE)) {
        let Some((pairs, ran)) = taken("gitlab", &pairs) else { return Ok(()) };
        prop_assert_eq!(by_gitlab(&ran.stdout), Some(map(&pairs)));
    }

    #[test]
    fn azure_is_read_back_by_the_agents_rules(pairs in variables(ANY)) {
        prop_assume!(!pairs.is_empty());
        let ran = write("azure", &pairs);
        ran.assert_code(0);
        prop_assert_eq!(by_azure(&ran.stdout), map(&pairs));
    }

    #[test]
    fn json_and_get_param_are_read_back_by_a_json_reader(pairs in variables(ANY)) {
        prop_assume!(!pairs.is_empty());
        for format in ["json", "get-param"] {
            let ran = write(format, &pairs);
            let found: BTreeMap<String, String> = serde_json::from_str(&ran.assert_code(0).stdout).unwrap();
            prop_assert_eq!(found, map(&pairs));
        }
    }

    #[test]
    fn a_template_configuration_is_read_back_by_a_json_reader(pairs in variables(ANY)) {
        prop_assume!(!pairs.is_empty());
        let ran = write("template-configuration", &pairs);
        let found: serde_json::Value = serde_json::from_str(&ran.assert_code(0).stdout).unwrap();
        let found: BTreeMap<String, String> = serde_json::from_value(found["Parameters"].clone()).unwrap();
        prop_assert_eq!(found, map(&pairs));
    }

    #[test]
    fn a_job_gets_the_variables_as_they_are(pairs in variables(ANY)) {
        prop_assume!(!pairs.is_empty());
        let fake = FakeAws::start();
        fake.on("codepipeline:PutJobSuccessResult", [Reply::json(&serde_json::json!({}))]);
        let arguments = pairs.iter().map(|(name, value)| format!("{name}={value}"));
        let ran = program()
            .envs(fake.env())
            .args(["--format", "job", "--job-id", "11111111-abcd-1111-abcd-111111abcdef"])
            .args(["--multiline", "--allow-empty", "--"])
            .args(arguments)
            .run();
        ran.assert_code(0);
        let body: serde_json::Value = serde_json::from_slice(&fake.requests()[0].body).unwrap();
        let found: BTreeMap<String, String> = serde_json::from_value(body["outputVariables"].clone()).unwrap();
        prop_assert_eq!(found, map(&pairs));
    }

    #[test]
    fn what_another_action_wrote_is_read_back_by_us(pairs in variables(ANY)) {
        prop_assume!(!pairs.is_empty());
        for format in ["sh", "json"] {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("exports");
            std::fs::write(&file, write(format, &pairs).stdout_bytes).unwrap();
            let ran = program()
                .args(["--format", "json", "--multiline", "--allow-empty", "--from-manifest"])
                .arg(&file)
                .run();
            let found: BTreeMap<String, String> = serde_json::from_str(&ran.assert_code(0).stdout).unwrap();
            prop_assert_eq!(found, map(&pairs), "{}", format);
        }
    }
}

/// Whether a shell hands the assignment on to the commands after it.
fn reaches(shell: &shells::Shell, name: &str) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("exports");
    std::fs::write(&file, format!("export {name}='5x'\n")).unwrap();
    let output = shell.run(". \"$1\" && exec /usr/bin/env -0", &[&file]);
    let wanted = format!("{name}=5x");
    let mut entries = output.stdout.split(|byte| *byte == 0);
    output.status.success() && entries.any(|entry| entry == wanted.as_bytes())
}

#[test]
fn names_of_the_shells_are_lost_in_one_of_them_and_others_in_none() {
    let shells = shells::found();
    // With one of the five missing, nothing is known of its own names.
    if shells.len() == 5 {
        for name in name::of_shells() {
            assert!(shells.iter().any(|shell| !reaches(shell, name)), "{name}");
        }
    }
    for name in [
        "AMI_ID", "RELEASE", "HOSTNAME", "USER", "TZ", "TERM", "EDITOR", "OPTARG", "PS1", "VERSION",
    ] {
        assert_eq!(name::check(name), Ok(()));
        for shell in &shells {
            assert!(reaches(shell, name), "{name} in {}", shell.name);
        }
    }
}

/// The runner's reader of `$GITHUB_OUTPUT`:
/// <https://github.com/actions/runner/blob/main/src/Runner.Worker/FileCommandManager.cs>.
fn by_github(text: &str) -> Option<BTreeMap<String, String>> {
    let mut lines = text.split_inclusive('\n');
    let mut found = BTreeMap::new();
    while let Some(line) = lines.next() {
        let line = line.strip_suffix('\n').unwrap_or(line);
        if line.is_empty() {
            continue;
        }
        let equals = line.find('=').unwrap_or(usize::MAX);
        let heredoc = line.find("<<").unwrap_or(usize::MAX);
        if equals < heredoc {
            let (name, value) = line.split_once('=')?;
            found.insert(name.to_owned(), value.to_owned());
            continue;
        }
        let (name, delimiter) = line.split_once("<<")?;
        if name.is_empty() || delimiter.is_empty() {
            return None;
        }
        let mut value = String::new();
        loop {
            let line = lines.next()?;
            if line.strip_suffix('\n').unwrap_or(line) == delimiter {
                break;
            }
            value.push_str(line);
        }
        value.pop();
        found.insert(name.to_owned(), value);
    }
    Some(found)
}

/// GitLab's reader of a dotenv report:
/// <https://gitlab.com/gitlab-org/gitlab/-/blob/master/app/services/ci/parse_dotenv_artifact_service.rb>.
fn by_gitlab(text: &str) -> Option<BTreeMap<String, String>> {
    if text.len() >= 5 * 1024 {
        return None;
    }
    let pairs = text.lines().map(|line| {
        let (name, value) = line.split_once('=')?;
        // Ruby strips ASCII white space and NUL.
        let strip = |text: &str| {
            text.trim_matches(|c: char| c.is_ascii_whitespace() || "\0\u{b}".contains(c))
                .to_owned()
        };
        Some((strip(name), strip(value)))
    });
    pairs.collect()
}

/// The agent's reader of logging commands, which looks at every line of the output:
/// <https://github.com/microsoft/azure-pipelines-agent/blob/master/src/Microsoft.VisualStudio.Services.Agent/Command.cs>.
fn by_azure(text: &str) -> BTreeMap<String, String> {
    let decoded = |text: &str| {
        text.replace("%3B", ";")
            .replace("%0D", "\r")
            .replace("%0A", "\n")
            .replace("%5D", "]")
            .replace("%AZP25", "%")
    };
    let commands = text.split(['\n', '\r']).filter_map(|line| {
        let (_, command) = line.split_once("##vso[")?;
        let (information, data) = command.split_once(']')?;
        let (kind, properties) = information.split_once(' ')?;
        assert_eq!(kind, "task.setvariable");
        let name = properties
            .split(';')
            .find_map(|one| one.strip_prefix("variable="))?;
        Some((decoded(name), decoded(data)))
    });
    commands.collect()
}

#[test]
fn azure_and_gitlab_have_limits_of_their_own() {
    let azure = |name: &str| {
        program()
            .args(["--format", "azure"])
            .arg(format!("{name}=x"))
            .run()
    };
    azure("InputFile")
        .assert_code(2)
        .assert_stderr("InputFile: Azure Pipelines does not set names that start with input");
    azure("APP")
        .assert_code(0)
        .assert_stdout("##vso[task.setvariable variable=APP;isOutput=true]x\n");
    let gitlab = |value: &str| {
        program()
            .args(["--format", "gitlab"])
            .arg(format!("A={value}"))
            .run()
    };
    gitlab(" x")
        .assert_code(2)
        .assert_stderr("A: begins or ends in white space, which GitLab cuts off");
    gitlab("$x")
        .assert_code(2)
        .assert_stderr("A: holds a `$`, which GitLab expands in the jobs that read it");
    gitlab(&"x".repeat(5117)).assert_code(2).assert_stderr(
        "a dotenv report of 5120 bytes; GitLab takes at most 5119 (largest: A, 5117 bytes)",
    );
    gitlab(&"x".repeat(5116)).assert_code(0);
    let many = || (0..21).map(|index| format!("V{index}=x"));
    program()
        .args(["--format", "gitlab"])
        .args(many())
        .run()
        .assert_code(2)
        .assert_stderr(
            "21 variables; this GitLab takes 20 from a dotenv report (--gitlab-variables)",
        );
    program()
        .args(["--format", "gitlab", "--gitlab-variables", "50"])
        .args(many())
        .run()
        .assert_code(0);
}

#[test]
fn github_draws_another_delimiter_for_every_variable() {
    let ran = program().args(["--format", "github", "A=1", "B=2"]).run();
    let delimiters: Vec<&str> = ran
        .stdout
        .lines()
        .filter_map(|line| line.split_once("<<"))
        .map(|(_, delimiter)| delimiter)
        .collect();
    assert_eq!(delimiters.len(), 2);
    assert_ne!(delimiters[0], delimiters[1]);
    assert!(delimiters[0].len() >= 32);
}

#[test]
fn docker_takes_lines_as_long_as_it_reads() {
    let write = |bytes: usize| {
        program()
            .args(["--format", "docker"])
            .arg(format!("A={}", "x".repeat(bytes)))
            .run()
    };
    let longest = write(65_533);
    longest.assert_code(0);
    write(65_534)
        .assert_code(2)
        .assert_stderr("docker reads lines of at most 65535 bytes, name and `=` included");
    if let Some(found) = real::docker(&longest.stdout_bytes) {
        assert_eq!(found.unwrap()["A"].as_ref().map(String::len), Some(65_533));
        let mut over = longest.stdout_bytes.clone();
        over.insert(2, b'x');
        assert!(real::docker(&over).unwrap().is_err());
    }
}

#[test]
fn a_dotenv_value_without_a_spelling_is_refused() {
    program()
        .args(["--format", "dotenv", "A=${B}"])
        .run()
        .assert_code(2)
        .assert_stderr("A: python-dotenv and Compose read every spelling of it in different ways");
}

#[test]
fn print_shows_a_table_to_people_and_masks_secrets() {
    let ran = program()
        .args(["--print", "A=x y", "DB_PASSWORD=hunter2"])
        .run();
    ran.assert_code(0)
        .assert_stderr("variable     value          from")
        .assert_stderr("A            `x y`          argument 1")
        .assert_stderr("DB_PASSWORD  *** (7 bytes)  argument 2")
        .refute_stderr("hunter2");
    assert_eq!(ran.exports()["DB_PASSWORD"], "hunter2");
}

#[test]
fn a_dry_run_writes_nothing_and_tells_no_value() {
    let folder = tempfile::tempdir().unwrap();
    let plan = folder.path().join("plan.json");
    let exports = folder.path().join(".exports");
    let ran = program()
        .bare()
        .args(["--dry-run", "NOTE=hunter2", "--export-file"])
        .arg(&exports)
        .arg("--plan-file")
        .arg(&plan)
        .run();
    ran.assert_code(0)
        .assert_stdout("")
        .assert_stderr("plan: export as sh\n  NOTE  7 bytes  from argument 1")
        .refute_stderr("hunter2");
    assert!(!exports.exists());
    let plan = std::fs::read_to_string(plan).unwrap();
    assert!(
        plan.contains("\"NOTE\"") && !plan.contains("hunter2"),
        "{plan}"
    );
}
