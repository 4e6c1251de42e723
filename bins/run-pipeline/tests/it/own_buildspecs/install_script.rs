//! The lines that install the programs in each buildspec.

use std::fs;
use std::process::Command;

use harness::{Program, Ran};

use super::{World, digest, exporter, repository};

/// A program that is not on `PATH` is fetched, checked and run.
#[test]
fn a_missing_program_comes_from_the_release_by_its_digest() {
    let world = World::new();
    world.stand_in("make-ami", &exporter("\"export AMI_ID='ami-0abc1234'\""));
    fs::create_dir(world.release()).unwrap();
    let released = world.release().join("make-ami");
    fs::rename(world.bin().join("make-ami"), &released).unwrap();
    let bin = world.bin().display().to_string();
    let folder = world.release().display().to_string();
    let digests = format!(
        "deploy-app={},make-ami={}",
        "0".repeat(64),
        digest(&released)
    );
    let variables = [
        ("ACTIONS_BIN", bin.as_str()),
        ("ACTIONS_RELEASE", folder.as_str()),
        ("ACTIONS_DIGESTS", digests.as_str()),
    ];
    let ran = world.run("make-ami", &variables);
    ran.assert_code(0)
        .assert_stderr("install: make-ami is installed in");
    assert_eq!(ran.exports()["AMI_ID"], "ami-0abc1234");

    // Somebody else's file under the same name never runs.
    fs::remove_file(world.bin().join("make-ami")).unwrap();
    fs::write(&released, "#!/bin/sh\necho tampered\n").unwrap();
    let ran = world.run("make-ami", &variables);
    ran.assert_code(1)
        .assert_stderr("is not what ACTIONS_DIGESTS names; it was not installed")
        .refute_stderr("tampered");
    assert_eq!(fs::read_dir(world.bin()).unwrap().count(), 0);
}

/// The install script alone, in the shells that an image's `sh` may be.
#[test]
fn the_install_script_refuses_and_says_why() {
    let good = "a".repeat(64);
    let named = format!("tool={good}");
    let short = format!("tool={}", &good[1..]);
    type Case<'a> = (&'a [(&'a str, &'a str)], i32, &'a str);
    let cases: [Case<'_>; 8] = [
        (&[], 2, "cannot install tool: ACTIONS_RELEASE is not set"),
        (
            &[("ACTIONS_RELEASE", "bucket")],
            2,
            "neither s3://bucket/prefix nor a folder",
        ),
        (
            &[("ACTIONS_RELEASE", "s3://b/p")],
            2,
            "ACTIONS_DIGESTS does not name it",
        ),
        (
            &[
                ("ACTIONS_RELEASE", "s3://b/p"),
                ("ACTIONS_DIGESTS", "tools=1,tool-2=3"),
            ],
            2,
            "ACTIONS_DIGESTS does not name it",
        ),
        (
            &[
                ("ACTIONS_RELEASE", "s3://b/p"),
                ("ACTIONS_DIGESTS", "tool=ABC"),
            ],
            2,
            "not a SHA-256 in lower-case hexadecimal",
        ),
        (
            &[("ACTIONS_RELEASE", "s3://b/p"), ("ACTIONS_DIGESTS", &short)],
            2,
            "has 63 digits, a SHA-256 has 64",
        ),
        (
            &[
                ("ACTIONS_RELEASE", "s3://b/p"),
                ("ACTIONS_DIGESTS", &named),
                ("ACTIONS_BIN", "/no/such/folder"),
            ],
            2,
            "/no/such/folder is not a folder",
        ),
        (
            &[("ACTIONS_RELEASE", "s3://b/p"), ("ACTIONS_DIGESTS", &named)],
            4,
            "cannot fetch s3://b/p/tool",
        ),
    ];
    for shell in shells() {
        for (variables, code, said) in cases {
            let world = World::new();
            world.stand_in("aws", "exit 1");
            install(&shell, &world, variables, &["tool"])
                .assert_code(code)
                .assert_stderr(said);
            assert_eq!(fs::read_dir(world.bin()).unwrap().count(), 1, "{said}");
        }
        let world = World::new();
        install(&shell, &world, &[], &[])
            .assert_code(2)
            .assert_stderr("usage:");
        install(&shell, &world, &[], &["../tool"])
            .assert_code(2)
            .assert_stderr("is not the name of a program");
        // What is there is not looked for.
        world.stand_in("tool", "");
        install(&shell, &world, &[], &["tool"])
            .assert_code(0)
            .assert_stderr("tool is there already");
    }
}

