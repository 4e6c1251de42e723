//! A pipeline that is not ours, as `aws codepipeline get-pipeline` gives it, over local files alone.

use std::path::Path;

use harness::Program;
use serde_json::{Value, json};

/// An action of `get-pipeline`.
pub(crate) fn action(name: &str, kind: (&str, &str), more: Value) -> Value {
    let (category, provider) = kind;
    let mut one = json!({
        "name": name,
        "actionTypeId": {"category": category, "owner": "AWS", "provider": provider, "version": "1"},
        "runOrder": 1,
        "configuration": {},
        "inputArtifacts": [],
        "outputArtifacts": [],
    });
    for (key, value) in more.as_object().unwrap() {
        one[key] = value.clone();
    }
    one
}

fn source(name: &str, provider: &str, configuration: Value) -> Value {
    action(
        name,
        ("Source", provider),
        json!({
            "configuration": configuration,
            "outputArtifacts": [{"name": format!("{name}Output")}],
            "namespace": format!("{name}Variables"),
        }),
    )
}

pub(crate) fn connection() -> Value {
    source(
        "App",
        "CodeStarSourceConnection",
        json!({"ConnectionArn": "arn:aws:codestar-connections:eu-west-1:000000000000:connection/1",
               "FullRepositoryId": "org/app", "BranchName": "main"}),
    )
}

/// A build of the App source that exports what its variables say.
pub(crate) fn build(name: &str, order: u32, variables: &str) -> Value {
    action(
        name,
        ("Build", "CodeBuild"),
        json!({
            "runOrder": order,
            "configuration": {"ProjectName": "p", "EnvironmentVariables": variables},
            "inputArtifacts": [{"name": "AppOutput"}],
            "namespace": format!("{name}Variables"),
        }),
    )
}

pub(crate) fn definition(stages: Value) -> Value {
    json!({"pipeline": {"name": "foreign", "roleArn": "arn:aws:iam::000000000000:role/r", "version": 1,
        "artifactStore": {"type": "S3", "location": "bucket"}, "stages": stages}})
}

pub(crate) fn stage(name: &str, actions: Vec<Value>) -> Value {
    json!({"name": name, "actions": actions})
}

/// The program over a definition and a project with this buildspec, without any AWS.
pub(crate) fn program(folder: &Path, definition: &Value, buildspec: &str) -> Program {
    std::fs::write(folder.join("pipeline.json"), definition.to_string()).unwrap();
    std::fs::create_dir_all(folder.join("app")).unwrap();
    std::fs::write(folder.join("app/buildspec.yml"), buildspec).unwrap();
    Program::new(env!("CARGO_BIN_EXE_run-pipeline"))
        .dir(folder)
        .args(["pipeline.json"])
}

pub(crate) const SHOW: &str = "version: 0.2
env: {exported-variables: [OUT]}
phases: {build: {commands: ['OUT=\"$WHAT\"']}}
";

#[test]
fn sources_are_local_and_nothing_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let detail = json!({"ImageURI": "000000000000.dkr.ecr.eu-west-1.amazonaws.com/base@sha256:ab",
        "ImageDigest": "sha256:ab", "RepositoryName": "base", "RegistryId": "000000000000"});
    std::fs::write(folder.path().join("imageDetail.json"), detail.to_string()).unwrap();
    let what = r##"[{"name":"WHAT","value":"#{AppVariables.BranchName} #{AppVariables.FullRepositoryName} #{BaseVariables.ImageDigest} #{CodeVariables.RepositoryName} #{HubVariables.CommitUrl}"}]"##;
    let definition = definition(json!([
        stage(
            "Source",
            vec![
                connection(),
                source("Base", "ECR", json!({"RepositoryName": "base"})),
                source(
                    "Code",
                    "CodeCommit",
                    json!({"RepositoryName": "code", "BranchName": "main"})
                ),
                {
                    let mut hub = source(
                        "Hub",
                        "GitHub",
                        json!({"Owner": "o", "Repo": "r", "Branch": "b", "OAuthToken": "x"}),
                    );
                    hub["actionTypeId"]["owner"] = "ThirdParty".into();
                    hub
                },
                source(
                    "Bucket",
                    "S3",
                    json!({"S3Bucket": "b", "S3ObjectKey": "k.zip"})
                ),
            ]
        ),
        stage("Build", vec![build("Show", 1, what)]),
    ]));
    let program = program(folder.path(), &definition, SHOW);
    program
        .run()
        .assert_code(2)
        .assert_stderr("Source/App: there is no local replacement for this CodeStarSourceConnection source; give one with --source App=PATH")
        .assert_stderr("Source/Bucket: there is no local replacement for this S3 source; give one with --source Bucket=PATH, or let S3 be asked with --allow-aws");
    let program = program.args([
        "--source",
        "App=app",
        "--source",
        "Base=imageDetail.json",
        "--source",
        "CodeOutput=app",
        "--source",
        "Source/Hub=app",
        "--source",
        "Bucket=app",
    ]);
    let ran = program.run();
    let report: Value = serde_json::from_str(&ran.assert_code(0).stdout).unwrap();
    let out = report["ShowVariables"]["OUT"].as_str().unwrap();
    let known = "main org/app sha256:ab code https://github.com/o/r/commit/";
    assert!(out.starts_with(known), "{out}");
    let commit = report["AppVariables"]["CommitId"].as_str().unwrap();
    assert_eq!(commit.len(), 40);
    assert!(out.ends_with(commit), "{out}");
    ran.assert_stderr("the project p is not in pipeline.json");
    program
        .args(["--source", "Nobody=app"])
        .run()
        .assert_code(2)
        .assert_stderr("--source: no source Nobody");
}

