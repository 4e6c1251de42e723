//! KMS, the EBS direct APIs and CodeBuild, asked by the AWS SDK.

use std::time::{Duration, SystemTime};

use harness::FakeAws;
use harness::codebuild::{Build, CodeBuild};
use harness::ebs::Ebs;
use harness::kms::{Key, Kms};

use crate::sdk;

#[tokio::test]
async fn a_key_is_found_by_id_arn_and_alias_in_its_region() {
    let fake = FakeAws::offline();
    let own = Key::customer("mrk-1").alias("alias/images");
    let arn = own.arn();
    Kms::with([own, Key::aws_ebs("2").state("Disabled")]).serve(&fake);
    let client = aws_sdk_kms::Client::new(&sdk::config(&fake, "eu-west-1"));
    let alias = "arn:aws:kms:eu-west-1:123456789012:alias/images";
    for name in ["mrk-1", &arn, "alias/images", alias] {
        let found = client.describe_key().key_id(name).send().await.unwrap();
        let found = found.key_metadata().unwrap();
        assert_eq!(found.arn(), Some(arn.as_str()), "{name}");
        assert_eq!(found.key_manager().unwrap().as_str(), "CUSTOMER");
        assert_eq!((found.multi_region(), found.enabled()), (Some(true), true));
    }
    let managed = client.describe_key().key_id("alias/aws/ebs").send().await;
    let managed = managed.unwrap().key_metadata.unwrap();
    assert_eq!(managed.key_manager().unwrap().as_str(), "AWS");
    assert_eq!(managed.key_state().unwrap().as_str(), "Disabled");
    let elsewhere = aws_sdk_kms::Client::new(&sdk::config(&fake, "eu-west-3"));
    let absent = elsewhere.describe_key().key_id("mrk-1").send().await;
    assert_eq!(sdk::code(absent), "NotFoundException");
}

#[tokio::test]
async fn changed_blocks_are_counted_over_pages() {
    let (fake, ebs) = (FakeAws::offline(), Ebs::new());
    ebs.serve(&fake);
    ebs.snapshot("snap-1", "vol-1", 8, (0..250).map(|index| (index, 1)));
    // A hundred blocks are new, fifty have other content, and ten are gone.
    let second = (0..350).filter(|index| !(240..250).contains(index));
    let second = second.map(|index| (index, if index < 50 { 2 } else { 1 }));
    ebs.snapshot("snap-2", "vol-1", 8, second);
    ebs.snapshot("snap-3", "vol-3", 8, []);
    ebs.page_size(60);
    let client = aws_sdk_ebs::Client::new(&sdk::config(&fake, "eu-west-1"));
    let changed = client.list_changed_blocks().second_snapshot_id("snap-2");
    let mut pages = changed
        .clone()
        .first_snapshot_id("snap-1")
        .into_paginator()
        .send();
    let mut counts = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        assert_eq!(page.block_size(), Some(512 << 10));
        counts.push(page.changed_blocks().len());
    }
    assert_eq!(counts, [60, 60, 40]);
    assert_eq!(fake.operations(), ["ebs:ListChangedBlocks"; 3]);
    let unrelated = changed.clone().first_snapshot_id("snap-3").send().await;
    assert_eq!(sdk::code(unrelated), "ValidationException");
    let few = changed.first_snapshot_id("snap-1").max_results(99);
    assert_eq!(sdk::code(few.send().await), "ValidationException");
    let all = client.list_snapshot_blocks().snapshot_id("snap-2");
    let all = all.send().await.unwrap();
    assert_eq!((all.blocks().len(), all.volume_size()), (60, Some(8)));
    let absent = client.list_snapshot_blocks().snapshot_id("snap-9").send();
    assert_eq!(sdk::code(absent.await), "ResourceNotFoundException");
}

#[tokio::test]
async fn a_build_tells_its_limit_and_when_it_began() {
    let fake = FakeAws::offline();
    let started = SystemTime::UNIX_EPOCH + Duration::from_millis(1_800_000_000_500);
    let builds = CodeBuild::with([
        Build::running("app:1", started).timeout_in_minutes(Some(90)),
        Build::running("app:2", started).timeout_in_minutes(None),
    ]);
    builds.serve(&fake);
    builds.change("app:2", |build| build.status = "STOPPED".to_owned());
    let client = aws_sdk_codebuild::Client::new(&sdk::config(&fake, "eu-west-1"));
    let asked = client.batch_get_builds().ids("app:1").ids("app:2");
    let answer = asked.ids("app:3").send().await.unwrap();
    let [first, second] = answer.builds() else {
        panic!("{answer:?}")
    };
    assert_eq!(first.timeout_in_minutes(), Some(90));
    assert_eq!(
        first.start_time().unwrap().to_millis().unwrap(),
        1_800_000_000_500
    );
    assert!(!first.build_complete());
    assert_eq!(second.timeout_in_minutes(), None);
    assert_eq!(second.build_status().unwrap().as_str(), "STOPPED");
    assert_eq!(answer.builds_not_found(), ["app:3"]);
}
