//! A run that is stopped or killed while its image is scanned.

use super::{FINDINGS, MINUTE, START, STATUS, finding, low};
use crate::inside::{Cloud, Event, Run};

fn run(cloud: &Cloud) -> Run<'_> {
    cloud.run().in_build("web:1").set("scan", "gate")
}

#[tokio::test(start_paused = true)]
async fn a_signal_removes_the_image_whose_scan_then_ends_by_itself() {
    for operation in [START, STATUS, FINDINGS] {
        let cloud = finding([low()]);
        let ended = run(&cloud).at_first(operation, Event::Sigterm).end().await;
        ended.assert_code(143);
        assert!(ended.exports.is_empty());
        assert_eq!(cloud.world.images().len(), 0, "{operation}");
        assert_eq!(cloud.world.snapshots().len(), 0, "{operation}");
    }
}

/// Wherever the first run is killed: the second one hands the only image over, and at most one scan succeeds.
#[tokio::test(start_paused = true)]
async fn after_a_kill_at_any_call_the_next_run_goes_on_with_image_and_scan() {
    for n in 0.. {
        let cloud = finding([low()]);
        let ended = run(&cloud).at_call(n, Event::Sigkill).end().await;
        if ended.code.is_some() {
            assert!(n > 10, "it made {n} calls");
            break;
        }
        let context = format!("killed at call {n}, {}", ended.calls[n]);
        tokio::time::sleep(3 * MINUTE).await;
        let ended = run(&cloud).end().await;
        assert_eq!(ended.code, Some(0), "{context}\n{ended}");
        let images = cloud.world.images();
        assert_eq!(images.len(), 1, "{context}");
        assert_eq!(images[0].id, ended.ami(), "{context}");
        let scans = cloud.inspector.scans();
        assert_eq!(scans.len(), 1, "{context}: {scans:?}");
    }
}
