//! Retiring older images.

use crate::inside::{Cloud, Event};
use harness::codebuild::{Build, CodeBuild};
use harness::ec2::{Course, Image, LaunchTemplate, iso};
use harness::{Fate, Reply};
use std::time::{Duration, SystemTime};

const DAY: Duration = Duration::from_secs(86_400);

fn id(letter: char) -> String {
    format!("ami-0{}", String::from(letter).repeat(16))
}

/// An account with images of the application `web` that are so many days old.
fn account<const N: usize>(ages: [(char, u32); N]) -> Cloud {
    let cloud = Cloud::new();
    for (letter, days) in ages {
        let made = iso(cloud.world.now() - days * DAY);
        let image = Image::available(&id(letter), &format!("web-{letter}")).created(&made);
        cloud.world.add_image(image.tag("make-ami:app", "web"));
    }
    cloud
}

/// Which of the older images are left.
fn left(cloud: &Cloud) -> String {
    let images = cloud.world.images();
    ('a'..='f')
        .filter(|letter| images.iter().any(|image| image.id == id(*letter)))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn the_newest_of_the_application_are_kept_and_the_new_one_counts() {
    let cloud = account([('a', 4), ('b', 3), ('c', 2), ('d', 1)]);
    let other = Image::available(&id('e'), "other").tag("make-ami:app", "other");
    cloud.world.add_image(other);
    cloud
        .world
        .add_image(Image::available(&id('f'), "untagged"));
    let run = cloud.run().set("app", "web").set("keep", "3");
    let ended = run.set("retire", "deregister").end().await;
    ended
        .assert_code(0)
        .assert_said(&format!("deregister {} (web-a, of", id('a')));
    assert_eq!(left(&cloud), "cdef", "{ended}");
    // Their snapshots went with them.
    let snapshots = cloud.world.snapshots();
    assert_eq!(snapshots.len(), 5, "{snapshots:?}");
    // The plan is printed before anything is done.
    let plan = ended.said.find("retention of web").unwrap();
    let image = ended.said.find("image available after").unwrap();
    assert!(image < plan, "{ended}");
}

#[tokio::test(start_paused = true)]
async fn images_beyond_an_age_go() {
    let cloud = account([('a', 40), ('b', 31), ('c', 29), ('d', 1)]);
    let run = cloud.run().set("app", "web").set("max_age", "30d");
    run.set("retire", "deregister").end().await.assert_code(0);
    assert_eq!(left(&cloud), "cd");
}

#[tokio::test(start_paused = true)]
async fn with_both_an_image_goes_only_when_it_is_old_and_one_too_many() {
    let cloud = account([('a', 40), ('b', 35), ('c', 33), ('d', 1)]);
    let run = cloud.run().set("app", "web").set("keep", "3");
    let run = run.set("max_age", "30d").set("retire", "deregister");
    run.end().await.assert_code(0);
    assert_eq!(left(&cloud), "cd");
}

#[tokio::test(start_paused = true)]
async fn the_ladder_takes_three_runs() {
    let cloud = account([('a', 10)]);
    let run = async |name: &str| {
        let run = cloud.run().set("ami_name", name).set("app", "web");
        run.set("keep", "1").end().await
    };
    let first = run("web-1").await;
    first
        .assert_code(0)
        .assert_said(&format!("deprecate {}", id('a')));
    let image = cloud.image(&id('a'));
    assert!(image.deprecation.is_some());
    assert_eq!(image.state, "available");
    // A deprecation comes a minute later at the earliest.
    tokio::time::sleep(2 * DAY).await;
    cloud.world.change_image(&id('a'), |image| {
        image.deprecation = Some("2020-01-01T00:00:00.000Z".to_owned());
    });
    let second = run("web-2").await;
    second
        .assert_code(0)
        .assert_said(&format!("disable {}", id('a')));
    assert_eq!(cloud.image(&id('a')).state, "disabled");
    let third = run("web-3").await;
    third
        .assert_code(0)
        .assert_said(&format!("deregister {}", id('a')));
    assert_eq!(left(&cloud), "");
    let gone = cloud.world.snapshots();
    assert!(gone.iter().all(|one| !one.id.contains("aaaa")), "{gone:?}");
}

#[tokio::test(start_paused = true)]
async fn referenced_images_are_kept_with_the_reason_and_the_others_go() {
    let cloud = account([('a', 4), ('b', 3)]);
    let recipe = "arn:aws:imagebuilder:eu-west-1:123456789012:image-recipe/web/1.0.0";
    cloud
        .world
        .reference(&id('a'), "imagebuilder:ImageRecipe", recipe);
    let run = cloud.run().set("app", "web").set("keep", "1");
    let ended = run.set("retire", "deregister").end().await;
    ended
        .assert_code(0)
        .assert_said(&format!("keep {}", id('a')))
        .assert_said(&format!("{recipe} refers to it"));
    assert_eq!(left(&cloud), "a");
}

/// A group may stay at a version that is neither the default nor among the last ten.
#[tokio::test(start_paused = true)]
async fn an_image_of_an_old_version_of_a_launch_template_is_kept() {
    let cloud = account([('a', 4), ('b', 3)]);
    let (old, new) = (id('a'), "ami-0ffffffffffffffff");
    let versions = [old.as_str()].into_iter().chain([new; 14]);
    let template = LaunchTemplate::new("lt-0123456789abcdef0", "web", versions);
    cloud.world.add_launch_template(template);
    let run = cloud.run().set("app", "web").set("keep", "1");
    let ended = run.set("retire", "deregister").end().await;
    ended
        .assert_code(0)
        .assert_said("launch-template/lt-0123456789abcdef0 refers to it");
    assert_eq!(left(&cloud), "a", "{ended}");
}

#[tokio::test(start_paused = true)]
async fn an_image_that_is_shared_is_kept_since_nobody_sees_who_uses_it() {
    let cloud = account([('a', 4), ('b', 3), ('c', 2)]);
    let share = |letter, whom: &str| {
        let whom = whom.to_owned();
        let change = |image: &mut Image| image.shared_with.push(whom);
        cloud.world.change_image(&id(letter), change);
    };
    share('a', "111122223333");
    share('b', "all");
    let run = cloud.run().set("app", "web").set("keep", "1");
    let ended = run.set("retire", "deregister").end().await;
    ended
        .assert_code(0)
        .assert_said("a launch permission of account 111122223333 refers to it")
        .assert_said("a launch permission of everybody refers to it");
    assert_eq!(left(&cloud), "ab", "{ended}");
}

/// Otherwise they would grow for ever: home's retention knows nothing of them.
#[tokio::test(start_paused = true)]
async fn copies_in_other_regions_are_retired_there() {
    const AWAY: &str = "us-east-1";
    let cloud = Cloud::new();
    let run = async |name: &str, wait: &str| {
        let settings = [
            ("ami_name", name),
            ("app", "web"),
            ("keep", "1"),
            ("retire", "deregister"),
            ("copy_to", AWAY),
            ("copy_wait", wait),
        ];
        cloud.run().all(settings).end().await
    };
    let names = |region: &str| {
        let images = cloud.world.images_in(region).into_iter();
        images.map(|image| image.name).collect::<Vec<_>>()
    };
    run("web-1", "yes").await.assert_code(0);
    let second = run("web-2", "yes").await;
    second
        .assert_code(0)
        .assert_said("retention of web in us-east-1:");
    assert_eq!(names("eu-west-1"), ["web-2"], "{second}");
    assert_eq!(names(AWAY), ["web-2"], "{second}");
    assert_eq!(cloud.world.snapshots_in(AWAY).len(), 1);
    // A copy that may still fail replaces none.
    cloud.world.copy_outcomes([Course::available(DAY)]);
    run("web-3", "no").await.assert_code(0);
    assert_eq!(names(AWAY), ["web-2", "web-3"]);
    assert_eq!(names("eu-west-1"), ["web-3"]);
}

/// The build would be over before the exports were written.
#[tokio::test(start_paused = true)]
async fn an_image_is_handed_over_in_time_when_older_ones_go_slowly() {
    let minutes = |n: u64| Duration::from_secs(60 * n);
    let cloud = account([('a', 4), ('b', 3)]);
    cloud.world.outcomes([Course::available(minutes(57))]);
    CodeBuild::with([Build::running("web:1", SystemTime::now())]).serve(&cloud.fake);
    cloud
        .fake
        .intercept(|request| match request.operation.as_str() {
            "DescribeImageReferences" | "ListChangedBlocks" | "DeregisterImage" => {
                Fate::Late(Duration::from_secs(50))
            }
            _ => Fate::Served,
        });
    let run = cloud.run().in_build("web:1").set("app", "web");
    let run = run.set("keep", "1").set("retire", "deregister");
    let ended = run.end().await;
    ended.assert_code(0).assert_said("older");
    assert!(
        ended.took < minutes(60) - Duration::from_secs(30),
        "{ended}"
    );
    assert!(left(&cloud).contains('b'), "{ended}");
}

#[tokio::test(start_paused = true)]
async fn snapshots_that_count_as_used_for_a_moment_go_all_the_same() {
    let cloud = account([('a', 4)]);
    cloud.world.snapshots_linger(3);
    let run = cloud.run().set("app", "web").set("keep", "1");
    let ended = run.set("retire", "deregister").end().await;
    ended.assert_code(0).refute_said("another image uses it");
    let gone = cloud.world.snapshots();
    assert!(gone.iter().all(|one| !one.id.contains("aaaa")), "{gone:?}");
    // For good, it is listed.
    let cloud = account([('a', 4)]);
    cloud.world.snapshots_linger(99);
    let run = cloud.run().set("app", "web").set("keep", "1");
    let ended = run.set("retire", "deregister").end().await;
    ended
        .assert_code(0)
        .assert_said("aws ec2 delete-snapshot --region eu-west-1 --snapshot-id snap-0aaaa");
}

#[tokio::test(start_paused = true)]
async fn more_than_ten_images_are_asked_about_in_several_calls() {
    let cloud = Cloud::new();
    for n in 0..23 {
        let id = format!("ami-1{n:016x}");
        let image = Image::available(&id, &format!("web-{n}")).tag("make-ami:app", "web");
        cloud.world.add_image(image);
    }
    cloud.world.page_size(7);
    let parameter = "arn:aws:ssm:eu-west-1:123456789012:parameter/web";
    let used = format!("ami-1{:016x}", 15);
    cloud.world.reference(&used, "ssm:Parameter", parameter);
    let run = cloud.run().set("app", "web").set("keep", "1");
    let ended = run.set("retire", "deregister").end().await;
    ended.assert_code(0);
    let left = cloud.world.images();
    let ids: Vec<&str> = left.iter().map(|image| image.id.as_str()).collect();
    assert_eq!(ids, [used.as_str(), ended.ami()], "{ended}");
}

#[tokio::test(start_paused = true)]
async fn when_it_cannot_be_asked_what_is_used_everything_stays_and_the_run_succeeds() {
    for operation in [
        "ec2:DescribeImageReferences",
        "ec2:DescribeLaunchTemplateVersions",
        "ec2:DescribeImageAttribute",
    ] {
        let cloud = account([('a', 4), ('b', 3)]);
        cloud.fake.on(operation, [Reply::unauthorized()]);
        let run = cloud.run().set("app", "web").set("keep", "1");
        let ended = run.set("retire", "deregister").end().await;
        ended
            .assert_code(0)
            .assert_said("older images stay: cannot find out what refers to images in eu-west-1")
            .assert_said("UnauthorizedOperation")
            .assert_said(&format!("allow {operation}"));
        assert_eq!(left(&cloud), "ab");
        assert!(!ended.exports.is_empty());
    }
}

/// Somebody removes an image between the look for it and the questions about it; EC2 then answers none of the ten.
#[tokio::test(start_paused = true)]
async fn an_image_that_is_gone_meanwhile_does_not_keep_the_others() {
    for (operation, code) in [
        ("DescribeImageReferences", "InvalidAMIID.NotFound"),
        ("DescribeImageReferences", "InvalidAMIID.Unavailable"),
        ("DescribeImageAttribute", "InvalidAMIID.NotFound"),
    ] {
        let cloud = account([('a', 4), ('b', 3), ('c', 2), ('d', 1)]);
        cloud.fake.intercept(move |request| {
            let mut asked = request.list("ImageId");
            asked.extend(request.param("ImageId").map(str::to_owned));
            // It names one of the two in each answer.
            let gone = [id('b'), id('c')].into_iter();
            let mut gone = gone.filter(|_| request.operation == operation);
            match gone.rfind(|gone| asked.contains(gone)) {
                Some(gone) => {
                    let message = format!("The image id '[{gone}]' does not exist");
                    Fate::Answered(Reply::error(400, code, message))
                }
                None => Fate::Served,
            }
        });
        let run = cloud.run().set("app", "web").set("keep", "1");
        let ended = run.set("retire", "deregister").end().await;
        ended
            .assert_code(0)
            .assert_said(&format!("image {} in eu-west-1 is left out", id('b')))
            .assert_said(&format!("image {} in eu-west-1 is left out", id('c')))
            .assert_said(&format!("deregister {} (web-a", id('a')))
            .refute_said(&format!("deregister {}", id('b')));
        assert_eq!(left(&cloud), "bc", "{operation}: {ended}");
        // All at once, and each alone where one is unknown.
        assert!(ended.count("ec2:DescribeImageReferences") <= 5, "{ended}");
    }
}

/// Which images EC2 does not know is found out by asking about each alone, not by the words of its message.
#[tokio::test(start_paused = true)]
async fn an_image_that_ec2_does_not_know_stays_whatever_the_message_says() {
    let cloud = account([('a', 4), ('b', 3), ('c', 2)]);
    cloud.fake.intercept(|request| {
        let is_asked = request.operation == "DescribeImageReferences"
            && request.list("ImageId").contains(&id('b'));
        match is_asked {
            true => Fate::Answered(Reply::error(
                400,
                "InvalidAMIID.NotFound",
                format!("One of the images does not exist; {} does", id('a')),
            )),
            false => Fate::Served,
        }
    });
    let run = cloud.run().set("app", "web").set("keep", "1");
    let ended = run.set("retire", "deregister").end().await;
    ended
        .assert_code(0)
        .assert_said(&format!("image {} in eu-west-1 is left out", id('b')))
        .assert_said(&format!("deregister {} (web-a", id('a')));
    assert_eq!(left(&cloud), "b", "{ended}");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_retired_is_said_and_is_no_failure() {
    let cloud = account([('a', 4)]);
    cloud
        .fake
        .on("ec2:DeregisterImage", [Reply::unauthorized()]);
    let run = cloud.run().set("app", "web").set("keep", "1");
    let ended = run.set("retire", "deregister").end().await;
    ended
        .assert_code(0)
        .assert_said("UnauthorizedOperation")
        .assert_said(&format!("--image-id {}", id('a')));
    assert_eq!(left(&cloud), "a");
}

#[tokio::test(start_paused = true)]
async fn a_protected_image_is_kept_with_the_command_that_ends_it_and_the_ladder_goes_on_to_that() {
    let cloud = account([('a', 4)]);
    cloud.world.protect_image(&id('a'));
    let run = cloud.run().set("app", "web").set("keep", "1");
    let ended = run.set("retire", "deregister").end().await;
    ended
        .assert_code(0)
        .assert_said("deregistration protection (enabled-without-cooldown)")
        .assert_said("aws ec2 disable-image-deregistration-protection --region eu-west-1");
    assert_eq!(ended.count("ec2:DeregisterImage"), 0);
    assert_eq!(left(&cloud), "a");
    let run = cloud.run().set("ami_name", "web-2").set("app", "web");
    let ended = run.set("keep", "1").end().await;
    ended.assert_said(&format!("deprecate {}", id('a')));
}

/// An account whose image `a` is shared with another one, and runs whose retention looks there.
fn shared_account() -> Cloud {
    let cloud = account([('a', 200), ('b', 199)]);
    cloud.world.change_image(&id('a'), |image| {
        image.shared_with.push("111122223333".to_owned());
    });
    cloud
}

const UNUSED: [(&str, &str); 4] = [
    ("app", "web"),
    ("keep", "1"),
    ("retire", "deregister"),
    ("unused_for", "90d"),
];

#[tokio::test(start_paused = true)]
async fn a_shared_image_goes_when_no_account_uses_it() {
    let cloud = shared_account();
    cloud.world.slow_usage_reports(2);
    let ended = cloud.run().all(UNUSED).end().await;
    ended
        .assert_code(0)
        .assert_said("a launch permission of account 111122223333")
        .assert_said("no account has used it for");
    assert_eq!(left(&cloud), "", "{ended}");
    // One report for the one that is shared.
    assert_eq!(cloud.world.usage_reports(), [id('a')]);
}

#[tokio::test(start_paused = true)]
async fn a_shared_image_that_an_account_uses_is_kept_and_the_account_is_named() {
    let cloud = shared_account();
    cloud.world.page_size(1);
    cloud
        .world
        .used_by(&id('a'), "111122223333", "ec2:Instance", 2);
    cloud
        .world
        .used_by(&id('a'), "444455556666", "ec2:LaunchTemplate", 1);
    let ended = cloud.run().all(UNUSED).end().await;
    ended
        .assert_code(0)
        .assert_said("account 111122223333 uses it (2 × ec2:Instance), and 1 more");
    assert_eq!(left(&cloud), "a", "{ended}");
}

#[tokio::test(start_paused = true)]
async fn a_shared_image_that_was_launched_lately_is_kept() {
    let cloud = shared_account();
    let launched = iso(cloud.world.now() - 30 * DAY);
    cloud.world.change_image(&id('a'), |image| {
        image.last_launched = Some(launched.clone());
    });
    let ended = cloud.run().all(UNUSED).end().await;
    ended
        .assert_code(0)
        .assert_said("it is shared, and was launched on");
    assert_eq!(left(&cloud), "a", "{ended}");
}

/// A report that is not ready holds nothing up: the next run reads it.
#[tokio::test(start_paused = true)]
async fn a_report_that_takes_long_is_read_by_the_next_run() {
    let cloud = shared_account();
    cloud.world.slow_usage_reports(20);
    let ended = cloud.run().all(UNUSED).end().await;
    ended
        .assert_code(0)
        .assert_said("who uses it is not known: its usage report is being made");
    assert_eq!(left(&cloud), "a", "{ended}");
    assert!(ended.took < Duration::from_secs(60 + 3 * 60), "{ended}");
    for n in 2..8 {
        let name = format!("web-{n}");
        let run = cloud.run().set("ami_name", &name).all(UNUSED);
        run.end().await.assert_code(0);
    }
    assert!(!left(&cloud).contains('a'));
    assert_eq!(cloud.world.usage_reports(), [id('a')]);
}

#[tokio::test(start_paused = true)]
async fn a_report_that_is_too_old_is_asked_for_again() {
    let cloud = shared_account();
    cloud
        .world
        .used_by(&id('a'), "111122223333", "ec2:Instance", 2);
    let reports = async || {
        cloud.run().all(UNUSED).end().await.assert_code(0);
        cloud.world.usage_reports().len()
    };
    cloud.world.start_of_time(SystemTime::now() - 2 * DAY);
    assert_eq!(reports().await, 1);
    cloud.world.start_of_time(SystemTime::now());
    assert_eq!(reports().await, 2);
    assert_eq!(reports().await, 2);
}

#[tokio::test(start_paused = true)]
async fn without_a_report_a_shared_image_stays_and_the_others_go() {
    for operation in [
        "ec2:CreateImageUsageReport",
        "ec2:DescribeImageUsageReports",
        "ec2:DescribeImageUsageReportEntries",
    ] {
        let cloud = shared_account();
        cloud.fake.on(operation, [Reply::unauthorized()]);
        let ended = cloud.run().all(UNUSED).end().await;
        ended
            .assert_code(0)
            .assert_said("who uses it is not known")
            .assert_said("UnauthorizedOperation");
        assert_eq!(left(&cloud), "a", "{operation}: {ended}");
    }
    let cloud = shared_account();
    cloud.world.failing_usage_reports("Internal failure.");
    let ended = cloud.run().all(UNUSED).end().await;
    ended
        .assert_code(0)
        .assert_said("EC2 could not make its usage report: Internal failure.");
    assert_eq!(left(&cloud), "a", "{ended}");
}

/// As many calls as the page's table says.
#[tokio::test(start_paused = true)]
async fn five_hundred_shared_images_are_asked_about_in_as_many_calls_as_the_page_says() {
    let cloud = Cloud::new();
    for n in 0..500 {
        let id = format!("ami-1{n:016x}");
        let image = Image::available(&id, &format!("old-{n}")).tag("make-ami:app", "web");
        cloud.world.add_image(image.shared_with("111122223333"));
        cloud.world.used_by(&id, "111122223333", "ec2:Instance", 1);
    }
    cloud.world.slow_usage_reports(2);
    // The first makes the image, the others adopt it.
    let run = async || {
        let ended = cloud.run().all(UNUSED).end().await;
        ended.assert_code(0);
        let page = include_str!("../../../../docs/make-ami.md");
        for (operation, most) in [
            ("DescribeImageReferences", 50),
            ("DescribeLaunchTemplateVersions", 50),
            ("DescribeImageAttribute", 500),
            ("CreateImageUsageReport", 100),
            ("DescribeImageUsageReports", 21),
            ("DescribeImageUsageReportEntries", 3),
        ] {
            let count = ended.count(&format!("ec2:{operation}"));
            assert!(count <= most, "{operation}: {count}");
            let row = format!("| `{operation}` | ");
            let row = page.lines().find(|line| line.starts_with(&row));
            let row = row.unwrap_or_else(|| panic!("the page has no row of {operation}"));
            assert!(row.ends_with(&format!("| {most} |")), "{row}");
        }
        ended.count("ec2:CreateImageUsageReport")
    };
    // Each begins the next hundred.
    assert_eq!(run().await, 100);
    assert_eq!(run().await, 100);
    assert_eq!(cloud.world.usage_reports().len(), 200);
}

#[tokio::test(start_paused = true)]
async fn what_the_recycle_bin_keeps_is_said_with_its_end() {
    let cloud = account([('a', 4)]);
    cloud.world.recycle_bin(7 * DAY);
    let run = cloud.run().set("app", "web").set("keep", "1");
    let ended = run.set("retire", "deregister").end().await;
    ended
        .assert_code(0)
        .assert_said(&format!("image {} is in the Recycle Bin until", id('a')))
        .assert_said("aws ec2 restore-image-from-recycle-bin --region eu-west-1");
    // Who may not look there is told so, and that is all.
    let cloud = account([('a', 4)]);
    cloud
        .fake
        .on("ec2:ListImagesInRecycleBin", [Reply::unauthorized()]);
    let run = cloud.run().set("app", "web").set("keep", "1");
    let ended = run.set("retire", "deregister").end().await;
    ended
        .assert_code(0)
        .assert_said("whether images are in the Recycle Bin of eu-west-1 is not known");
    assert_eq!(left(&cloud), "");
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_begins_no_report() {
    let cloud = shared_account();
    let ended = cloud.run().all(UNUSED).dry_run().end().await;
    ended.assert_code(0);
    assert!(cloud.world.usage_reports().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_signal_while_older_images_go_leaves_the_rest_and_hands_over() {
    let cloud = account([('a', 4), ('b', 3), ('c', 2)]);
    let run = cloud.run().set("app", "web").set("keep", "1");
    let run = run.set("retire", "deregister");
    let ended = run
        .at_first("ec2:DeregisterImage", Event::Sigterm)
        .end()
        .await;
    ended
        .assert_code(0)
        .assert_said("the rest of the older images stays");
    assert_eq!(left(&cloud), "bc", "{ended}");
    assert!(!ended.exports.is_empty());
}
