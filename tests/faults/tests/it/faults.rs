//! Every row of the table, over the emulator that it names.

use std::collections::BTreeSet;

use faults::run::{self, Stage};
use faults::table::{self, Emulator, Row};
use harness::microburst::Microburst;
use harness::ministack::Ministack;
use harness::moto::Moto;
use harness::server::Server;
use harness::sshd::Sshd;

/// Runs the rows over one emulator. While working, `FAULTS=make-ami:stop` chooses those whose text holds it.
fn over(emulator: Emulator, server: &Server) {
    let (Some(proxy), Some(sshd)) = (Microburst::before(server), Sshd::start()) else {
        return;
    };
    let chosen = std::env::var("FAULTS").unwrap_or_default();
    let mut rows = table::rows();
    rows.retain(|row| row.over == emulator && row.to_string().contains(&chosen));
    let count = rows.len();
    // Deadlines here are short, and none is to run while a server of the tests reads its own files.
    let services: BTreeSet<&str> = rows.iter().map(Row::service).collect();
    proxy.warm_up(services);
    let stage = Stage {
        server,
        proxy: &proxy,
        sshd: &sshd,
    };
    let failed = run::all(&stage, rows);
    assert!(
        failed.is_empty(),
        "of {count} faults over {emulator:?} these do not hold:\n{}",
        failed.join("\n")
    );
}

#[test]
fn every_fault_over_moto() {
    let Some(moto) = Moto::start() else { return };
    over(Emulator::Moto, &moto);
}

#[test]
fn every_fault_over_ministack() {
    let Some(ministack) = Ministack::start() else {
        return;
    };
    over(Emulator::Ministack, &ministack);
}

#[test]
fn the_table_has_sixty_faults_and_more_over_two_emulators() {
    let rows = table::rows();
    assert!(rows.len() >= 60, "{} faults", rows.len());
    for emulator in [Emulator::Moto, Emulator::Ministack] {
        let count = rows.iter().filter(|row| row.over == emulator).count();
        assert!(count >= 30, "{count} over {emulator:?}");
    }
    let mut seen: Vec<String> = rows
        .iter()
        .map(|row| row.to_string().split_once(' ').unwrap().1.to_owned())
        .collect();
    let all = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), all, "a fault is twice in the table");
}
