//! The modes: stopping the instance, and quiescing it with the real script.

use crate::INSTANCE;
use crate::inside::{Cloud, Event};
use harness::Reply;
use harness::ec2::{Course, Instance};
use harness::ssm::Invocation;
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

fn tag(tags: &[(String, String)], key: &str) -> Option<String> {
    let mut tags = tags.iter();
    tags.find(|(found, _)| found == key)
        .map(|(_, value)| value.clone())
}

// --- stop ---------------------------------------------------------------------------------------

#[tokio::test(start_paused = true)]
async fn stop_stops_images_and_starts_again_before_the_image_is_available() {
    let cloud = Cloud::new();
    cloud.world.slow_stops(3);
    cloud.world.slow_starts(3);
    cloud
        .world
        .outcomes([Course::available(Duration::from_secs(3600))]);
    let ended = cloud.run().set("consistency", "stop").end().await;
    ended.assert_code(0);
    let order: Vec<&String> = ended
        .calls
        .iter()
        .filter(|call| !call.contains(":Describe"))
        .collect();
    assert_eq!(
        order,
        [
            "ec2:CreateTags",
            "ec2:StopInstances",
            "ec2:CreateImage",
            "ec2:StartInstances",
            "ec2:DeleteTags",
        ]
    );
    let started = cloud.fake.requests_for("ec2:StartInstances")[0].when;
    assert!(started < Duration::from_secs(60), "{started:?}");
    assert_eq!(cloud.instance().state, "running");
    let tags = cloud.image(ended.ami()).tags;
    assert_eq!(tag(&tags, "make-ami:consistency").unwrap(), "stop");
}

