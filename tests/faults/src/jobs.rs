//! The jobs: a program with what it works on, made in an emulator without a proxy in between.

mod deploy_app;
mod export_vars;
mod make_ami;
mod package_template;
mod run_pipeline;
mod signal_health;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use harness::Program;
use harness::server::Server;
use harness::sshd::Sshd;
use tempfile::TempDir;

/// What a job has around it.
pub struct World<'a> {
    /// The emulator, asked directly.
    pub server: &'a Server,
    /// An SSH host for `deploy-app`, shared by all.
    pub sshd: &'a Sshd,
    /// A name that no other job has, for stacks, buckets and images: letters and digits.
    pub name: &'a str,
    /// A folder of the job's own.
    pub folder: &'a TempDir,
}

impl World<'_> {
    /// Waits until the stack is in no state in between, and gives the state.
    fn settled(&self, stack: &str) -> String {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let status = status_of(self.server, stack).unwrap_or_default();
            if !status.ends_with("_IN_PROGRESS") || Instant::now() >= deadline {
                return status;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    #[track_caller]
    fn stack_is(&self, stack: &str, status: &str) {
        assert_eq!(self.settled(stack), status, "the stack {stack}");
    }
}

/// A job that is ready to run.
pub struct Job<'a> {
    /// The program with its settings, but for endpoint, credentials and deadline.
    pub program: Program,
    /// What is wrong with what it exported, in a sentence; asked when it succeeded.
    pub wrong: Judge<'a>,
    /// The ids of what the run made and what is there now: images, versions, stacks.
    pub made: Box<dyn Fn() -> Vec<String> + 'a>,
}

/// Judges what was exported: what is wrong with it, if anything.
pub type Judge<'a> = Box<dyn Fn(&Exports) -> Option<String> + 'a>;

/// What a program handed on.
pub type Exports = BTreeMap<String, String>;

/// Prepares the job of that name; `None` where a component is not on this machine.
///
/// # Panics
/// When there is no such job, or the emulator does not make what it needs.
pub fn prepare<'a>(job: &str, world: &'a World<'a>) -> Option<Job<'a>> {
    let (program, way) = job.split_once(':').unwrap_or((job, ""));
    match program {
        "deploy-app" => deploy_app::prepare(way, world),
        "export-vars" => export_vars::prepare(way, world),
        "make-ami" => make_ami::prepare(way, world),
        "package-template" => package_template::prepare(way, world),
        "run-pipeline" => run_pipeline::prepare(way, world),
        "signal-health" => signal_health::prepare(way, world),
        other => panic!("no program {other}"),
    }
}

/// What no job of its own can be asked for, once all have ended: snapshots whose image is gone.
#[must_use]
pub fn orphans(server: &Server) -> Vec<String> {
    make_ami::orphans(server)
}

/// `wrong` for one export that must have this value.
fn unless_is(exports: &Exports, name: &str, value: &str) -> Option<String> {
    let found = exports.get(name);
    (found.map(String::as_str) != Some(value))
        .then(|| format!("{name} is {found:?}, and {value} is right"))
}

/// The status of a stack in the emulator; `None` when there is no such stack.
fn status_of(server: &Server, stack: &str) -> Option<String> {
    let stacks = server.query("cloudformation", "DescribeStacks", &[]);
    let name = format!("<StackName>{stack}</StackName>");
    let (_, rest) = stacks.split_once(&name)?;
    Some(harness::xml::one(rest, "StackStatus").to_owned())
}

/// A new running instance.
fn instance(server: &Server, name: &str) -> String {
    let made = server.query(
        "ec2",
        "RunInstances",
        &[
            ("ImageId", "ami-12c6146b"),
            ("InstanceType", "t3.medium"),
            ("MinCount", "1"),
            ("MaxCount", "1"),
            ("TagSpecification.1.ResourceType", "instance"),
            ("TagSpecification.1.Tag.1.Key", "Name"),
            ("TagSpecification.1.Tag.1.Value", name),
        ],
    );
    harness::xml::one(&made, "instanceId").to_owned()
}

/// Whether an instance runs, or is about to.
fn runs(server: &Server, instance: &str) -> bool {
    let found = server.query("ec2", "DescribeInstances", &[("InstanceId.1", instance)]);
    let state = harness::xml::one(&found, "instanceState");
    ["running", "pending"].contains(&harness::xml::one(state, "name"))
}

/// A new versioned bucket.
fn bucket(server: &Server, name: &str) {
    let place = b"<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>";
    assert_eq!(server.s3("PUT", &format!("/{name}"), place).0, 200);
    let on = b"<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Status>Enabled</Status></VersioningConfiguration>";
    assert_eq!(server.s3("PUT", &format!("/{name}?versioning"), on).0, 200);
}

/// The versions of a bucket's objects, the newest first.
fn versions(server: &Server, bucket: &str) -> Vec<String> {
    let (status, listed) = server.s3("GET", &format!("/{bucket}?versions"), b"");
    assert_eq!(status, 200, "{listed}");
    let mut found = harness::xml::all(&listed, "Version");
    found.sort_by_key(|one| !one.contains("<IsLatest>true</IsLatest>"));
    found
        .into_iter()
        .map(|one| harness::xml::one(one, "VersionId").to_owned())
        .collect()
}
