//! Hosts whose tools are not GNU's.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::sshd::Options;

use crate::noise::noise;
use crate::world::{Tools, World};

/// A host that has these programs and no others, and what it cannot do without otherwise.
fn host(name: &str, programs: &[PathBuf], besides: &[&str]) -> Option<(Tools, World)> {
    let tools = Tools::new();
    let at = |name: &str| tools.path().join(name);
    for program in programs {
        symlink(program, at(program.file_name().unwrap().to_str().unwrap())).unwrap();
    }
    for besides in besides {
        drop(std::fs::remove_file(at(besides)));
        let found = output("sh", &["-c", &format!("command -v {besides}")])?;
        let real = std::fs::canonicalize(found.trim()).unwrap();
        symlink(real, at(besides)).unwrap();
    }
    let options = Options {
        env: vec![format!("PATH={}", tools.path().display())],
        ..Options::default()
    };
    assert!(at("mv").exists(), "{name}");
    Some((tools, World::start_with(&options)?))
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    Some(String::from_utf8(output.stdout).unwrap())
}

/// The programs that one program is, under their names; none, and told, when it is not on this machine.
fn names_of(tools: &Tools, program: &str, list: &[&str]) -> Vec<PathBuf> {
    let Some(names) = output(program, list) else {
        harness::missing(program);
        return Vec::new();
    };
    let real = output("sh", &["-c", &format!("command -v {program}")]).unwrap();
    let link = |name: &str| {
        let link = tools.path().join(name);
        symlink(real.trim(), &link).unwrap();
        link
    };
    names.split_whitespace().map(link).collect()
}

/// Deploys, changes, lets alone, puts right and goes back, in either layout.
fn is_deployed_to(name: &str, world: &World) {
    let large = noise(5 << 20);
    let mut edited = large.clone();
    edited[3_000_000..3_001_000].fill(7);
    world.write("folder/sp ace", "x");
    world.write("new\nline's", "y");
    symlink("content", world.source().join("link")).unwrap();
    let holds = |at: &Path, content: &str, large: &[u8]| {
        assert_eq!(
            std::fs::read_to_string(at.join("link")).unwrap(),
            content,
            "{name}"
        );
        assert_eq!(
            std::fs::read_to_string(at.join("new\nline's")).unwrap(),
            "y",
            "{name}"
        );
        assert!(std::fs::read(at.join("large")).unwrap() == large, "{name}");
    };
    for (layout, live) in [("releases", "current"), ("in-place", "")] {
        let target = world.target().join(layout);
        let live = target.join(live);
        let program = world
            .files_only()
            .env("DEPLOY_APP_LAYOUT", layout)
            .env("DEPLOY_APP_TARGET", &target);
        let deploy = || {
            let ran = program.run();
            ran.assert_code(0);
            ran
        };
        world.write("content", "one");
        std::fs::write(world.source().join("large"), &large).unwrap();
        deploy();
        holds(&live, "one", &large);
        world.write("content", "two");
        std::fs::write(world.source().join("large"), &edited).unwrap();
        deploy();
        holds(&live, "two", &edited);
        deploy().assert_stderr("nothing to deploy");
        program.clone().arg("rollback").run().assert_code(0);
        holds(&live, "one", &large);
        for left in ["lock", "next"] {
            assert!(
                !target.join(".deploy").join(left).exists(),
                "{name}: {left}"
            );
        }
    }
}

#[test]
fn a_host_with_nothing_but_busybox_is_deployed_to() {
    let links = Tools::new();
    let programs = names_of(&links, "busybox", &["--list"]);
    if let (false, Some((_tools, world))) = (programs.is_empty(), host("busybox", &programs, &[])) {
        is_deployed_to("busybox", &world);
    }
}

#[test]
fn a_host_with_the_tools_of_toybox_is_deployed_to() {
    let links = Tools::new();
    let programs = names_of(&links, "toybox", &[]);
    // What it does not have yet.
    let besides = ["sh", "awk"];
    if let (false, Some((_tools, world))) =
        (programs.is_empty(), host("toybox", &programs, &besides))
    {
        is_deployed_to("toybox", &world);
    }
}

#[test]
fn a_host_with_the_rust_coreutils_is_deployed_to() {
    let Ok(folder) = std::fs::read_dir("/usr/lib/cargo/bin/coreutils") else {
        harness::missing("rust-coreutils");
        return;
    };
    let programs: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
    let besides = ["sh", "awk", "find", "xargs", "tar", "gzip"];
    if let Some((_tools, world)) = host("rust-coreutils", &programs, &besides) {
        is_deployed_to("rust-coreutils", &world);
    }
}
