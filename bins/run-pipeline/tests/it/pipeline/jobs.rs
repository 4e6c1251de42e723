//! Custom actions and Lambda invokes through the very `job-worker`.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use harness::Program;
use harness::codebuild::CodeBuild;
use harness::ec2::{Ec2World, Instance, Outcome};
use harness::{FakeAws, Running};
use serde_json::{Value, json};

use super::foreign::{action, build, connection, definition, program, stage};

/// Whether the programs are there, beside the one that is tested.
fn are_built(names: &[&str]) -> bool {
    names
        .iter()
        .all(|name| Program::of_workspace(name).is_some())
}

/// A custom action of this provider, over the source, with an output artifact.
fn custom(provider: &str, configuration: &Value) -> Value {
    let mut one = action(
        "Make",
        ("Build", provider),
        json!({
            "configuration": configuration,
            "inputArtifacts": [{"name": "AppOutput"}],
            "outputArtifacts": [{"name": "Made"}],
            "namespace": "MakeVariables",
        }),
    );
    one["actionTypeId"]["owner"] = "Custom".into();
    one
}

/// An action that invokes a function.
fn invoke(function: &str, parameters: &Value) -> Value {
    action(
        "Make",
        ("Invoke", "Lambda"),
        json!({
            "configuration": {"FunctionName": function, "UserParameters": parameters.to_string()},
            "inputArtifacts": [{"name": "AppOutput"}],
            "outputArtifacts": [{"name": "Made"}],
            "namespace": "MakeVariables",
        }),
    )
}

const SHOW_MADE: &str = "version: 0.2
env: {exported-variables: [OUT]}
phases: {build: {commands: ['OUT=\"$WHAT $(tr -d \" \\n\" < exports.json)\"']}}
";

