//! Runs the rows of the table and holds each to what docs/promises.md promises of every program.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use harness::microburst::Microburst;
use harness::server::Server;
use harness::sshd::Sshd;
use harness::{FakeAws, Program, Ran};
use tempfile::TempDir;

use crate::fault::{self, Kind};
use crate::jobs::{self, Exports, Job, World};
use crate::table::{Emulator, Row};

/// How many rows run at once: they wait most of the time.
const AT_ONCE: usize = 12;

/// The longest time that a program may be silent, with room for a machine that is busy.
const SILENCE: Duration = Duration::from_secs(33);

/// How long after its deadline a program may still say how it ends and take back what it made.
const LAST_WORDS: Duration = Duration::from_secs(12);

/// What the rows of one emulator have in common.
pub struct Stage<'a> {
    /// The emulator.
    pub server: &'a Server,
    /// The proxy before it.
    pub proxy: &'a Microburst,
    /// An SSH host.
    pub sshd: &'a Sshd,
}

/// Runs all rows and gives what does not hold, each with its row.
#[must_use]
pub fn all(stage: &Stage<'_>, mut rows: Vec<Row>) -> Vec<String> {
    // What takes longest goes first.
    rows.sort_by_key(|row| std::cmp::Reverse(row.kind.deadline()));
    let waiting = Mutex::new(VecDeque::from(rows));
    let said = Mutex::new(String::new());
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some(row) = waiting.lock().unwrap().pop_front() else {
                        return;
                    };
                    // A row that panics is one that does not hold; the others still run.
                    let ended = catch_unwind(AssertUnwindSafe(|| one(stage, &row, &said)));
                    let ended = ended.unwrap_or_else(|_| vec!["it panicked; see above".to_owned()]);
                    let mut failed = failed.lock().unwrap();
                    failed.extend(
                        ended
                            .into_iter()
                            .map(|fault| (row.line, format!("{row}: {fault}"))),
                    );
                }
            });
        }
    });
    let mut failed = failed.into_inner().unwrap();
    failed.sort();
    let said = said.into_inner().unwrap();
    let orphans = jobs::orphans(stage.server).into_iter();
    let orphans = orphans.filter(|id| !said.contains(id));
    let orphans =
        orphans.map(|id| format!("{id} is left of an image that is gone, and no run named it"));
    let failed = failed.into_iter().map(|(_, fault)| fault);
    failed.chain(orphans).collect()
}

/// Runs one row and gives what does not hold.
fn one(stage: &Stage<'_>, row: &Row, said: &Mutex<String>) -> Vec<String> {
    let folder = TempDir::with_prefix("fault").unwrap();
    let name = format!("f{}", row.line);
    let world = World {
        server: stage.server,
        sshd: stage.sshd,
        name: &name,
        folder: &folder,
    };
    let Some(job) = jobs::prepare(&row.job, &world) else {
        // What is missing has said so, and failed where that is not allowed.
        return Vec::new();
    };
    // The key is in the signature of every call: the proxy knows by it whose call it is.
    let key = format!("AKIAFAULT{:04}END", row.line);
    let exports = folder.path().join(".exports");
    std::fs::write(&exports, "export STALE='1'\n").unwrap();
    let deadline = row.kind.deadline();
    let mut program = job
        .program
        .clone()
        .env("AWS_ACCESS_KEY_ID", &key)
        .args(["--timeout", &format!("{}s", deadline.as_secs())])
        .limit(deadline + Duration::from_secs(60));
    if row.has_export_file() {
        program = program.arg("--export-file").arg(&exports);
    }
    if let Some(attempts) = row.kind.attempts() {
        program = program.env("AWS_MAX_ATTEMPTS", attempts);
    }
    let (ran, fired) = match fault::rule(row, &key) {
        Some(rule) => {
            let id = stage.proxy.rule(&rule);
            let ran = through(&program, &stage.proxy.url());
            (ran, stage.proxy.fired(id))
        }
        None => {
            let relay = FakeAws::before(stage.server);
            fault::spoil(&relay, row);
            let ran = through(&program, &relay.url());
            let called = relay.requests_for(&row.operation).len();
            (ran, u64::try_from(called).unwrap())
        }
    };
    said.lock().unwrap().push_str(&ran.stderr);
    let mut faults = Vec::new();
    if fired == 0 && row.kind != Kind::Nothing {
        faults.push("the call was never made, so nothing was spoilt".to_owned());
    }
    faults.extend(broken(row, &job, &ran, &exports));
    if !faults.is_empty() {
        faults.push(format!("that was\n{ran}"));
    }
    faults
}

