//! Retries and roll-backs over runs that were kept.

use std::path::{Path, PathBuf};
use std::time::Duration;

use harness::Program;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::foreign::{action, build, connection, definition, program, stage};

/// A pipeline of a build that makes an artifact, a stage of two actions, and one more, with everything that a test
/// looks at. The builds write their names into `ran`; the action Second fails while there is a file `broken`.
struct World {
    folder: TempDir,
    definition: Value,
}

impl World {
    fn new(on_failure: Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut first = build("Make", 1, r##"[{"name":"WHAT","value":"Make"}]"##);
        first["outputArtifacts"] = json!([{"name": "Made"}]);
        let variables = |what: &str| {
            format!(
                r##"[{{"name":"WHAT","value":"{what}"}},{{"name":"SEEN","value":"#{{MakeVariables.OUT}}"}}]"##
            )
        };
        let of_made = |name: &str, order: u32| {
            let mut one = build(name, order, &variables(name));
            one["inputArtifacts"] = json!([{"name": "Made"}]);
            one
        };
        let mut stages = vec![
            stage("Source", vec![connection()]),
            stage("Build", vec![first]),
            stage("Deploy", vec![of_made("First", 1), of_made("Second", 2)]),
            stage("After", vec![of_made("Last", 1)]),
        ];
        if !on_failure.is_null() {
            stages[2]["onFailure"] = on_failure;
        }
        let definition = definition(json!(stages));
        let world = Self { folder, definition };
        world.version("one");
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The source says this.
    fn version(&self, text: &str) {
        std::fs::create_dir_all(self.path("app")).unwrap();
        std::fs::write(self.path("app/version"), text).unwrap();
    }

    fn program(&self) -> Program {
        let root = self.folder.path().display();
        let buildspec = format!(
            "version: 0.2
env: {{exported-variables: [OUT]}}
phases:
  build:
    commands:
      - echo \"$WHAT $(cat version)\" >> {root}/ran
      - test \"$WHAT\" != Second || test ! -e {root}/broken
      - test \"$WHAT\" != Second || test ! -e {root}/slow || sleep 60
      - test \"$WHAT\" = Make || test \"$SEEN\" = \"Make $(cat version)\"
      - OUT=\"$WHAT $(cat version)\"
artifacts: {{files: ['**/*']}}
"
        );
        program(self.folder.path(), &self.definition, &buildspec).args([
            "--source",
            "app",
            "--history-dir",
            "history",
        ])
    }

    /// What ran since it was asked last.
    fn ran(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.path("ran")).unwrap_or_default();
        let _ = std::fs::remove_file(self.path("ran"));
        text.lines().map(str::to_owned).collect()
    }

    fn break_second(&self, is_broken: bool) {
        if is_broken {
            std::fs::write(self.path("broken"), "").unwrap();
        } else {
            std::fs::remove_file(self.path("broken")).unwrap();
        }
    }

    /// The ids of the runs that are kept.
    fn runs(&self) -> Vec<String> {
        let folders = std::fs::read_dir(self.path("history")).unwrap();
        folders
            .map(|one| one.unwrap().file_name().into_string().unwrap())
            .collect()
    }
}

fn id(stdout: &str) -> String {
    let report: Value = serde_json::from_str(stdout).unwrap();
    let id = report["codepipeline"]["PipelineExecutionId"].as_str();
    id.unwrap().to_owned()
}

#[test]
fn a_failed_stage_is_retried_with_what_was_kept() {
    let world = World::new(Value::Null);
    world.break_second(true);
    world.program().run().assert_code(1);
    assert_eq!(world.ran(), ["Make one", "First one", "Second one"]);
    // What changed since is not in that run.
    world.version("two");
    world.program().arg("--retry").run().assert_code(1);
    assert_eq!(world.ran(), ["Second one"]);
    world.break_second(false);
    let ran = world.program().arg("--retry").run();
    ran.assert_code(0)
        .assert_stderr("Build/Make (CodeBuild, kept from the run");
    assert_eq!(world.ran(), ["Second one", "Last one"]);
    assert_eq!(
        world.runs(),
        [id(&ran.stdout)],
        "it stays the same execution"
    );
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["MakeVariables"]["OUT"], "Make one");
    assert_eq!(report["LastVariables"]["OUT"], "Last one");
    world
        .program()
        .arg("--retry")
        .run()
        .assert_code(2)
        .assert_stderr("every stage of it has succeeded");
    // A new run is a run of its own.
    world.program().run().assert_code(0);
    assert_eq!(
        world.ran(),
        ["Make two", "First two", "Second two", "Last two"]
    );
    assert_eq!(world.runs().len(), 2);
}

