//! Each convention is broken on purpose in a copy, and the check that watches it turns red. A check
//! that has never been seen red may be looking at nothing.

mod alarms;
mod app;
mod app_ecs;
mod buckets;
mod build_instance;
mod custom_actions;
mod files;
mod network;
mod pipeline;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use stacks::conventions::{self, NOT_NEEDED, POLICIES};
use stacks::copy::Copy;
use stacks::stack::repository;

/// What turns red, the file, what stands there, what is put there.
type Change = (&'static str, &'static str, &'static str, &'static str);

/// The same for a part of `scripts/cfn-check`, which comes first.
type Validated = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
);

/// For cfn-guard: the rule that must turn red, the file, what stands there, what is put there.
const GUARDED: &[&[Change]] = &[
    alarms::GUARDED,
    app::GUARDED,
    app_ecs::GUARDED,
    buckets::GUARDED,
    build_instance::GUARDED,
    network::GUARDED,
    pipeline::GUARDED,
];

/// For the conventions over resolved templates: part of the fault, file, old, new.
const RESOLVED: &[&[Change]] = &[
    alarms::RESOLVED,
    app::RESOLVED,
    app::rollout::RESOLVED,
    app_ecs::RESOLVED,
    buckets::RESOLVED,
    build_instance::RESOLVED,
    custom_actions::RESOLVED,
    files::RESOLVED,
    network::RESOLVED,
    pipeline::RESOLVED,
    pipeline::roles::RESOLVED,
];

/// For scripts/cfn-check: the part, part of what it says, file, old, new.
const CHECKED: &[&[Validated]] = &[
    alarms::CHECKED,
    app::CHECKED,
    files::CHECKED,
    pipeline::CHECKED,
];

/// The validator of `scripts/cfn-check` that is not on this machine, if one is not.
fn missing_validator() -> Option<String> {
    let build = harness::build_folder();
    [
        "venv/bin/cfn-lint",
        "cargo/bin/cfn-guard",
        "venv-checkov/bin/checkov",
    ]
    .into_iter()
    .find(|tool| !build.join(tool).is_file())
    .map(str::to_owned)
}

fn guard() -> PathBuf {
    harness::build_folder().join("cargo/bin/cfn-guard")
}

fn rules() -> PathBuf {
    repository().join("cfn/rules/conventions.guard")
}

/// The rules of ours that a template breaks.
fn broken_rules(template: &Path) -> BTreeSet<String> {
    let output = Command::new(guard())
        .args(["validate", "--show-summary", "fail", "--rules"])
        .arg(rules())
        .arg("--data")
        .arg(template)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        matches!(output.status.code(), Some(0 | 19)),
        "cfn-guard ends with {}: {text}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    text.lines()
        .filter_map(|line| line.strip_prefix("conventions.guard/"))
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}

fn check(folder: &Path, part: &str) -> Output {
    Command::new(repository().join("scripts/cfn-check"))
        .arg(folder)
        .arg(part)
        .env("BUILD_DIR", harness::build_folder())
        .output()
        .unwrap()
}

#[test]
fn the_rules_for_cfn_guard_take_a_template_without_parameters() {
    if !guard().is_file() {
        return harness::missing("cfn-guard");
    }
    let copy = Copy::new();
    let file = copy.path().join("small.yml");
    let resources =
        "Resources: {A: {Type: 'AWS::SNS::Subscription', Properties: {Protocol: email}}}\n";
    for parameters in ["", "Parameters: {}\n"] {
        std::fs::write(&file, format!("{parameters}{resources}")).unwrap();
        assert_eq!(broken_rules(&file), BTreeSet::new(), "{parameters}");
    }
}