#[tokio::test(start_paused = true)]
async fn stop_starts_the_instance_when_create_fails() {
    let cloud = Cloud::new();
    let refusal = Reply::error(400, "InvalidParameterValue", "it cannot be imaged");
    cloud.fake.on("ec2:CreateImage", [refusal]);
    let ended = cloud.run().set("consistency", "stop").end().await;
    ended.assert_code(1).assert_said("it cannot be imaged");
    assert_eq!(cloud.instance().state, "running");
    assert!(cloud.instance().tags.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_cannot_be_started_again_is_listed_and_the_image_kept() {
    let cloud = Cloud::new();
    let refusal = Reply::error(400, "InsufficientInstanceCapacity", "no capacity");
    cloud.fake.on("ec2:StartInstances", [refusal]);
    let ended = cloud.run().set("consistency", "stop").end().await;
    ended
        .assert_code(5)
        .assert_said("InsufficientInstanceCapacity: no capacity")
        .assert_said(&format!(
            "aws ec2 start-instances --region eu-west-1 --instance-ids {INSTANCE}"
        ))
        .assert_said("make-ami wait --image ami-00000000000000001");
    assert_eq!(cloud.world.images().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_was_stopped_before_stays_stopped() {
    let cloud = Cloud::with([Instance::stopped(INSTANCE)]);
    let ended = cloud.run().set("consistency", "stop").end().await;
    ended.assert_code(0);
    assert_eq!(ended.count("ec2:StartInstances"), 0);
    assert_eq!(cloud.instance().state, "stopped");
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_another_run_left_stopped_is_named() {
    let stopped = Instance::stopped(INSTANCE).tag("make-ami:stopped-by", "web:0/i/stop/web");
    let cloud = Cloud::with([stopped]);
    let run = cloud.run().set("consistency", "stop");
    run.end()
        .await
        .assert_code(0)
        .assert_said("make-ami clean --image 'web:0/i/stop/web'");
    let clean = cloud.run().unset("instance_id").command("clean");
    let cleaned = clean.set("image", "web:0/i/stop/web").end().await;
    cleaned.assert_code(0);
    assert_eq!(cloud.instance().state, "running");
    assert!(cloud.instance().tags.is_empty());
}

/// A name may hold an apostrophe, and so may a run's key.
#[tokio::test(start_paused = true)]
async fn the_command_that_starts_an_instance_can_be_pasted() {
    let stopped = Instance::stopped(INSTANCE).tag("make-ami:stopped-by", "web:0/i/stop/it's");
    let cloud = Cloud::with([stopped]);
    let run = cloud.run().set("consistency", "stop");
    run.end()
        .await
        .assert_code(0)
        .assert_said(r"make-ami clean --image 'web:0/i/stop/it'\''s'");
}

#[tokio::test(start_paused = true)]
async fn members_of_an_auto_scaling_group_are_not_taken_down() {
    for mode in ["stop", "reboot"] {
        let cloud = Cloud::with([Instance::running(INSTANCE).in_group("web")]);
        let ended = cloud.run().set("consistency", mode).end().await;
        ended
            .assert_code(2)
            .assert_said("is of Auto Scaling group web")
            .assert_said("on standby it would still be the group's")
            .assert_said("nothing was touched");
        assert!(!ended.changed_anything(), "{ended}");
    }
}

// --- quiesce ------------------------------------------------------------------------------------

/// A host on which what is sent by SSM really runs, with stand-ins for the programs that need a
/// container engine or a kernel. The script's own folder is the real `/run/make-ami`.
struct Host {
    folder: tempfile::TempDir,
    before: BTreeSet<PathBuf>,
}

const RUN: &str = "/run/make-ami";

fn tries() -> BTreeSet<PathBuf> {
    let found = std::fs::read_dir(RUN).into_iter().flatten().flatten();
    found.map(|entry| entry.path()).collect()
}

impl Host {
    /// Nothing where `/run` cannot be written to: the script is root's, as SSM's commands are.
    fn new() -> Option<Self> {
        if std::fs::create_dir_all(RUN).is_err() {
            harness::missing("a writable /run (root)");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("bin");
        std::fs::create_dir(&bin).unwrap();
        let log = folder.path().join("log").display().to_string();
        for (name, rest) in [
            ("docker", "case $1 in inspect) echo true;; esac"),
            ("fsfreeze", "case $2 in */bad) exit 1;; esac"),
            ("mountpoint", ""),
            // The mounts of these tests are names; none is of the root file system.
            ("stat", "case $4 in /|/boot) echo 1;; *) echo 9;; esac"),
            ("findmnt", "exit 1"),
            ("sync", ""),
        ] {
            let path = bin.join(name);
            let script = format!("#!/bin/sh\necho {name} \"$@\" >>{log}\n{rest}\n");
            std::fs::write(&path, script).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        Some(Self {
            folder,
            before: tries(),
        })
    }

    /// Runs the instance's commands on this machine, after `before_thaw` the one that thaws.
    fn serves(&self, cloud: &Cloud, before_thaw: impl Fn() + Send + 'static) {
        let path = self.folder.path().join("bin").display().to_string();
        let path = format!("{path}:{}", std::env::var("PATH").unwrap());
        cloud.ssm.on_command(move |script, instance| {
            assert_eq!(instance, INSTANCE);
            if script.contains("thaw") && !script.contains("freeze") {
                before_thaw();
            }
            let output = Command::new("sh")
                .args(["-c", script])
                .env("PATH", &path)
                .output()
                .unwrap();
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let code = output.status.code().unwrap_or(-1);
            Invocation::from((code, text(&output.stdout), text(&output.stderr)))
        });
    }

    /// What was asked for, without the questions.
    fn log(&self) -> Vec<String> {
        log(self.folder.path())
    }

    /// A mount point of the host, by its name.
    fn mount(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// Lets every lease end a moment after the mounts are frozen, whatever its length.
    fn hurries_leases(&self) {
        let log = self.folder.path().join("log").display().to_string();
        let script = format!(
            "#!/bin/sh\nuntil grep -q 'fsfreeze -f' {log} 2>/dev/null; do /bin/sleep 0.05; done\nexec /bin/sleep 1\n"
        );
        let path = self.folder.path().join("bin/sleep");
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
}

fn log(host: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(host.join("log")).unwrap_or_default();
    text.lines()
        .filter(|line| {
            let questions = ["docker inspect", "mountpoint", "stat", "findmnt"];
            !questions.iter().any(|question| line.starts_with(question))
        })
        .map(str::to_owned)
        .collect()
}

/// Waits until the host has been asked for `line`.
fn wait_for(host: &Path, line: &str) {
    let until = Instant::now() + Duration::from_secs(30);
    while !log(host).iter().any(|known| known == line) {
        assert!(Instant::now() < until, "no {line:?} in {:?}", log(host));
        std::thread::sleep(Duration::from_millis(50));
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        for left in tries().difference(&self.before) {
            if belongs(left, self.folder.path()) {
                drop(std::fs::remove_dir_all(left));
            }
        }
    }
}

/// Other tests run beside this one and have folders of their own: ours names our mount.
fn belongs(attempt: &Path, folder: &Path) -> bool {
    let settings = std::fs::read_to_string(attempt.join("settings")).unwrap_or_default();
    settings.contains(&folder.display().to_string())
}

#[tokio::test(start_paused = true)]
async fn quiesce_freezes_images_thaws_and_says_for_how_long() {
    let Some(host) = Host::new() else { return };
    let cloud = Cloud::new();
    host.serves(&cloud, || std::thread::sleep(Duration::from_millis(300)));
    let mount = host.mount("data");
    let ended = cloud
        .run()
        .all([
            ("consistency", "quiesce"),
            ("quiesce_container", "db,web"),
            ("quiesce_mount", &mount),
        ])
        .end()
        .await;
    ended.assert_code(0);
    assert_eq!(
        host.log(),
        [
            "docker pause db".to_owned(),
            "docker pause web".to_owned(),
            "sync".to_owned(),
            format!("fsfreeze -f {mount}"),
            format!("fsfreeze -u {mount}"),
            "docker unpause db".to_owned(),
            "docker unpause web".to_owned(),
        ]
    );
    let image = cloud.image(ended.ami());
    let frozen = tag(&image.tags, "make-ami:frozen-ms").unwrap();
    let frozen: u64 = frozen.parse().unwrap();
    assert!((290..20_000).contains(&frozen), "{frozen}");
    let snapshot = cloud.snapshot(&image.snapshots()[0]);
    assert!(tag(&snapshot.tags, "make-ami:frozen-ms").is_some());
    // It froze, and only then was the image requested, and only then did it thaw.
    let order: Vec<&String> = ended
        .calls
        .iter()
        .filter(|call| ["ssm:SendCommand", "ec2:CreateImage"].contains(&call.as_str()))
        .collect();
    assert_eq!(
        order,
        ["ssm:SendCommand", "ec2:CreateImage", "ssm:SendCommand"]
    );
    let created = &cloud.fake.requests_for("ec2:CreateImage")[0];
    assert_eq!(created.param("NoReboot"), Some("true"));
    assert_eq!(cloud.ssm.sent()[0].document, "AWS-RunShellScript");
}

#[tokio::test(start_paused = true)]
async fn an_image_is_refused_and_removed_when_the_lease_ended_first() {
    let Some(host) = Host::new() else { return };
    let cloud = Cloud::new();
    host.hurries_leases();
    let mount = host.mount("data");
    let (folder, thawed) = (
        host.folder.path().to_owned(),
        format!("fsfreeze -u {mount}"),
    );
    host.serves(&cloud, move || wait_for(&folder, &thawed));
    let run = cloud.run().set("consistency", "quiesce");
    let run = run.set("quiesce_lease", "10s");
    let ended = run.set("quiesce_mount", mount.clone()).end().await;
    ended
        .assert_code(1)
        .assert_said("thawed by itself before the snapshots had begun")
        .assert_said("--quiesce-lease is 10 s; give it more");
    assert!(cloud.world.images().is_empty(), "{ended}");
    assert!(cloud.world.snapshots().is_empty(), "{ended}");
    let thaws = host.log();
    assert_eq!(thaws.last().unwrap(), &format!("fsfreeze -u {mount}"));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_frozen_makes_no_image_and_is_let_go() {
    let Some(host) = Host::new() else { return };
    let cloud = Cloud::new();
    host.serves(&cloud, || {});
    let bad = host.mount("bad");
    let ended = cloud
        .run()
        .all([
            ("consistency", "quiesce"),
            ("quiesce_container", "db"),
            ("quiesce_by", "stop"),
            ("quiesce_mount", &bad),
        ])
        .end()
        .await;
    ended
        .assert_code(1)
        .assert_said(&format!("cannot quiesce instance {INSTANCE}"))
        .assert_said(&format!("still: cannot freeze {bad}"));
    assert_eq!(ended.count("ec2:CreateImage"), 0);
    assert_eq!(host.log().last().unwrap(), "docker start db");
}

#[tokio::test(start_paused = true)]
async fn a_failed_create_thaws_the_instance() {
    let Some(host) = Host::new() else { return };
    let cloud = Cloud::new();
    host.serves(&cloud, || {});
    cloud.fake.on("ec2:CreateImage", [Reply::unauthorized()]);
    let mount = host.mount("data");
    let run = cloud.run().set("consistency", "quiesce");
    let ended = run.set("quiesce_mount", mount.clone()).end().await;
    ended.assert_code(3);
    assert_eq!(host.log().last().unwrap(), &format!("fsfreeze -u {mount}"));
}

#[tokio::test(start_paused = true)]
async fn a_killed_build_leaves_an_instance_that_lets_itself_go() {
    let Some(host) = Host::new() else { return };
    let cloud = Cloud::new();
    host.serves(&cloud, || {});
    host.hurries_leases();
    let mount = host.mount("data");
    let run = cloud.run().set("consistency", "quiesce");
    let run = run.set("quiesce_mount", mount.clone());
    let killed = run.at_first("ec2:CreateImage", Event::Sigkill).end().await;
    assert_eq!(killed.code, None, "{killed}");
    assert_eq!(cloud.world.images().len(), 1);
    wait_for(host.folder.path(), &format!("fsfreeze -u {mount}"));
}

#[tokio::test(start_paused = true)]
async fn an_instance_without_an_agent_is_refused_with_a_hint() {
    let cloud = Cloud::new();
    cloud.ssm.without_agent(INSTANCE);
    let run = cloud.run().set("consistency", "quiesce");
    let ended = run.set("quiesce_container", "db").end().await;
    ended
        .assert_code(1)
        .assert_said("AmazonSSMManagedInstanceCore");
    assert_eq!(ended.count("ec2:CreateImage"), 0);
}

#[tokio::test(start_paused = true)]
async fn the_frozen_time_outlives_a_deadline_and_a_split_run() {
    for finish in ["resume", "start"] {
        let cloud = Cloud::new();
        cloud
            .world
            .outcomes([Course::available(Duration::from_secs(3600))]);
        let run = || {
            let run = cloud.run().in_build("web:1").set("consistency", "quiesce");
            run.set("quiesce_container", "db")
        };
        if finish == "start" {
            run().command("start").end().await.assert_code(0);
        } else {
            let short = Duration::from_secs(600);
            run().timeout(short).end().await.assert_code(6);
        }
        let id = cloud.world.images()[0].id.clone();
        let folder = tempfile::tempdir().unwrap();
        let manifest = folder.path().join("manifest.json");
        let ended = cloud.run().go_on("wait", &id);
        let ended = ended
            .set("manifest", manifest.to_str().unwrap())
            .end()
            .await;
        ended.assert_code(0);
        let tags = cloud.image(&id).tags;
        assert_eq!(tag(&tags, "make-ami:frozen-ms").unwrap(), "1840", "{ended}");
        let manifest: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(manifest).unwrap()).unwrap();
        assert_eq!(manifest["source"]["frozen_ms"], 1840);
    }
}

/// Nobody knows whether the lease ended first, so it is neither adopted nor waited for.
#[tokio::test(start_paused = true)]
async fn an_image_whose_thaw_nobody_saw_is_refused_by_wait() {
    let cloud = Cloud::new();
    let run = cloud.run().set("consistency", "quiesce");
    let run = run.set("quiesce_container", "db");
    run.at_first("ec2:CreateImage", Event::Sigkill).end().await;
    let id = cloud.world.images()[0].id.clone();
    let ended = cloud.run().go_on("wait", &id).end().await;
    ended
        .assert_code(2)
        .assert_said("nothing proves that it was")
        .assert_said(&format!("make-ami clean --image {id}"));
}
