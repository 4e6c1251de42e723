//! The table of faults, one a line.

use std::fmt;

use crate::fault::Kind;

const TEXT: &str = include_str!("../faults.txt");

/// One fault: a call of a job that is spoilt, and how the program must end.
#[derive(Debug, Clone)]
pub struct Row {
    /// The line in `faults.txt`.
    pub line: usize,
    /// The job, such as `make-ami:stop`.
    pub job: String,
    /// The call, such as `ec2:CreateImage`.
    pub operation: String,
    /// What happens to it.
    pub kind: Kind,
    /// To how many of these calls, the first ones; `None` for all.
    pub calls: Option<u64>,
    /// The emulator behind the proxy.
    pub over: Emulator,
    /// The exit codes that are right.
    pub exits: Vec<i32>,
    /// How many things that the run made are there afterwards.
    pub left: usize,
}

impl Row {
    /// The service of the call, such as `ec2`.
    #[must_use]
    pub fn service(&self) -> &str {
        self.operation.split(':').next().unwrap_or_default()
    }
}

/// Who plays AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Emulator {
    /// `moto_server`.
    Moto,
    /// `ministack`.
    Ministack,
}

/// Every fault, in the order of the table.
///
/// # Panics
/// With the line that cannot be read.
#[must_use]
pub fn rows() -> Vec<Row> {
    let lines = TEXT.lines().enumerate();
    let lines = lines.filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    lines
        .flat_map(|(index, line)| read(index + 1, line))
        .collect()
}

/// One row for each emulator that a line names.
fn read(number: usize, line: &str) -> Vec<Row> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [job, operation, kind, calls, over, exits, left] = words[..] else {
        panic!("faults.txt:{number} has {} columns, not 7", words.len())
    };
    let bad = |column: &str, word: &str| -> ! { panic!("faults.txt:{number}: {column} is {word}") };
    let over = match over {
        "moto" => vec![Emulator::Moto],
        "ministack" => vec![Emulator::Ministack],
        "both" => vec![Emulator::Moto, Emulator::Ministack],
        _ => bad("over", over),
    };
    let row = |over| Row {
        line: number,
        job: job.to_owned(),
        operation: operation.to_owned(),
        kind: kind.parse().unwrap_or_else(|()| bad("fault", kind)),
        calls: match calls {
            "all" => None,
            _ => Some(calls.parse().unwrap_or_else(|_| bad("calls", calls))),
        },
        over,
        exits: exits
            .split('|')
            .map(|exit| exit.parse().unwrap_or_else(|_| bad("exit", exits)))
            .collect(),
        left: left.parse().unwrap_or_else(|_| bad("left", left)),
    };
    over.into_iter().map(row).collect()
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            line,
            job,
            operation,
            kind,
            over,
            ..
        } = self;
        let calls = self
            .calls
            .map_or("all".to_owned(), |calls| calls.to_string());
        write!(
            f,
            "faults.txt:{line} {job} {operation} {kind} {calls} over {over:?}"
        )
    }
}
