//! The systemd unit fits the program, and the program is small enough for an idle life.

use crate::world::{World, image, stop};
use clap::CommandFactory as _;
use std::fs;

fn unit() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/job-worker.service");
    fs::read_to_string(path).unwrap()
}

fn value(unit: &str, key: &str) -> String {
    let mut lines = unit.lines().filter_map(|line| line.split_once('='));
    lines.find(|(name, _)| *name == key).unwrap().1.to_owned()
}

#[derive(clap::Parser)]
struct Flags {
    #[command(flatten)]
    raw: job_worker::Raw,
}

#[test]
fn the_unit_gives_a_stop_more_time_than_the_worker_takes() {
    let unit = unit();
    let command = Flags::command();
    let flag = command
        .get_arguments()
        .find(|one| one.get_id() == "stop_within")
        .unwrap();
    let default = flag.get_default_values()[0].to_str().unwrap();
    let within: u64 = default.trim_end_matches('s').parse().unwrap();
    let unit_within: u64 = value(&unit, "TimeoutStopSec").parse().unwrap();
    assert!(unit_within >= within + 20, "{unit_within} and {within}");
    // systemd must not send SIGTERM to a look: make-ami would remove the image.
    assert_eq!(value(&unit, "KillMode"), "mixed");
    assert_eq!(value(&unit, "NoNewPrivileges"), "yes");
    assert_eq!(value(&unit, "ProtectSystem"), "strict");
    assert_eq!(value(&unit, "StateDirectory"), "job-worker");
}

#[test]
fn fifty_images_in_the_making_cost_little_memory_and_a_poll_little_time() {
    let world = World::new();
    for n in 0..50 {
        world.jobs.start(image(&format!("Bake{n}")));
    }
    let worker = world.worker().env("JOB_WORKER_LOOK_EVERY", "1h").spawn();
    let handed_back = |world: &World| world.jobs.all().len() == 100;
    world.until("all wait", handed_back);
    let asked = |world: &World| world.fake.requests_for("codepipeline:PollForJobs").len();
    let pid = worker.id();
    let spent = || {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let fields: Vec<u64> = stat
            .rsplit_once(") ")
            .unwrap()
            .1
            .split(' ')
            .map(|field| field.parse().unwrap_or(0))
            .collect();
        // User and system time, in ticks of ten milliseconds.
        (fields[11] + fields[12]) * 10
    };
    let first = asked(&world);
    world.until("it knows all", |world| asked(world) > first + 3);
    let (polls, before) = (asked(&world), spent());
    world.until("many polls", |world| asked(world) > polls + 50);
    let (polls, took) = (asked(&world) - polls, spent() - before);
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("RssAnon"))
        .unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!(kib < 40 * 1024, "{kib} KiB");
    let each = took as f64 / polls as f64;
    // Each poll answers with all fifty jobs here; without optimization it may take some more than what ships.
    let ships = std::env::var_os("ACTIONS_BIN").is_some_and(|folder| !folder.is_empty());
    let most = if ships { 5.0 } else { 25.0 };
    assert!(each < most, "{each} ms for each of {polls} polls");
    stop(worker).assert_code(0);
}
