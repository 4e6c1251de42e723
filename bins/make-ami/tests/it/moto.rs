//! The built binary against moto, which is not ours. It knows no tags of snapshots in CreateImage, so
//! they come after; nothing in the program knows moto.

use harness::Program;
use harness::moto::Moto;

/// The text between two marks.
fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let rest = text.split_once(from).expect(from).1;
    rest.split_once(to).expect(to).0
}

#[test]
fn an_image_is_made_tagged_found_again_and_cleaned() {
    let Some(moto) = Moto::start() else { return };
    let params = [
        ("ImageId", "ami-12c6146b"),
        ("MinCount", "1"),
        ("MaxCount", "1"),
    ];
    let answer = moto.query("ec2", "RunInstances", &params);
    let instance = between(&answer, "<instanceId>", "</instanceId>").to_owned();
    let program = || {
        Program::new(env!("CARGO_BIN_EXE_make-ami"))
            .envs(moto.env())
            .env("INSTANCE_ID", &instance)
            .env("AMI_NAME", "web-42")
            .env("MAKE_AMI_APP", "web")
            .env("MAKE_AMI_SNAPSHOT_TAGS", "after")
            .env("MAKE_AMI_TAG", "team=web")
    };
    let ran = program().run();
    let exports = ran.assert_code(0).exports();
    let id = exports["AMI_ID"].clone();
    // The mode is warned of, and nothing else looks alarming.
    let alarms: Vec<&str> = ran
        .stderr
        .lines()
        .filter(|line| line.starts_with("warning: ") || line.starts_with("error"))
        .collect();
    assert_eq!(alarms.len(), 1, "{ran}");
    assert!(alarms[0].starts_with("warning: no-reboot: "), "{ran}");
    let images = moto.query("ec2", "DescribeImages", &[("ImageId.1", &id)]);
    assert!(images.contains("make-ami:run"), "{images}");
    for snapshot in exports["AMI_SNAPSHOT_IDS"].split(',') {
        let params = [("SnapshotId.1", snapshot)];
        let found = moto.query("ec2", "DescribeSnapshots", &params);
        assert!(found.contains("<key>team</key>"), "{found}");
    }
    let again = program().run();
    assert_eq!(again.assert_code(0).exports()["AMI_ID"], id);
    let verified = program().args(["verify", "--image", &id]).run();
    verified.assert_code(0);
}
