#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]
use super::project_name::{last_part, whole_path};
use super::{ComposeRun, Health, Jumps, Raw, Run, Variables};
use action::settings::Settings as _;
use action::settings::faults::Faults;

/// What `clap` and `envy` make of nothing but an address and a key.
fn raw(folder: &std::path::Path) -> Raw {
    let given = |text: &str| text.parse().unwrap();
    let key = folder.join("key");
    let status = std::process::Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(&key)
        .status();
    assert!(status.unwrap().success());
    Raw {
        address: "10.0.0.7".parse().unwrap(),
        user: given("ubuntu"),
        ssh_key: key.to_str().unwrap().parse().unwrap(),
        ssh_timeout: "5m".parse().unwrap(),
        source: "/usr".parse().unwrap(),
        target: given("/srv/My App/"),
        runtime: "compose".parse().unwrap(),
        health_status: "200".parse().unwrap(),
        health_count: "3".parse().unwrap(),
        health_timeout: "2m".parse().unwrap(),
        ollama_url: "http://127.0.0.1:11434".parse().unwrap(),
        ollama_stall: "60s".parse().unwrap(),
        host_key_parameter: "/deploy-app/{instance}/host-keys".parse().unwrap(),
        layout: "releases".parse().unwrap(),
        transport: "auto".parse().unwrap(),
        lock_wait: "10m".parse().unwrap(),
        keep_releases: "5".parse().unwrap(),
        ..Raw::default()
    }
}

#[test]
fn defaults_follow_from_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let mut faults = Faults::for_tests();
    let checked = raw(folder.path()).check(&mut faults).unwrap();
    assert_eq!(faults.messages(), Vec::<String>::new());
    assert_eq!(checked.paths.target, "/srv/My App");
    assert_eq!(
        checked.run,
        Run::Compose(ComposeRun {
            project: "my-app".to_owned(),
            files: Vec::new(),
            variables: Variables::default(),
        })
    );
    assert!(matches!(checked.health, Some(Health { count: 3, .. })));
    let mut raw = raw(tempfile::tempdir().unwrap().path());
    raw.runtime = "none".parse().unwrap();
    assert_eq!(raw.check(&mut Faults::for_tests()).unwrap().health, None);
}

#[test]
fn every_fault_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let mut raw = raw(folder.path());
    raw.address = "a b".parse().unwrap();
    raw.ssh_key = "ssm:".parse().unwrap();
    raw.host_key = "SHA256:x".parse().unwrap();
    raw.trust_on_first_use = "yes".parse().unwrap();
    raw.source = "/nonexistent".parse().unwrap();
    raw.target = "app".parse().unwrap();
    raw.shared = "../data".parse().unwrap();
    raw.start = "./start".parse().unwrap();
    raw.health_url = "ftp://x/".parse().unwrap();
    raw.keep_releases = "0".parse().unwrap();
    raw.target_group_arn = "web".parse().unwrap();
    raw.instance_tag = "web".parse().unwrap();
    raw.host_key_parameter = "/keys".parse().unwrap();
    raw.ollama_warm_up = "yes".parse().unwrap();
    raw.release = "yesterday".parse().unwrap();
    let mut faults = Faults::for_tests();
    assert!(raw.check(&mut faults).is_none());
    let text = faults.messages().join("\n");
    for part in [
        "ADDRESS",
        "SSH_KEY: `ssm:` names no parameter",
        "HOST_KEY",
        "KNOWN_HOSTS",
        "SOURCE",
        "TARGET",
        "`../data`",
        "START",
        "http://",
        "KEEP_RELEASES",
        "arn:…:targetgroup/",
        "needs an INSTANCE_ID",
        "KEY=VALUE",
        "{instance}",
        "OLLAMA_WARM_UP",
        "\"yesterday\"",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    assert_eq!(faults.messages().len(), 16, "{text}");
}

#[test]
fn project_names_are_what_compose_takes() {
    for (target, project) in [
        ("/home/ubuntu/app", "app"),
        ("/srv/_My.App", "my-app"),
        ("/ü", "app"),
    ] {
        assert_eq!(last_part(target), project);
    }
    assert_eq!(whole_path("/srv/My.blog/app"), "srv-my-blog-app");
}

#[test]
fn the_layout_in_place_has_no_shared_paths() {
    let folder = tempfile::tempdir().unwrap();
    let mut raw = raw(folder.path());
    raw.layout = "in-place".parse().unwrap();
    raw.shared = "var".parse().unwrap();
    let mut faults = Faults::for_tests();
    raw.check(&mut faults);
    assert!(faults.messages()[0].contains("in-place leaves everything alone"));
}

#[test]
fn paths_are_taken_as_compose_files_write_them() {
    let folder = tempfile::tempdir().unwrap();
    let mut raw = raw(folder.path());
    raw.shared = "./data/\n.env\nvar/db".parse().unwrap();
    raw.ephemeral = ".\n./tmp/".parse().unwrap();
    let mut faults = Faults::for_tests();
    let checked = raw.check(&mut faults).unwrap();
    assert_eq!(faults.messages(), Vec::<String>::new());
    assert_eq!(checked.shared, [".env", "data", "var/db"]);
    assert!(checked.shared_folders.iter().eq(["data"]));
    assert_eq!(checked.ephemeral, ["", "tmp"]);
}

#[test]
fn jump_hosts_come_one_a_line_by_several_flags_or_with_commas() {
    let want: Jumps = "ops@a:2222,b".parse().unwrap();
    assert_eq!(want.0.len(), 2);
    for text in ["ops@a:2222\nb\n", "ops@a:2222\0b", " ops@a:2222 , b"] {
        assert_eq!(text.parse(), Ok(want.clone()), "{text:?}");
    }
}
