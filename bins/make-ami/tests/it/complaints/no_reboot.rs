//! No-reboot damage.

use crate::inside::Cloud;

/// Zero-length files, cut logs, corrupt objects in images of a running instance: the log and a tag
/// say what the image is.
#[tokio::test(start_paused = true)]
async fn no_reboot_is_said_openedx_3828_elbas_22_mozsearch_1110_ansible_5276() {
    let cloud = Cloud::new();
    let ended = cloud.run().end().await;
    ended
        .assert_code(0)
        .assert_said("no-reboot: the image is as after a power cut");
    let tags = cloud.image(ended.ami()).tags;
    let mode = ("make-ami:consistency".to_owned(), "no-reboot".to_owned());
    assert!(tags.contains(&mode), "{tags:?}");
}

/// "It rebooted although I said no": what is asked for is in the request.
#[tokio::test(start_paused = true)]
async fn only_reboot_reboots_boto_3736() {
    for (mode, reboots) in [("no-reboot", 0), ("reboot", 1), ("quiesce", 0), ("stop", 0)] {
        let cloud = Cloud::new();
        let run = cloud.run().set("consistency", mode);
        let run = match mode {
            "quiesce" => run.set("quiesce_container", "db"),
            _ => run,
        };
        run.end().await.assert_code(0);
        assert_eq!(cloud.instance().reboots, reboots, "{mode}");
    }
}
