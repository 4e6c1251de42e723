//! Deprecation after a time.

use super::MINUTE;
use crate::inside::Cloud;

#[tokio::test(start_paused = true)]
async fn an_image_and_its_copies_are_deprecated_after_a_time() {
    let cloud = Cloud::new();
    let ended = cloud
        .run()
        .all([("deprecate_after", "90d"), ("copy_to", "us-east-1")])
        .end()
        .await;
    ended.assert_code(0);
    let day = |image: &harness::ec2::Image| image.deprecation.clone().unwrap()[..10].to_owned();
    let expected = harness::ec2::iso(cloud.world.now() + 90 * 24 * 60 * MINUTE);
    assert_eq!(day(&cloud.image(ended.ami())), expected[..10]);
    assert_eq!(day(&cloud.world.images_in("us-east-1")[0]), expected[..10]);
}

#[tokio::test(start_paused = true)]
async fn the_time_to_deprecation_counts_from_the_images_creation() {
    let cloud = Cloud::new();
    let created = cloud.world.now();
    cloud.run().command("start").end().await.assert_code(0);
    tokio::time::sleep(5 * 24 * 60 * MINUTE).await;
    let id = cloud.world.images()[0].id.clone();
    let run = cloud.run().go_on("wait", &id);
    run.set("deprecate_after", "90d").end().await.assert_code(0);
    let expected = harness::ec2::iso(created + 90 * 24 * 60 * MINUTE);
    let found = cloud.image(&id).deprecation.unwrap();
    assert_eq!(found[..10], expected[..10]);
}
