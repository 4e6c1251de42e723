//! Random histories: whatever EC2 does, and whenever the build is stopped, the run ends, exports only
//! what is available, and leaves nothing that it does not name.
//!
//! The whole of the program runs against the fake under virtual time, without sockets.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod history;
mod run;

use history::{Fault, History, Mode, Scanning, history};
use proptest::prelude::*;
use run::{Ended, run};
use std::collections::BTreeSet;
use std::time::Duration;

/// Beyond the deadline a run may take its time to clean up and to start an instance, no more: a call that hangs
/// takes ten tries of two minutes.
const TO_CLEAN_UP: Duration = Duration::from_secs(3600);

/// What a run must keep, whatever happened.
fn check(history: &History, ended: &Ended) -> Result<(), TestCaseError> {
    prop_assert!(
        ended.took < history.timeout + TO_CLEAN_UP,
        "it took {:?}\n{}",
        ended.took,
        ended.said
    );
    let mut exported = BTreeSet::new();
    if let Some(image_id) = &ended.exported {
        let image = ended.images.iter().find(|image| image.id == *image_id);
        let image = image.ok_or_else(|| TestCaseError::fail("exported, but it does not exist"))?;
        prop_assert_eq!(&image.state, "available");
        prop_assert_eq!(
            image.snapshots().len(),
            history.volumes,
            "its mapping is whole"
        );
        for id in image.snapshots() {
            let snapshot = ended.snapshots.iter().find(|snapshot| snapshot.id == id);
            let state = snapshot.map(|snapshot| snapshot.state.as_str());
            prop_assert_eq!(state, Some("completed"));
        }
        prop_assert!(
            !(history.mode == Mode::Quiesce && history.lease_first),
            "the lease ended first, and yet it was exported"
        );
        let watermarks = image.watermark_keys();
        prop_assert_eq!(
            watermarks.contains(&"123456789012:approved"),
            history.watermarked
        );
        let statement = ended.statement.as_deref().unwrap_or_default();
        prop_assert!(statement.contains(image_id.as_str()), "{}", statement);
        if let Some(scan) = history.scan.as_ref().filter(|scan| scan.gates) {
            prop_assert!(!scan.finds, "a finding counts, and yet it was exported");
            prop_assert!(ended.scanned > 0, "exported without a scan");
        }
        let is_plain = |id: &str| {
            let mut snapshots = ended.snapshots.iter();
            snapshots.any(|snapshot| snapshot.id == id && !snapshot.encrypted)
        };
        prop_assert!(
            !history.encrypts || !image.snapshots().iter().any(|id| is_plain(id)),
            "it is not encrypted, and yet it was exported"
        );
        exported.insert(image_id.clone());
        // A copy that a good run made belongs to it.
        exported.extend(ended.copies.iter().map(|image| image.id.clone()));
    }
    prop_assert!(
        ended.exported.is_some() || ended.statement.is_none(),
        "there is a statement, and nothing was exported\n{}",
        ended.said
    );
    // A watermark says that an image was found whole.
    for image in &ended.images {
        let is_approved = image.watermark_keys().contains(&"123456789012:approved");
        prop_assert!(
            !is_approved || image.state == "available",
            "{} is {}, and has the watermark",
            image.id,
            image.state
        );
    }
    let is_refused = |scan: &Scanning| scan.gates && scan.finds;
    if history.scan.as_ref().is_some_and(is_refused) {
        prop_assert!(
            ended.copies.is_empty() && ended.parameter.is_none(),
            "an image that does not pass was published\n{}",
            ended.said
        );
    }
    // A scan that is asked for is billed once, whatever is lost on the way.
    prop_assert!(
        ended.scanned <= 1,
        "{} scans\n{}",
        ended.scanned,
        ended.said
    );
    if let Some(id) = &ended.parameter {
        let is_there = ended.images.iter().any(|image| image.id == *id);
        prop_assert!(
            is_there,
            "the parameter holds {id}, which is gone\n{}",
            ended.said
        );
    }
    let is_known =
        |id: &str| exported.contains(id) || ended.said.contains(id) || ended.listed.contains(id);
    // Where a reply was lost, the command that finds what there is names the run.
    let names_the_run = ended.said.contains("perhaps ") || ended.listed.contains("perhaps ");
    prop_assert!(
        !names_the_run || !history.faults.is_empty(),
        "no reply was lost, and yet it does not know what there is\n{}",
        ended.said
    );
    for image in ended.images.iter().chain(&ended.copies) {
        prop_assert!(
            is_known(&image.id) || names_the_run,
            "{} ({}) is left and not named\n{}",
            image.id,
            image.state,
            ended.said
        );
    }
    // Somebody else deregistered an image whose reply was lost, before it was found again: nothing ties its
    // untagged snapshots to the run. Every other history is held to the rule.
    let lost_and_gone = history.tags_after
        && history.image_vanishes
        && history
            .faults
            .iter()
            .any(|(_, _, fault)| matches!(fault, Fault::Lost | Fault::Late));
    for snapshot in &ended.snapshots {
        if lost_and_gone {
            continue;
        }
        let of_known = ended
            .images
            .iter()
            .chain(&ended.copies)
            .any(|image| image.snapshots().contains(&snapshot.id) && is_known(&image.id));
        // `make-ami clean` with the run's key removes every snapshot that carries it.
        let cleaned = ended.said.contains("make-ami clean --image '");
        prop_assert!(
            of_known || is_known(&snapshot.id) || names_the_run || cleaned,
            "{} is left and not named\n{}",
            snapshot.id,
            ended.said
        );
    }
    prop_assert!(
        ended.earlier_is_there || (history.retention && !history.earlier_is_used),
        "an image that another account uses is gone\n{}",
        ended.said
    );
    prop_assert!(
        ended.instance_runs || ended.said.contains("start-instances"),
        "the instance is left stopped and not named\n{}",
        ended.said
    );
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("HISTORIES").ok().and_then(|text| text.parse().ok()).unwrap_or(100),
        max_shrink_iters: 2_000,
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_run_ends_exports_only_what_is_available_and_names_what_is_left(history in history()) {
        let ended = run(&history);
        check(&history, &ended)?;
    }
}