#[test]
fn the_install_script_fetches_with_the_aws_cli() {
    for shell in shells() {
        let world = World::new();
        // aws s3 cp --only-show-errors FROM TO
        world.stand_in("aws", "printf '#!/bin/sh\\necho I run\\n' >\"$5\"");
        let same = world.folder.path().join("same");
        fs::write(&same, "#!/bin/sh\necho I run\n").unwrap();
        let digests = format!("tool={}", digest(&same));
        let variables = [
            ("ACTIONS_RELEASE", "s3://b/p"),
            ("ACTIONS_DIGESTS", digests.as_str()),
        ];
        install(&shell, &world, &variables, &["tool"]).assert_code(0);
        assert!(
            world
                .calls()
                .contains("aws s3 cp --only-show-errors s3://b/p/blobs/")
        );
        let output = Command::new(world.bin().join("tool")).output().unwrap();
        assert_eq!(output.stdout, b"I run\n");
        // Nothing but the two programs: no half-written file.
        assert_eq!(fs::read_dir(world.bin()).unwrap().count(), 2);
    }
}

/// A published release holds a program by its content only.
#[test]
fn a_published_release_serves_and_what_is_missing_says_why_both_ways() {
    let world = World::new();
    fs::create_dir_all(world.release().join("blobs")).unwrap();
    let tool = world.release().join("tool");
    fs::write(&tool, "#!/bin/sh\n").unwrap();
    let sum = digest(&tool);
    fs::rename(&tool, world.release().join("blobs").join(&sum)).unwrap();
    let digests = format!("tool={sum}");
    let folder = world.release().display().to_string();
    let shell = ["dash"];
    let from = |release: &str| {
        let variables = [
            ("ACTIONS_RELEASE", release),
            ("ACTIONS_DIGESTS", digests.as_str()),
        ];
        install(&shell, &world, &variables, &["tool"])
    };
    world.stand_in("aws", "echo \"denied: $4\" >&2\nexit 1");
    from("s3://b/p")
        .assert_code(4)
        .assert_stderr(&format!("denied: s3://b/p/blobs/{sum}"))
        .assert_stderr("denied: s3://b/p/tool");
    from(&folder).assert_code(0).refute_stderr("No such file");
}

fn shells() -> Vec<Vec<&'static str>> {
    let all = [vec!["dash"], vec!["bash", "--posix"], vec!["busybox", "sh"]];
    let there = |shell: &Vec<&str>| {
        let found = Command::new("sh")
            .args(["-c", "command -v \"$1\"", "sh", shell[0]])
            .output();
        found.is_ok_and(|output| output.status.success())
    };
    all.into_iter().filter(there).collect()
}

fn install(shell: &[&str], world: &World, variables: &[(&str, &str)], programs: &[&str]) -> Ran {
    let path = std::env::var("PATH").unwrap();
    let which = Command::new("sh")
        .args(["-c", "command -v \"$1\"", "sh", shell[0]])
        .output()
        .unwrap();
    let program = String::from_utf8(which.stdout).unwrap();
    Program::new(program.trim())
        .args(&shell[1..])
        .arg(repository().join("buildspecs/install.sh"))
        .args(programs)
        .env("PATH", format!("{}:{path}", world.bin().display()))
        .env("ACTIONS_BIN", world.bin())
        .envs(variables.iter().copied())
        .run()
}
