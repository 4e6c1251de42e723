//! What an image descends from.

use crate::INSTANCE;
use crate::inside::Cloud;
use harness::Reply;
use harness::ec2::{Image, Instance};

const ANCESTRY: &str = "ec2:GetImageAncestry";
const GOLDEN: &str = "ami-0bbbbbbbbbbbbbbbb";
const BASE: &str = "ami-0000000000000ba5e";
const AMAZON: &str = "ami-0cccccccccccccccc";

/// An instance of `BASE`, which was made of `GOLDEN`, which was copied from an image of Amazon's in another Region.
fn family() -> Cloud {
    let cloud = Cloud::with([Instance::running(INSTANCE).image(BASE)]);
    let amazon = Image::available(AMAZON, "al2023").owner("137112412989");
    cloud
        .world
        .add_image_in("us-east-1", amazon.owner_alias("amazon"));
    let mut golden = Image::available(GOLDEN, "golden");
    golden.source_image = Some(("us-east-1".to_owned(), AMAZON.to_owned()));
    cloud.world.add_image(golden);
    let base = Image::available(BASE, "base").descends_from(GOLDEN);
    cloud.world.add_image(base);
    cloud
}

#[tokio::test(start_paused = true)]
async fn an_image_is_verified_by_any_of_its_ancestors_and_not_by_itself() {
    let cloud = family();
    let made = cloud.run().end().await;
    let own = made.ami().to_owned();
    let verify = |ancestors: &str| {
        let run = cloud.run().go_on("verify", &own);
        run.set("must_descend_from", ancestors).end()
    };
    let fine = [
        BASE,
        GOLDEN,
        "amazon",
        "ami-0dddddddddddddddd,ami-0bbbbbbbbbbbbbbbb",
    ];
    for ancestor in fine {
        let ended = verify(ancestor).await;
        assert!(!ended.assert_code(0).changed_anything(), "{ended}");
    }
    for stranger in ["ami-0dddddddddddddddd", "aws-marketplace", &own] {
        let ended = verify(stranger).await;
        ended
            .assert_code(1)
            .assert_said("it does not descend from ")
            .assert_said(&format!(
                "its ancestry: {BASE}, {GOLDEN}, {AMAZON} (amazon))"
            ));
        assert!(ended.exports.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn an_ancestry_that_cannot_be_read_proves_nothing() {
    for (reply, code, said) in [
        (Reply::unauthorized(), 3, "allow ec2:GetImageAncestry"),
        (
            Reply::error(400, "UnsupportedOperation", "not here"),
            1,
            "EC2 knows no ancestry here; a watermark can prove the same",
        ),
        (
            Reply::error(400, "InvalidAction", "The action is not valid"),
            1,
            "EC2 knows no ancestry here",
        ),
    ] {
        let cloud = family();
        let made = cloud.run().end().await;
        cloud.fake.on(ANCESTRY, [reply]);
        let run = cloud.run().go_on("verify", made.ami());
        let ended = run.set("must_descend_from", GOLDEN).end().await;
        ended
            .assert_code(code)
            .assert_said("cannot read the ancestry of image ami-")
            .assert_said(said);
        // Nor is an image made without the proof.
        let run = cloud.run().set("ami_name", "web-43");
        let ended = run.set("must_descend_from", GOLDEN).end().await;
        assert!(!ended.assert_code(code).changed_anything(), "{ended}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_instance_of_another_family_is_not_imaged() {
    let cloud = family();
    let run = |ancestor: &str| cloud.run().set("must_descend_from", ancestor);
    let ended = run("ami-0dddddddddddddddd").end().await;
    ended
        .assert_code(2)
        .assert_said("would not descend from ami-0dddddddddddddddd")
        .assert_said("nothing was touched");
    assert!(!ended.changed_anything(), "{ended}");
    let planned = run("ami-0dddddddddddddddd").dry_run().end().await;
    planned
        .assert_code(2)
        .assert_said("would not descend from ami-0dddddddddddddddd");
    // The image that the instance was started from is an ancestor of what is made of it.
    for ancestor in [BASE, GOLDEN, "amazon"] {
        run(ancestor).dry_run().end().await.assert_code(0);
    }
    run(BASE).end().await.assert_code(0);
}

#[tokio::test(start_paused = true)]
async fn wait_does_not_go_on_with_an_image_of_another_family() {
    let cloud = family();
    let started = cloud.run().command("start").end().await;
    let wait = |ancestor: &str| {
        let run = cloud.run().go_on("wait", started.ami());
        run.set("must_descend_from", ancestor).end()
    };
    let ended = wait("ami-0dddddddddddddddd").await;
    ended
        .assert_code(2)
        .assert_said("does not descend from ami-0dddddddddddddddd");
    assert!(!ended.changed_anything(), "{ended}");
    wait(GOLDEN).await.assert_code(0);
}