/// The property can fail: one that looked at nothing would not see an image that is left behind.
#[test]
fn the_check_sees_an_image_that_is_left_unnamed() {
    let history = History::plain();
    let mut ended = run(&history);
    assert!(check(&history, &ended).is_ok());
    let image = ended.images[0].clone();
    ended.images.push(harness::ec2::Image {
        id: "ami-0bad0bad0bad0bad0".to_owned(),
        ..image
    });
    assert!(check(&history, &ended).is_err());
    ended.images.pop();
    ended.instance_runs = false;
    assert!(check(&history, &ended).is_err());
    ended.instance_runs = true;
    ended.earlier_is_there = false;
    assert!(check(&history, &ended).is_err());
}

/// A warm start whose image is made leaves nothing, and one that ends the pipeline is named.
#[test]
fn a_warm_start_goes_with_its_image_and_is_named_without_one() {
    let history = History {
        warm: true,
        ..History::plain()
    };
    let ended = run(&history);
    assert!(ended.exported.is_some(), "{}", ended.said);
    assert_eq!(ended.snapshots.len(), history.volumes, "{}", ended.listed);
    let stopped = History {
        signal_at: Some(Duration::from_secs(1)),
        faults: vec![("ec2:CreateSnapshots".to_owned(), 0, Fault::Late)],
        ..history
    };
    let mut ended = run(&stopped);
    assert!(ended.exported.is_none());
    assert!(!ended.snapshots.is_empty() && check(&stopped, &ended).is_ok());
    ended.listed.clear();
    assert!(check(&stopped, &ended).is_err(), "{}", ended.said);
}

