//! How much memory the agent takes on the host, whatever is deployed.
//!
//! CI deploys little. `TEST_SIZE=full` deploys what the bound is promised for: a first copy of 10,000 files, 50,000 files
//! unchanged, and 1 GiB of which 1 MiB changed; with the programs as they ship (`ACTIONS_BIN`), for without optimisation
//! that takes long.

use crate::world::{Tools, World};
use harness::sshd::Options;
use std::path::Path;
use std::time::{Duration, Instant};

/// The agent's peak of memory, at the most.
const MOST_KIB: u64 = 32 << 10;

/// What is deployed: files of a first copy, files that are there already, and bytes of a large file.
fn sizes() -> (usize, usize, usize) {
    match std::env::var("TEST_SIZE").as_deref() {
        Ok("full") => (10_000, 50_000, 1 << 30),
        _ => (500, 2_000, 48 << 20),
    }
}

/// Small files in folders of a hundred.
fn write_files(source: &Path, count: usize) {
    for n in 0..count {
        let folder = source.join(format!("files/{}", n / 100));
        if n % 100 == 0 {
            std::fs::create_dir_all(&folder).unwrap();
        }
        std::fs::write(folder.join(n.to_string()), format!("{n}\n").repeat(400)).unwrap();
    }
}

/// The largest of what was told of a run, once everything that it began has ended.
fn peak_of(begun: &Path, peaks: &Path) -> u64 {
    let lines = |file: &Path| std::fs::read_to_string(file).unwrap_or_default();
    let deadline = Instant::now() + Duration::from_secs(30);
    while lines(begun).lines().count() > lines(peaks).lines().count() {
        assert!(
            Instant::now() < deadline,
            "something still runs on the host"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    let told = lines(peaks);
    for file in [begun, peaks] {
        std::fs::remove_file(file).unwrap();
    }
    told.lines()
        .map(|line| line.parse().unwrap())
        .max()
        .unwrap()
}

#[test]
#[allow(
    clippy::print_stderr,
    reason = "by how far the bound is kept is of interest, too"
)]
fn the_agent_takes_little_memory_whatever_is_deployed() {
    if !Path::new("/usr/bin/time").exists() {
        return harness::missing("GNU time");
    }
    let tools = Tools::new();
    let (peaks, begun) = (tools.path().join("peaks"), tools.path().join("begun"));
    // Of everything that a login runs, the largest.
    tools.write(
        "measured",
        &format!(
            "#!/bin/sh\necho >>'{}'\nexec /usr/bin/time -q -a -o '{}' -f %M sh -c \"$SSH_ORIGINAL_COMMAND\"\n",
            begun.display(),
            peaks.display()
        ),
    );
    let options = Options {
        config: vec![format!(
            "ForceCommand {}",
            tools.path().join("measured").display()
        )],
        ..Options::default()
    };
    let Some(world) = World::start_with(&options) else {
        return;
    };
    let (first, unchanged, large) = sizes();
    let peak = |what: &str| {
        world
            .files_only()
            .limit(Duration::from_secs(900))
            .run()
            .assert_code(0);
        let peak = peak_of(&begun, &peaks);
        eprintln!("{what}: {peak} KiB");
        assert!(peak <= MOST_KIB, "{what}: {peak} KiB");
    };
    write_files(&world.source(), first);
    peak("a first copy");
    write_files(&world.source(), unchanged);
    peak("more files");
    peak("unchanged files");
    std::fs::remove_dir_all(world.source().join("files")).unwrap();
    let mut content = crate::noise::noise(large);
    std::fs::write(world.source().join("large"), &content).unwrap();
    peak("a large file");
    let middle = large / 2;
    content[middle..middle + (1 << 20)].reverse();
    std::fs::write(world.source().join("large"), &content).unwrap();
    drop(content);
    peak("a large file that changed little");
}
