//! `cfn/custom-actions.yml` is what the programs say of their settings, and what CodePipeline takes.

use action::program::Description;
use action::settings::Settings;
use job_worker::in_process;
use stacks::stack::{Stack, repository};
use std::fs;

/// The programs with the category and the provider of their action type.
fn programs() -> [(&'static str, &'static str, Description); 3] {
    [
        (
            "Build",
            "MakeAmi",
            Description::of::<make_ami::Raw>(&make_ami::PROGRAM),
        ),
        (
            "Deploy",
            "DeployApp",
            Description::of::<deploy_app::Raw>(&deploy_app::PROGRAM),
        ),
        (
            "Invoke",
            "ExportVars",
            Description::of::<export_vars::Raw>(&export_vars::PROGRAM),
        ),
    ]
}

#[test]
fn the_action_types_are_those_of_the_programs() {
    let path = repository().join("cfn/custom-actions.yml");
    let mut text = fs::read_to_string(&path).unwrap();
    let names: Vec<_> = programs().map(|(_, _, program)| program.name).into();
    assert_eq!(names, in_process::served());
    let before = text.clone();
    for (category, provider, program) in programs() {
        let yaml = in_process::action_type(category, provider, &program).unwrap();
        let lines: String = yaml.lines().map(|line| format!("    {line}\n")).collect();
        let open = format!("    # generated: {}\n", program.name);
        let close = format!("    # end: {}\n", program.name);
        let start = text.find(&open).unwrap() + open.len();
        let end = text.find(&close).unwrap();
        text.replace_range(start..end, &lines);
    }
    if std::env::var_os("UPDATE_PAGES").is_some_and(|value| value == "1") {
        fs::write(&path, &text).unwrap();
        return;
    }
    assert_eq!(before, text, "UPDATE_PAGES=1 rewrites it");
}

/// <https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_ActionConfigurationProperty.html>
#[test]
fn codepipeline_takes_the_action_types() {
    let stack = Stack::load(repository(), "custom-actions.yml").unwrap();
    for id in ["MakeAmiAction", "DeployAppAction", "ExportVarsAction"] {
        let properties = stack.properties(id).unwrap();
        let all = properties["ConfigurationProperties"].as_array().unwrap();
        assert!((2..=10).contains(&all.len()), "{id}: {}", all.len());
        for property in all {
            let text = |name: &str| property[name].as_str().unwrap_or_default();
            assert!((1..=50).contains(&text("Name").len()), "{property}");
            let length = text("Description").chars().count();
            assert!((1..=160).contains(&length), "{property}");
        }
    }
}

/// The type of a setting says whether its value may be a secret; `Settings::secrets` must say the same.
#[test]
fn what_may_be_secret_is_marked() {
    fn check<S: Settings>(name: &str) {
        let command = S::augment_args(clap::Command::new("test"));
        let guarded = command.get_arguments().filter(|argument| {
            let parser = format!("{:?}", argument.get_value_parser().type_id());
            parser.contains("guarded::Guarded") || parser.contains("KeySource")
        });
        let mut guarded: Vec<_> = guarded
            .map(|one| one.get_id().as_str().to_owned())
            .collect();
        guarded.sort();
        let mut marked = S::secrets().to_vec();
        marked.sort_unstable();
        assert_eq!(guarded, marked, "{name}");
    }
    check::<make_ami::Raw>("make-ami");
    check::<deploy_app::Raw>("deploy-app");
    check::<export_vars::Raw>("export-vars");
    check::<signal_health::Raw>("signal-health");
    check::<package_template::Raw>("package-template");
    check::<job_worker::Raw>("job-worker");
}