/// Retention looks into another account before it removes what is shared with it.
#[test]
fn an_image_that_another_account_uses_stays_and_one_that_nobody_uses_goes() {
    for earlier_is_used in [true, false] {
        let history = History {
            retention: true,
            earlier_is_used,
            ..History::plain()
        };
        let ended = run(&history);
        assert!(ended.exported.is_some(), "{}", ended.said);
        assert_eq!(ended.earlier_is_there, earlier_is_used, "{}", ended.said);
    }
}

/// A protected image cannot be removed, so that a stopped run names it.
#[test]
fn a_protected_image_of_a_failed_run_is_named() {
    let history = History {
        protected: true,
        published: true,
        faults: vec![("ssm:PutParameter".to_owned(), 0, Fault::Unauthorized)],
        ..History::plain()
    };
    let ended = run(&history);
    assert!(ended.exported.is_none() && ended.images.len() == 1);
    assert!(ended.images[0].protected, "{}", ended.said);
    assert!(check(&history, &ended).is_ok(), "{}", ended.said);
}

/// The property of watermarks and statements can fail, too.
#[test]
fn the_check_sees_a_watermark_and_a_statement_where_none_may_be() {
    let history = History {
        watermarked: true,
        must_descend: true,
        ..History::plain()
    };
    let ended = run(&history);
    assert!(check(&history, &ended).is_ok(), "{}", ended.said);
    let without = History {
        watermarked: false,
        ..history.clone()
    };
    assert!(check(&without, &ended).is_err());
    let mut pending = run(&history);
    pending.images[0].state = "pending".to_owned();
    pending.exported = None;
    assert!(check(&history, &pending).is_err());
    let mut unsaid = run(&history);
    unsaid.statement = None;
    assert!(check(&history, &unsaid).is_err());
}

/// A plain wait of three hours is one image, exported.
#[test]
fn pending_for_three_hours_is_waited_for() {
    let history = History {
        course: harness::ec2::Course::available(Duration::from_secs(3 * 3600)).into(),
        ..History::plain()
    };
    let ended = run(&history);
    assert!(ended.exported.is_some(), "{}", ended.said);
    assert!(
        ended.took > Duration::from_secs(3 * 3600)
            && ended.took < Duration::from_secs(3 * 3600 + 180)
    );
    // A poll every 15 s makes 721.
    assert!(ended.looks < 721, "{} looks", ended.looks);
}

/// Lost at the worst moment: the reply of CreateImage, and then SIGTERM.
#[test]
fn a_lost_reply_and_a_signal_leave_nothing() {
    let history = History {
        faults: vec![("ec2:CreateImage".to_owned(), 0, Fault::Lost)],
        signal_at: Some(Duration::from_secs(1)),
        ..History::plain()
    };
    let ended = run(&history);
    assert!(ended.exported.is_none());
    assert!(check(&history, &ended).is_ok(), "{}", ended.said);
    assert!(ended.images.is_empty(), "{}", ended.said);
}

/// A scan of an hour that finds something: the image is not exported, and the check would see it if it were.
#[test]
fn an_image_that_does_not_pass_its_scan_is_not_exported() {
    for (cleans, left) in [(false, 1), (true, 0)] {
        let history = History {
            published: true,
            scan: Some(Scanning {
                gates: true,
                finds: true,
                takes: Duration::from_secs(3600),
                shown_after: Duration::from_secs(60),
                ends: vec![None],
                cleans,
            }),
            ..History::plain()
        };
        let mut ended = run(&history);
        assert!(ended.exported.is_none());
        assert!(check(&history, &ended).is_ok(), "{}", ended.said);
        assert_eq!(ended.images.len(), left, "{}", ended.said);
        ended.exported = ended.images.first().map(|image| image.id.clone());
        assert_eq!(check(&history, &ended).is_ok(), cleans);
    }
}
