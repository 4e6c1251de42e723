//! Runs the built `make-ami` against a scripted EC2, as a build does.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod as_asked;
mod carried_out;
mod commands;
mod complaints;
mod connection;
mod cost;
mod endings;
mod exports;
mod iam;
mod identity;
mod inside;
mod let_go;
mod moto;
mod preflight;
mod provenance;
mod publish;
mod retention;
mod scan;
mod sdk_settings;
mod secret_settings;
mod settings;
mod spot;
mod still;
mod stopped;
mod waiting;
mod warm;

use harness::codebuild::CodeBuild;
use harness::ec2::{Ec2World, Instance};
use harness::{FakeAws, Program, Ran};

const INSTANCE: &str = "i-0123456789abcdef0";

/// A fake EC2 with one running instance, and a CodeBuild that knows no builds.
fn account() -> (FakeAws, Ec2World) {
    let fake = FakeAws::start();
    let world = Ec2World::with([Instance::running(INSTANCE)]);
    world.serve(&fake);
    CodeBuild::default().serve(&fake);
    (fake, world)
}

fn program(fake: &FakeAws) -> Program {
    Program::new(env!("CARGO_BIN_EXE_make-ami"))
        .envs(fake.env())
        .env("INSTANCE_ID", INSTANCE)
        .env("AMI_NAME", "web-42")
}

/// Nothing was exported, nothing exists, and an `eval` of the output turns red.
#[track_caller]
fn left_nothing(ran: &Ran, world: &Ec2World, code: i32) {
    ran.assert_code(code);
    assert_eq!(ran.stdout, format!("(exit {code})\n"));
    assert!(
        world.images().is_empty(),
        "{:?}\n{}",
        world.images(),
        ran.stderr
    );
    assert!(
        world.snapshots().is_empty(),
        "{:?}\n{}",
        world.snapshots(),
        ran.stderr
    );
}

fn changed_anything(fake: &FakeAws) -> bool {
    let reading = |operation: &String| operation.starts_with("ec2:Describe");
    !fake.operations().iter().all(reading)
}