fn through(program: &Program, endpoint: &str) -> Ran {
    program.clone().env("AWS_ENDPOINT_URL", endpoint).run()
}

/// The promises that a run broke.
fn broken(row: &Row, job: &Job<'_>, ran: &Ran, file: &Path) -> Vec<String> {
    let mut faults = Vec::new();
    let mut unless = |holds: bool, what: String| {
        if !holds {
            faults.push(what);
        }
    };
    let code = ran.code.unwrap_or(-1);
    unless(
        row.exits.contains(&code),
        format!("it ended with {code}, and {:?} is right", row.exits),
    );
    unless(!ran.timed_out, "it had to be killed".to_owned());
    unless(
        ran.silence <= SILENCE,
        format!("it was silent for {:?}", ran.silence),
    );
    let limit = row.kind.deadline() + LAST_WORDS;
    unless(
        ran.duration <= limit,
        format!(
            "it ran {:?} with a deadline of {:?}",
            ran.duration,
            row.kind.deadline()
        ),
    );
    let made = (job.made)();
    unless(
        made.len() == row.left,
        format!("{made:?} is there, and {} is right", row.left),
    );
    if code == 0 {
        match exports(row, ran, file) {
            Ok(exports) => {
                let wrong = (job.wrong)(&exports);
                unless(wrong.is_none(), wrong.unwrap_or_default());
            }
            Err(fault) => unless(false, fault),
        }
        return faults;
    }
    let expected = match row.has_export_file() || row.reports() {
        true => String::new(),
        false => format!("(exit {code})\n"),
    };
    unless(
        ran.stdout == expected,
        format!("standard output is {:?}, not {expected:?}", ran.stdout),
    );
    unless(
        !file.exists() || !row.has_export_file(),
        "an export file is there after a failure".to_owned(),
    );
    unless(
        code != 1 || made.is_empty(),
        format!("exit 1 says that nothing remains, and {made:?} is there"),
    );
    unless(
        code != 2 || made.is_empty(),
        format!("exit 2 says that nothing was touched, and {made:?} is there"),
    );
    for id in &made {
        unless(
            ran.stderr.contains(id),
            format!("{id} is left and not named"),
        );
    }
    if let Some(said) = row.kind.code(row.service()) {
        // S3 answers HEAD without a body, and so without a code.
        let has_body = row.operation != "s3:HeadObject";
        let was_told = ran.stderr.contains(said) || !has_body;
        unless(was_told, format!("what AWS said, {said}, is not told"));
    }
    faults
}

/// What the program handed on.
fn exports(row: &Row, ran: &Ran, file: &Path) -> Result<Exports, String> {
    if row.job.starts_with("run-pipeline") {
        return report(&ran.stdout);
    }
    if !row.has_export_file() {
        return Ok(ran.exports());
    }
    if !ran.stdout.is_empty() {
        return Err(format!(
            "standard output is {:?} beside an export file",
            ran.stdout
        ));
    }
    if !file.exists() {
        return Ok(Exports::new());
    }
    let exports = harness::program::exports_of(file);
    match exports.contains_key("STALE") {
        true => Err("the export file is the one from before".to_owned()),
        false => Ok(exports),
    }
}

/// The variables of run-pipeline's report as `Namespace.NAME`.
fn report(stdout: &str) -> Result<Exports, String> {
    let report: BTreeMap<String, Exports> =
        serde_json::from_str(stdout).map_err(|error| format!("{error}: {stdout}"))?;
    let flat = report.into_iter().flat_map(|(space, variables)| {
        let named = move |(name, value)| (format!("{space}.{name}"), value);
        variables.into_iter().map(named)
    });
    Ok(flat.collect())
}

impl Row {
    /// Whether the job exports to a file: over one emulator all do, over the other standard output has it, so
    /// that both ways are tried with every kind of fault. A run of a pipeline always reports on standard output, and what
    /// runs on an instance exports nothing.
    fn has_export_file(&self) -> bool {
        let exports = !self.reports() && !self.job.starts_with("signal-health");
        self.over == Emulator::Ministack && exports
    }

    /// Whether standard output is a report in JSON, which no shell evaluates.
    fn reports(&self) -> bool {
        self.job.starts_with("run-pipeline")
    }
}