#[test]
fn all_actions_of_the_failed_stage_are_retried_when_that_is_meant() {
    let world = World::new(Value::Null);
    world.break_second(true);
    world.program().run().assert_code(1);
    world.break_second(false);
    world.ran();
    let [run] = &world.runs()[..] else {
        panic!("one run")
    };
    let retry = format!("--retry={run}");
    let retry = [retry.as_str(), "--retry-mode", "ALL_ACTIONS"];
    let plan = Program::new(env!("CARGO_BIN_EXE_run-pipeline"))
        .dir(world.folder.path())
        .args(["plan", "pipeline.json", "--history-dir", "history"])
        .args(retry)
        .run();
    let plan = &plan.assert_code(0).stdout;
    assert!(
        plan.contains("Build/Make: CodeBuild, kept from the run"),
        "{plan}"
    );
    assert!(plan.contains("Deploy/First: CodeBuild\n"), "{plan}");
    assert!(world.ran().is_empty());
    world.program().args(retry).run().assert_code(0);
    assert_eq!(world.ran(), ["First one", "Second one", "Last one"]);
}

#[test]
fn a_run_that_was_killed_is_taken_up() {
    let world = World::new(Value::Null);
    std::fs::write(world.path("slow"), "").unwrap();
    let running = world.program().spawn();
    running.wait_for_stderr(
        "Second $ test \"$WHAT\" != Second || test ! -e",
        Duration::from_secs(30),
    );
    running.wait_for_stderr("|| sleep 60", Duration::from_secs(30));
    running.signal(9);
    running.finish();
    std::fs::remove_file(world.path("slow")).unwrap();
    assert_eq!(world.ran(), ["Make one", "First one", "Second one"]);
    // It was killed while it wrote.
    let [run] = &world.runs()[..] else {
        panic!("one run")
    };
    let record = world.path("history").join(run).join("record.jsonl");
    let mut text = std::fs::read(&record).unwrap();
    text.extend_from_slice(b"{\"event\":\"action\",\"stage\":\"Dep");
    std::fs::write(&record, text).unwrap();
    world.program().arg("--retry").run().assert_code(0);
    assert_eq!(world.ran(), ["Second one", "Last one"]);
    // The lines after the torn one are read.
    world
        .program()
        .arg("--retry")
        .run()
        .assert_code(2)
        .assert_stderr("every stage of it has succeeded");
}

#[test]
fn what_does_not_fit_is_refused() {
    let world = World::new(Value::Null);
    let refused = |program: Program, said: &str| {
        program.run().assert_code(2).assert_stderr(said);
        assert!(world.ran().is_empty());
    };
    refused(world.program().arg("--retry"), "holds no record of a run");
    world.break_second(true);
    world.program().run().assert_code(1);
    world.ran();
    refused(
        world.program().arg("--retry=0"),
        "holds no record of the run 0",
    );
    refused(
        world.program().args(["--retry", "--only", "After"]),
        "--from, --until and --only cannot be used with it",
    );
    refused(
        world.program().args(["--retry", "--rollback", "Deploy"]),
        "a retry or a roll-back, not both",
    );
    refused(
        world.program().args(["--rollback", "Deploy"]),
        "no kept run of the stage Deploy succeeded",
    );
    refused(
        world.program().args(["--rollback", "Source"]),
        "it is the stage of the sources",
    );
    let [run] = &world.runs()[..] else {
        panic!("one run")
    };
    let room = world.path("history").join(run);
    // It goes on in another process.
    let held = std::fs::File::open(room.join("record.jsonl")).unwrap();
    held.lock().unwrap();
    refused(world.program().arg("--retry"), "is still going on");
    drop(held);
    // The pipeline is another one.
    let mut other = World::new(Value::Null);
    other.definition["pipeline"]["stages"][2]["actions"][1]["name"] = "Third".into();
    std::fs::rename(world.path("history"), other.path("history")).unwrap();
    other
        .program()
        .arg("--retry")
        .run()
        .assert_code(2)
        .assert_stderr("the pipeline has changed since: Deploy/Second");
    // An artifact is not what it was.
    std::fs::rename(other.path("history"), world.path("history")).unwrap();
    std::fs::write(room.join("artifacts/Made.zip"), "x").unwrap();
    refused(
        world.program().arg("--retry"),
        "the artifact Made of Build/Make is not what the run has made",
    );
}

