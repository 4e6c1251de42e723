//! `run-pipeline` reads `cfn/pipeline.yml` as it is, whoever makes the image.

use harness::Program;
use stacks::stack::repository;

use crate::page::built;

#[test]
fn run_pipeline_checks_and_plans_either_ami_action() {
    let stubs = tempfile::tempdir().unwrap();
    let outputs = stubs.path().join("outputs.json");
    std::fs::write(&outputs, r#"{"AMI_ID": "ami-0123456789abcdef0"}"#).unwrap();
    for (action, kind) in [
        ("codebuild", "AMI/AMI: CodeBuild"),
        ("worker", "AMI/AMI: MakeAmi, stubbed"),
    ] {
        let run = |command| {
            Program::new(built().join("run-pipeline"))
                .dir(repository())
                .args([command, "cfn/pipeline.yml"])
                .args(["--parameter-file", "cfn/config/pipeline-dev.json"])
                .args(["--parameter", &format!("AmiAction={action}")])
        };
        run("check").run().assert_code(0).refute_stderr("error");
        let mut plan = run("plan");
        if action == "worker" {
            plan = plan.arg("--stub");
            plan = plan.arg(format!("AMI/AMI={}", outputs.display()));
        }
        let ran = plan.run();
        ran.assert_code(0);
        assert!(ran.stdout.contains(kind), "{}", ran.stdout);
    }
}
