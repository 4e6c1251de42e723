//! Stacks that are there already, roll back, or belong to somebody else.

use harness::Reply;

use super::{BUILDSPEC, PIPELINE, fake, program};
use crate::world::serve_stacks;

#[test]
fn a_stack_that_is_there_is_updated_and_one_without_changes_is_left() {
    let fake = fake(BUILDSPEC);
    serve_stacks(
        &fake,
        Some("UPDATE_COMPLETE"),
        &["UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"],
    );
    let folder = tempfile::tempdir().unwrap();
    let program = program(folder.path(), PIPELINE).envs(fake.env());
    program
        .run()
        .assert_code(0)
        .assert_stderr("updating the stack app");
    assert!(fake.requests_for("cloudformation:CreateStack").is_empty());
    fake.first(
        "cloudformation:UpdateStack",
        [Reply::error(
            400,
            "ValidationError",
            "No updates are to be performed.",
        )],
    );
    program
        .run()
        .assert_code(0)
        .assert_stderr("the stack app is up to date");
}

#[test]
fn a_deployment_that_rolls_back_is_red_and_says_which_resource() {
    let fake = fake(BUILDSPEC);
    serve_stacks(&fake, None, &["CREATE_IN_PROGRESS", "ROLLBACK_COMPLETE"]);
    let folder = tempfile::tempdir().unwrap();
    let ran = program(folder.path(), PIPELINE).envs(fake.env()).run();
    ran.assert_code(1)
        .assert_stderr("the deployment of the stack app in eu-west-1 ended in ROLLBACK_COMPLETE")
        .assert_stderr("  CREATE_FAILED Group (AWS::AutoScaling::AutoScalingGroup): no capacity")
        .assert_stderr("done so far: AMI/AMI");
    assert_eq!(ran.stdout, "(exit 1)\n");
    let program = program(folder.path(), PIPELINE).envs(fake.env());
    program
        .run()
        .assert_code(2)
        .assert_stderr("is ROLLBACK_COMPLETE and cannot be updated");
}

#[test]
fn a_stack_that_somebody_works_on_is_lost() {
    let fake = fake(BUILDSPEC);
    serve_stacks(&fake, Some("UPDATE_IN_PROGRESS"), &[]);
    let folder = tempfile::tempdir().unwrap();
    program(folder.path(), PIPELINE)
        .envs(fake.env())
        .run()
        .assert_code(7)
        .assert_stderr("another deployment works on it");
}
