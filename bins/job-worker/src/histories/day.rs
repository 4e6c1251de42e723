//! A token that lies at CodePipeline for a day, while no worker runs.

use super::{Action, Duration, Scene, Signal, Status, go_on, in_virtual_time, root};

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;
const IMAGE: &str = "ami-of-e-Bake.Bake";

/// The first worker starts the image and is lost with its machine; the second one comes a day later. Gives the action's
/// last job, the images that are there then, and what the second worker lists.
fn a_day_passes(timeout: u64, available: u64) -> (harness::jobs::Job, Vec<String>, Vec<String>) {
    in_virtual_time(async {
        let root = root();
        let mut scene = Scene::new(root.path(), 2, available, 5);
        scene.timeout = Duration::from_secs(timeout);
        let configuration = [("INSTANCE_ID", "i-0123456789abcdef0")];
        let action = scene.jobs.start(Action::new("Bake", &configuration));

        let first = [scene.start(&scene.folders[0])];
        go_on(&first, 60).await;
        first[0].interrupt.send(Some(Signal::Terminate)).unwrap();
        go_on(&first, 90).await;
        drop(first);
        std::fs::remove_dir_all(&scene.folders[0]).unwrap();
        scene.folders.remove(0);
        let waiting = scene.jobs.last(action);
        assert_eq!(waiting.status, Status::Queued);
        assert!(waiting.token.unwrap().contains(IMAGE));

        tokio::time::sleep(Duration::from_secs(DAY)).await;
        let second = [scene.start(&scene.folders[0])];
        go_on(&second, 600).await;
        assert_eq!(scene.jobs.offences(), Vec::<String>::new());
        let images = scene.account.ids().into_iter().collect();
        let listed = scene.listed().into_iter().collect();
        (scene.jobs.last(action), images, listed)
    })
}

#[test]
fn within_its_deadline_the_image_of_yesterday_is_handed_over() {
    let (last, images, listed) = a_day_passes(2 * DAY, HOUR);
    assert_eq!(last.status, Status::Succeeded);
    assert_eq!(last.report.unwrap()["outputVariables"]["AMI_ID"], IMAGE);
    assert_eq!(images, [IMAGE], "there is one image, the first worker's");
    assert!(listed.is_empty(), "{listed:?}");
}

#[test]
fn after_its_deadline_an_image_that_is_ready_is_handed_over_all_the_same() {
    let (last, images, listed) = a_day_passes(6 * HOUR, HOUR);
    assert_eq!(last.status, Status::Succeeded);
    assert_eq!(last.report.unwrap()["outputVariables"]["AMI_ID"], IMAGE);
    assert_eq!(images, [IMAGE]);
    assert!(listed.is_empty(), "{listed:?}");
}

#[test]
fn after_its_deadline_an_image_that_is_not_ready_is_listed_and_the_job_says_why() {
    let (last, images, listed) = a_day_passes(6 * HOUR, 2 * DAY);
    assert_eq!(last.status, Status::Failed);
    let details = &last.report.unwrap()["failureDetails"];
    let message = details["message"].as_str().unwrap();
    assert!(message.contains("time is over"), "{message}");
    assert_eq!(images, [IMAGE]);
    assert!(listed.iter().any(|what| what == IMAGE), "{listed:?}");
}