/// A pipeline with this action, and a build that shows what it made.
fn pipeline(folder: &Path, made: Value) -> Program {
    let mut show = build(
        "Show",
        1,
        r##"[{"name":"WHAT","value":"#{MakeVariables.IMAGE_TAG}"}]"##,
    );
    show["inputArtifacts"] = json!([{"name": "Made"}]);
    let definition = definition(json!([
        stage("Source", vec![connection()]),
        stage("Make", vec![made]),
        stage("Show", vec![show]),
    ]));
    let project = json!({"projects": [{"name": "p", "source": {"type": "CODEPIPELINE", "buildspec": SHOW_MADE}}]});
    let program = program(folder, &definition, "version: 0.2\n");
    std::fs::write(folder.join("projects.json"), project.to_string()).unwrap();
    std::fs::write(folder.join("app/values.json"), r#"{"tag": "v7"}"#).unwrap();
    program.args(["--source", "app", "--project-file", "projects.json"])
}

#[test]
fn a_program_of_ours_gets_files_and_gives_variables_and_files_without_any_credentials() {
    if !are_built(&["job-worker", "export-vars"]) {
        return;
    }
    let settings = json!({"EXPORT_VARS_FROM_JSON": "IMAGE_TAG=values.json#/tag"});
    for (made, arguments) in [
        (custom("ExportVars", &settings), &[][..]),
        (
            custom("Tagger", &settings),
            &["--custom-action", "Tagger@1=export-vars"][..],
        ),
        (
            invoke("tag", &settings),
            &["--lambda", "tag=export-vars"][..],
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let temporary = tempfile::tempdir().unwrap();
        let ran = pipeline(folder.path(), made)
            .args(arguments)
            .env("TMPDIR", temporary.path())
            .env_remove("AWS_ACCESS_KEY_ID")
            .env_remove("AWS_SECRET_ACCESS_KEY")
            .env_remove("AWS_REGION")
            .run();
        let report: Value = serde_json::from_str(&ran.assert_code(0).stdout).unwrap();
        ran.refute_stderr("warning: SIGTERM");
        assert_eq!(report["MakeVariables"]["IMAGE_TAG"], "v7", "{ran}");
        assert_eq!(report["ShowVariables"]["OUT"], r#"v7 {"IMAGE_TAG":"v7"}"#);
        assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 0);
    }
}

#[test]
fn a_setting_that_the_program_lacks_is_a_configuration_error_with_the_one_that_was_meant() {
    if !are_built(&["job-worker", "export-vars"]) {
        return;
    }
    let settings = json!({"EXPORT_VARS_FROM_JSN": "hunter2"});
    for (made, arguments) in [
        (custom("ExportVars", &settings), &[][..]),
        (
            invoke("tag", &settings),
            &["--lambda", "tag=export-vars"][..],
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let ran = pipeline(folder.path(), made).args(arguments).run();
        ran.assert_code(1)
            .assert_stderr("the action Make/Make failed: ConfigurationError")
            .assert_stderr("did you mean EXPORT_VARS_FROM_JSON?")
            .assert_stderr("done so far: Source/App");
        let failure = ran.stderr.split("error: ").last().unwrap_or_default();
        assert!(!failure.contains("hunter2"), "{failure}");
    }
}

/// make-ami over the scripted EC2.
fn images(made: Value, outcome: Outcome) -> Option<(harness::Ran, Ec2World)> {
    if !are_built(&["job-worker", "make-ami"]) {
        return None;
    }
    let (fake, folder) = (FakeAws::start(), tempfile::tempdir().unwrap());
    let account = Ec2World::with([Instance::running("i-0123456789abcdef0")]);
    account.outcomes([outcome]);
    account.serve(&fake);
    CodeBuild::default().serve(&fake);
    let mut made = made;
    made["outputArtifacts"] = json!([]);
    let definition = definition(json!([
        stage("Source", vec![connection()]),
        stage("Make", vec![made]),
    ]));
    let ran = program(folder.path(), &definition, "version: 0.2\n")
        .args(["--source", "app", "--lambda", "bake=make-ami"])
        .envs(fake.env())
        .env("JOB_WORKER_LOOK_FOR", "2s")
        .env("JOB_WORKER_LOOK_EVERY", "1s")
        .run();
    Some((ran, account))
}

#[test]
fn an_image_is_made_over_several_jobs_with_tokens() {
    let settings = json!({"INSTANCE_ID": "i-0123456789abcdef0", "AMI_NAME": "web-42"});
    for made in [custom("MakeAmi", &settings), invoke("bake", &settings)] {
        let Some((ran, account)) = images(made, Outcome::Available { after_polls: 8 }) else {
            return;
        };
        let report: Value = serde_json::from_str(&ran.assert_code(0).stdout).unwrap();
        let images = account.images();
        assert_eq!(images.len(), 1);
        assert_eq!(report["MakeVariables"]["AMI_ID"], images[0].id.as_str());
        ran.assert_stderr("[job 00000001-0000-4000-8000-000000000000] goes on: ami-")
            .assert_stderr("[job 00000002-0000-4000-8000-000000000000]");
    }
}

#[test]
fn an_image_that_fails_is_told_with_type_reason_and_id() {
    let failed = Outcome::Failed {
        after_polls: 3,
        code: "Client.InternalError".to_owned(),
        message: "the snapshot broke".to_owned(),
    };
    let settings = json!({"INSTANCE_ID": "i-0123456789abcdef0"});
    let Some((ran, account)) = images(custom("MakeAmi", &settings), failed) else {
        return;
    };
    ran.assert_code(1)
        .assert_stderr("the action Make/Make failed: JobFailed")
        .assert_stderr("the snapshot broke")
        .assert_stderr("external execution id: ami-");
    assert!(account.images().is_empty());
}

#[test]
fn aws_itself_is_a_closed_door_unless_it_is_allowed() {
    if !are_built(&["job-worker", "make-ami"]) {
        return;
    }
    let settings = json!({"INSTANCE_ID": "i-0123456789abcdef0"});
    let folder = tempfile::tempdir().unwrap();
    pipeline(folder.path(), custom("MakeAmi", &settings))
        .env("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
        .run()
        .assert_code(1)
        .assert_stderr("the action Make/Make failed: PermissionError")
        .assert_stderr("AWS itself would be asked: allow it with --allow-aws");
}

#[test]
fn a_plan_says_what_runs_an_action() {
    let folder = tempfile::tempdir().unwrap();
    let plan = |made: Value| {
        let ran = pipeline(folder.path(), made)
            .args(["--dry-run", "--job-worker", "pipeline.json"])
            .args(["--custom-action", "Bake=app/values.json"])
            .args(["--lambda", "bake=app/values.json"])
            .run();
        ran.assert_code(0).stderr.clone()
    };
    let custom = plan(custom("Bake", &json!({"INSTANCE_ID": "i-0"})));
    assert!(
        custom.contains("Make/Make: Bake, job-worker with values.json"),
        "{custom}"
    );
    let invoked = plan(invoke("bake", &json!({})));
    assert!(
        invoked.contains("Make/Make: Lambda, job-worker with values.json"),
        "{invoked}"
    );
}

#[test]
fn what_is_not_mapped_is_named_with_the_flag_that_maps_it() {
    let folder = tempfile::tempdir().unwrap();
    pipeline(folder.path(), custom("Jenkins", &json!({})))
        .run()
        .assert_code(2)
        .assert_stderr("Make/Make: no program runs the custom action Jenkins; name one with --custom-action Jenkins=PROGRAM; or leave it out with --stub Make/Make=outputs.json or --skip Make/Make");
    pipeline(folder.path(), invoke("warm", &json!({})))
        .run()
        .assert_code(2)
        .assert_stderr(
            "no program replaces the Lambda function warm; name one with --lambda warm=PROGRAM",
        );
    pipeline(folder.path(), custom("Jenkins", &json!({})))
        .args(["--custom-action", "Jenkins=./nothing"])
        .args(["--job-worker", "pipeline.json"])
        .run()
        .assert_code(2)
        .assert_stderr("Make/Make: ./nothing is not a file");
}

/// A program that takes a large file, and makes another one.
const LARGE: &str = r#"#!/bin/sh
PATH=/usr/bin:/bin
if [ "$1" = --describe ]; then
    echo '{"name": "large", "version": "0", "about": "", "prefix": "LARGE_", "commands": [], "settings": [], "exports": []}'
    exit
fi
echo "export IMAGE_TAG='$(wc -c <large)'" >"$LARGE_EXPORT_FILE"
head -c 7000000 /dev/urandom >../Made/made
"#;

#[test]
fn large_artifacts_travel_whole() {
    if !are_built(&["job-worker"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let program = pipeline(folder.path(), custom("Large", &json!({})));
    write_program(&folder.path().join("large"), LARGE);
    let mut seed = 1_u32;
    let noise = std::iter::repeat_with(|| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 24) as u8
    });
    let noise: Vec<u8> = noise.take(9_000_000).collect();
    std::fs::write(folder.path().join("app/large"), noise).unwrap();
    let projects = folder.path().join("projects.json");
    let text = std::fs::read_to_string(&projects).unwrap();
    let text = text.replace("$(tr", "$(wc -c < made) $(tr");
    std::fs::write(projects, text).unwrap();
    let ran = program.args(["--custom-action", "Large=./large"]).run();
    let report: Value = serde_json::from_str(&ran.assert_code(0).stdout).unwrap();
    let out = report["ShowVariables"]["OUT"].as_str().unwrap();
    assert!(out.starts_with("9000000 7000000 "), "{out}");
}

fn write_program(file: &Path, text: &str) {
    std::fs::write(file, text).unwrap();
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// A program that runs until it is told to stop.
const SLOW: &str = r#"#!/bin/sh
PATH=/usr/bin:/bin
if [ "$1" = --describe ]; then
    echo '{"name": "slow", "version": "0", "about": "", "prefix": "SLOW_", "commands": [], "settings": [], "exports": []}'
    exit
fi
trap 'exit 143' TERM
: >"${0%/*}/up"
while :; do sleep 0.1; done
"#;

/// A pipeline whose custom action never ends, once its program runs.
fn slow(folder: &Path, made: Value) -> Running {
    write_program(&folder.join("slow"), SLOW);
    let running = pipeline(folder, made)
        .args(["--custom-action", "Slow=./slow", "--lambda", "slow=./slow"])
        .args(["--work-dir", "work"])
        .env("JOB_WORKER_STOP_WITHIN", "4s")
        .spawn();
    until("the program runs", || folder.join("up").exists());
    running
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(40), "{what}");
        std::thread::sleep(Duration::from_millis(30));
    }
}

/// How many processes have the folder in their environment.
fn processes(folder: &Path) -> usize {
    let folder = folder.to_string_lossy().into_owned();
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    all.filter_map(|one| std::fs::read(one.path().join("environ")).ok())
        .filter(|environment| String::from_utf8_lossy(environment).contains(&folder))
        .count()
}

#[test]
fn a_run_that_ends_in_any_way_leaves_no_worker_and_no_program() {
    if !are_built(&["job-worker"]) {
        return;
    }
    for signal in [15, 9] {
        for made in [custom("Slow", &json!({})), invoke("slow", &json!({}))] {
            let folder = tempfile::tempdir().unwrap();
            let made_as = made["actionTypeId"]["owner"].to_string();
            let running = slow(folder.path(), made);
            let work = folder.path().join("work");
            assert!(processes(&work) >= 2, "worker and program");
            running.signal(signal);
            if signal == 15 {
                let ran = running.finish();
                ran.assert_code(143).assert_stderr("Make/Make ended");
                assert_eq!(processes(&work), 0, "{ran}");
            } else {
                let what = format!("the worker of signal {signal} has noticed: {}", made_as);
                until(&what, || processes(&work) == 0);
            }
        }
    }
}

#[test]
fn an_image_in_the_making_is_removed_or_listed_when_the_run_is_stopped() {
    if !are_built(&["job-worker", "make-ami"]) {
        return;
    }
    // In a look, which lasts, and between two looks, which are far from each other.
    for (look_for, look_every) in [("60s", "1s"), ("1s", "300s")] {
        let (fake, folder) = (FakeAws::start(), tempfile::tempdir().unwrap());
        let account = Ec2World::with([Instance::running("i-0123456789abcdef0")]);
        account.outcomes([Outcome::Never]);
        account.serve(&fake);
        CodeBuild::default().serve(&fake);
        let running = pipeline(
            folder.path(),
            custom("MakeAmi", &json!({"INSTANCE_ID": "i-0123456789abcdef0"})),
        )
        .envs(fake.env())
        .env("JOB_WORKER_LOOK_FOR", look_for)
        .env("JOB_WORKER_LOOK_EVERY", look_every)
        .spawn();
        let seen = match look_every {
            "1s" => "looks at long work",
            _ => "goes on: ami-",
        };
        running.wait_for_stderr(seen, Duration::from_secs(30));
        running.signal(15);
        let ran = running.finish();
        ran.assert_code(143);
        let images = account.images();
        match look_every {
            "1s" => assert!(images.is_empty(), "{ran}"),
            _ => {
                let id = &images[0].id;
                ran.assert_stderr(&format!("remains: {id}"))
                    .assert_stderr(&format!("MAKE_AMI_IMAGE={id} make-ami clean"));
            }
        }
    }
}
