//! What the built binary is told, and what it says of it.

use crate::{INSTANCE, account, program};
use harness::Program;

#[test]
fn nothing_set_is_a_refusal() {
    Program::new(env!("CARGO_BIN_EXE_make-ami"))
        .run()
        .assert_code(2)
        .assert_stderr("INSTANCE_ID is not set (or --instance-id)");
}

#[test]
fn settings_of_an_env_file_and_aws_variables_in_it_are_both_taken() {
    let (fake, world) = account();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("dev.env");
    let text = format!(
        "INSTANCE_ID={INSTANCE}\nAMI_NAME=from-file\nAWS_ENDPOINT_URL={}\n",
        fake.url()
    );
    std::fs::write(&file, text).unwrap();
    Program::new(env!("CARGO_BIN_EXE_make-ami"))
        .arg("--env-file")
        .arg(&file)
        .run()
        .assert_code(0);
    assert_eq!(world.images()[0].name, "from-file");
}

#[test]
fn a_misspelt_flag_is_answered_with_the_right_one() {
    Program::new(env!("CARGO_BIN_EXE_make-ami"))
        .args(["--snapshot-tgs", "after"])
        .run()
        .assert_code(2)
        .assert_stderr("--snapshot-tags");
}

#[test]
fn every_fault_is_reported_at_once_and_nothing_is_touched() {
    let (fake, _) = account();
    let ran = program(&fake)
        .env("AMI_NAME", "a:b")
        .env("MAKE_AMI_CONSISTENCY", "freeze")
        .env("MAKE_AMI_KEEP", "0")
        .env("MAKE_AMI_COPY_TO", "us-east")
        .env("MAKE_AMI_SHARE_WITH", "12345")
        .env("MAKE_AMI_SNAPSHOT_TAG", "none")
        .run();
    ran.assert_code(2)
        .assert_stderr("\"freeze\" is not a mode; use no-reboot, reboot, stop or quiesce")
        .assert_stderr("AMI_NAME")
        .assert_stderr("MAKE_AMI_KEEP")
        .assert_stderr("\"us-east\" is not a region")
        .assert_stderr("\"12345\" is neither an account id")
        // A misspelt variable is answered with the right one.
        .assert_stderr("MAKE_AMI_SNAPSHOT_TAGS");
    assert!(fake.requests().is_empty());
}

#[test]
fn a_run_key_with_a_wildcard_never_reaches_ec2() {
    let (fake, _) = account();
    program(&fake)
        .env_remove("INSTANCE_ID")
        .args(["clean", "--image", "*"])
        .run()
        .assert_code(2)
        .assert_stderr("would match those of other runs");
    assert!(fake.requests().is_empty());
}

#[test]
fn help_groups_the_settings_names_their_variables_and_shows_how_to_use_it() {
    let ran = Program::new(env!("CARGO_BIN_EXE_make-ami"))
        .arg("--help")
        .run();
    ran.assert_code(0);
    for part in [
        "The instance:",
        "The image:",
        "Afterwards:",
        "Every program:",
        "--consistency <MODE>",
        "[MAKE_AMI_CONSISTENCY]",
        "[default: no-reboot]",
        "make-ami --export-file \"$PWD/.exports\"",
        "  clean ",
    ] {
        assert!(ran.stdout.contains(part), "{part}\n{}", ran.stdout);
    }
    assert_eq!(ran.stderr, "");
}

#[test]
fn short_help_is_one_screen_and_says_where_all_is_explained() {
    let ran = Program::new(env!("CARGO_BIN_EXE_make-ami")).arg("-h").run();
    ran.assert_code(0);
    assert!(ran.stdout.lines().count() <= 50, "{}", ran.stdout);
    assert!(ran.stdout.contains("`make-ami --help` explains every one."));
    assert_eq!(ran.stderr, "");
}
