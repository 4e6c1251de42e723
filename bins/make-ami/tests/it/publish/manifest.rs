//! The manifest.

use super::MINUTE;
use crate::INSTANCE;
use crate::inside::Cloud;
use action::codebuild::CodeBuild;
use harness::Fate;
use harness::ec2::{Course, Instance, Volume};

#[tokio::test(start_paused = true)]
async fn the_manifest_tells_what_was_made_of_what_and_what_it_costs() {
    let data = Volume::new("vol-000000000000da7a0", "/dev/sdf", 80).written(8 << 30);
    let cloud = Cloud::with([Instance::running(INSTANCE).volume(data)]);
    cloud.world.outcomes([Course::available(30 * MINUTE)]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("manifest.json");
    let build = CodeBuild {
        build_id: Some("web:1".to_owned()),
        initiator: Some("codepipeline/web-prod".to_owned()),
        resolved_source_version: Some("0123456789abcdef".to_owned()),
        ..CodeBuild::default()
    };
    let run = cloud
        .run()
        .build(build)
        .set("manifest", path.to_str().unwrap());
    let ended = run
        .all([
            ("copy_to", "us-east-1"),
            ("share_with", "111122223333"),
            ("tag", "team=web"),
            ("app", "web"),
        ])
        .end()
        .await;
    ended.assert_code(0);
    let manifest: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let image = cloud.image(ended.ami());
    assert_eq!(manifest["image_id"], image.id);
    assert_eq!(manifest["name"], "web-42");
    assert_eq!(manifest["region"], "eu-west-1");
    assert_eq!(manifest["snapshots"][1]["id"], image.snapshots()[1]);
    assert_eq!(
        manifest["snapshots"][1]["volume_id"],
        "vol-000000000000da7a0"
    );
    assert_eq!(manifest["snapshots"][1]["full_bytes"], 8_u64 << 30);
    assert_eq!(manifest["source"]["instance_id"], INSTANCE);
    assert_eq!(manifest["source"]["consistency"], "no-reboot");
    assert_eq!(manifest["build"]["id"], "web:1");
    assert_eq!(manifest["build"]["commit"], "0123456789abcdef");
    assert_eq!(manifest["build"]["pipeline"], "web-prod");
    assert_eq!(manifest["tags"]["team"], "web");
    assert_eq!(manifest["tags"]["make-ami:app"], "web");
    assert_eq!(manifest["copies"][0]["region"], "us-east-1");
    assert_eq!(manifest["shared_with"][0], "account 111122223333");
    let seconds = manifest["times"]["seconds"].as_u64().unwrap();
    assert!((1800..2000).contains(&seconds), "{manifest:#}");
    let times = ["started", "available", "finished"].map(|time| manifest["times"][time].as_str());
    let times: Vec<&str> = times.into_iter().map(Option::unwrap).collect();
    assert!(times[0] < times[1] && times[1] <= times[2], "{manifest:#}");
    assert_eq!(manifest["cost"]["copies_not_counted"], 1);
    ended.assert_said("not counted: 1 copy of it");
    // 10 GiB in all, at the list price.
    assert_eq!(manifest["cost"]["billed_bytes_at_most"], 10_u64 << 30);
    assert_eq!(manifest["cost"]["usd_per_month"], 0.5);
}

#[tokio::test(start_paused = true)]
async fn a_manifest_that_cannot_be_written_is_refused_first_and_later_keeps_the_image() {
    let cloud = Cloud::new();
    let run = cloud.run().set("manifest", "/nowhere/manifest.json");
    let ended = run.end().await;
    ended
        .assert_code(2)
        .assert_said("the manifest cannot be written; nothing was touched")
        .assert_said("No such file or directory");
    assert!(ended.calls.is_empty(), "{ended}");
    // Its folder goes while the image is made.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("manifest.json");
    let folder = std::sync::Mutex::new(Some(folder));
    cloud.fake.intercept(move |request| {
        if request.operation == "CreateImage" {
            drop(folder.lock().unwrap().take());
        }
        Fate::Served
    });
    let run = cloud.run().set("manifest", path.to_str().unwrap());
    let ended = run.end().await;
    ended
        .assert_code(5)
        .assert_said("cannot write the manifest");
    assert_eq!(cloud.world.images().len(), 1);
}