#[test]
fn every_rule_for_cfn_guard_turns_red() {
    if !guard().is_file() {
        return harness::missing("cfn-guard");
    }
    for (rule, file, old, new) in GUARDED.concat() {
        let copy = Copy::new();
        let before = broken_rules(&copy.path().join(file));
        assert!(before.is_empty(), "{file}: {before:?}");
        copy.replace(file, old, new);
        let broken = broken_rules(&copy.path().join(file));
        assert!(
            broken.contains(rule),
            "{rule} stays green for {new:?} in {file}: {broken:?}"
        );
    }
}

#[test]
fn no_rule_for_cfn_guard_has_never_been_red() {
    let text = std::fs::read_to_string(rules()).unwrap();
    let written: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("rule "))
        .filter_map(|line| line.split([' ', '{']).next())
        .collect();
    let seen: BTreeSet<&str> = GUARDED.concat().iter().map(|(rule, ..)| *rule).collect();
    assert_eq!(written, seen);
}

/// What turned red when a template was broken in this way.
fn red_when_broken((fault, file, old, new): Change) -> BTreeSet<String> {
    let copy = Copy::new();
    copy.replace(file, old, new);
    let faults = conventions::faults_around(copy.path(), file);
    let red = faults.red().clone();
    let faults = faults.into_vec();
    assert!(
        faults.iter().any(|one| one.contains(fault)),
        "no fault says {fault:?} for {new:?} in {file}: {faults:#?}"
    );
    red
}

/// Each case turns its convention red, and no convention has never been red: the twin of
/// `no_rule_for_cfn_guard_has_never_been_red`, by the place of each check.
#[test]
fn every_convention_over_resolved_templates_turns_red() {
    let whole = conventions::faults(repository());
    let cases = RESOLVED.concat();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let red: BTreeSet<String> = std::thread::scope(|scope| {
        let parts: Vec<_> = cases
            .chunks(cases.len().div_ceil(threads))
            .map(|part| {
                scope.spawn(|| {
                    part.iter()
                        .flat_map(|case| red_when_broken(*case))
                        .collect()
                })
            })
            .collect();
        let red = parts
            .into_iter()
            .map(|part| -> BTreeSet<String> { part.join().unwrap() });
        red.flatten().collect()
    });
    let never: Vec<&String> = whole.looked().difference(&red).collect();
    assert!(never.is_empty(), "never seen red: {never:#?}");
}

#[test]
fn what_is_not_needed_is_documented() {
    for (name, actions, _) in NOT_NEEDED {
        let mut programs = POLICIES.iter().map(|(.., program)| program);
        let program = programs.find(|program| program.name == name).unwrap();
        for action in actions {
            let documented = program.permissions.iter().any(|one| one.action == *action);
            assert!(documented, "{name} does not document {action} any more");
        }
    }
}

#[test]
fn the_validators_turn_red() {
    if let Some(missing) = missing_validator() {
        return harness::missing(&missing);
    }
    for (part, said, file, old, new) in CHECKED.concat() {
        let copy = Copy::new();
        copy.replace(file, old, new);
        if part != "files" {
            copy.keep_template(file);
        }
        let output = check(copy.path(), part);
        let text = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(
            !output.status.success(),
            "{new:?} in {file} is fine: {text}"
        );
        assert!(
            text.contains(said),
            "nothing says {said:?} for {new:?} in {file}: {text}"
        );
    }
}

/// `pipeline.yml` goes by way of a bucket, the others in the request.
#[test]
fn a_template_that_outgrows_its_way_turns_red() {
    if let Some(missing) = missing_validator() {
        return harness::missing(&missing);
    }
    for (file, lines, said) in [
        ("cfn/alarms.yml", 700, "51200 fit into a request"),
        (
            "cfn/pipeline.yml",
            12_500,
            "1000000 fit into a bucket's object",
        ),
    ] {
        let copy = Copy::new();
        let padding = format!("# {}\n", "x".repeat(78)).repeat(lines);
        copy.replace(
            file,
            "AWSTemplateFormatVersion",
            &format!("{padding}AWSTemplateFormatVersion"),
        );
        let output = check(copy.path(), "files");
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(text.contains(said), "{text}");
    }
}
