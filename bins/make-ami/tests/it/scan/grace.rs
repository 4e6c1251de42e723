//! How long a finding is known.

use super::{FINDINGS, critical, finding};
use crate::inside::{Cloud, Run};
use harness::ec2::{Image, ImageFinding, ImageScan};
use std::time::{Duration, SystemTime};

const DAY: Duration = Duration::from_secs(86_400);

fn run(cloud: &Cloud) -> Run<'_> {
    let settings = [("scan", "gate"), ("app", "web"), ("scan_grace", "7d")];
    cloud.run().all(settings)
}

/// An image of the application of so many days ago, whose scan found this then.
fn image(cloud: &Cloud, n: u32, days: u32, found: &[ImageFinding]) {
    let then: SystemTime = cloud.world.now() - days * DAY;
    let id = format!("ami-0e00000000000000{n}");
    let image = Image::available(&id, &format!("web-{n}")).tag("make-ami:app", "web");
    let mut image = image.created(&harness::ec2::iso(then));
    image.scans.push(ImageScan::at(then, found.to_vec()));
    cloud.world.add_image(image);
}

#[tokio::test(start_paused = true)]
async fn a_finding_counts_once_an_image_from_before_the_grace_had_it() {
    for (days, found, code) in [
        (8, vec![critical()], 5),
        (6, vec![critical()], 5),
        (8, vec![], 0),
    ] {
        let cloud = finding([critical()]);
        image(&cloud, 1, days, &found);
        let ended = run(&cloud).end().await;
        assert_eq!(ended.code, Some(code), "{days} days, {found:?}\n{ended}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_scanned_image_from_before_the_grace_every_finding_counts() {
    let cloud = finding([critical()]);
    let ended = run(&cloud).end().await;
    ended
        .assert_code(5)
        .assert_said("no scanned image of web is older than MAKE_AMI_SCAN_GRACE");
}

#[tokio::test(start_paused = true)]
async fn the_newest_image_from_before_the_grace_is_asked() {
    let cloud = finding([critical()]);
    image(&cloud, 1, 30, &[critical()]);
    image(&cloud, 2, 9, &[]);
    image(&cloud, 3, 2, &[critical()]);
    let ended = run(&cloud).end().await;
    ended.assert_code(0).assert_said("none of 1 finding counts");
    // Those of the new image, and those of one earlier one.
    assert_eq!(ended.count(FINDINGS), 2);
}

#[tokio::test(start_paused = true)]
async fn what_ec2_itself_says_to_be_old_counts() {
    let mut old = critical();
    old.first_observed = Some("2020-01-01T00:00:00.000Z".to_owned());
    let cloud = finding([old]);
    image(&cloud, 1, 8, &[]);
    run(&cloud).end().await.assert_code(5);
}