#[test]
fn the_only_source_is_the_work_tree_when_nothing_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let definition = definition(json!([
        stage("Source", vec![connection()]),
        stage(
            "Build",
            vec![build("Show", 1, r##"[{"name":"WHAT","value":"x"}]"##)]
        ),
    ]));
    let program = program(folder.path(), &definition, SHOW);
    std::fs::write(folder.path().join("buildspec.yml"), SHOW).unwrap();
    let ran = program.run();
    ran.assert_code(0)
        .assert_stderr("in place of CodeStarSourceConnection");
    program.args(["--source", "app"]).run().assert_code(0);
}

/// An approval, a deployment that does not run here, and one after it that needs what they give.
fn gated() -> Value {
    definition(json!([
        stage("Source", vec![connection()]),
        stage(
            "Deploy",
            vec![
                action(
                    "Ask",
                    ("Approval", "Manual"),
                    json!({"configuration": {"CustomData": "look twice"}})
                ),
                action(
                    "Roll",
                    ("Deploy", "ECS"),
                    json!({"runOrder": 2, "namespace": "Rolled", "inputArtifacts": [{"name": "AppOutput"}],
                        "configuration": {"ClusterName": "c", "ServiceName": "s"}})
                ),
            ]
        ),
        stage(
            "Test",
            vec![build(
                "Show",
                1,
                r##"[{"name":"WHAT","value":"#{codepipeline.PipelineExecutionId}"}]"##
            )]
        ),
    ]))
}

#[test]
fn what_cannot_run_is_passed_over_by_name_only() {
    let folder = tempfile::tempdir().unwrap();
    let program = || program(folder.path(), &gated(), SHOW).args(["--source", "app"]);
    program()
        .run()
        .assert_code(2)
        .assert_stderr("nothing was run")
        .assert_stderr("Deploy/Ask waits for an approval, and without a terminal there is no one to ask; give it with --approve Deploy/Ask")
        .assert_stderr("Deploy/Roll: ECS actions of the category Deploy do not run here; leave it out with --stub Deploy/Roll=outputs.json or --skip Deploy/Roll");
    std::fs::write(folder.path().join("outputs.json"), r#"{"Service": "s"}"#).unwrap();
    let ran = program()
        .args(["--approve", "Ask", "--stub", "Deploy/Roll=outputs.json"])
        .run();
    ran.assert_code(0)
        .assert_stderr("Deploy/Ask: look twice")
        .assert_stderr("Deploy/Ask is approved (--approve)")
        .assert_stderr("Deploy/Roll does not run: its outputs are given (--stub)");
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["Rolled"]["Service"], "s");
    program()
        .args(["--approve", "Ask", "--skip", "Roll"])
        .run()
        .assert_code(0)
        .assert_stderr("Deploy/Roll does not run (--skip)");
    program()
        .args(["--approve", "Asj", "--skip", "Roll"])
        .run()
        .assert_code(2)
        .assert_stderr("--approve: no action Asj (did you mean Ask?)");
    std::fs::write(folder.path().join("outputs.json"), r#"{"Service": 1}"#).unwrap();
    program()
        .args(["--stub", "Roll=outputs.json"])
        .run()
        .assert_code(2)
        .assert_stderr("Service is not a string");
}

#[test]
fn a_part_of_the_pipeline_runs() {
    let folder = tempfile::tempdir().unwrap();
    let program = || program(folder.path(), &gated(), SHOW).args(["--source", "app"]);
    program()
        .args(["--until", "Source"])
        .run()
        .assert_code(0)
        .refute_stderr("Deploy/");
    program()
        .args(["--from", "Test"])
        .run()
        .assert_code(0)
        .assert_stderr("Source/App")
        .assert_stderr("Test/Show")
        .refute_stderr("Deploy/");
    program()
        .args(["--only", "Deploy/Ask", "--approve", "Ask"])
        .run()
        .assert_code(0)
        .refute_stderr("Roll");
    program()
        .args(["--only", "Deploy/Rol", "--from", "Tset"])
        .run()
        .assert_code(2)
        .assert_stderr("no stage Deploy/Rol")
        .assert_stderr("no stage Tset (did you mean Test?)");
}

#[test]
fn artifacts_of_what_does_not_run_are_given() {
    let folder = tempfile::tempdir().unwrap();
    let mut pack = build("Pack", 1, "[]");
    pack["outputArtifacts"] = json!([{"name": "Packed"}]);
    let mut show = build("Show", 1, r##"[{"name":"WHAT","value":"x"}]"##);
    show["inputArtifacts"] = json!([{"name": "Packed"}]);
    let definition = definition(json!([
        stage("Source", vec![connection()]),
        stage("Build", vec![pack]),
        stage("Test", vec![show]),
    ]));
    let program =
        || program(folder.path(), &definition, SHOW).args(["--source", "app", "--only", "Test"]);
    program()
        .run()
        .assert_code(2)
        .assert_stderr("Test/Show: no action of this run has made the artifact Packed")
        .assert_stderr("give it with --artifact Packed=PATH");
    program()
        .args(["--artifact", "Packed=app"])
        .run()
        .assert_code(0);
    program()
        .args(["--artifact", "Pakced=app"])
        .run()
        .assert_code(2)
        .assert_stderr("--artifact: no action makes an artifact Pakced (did you mean Packed?)");
}

#[test]
fn one_group_runs_side_by_side_and_a_failure_lets_the_others_end() {
    let folder = tempfile::tempdir().unwrap();
    // Each of the two waits for the other.
    let meet = "version: 0.2
phases: {build: {commands: ['touch \"$WHAT/$ME\"', 'until [ -e \"$WHAT/$OTHER\" ]; do sleep 0.02; done', 'test \"$ME\" = a', 'echo met']}}
";
    let place = folder.path().join("place");
    std::fs::create_dir(&place).unwrap();
    let variables = |me: &str, other: &str| {
        json!([{"name": "WHAT", "value": place}, {"name": "ME", "value": me}, {"name": "OTHER", "value": other}])
            .to_string()
    };
    let definition = definition(json!([
        stage("Source", vec![connection()]),
        stage(
            "Build",
            vec![
                build("A", 1, &variables("a", "b")),
                build("B", 1, &variables("b", "a")),
                build("Late", 2, "[]"),
            ]
        ),
    ]));
    let ran = program(folder.path(), &definition, meet)
        .args(["--source", "app", "--timeout", "60s"])
        .run();
    ran.assert_code(1)
        .assert_stderr("A | met")
        .refute_stderr("B | met")
        .refute_stderr("Late")
        .assert_stderr("the build Build/B failed")
        .assert_stderr("Build/A");
}

#[test]
fn aws_itself_is_asked_only_when_that_is_allowed() {
    let folder = tempfile::tempdir().unwrap();
    let definition = definition(json!([
        stage("Source", vec![connection()]),
        stage(
            "Deploy",
            vec![action(
                "Stack",
                ("Deploy", "CloudFormation"),
                json!({"inputArtifacts": [{"name": "AppOutput"}], "configuration": {"ActionMode": "CREATE_UPDATE",
                    "StackName": "s", "RoleArn": "arn:aws:iam::000000000000:role/r", "TemplatePath": "AppOutput::t.yml"}})
            )]
        ),
    ]));
    let program = program(folder.path(), &definition, SHOW).args(["--source", "app"]);
    std::fs::write(
        folder.path().join("app/t.yml"),
        "Resources: {T: {Type: 'AWS::SNS::Topic'}}\n",
    )
    .unwrap();
    program
        .run()
        .assert_code(2)
        .assert_stderr("CloudFormation of AWS itself would be asked")
        .assert_stderr("--allow-aws")
        .assert_stderr("Deploy/Stack");
}

#[test]
fn a_batch_runs_in_the_order_of_its_graph() {
    let folder = tempfile::tempdir().unwrap();
    let batch = "version: 0.2
batch:
  fast-fail: false
  build-graph:
    - {identifier: last, depend-on: [broken], env: {variables: {ME: last}}}
    - {identifier: second, depend-on: [first], buildspec: second.yml}
    - {identifier: first, env: {variables: {ME: first}}}
    - {identifier: broken, env: {variables: {ME: broken}}}
phases: {build: {commands: ['echo \"$ME is $CODEBUILD_BATCH_BUILD_IDENTIFIER\"', 'test \"$ME\" != broken', 'touch \"$ME.txt\"']}}
artifacts: {files: ['*.txt']}
";
    let mut all = build("All", 1, "[]");
    all["configuration"]["BatchEnabled"] = "true".into();
    all["configuration"]["CombineArtifacts"] = "true".into();
    all["outputArtifacts"] = json!([{"name": "Made"}]);
    let mut show = build("Show", 1, r##"[{"name":"WHAT","value":"x"}]"##);
    show["inputArtifacts"] = json!([{"name": "Made"}]);
    let definition = definition(json!([
        stage("Source", vec![connection()]),
        stage("Build", vec![all]),
        stage("Test", vec![show]),
    ]));
    let program = || program(folder.path(), &definition, batch).args(["--source", "app"]);
    let second = program();
    let spec = "version: 0.2
phases: {build: {commands: ['echo two', 'touch two.txt', 'printf \"version: 0.2\\nphases: {build: {commands: [ls]}}\\n\" > buildspec.yml']}}
artifacts: {files: ['*.txt', buildspec.yml]}
";
    std::fs::write(folder.path().join("app/second.yml"), spec).unwrap();
    let ran = second.run();
    ran.assert_code(1)
        .assert_stderr("All/first | first is first")
        .assert_stderr("All/second | two")
        .assert_stderr("All/last does not run: broken failed")
        .assert_stderr("the batch Build/All failed");
    let good = batch.replace(" != broken", " != x");
    std::fs::write(folder.path().join("app/buildspec.yml"), good).unwrap();
    let program = Program::new(env!("CARGO_BIN_EXE_run-pipeline"))
        .dir(folder.path())
        .args(["pipeline.json", "--source", "app"]);
    let ran = program.run();
    ran.assert_code(0);
    for name in ["first.txt", "two.txt", "last.txt", "broken.txt"] {
        ran.assert_stderr(&format!("Show | {name}"));
    }
}

#[test]
fn a_project_of_another_file_has_its_buildspec_and_variables() {
    let folder = tempfile::tempdir().unwrap();
    let definition = definition(json!([
        stage("Source", vec![connection()]),
        stage("Build", vec![build("Show", 1, "[]")]),
    ]));
    let projects = json!({"projects": [{
        "name": "p",
        "source": {"type": "CODEPIPELINE", "buildspec": "ci/build.yml"},
        "environment": {"environmentVariables": [
            {"name": "WHAT", "value": "project", "type": "PLAINTEXT"},
            {"name": "KEY", "value": "/key", "type": "PARAMETER_STORE"},
        ]},
    }]});
    std::fs::write(folder.path().join("projects.json"), projects.to_string()).unwrap();
    std::fs::create_dir_all(folder.path().join("app/ci")).unwrap();
    std::fs::write(folder.path().join("app/ci/build.yml"), SHOW).unwrap();
    let program = program(folder.path(), &definition, "version: 0.2\n").args([
        "--source",
        "app",
        "--project-file",
        "projects.json",
    ]);
    program
        .run()
        .assert_code(2)
        .assert_stderr("KEY comes from parameter-store (/key)");
    std::fs::write(
        folder.path().join("stores.json"),
        r#"{"parameter-store": {"/key": "value-of-key"}}"#,
    )
    .unwrap();
    let ran = program.args(["--store-file", "stores.json"]).run();
    let report: Value = serde_json::from_str(&ran.assert_code(0).stdout).unwrap();
    assert_eq!(report["ShowVariables"]["OUT"], "project");
}