#[test]
fn a_stage_is_rolled_back_to_the_last_run_in_which_it_succeeded() {
    let world = World::new(json!({"result": "ROLLBACK"}));
    world.break_second(true);
    world
        .program()
        .run()
        .assert_code(1)
        .assert_stderr("nothing was rolled back: the stage Deploy has not succeeded");
    world.break_second(false);
    let one = id(&world.program().run().assert_code(0).stdout);
    world.version("two");
    let two = id(&world.program().run().assert_code(0).stdout);
    world.ran();
    // The condition of a stage that fails only with this version.
    world.version("three");
    let spec = "test \"$(cat version)\" != three";
    let program = world.program();
    let buildspec = std::fs::read_to_string(world.path("app/buildspec.yml")).unwrap();
    let checked = buildspec.replace(
        "      - OUT=",
        &format!("      - test \"$WHAT\" != Second || {spec}\n      - OUT="),
    );
    std::fs::write(world.path("app/buildspec.yml"), checked).unwrap();
    program
        .run()
        .assert_code(1)
        .assert_stderr(&format!("the stage Deploy is rolled back to the run {two}"))
        .assert_stderr("done so far: the stage Deploy was rolled back to the run");
    assert_eq!(
        world.ran(),
        [
            "Make three",
            "First three",
            "Second three",
            "First two",
            "Second two"
        ]
    );
    // By hand, to a run that is named.
    let ran = world
        .program()
        .args(["--rollback", "Deploy", "--rollback-to", &one])
        .run();
    ran.assert_code(0);
    assert_eq!(world.ran(), ["First one", "Second one"]);
    // A run that rolled back is no target.
    world
        .program()
        .args(["--rollback", "Deploy", "--rollback-to", &id(&ran.stdout)])
        .run()
        .assert_code(2)
        .assert_stderr("or that run is a roll-back itself");
    world
        .program()
        .args(["--rollback", "Deploy"])
        .run()
        .assert_code(0);
    assert_eq!(world.ran(), ["First two", "Second two"]);
}

#[test]
fn without_kept_runs_a_roll_back_is_named_and_not_done() {
    let world = World::new(json!({"result": "ROLLBACK"}));
    world.break_second(true);
    let folder = world.folder.path();
    let bare = Program::new(env!("CARGO_BIN_EXE_run-pipeline")).dir(folder);
    drop(world.program());
    bare.args(["pipeline.json", "--source", "app"])
        .run()
        .assert_code(1)
        .assert_stderr("without --history-dir here nothing is rolled back");
    assert!(!Path::new(&world.path("history")).exists());
}

#[test]
fn a_skipped_action_stays_skipped() {
    let mut world = World::new(Value::Null);
    let notify = action(
        "Notify",
        ("Invoke", "Lambda"),
        json!({"configuration": {"FunctionName": "f"}}),
    );
    let stages = world.definition["pipeline"]["stages"]
        .as_array_mut()
        .unwrap();
    stages[1]["actions"].as_array_mut().unwrap().push(notify);
    world.break_second(true);
    let skip = ["--skip", "Notify"];
    world.program().args(skip).run().assert_code(1);
    world.break_second(false);
    world.ran();
    // The earlier stage is taken over as it was: nothing has to be said again.
    world.program().arg("--retry").run().assert_code(0);
    assert_eq!(world.ran(), ["Second one", "Last one"]);
}
