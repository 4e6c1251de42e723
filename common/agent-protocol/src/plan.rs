//! What the agent does alone when the connection is lost after the switch to a release.
//!
//! The client sends a plan before it switches, and another one with each stage. A plan holds everything that the agent
//! needs: commands as the client itself would run them, and how the application is asked for its health.

use std::fmt;
use std::ops::RangeInclusive;

use filesync::{Operation, Paths};
use serde::{Deserialize, Serialize};

/// What the agent does once the connection is lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The release that is brought to run.
    pub release: String,
    /// The store that it is in.
    pub paths: Paths,
    /// What is left to do until the release is proven.
    pub forward: Forward,
    /// What was under way when the connection was lost has at least so long, in milliseconds: that may have been
    /// noticed late.
    pub least_ms: u64,
    /// What takes the release back when it cannot be proven.
    pub back: Vec<Step>,
    /// The release that runs again then; none where there is none to go back to.
    pub before: Option<String>,
    /// The line for the record of deployments: a JSON object. The agent adds `time`, `result`, `outcome` and `decided`.
    pub audit: String,
}

/// How a release is proven.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Forward {
    /// By these steps, which all succeed.
    Prove(Vec<Step>),
    /// Not on the host alone: why, in words. It is taken back.
    Cannot(String),
}

/// A step of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// For people, as in `cannot {what}`: `start release 20261123094308-1a2b3c4`.
    pub what: String,
    /// What is done.
    pub action: Action,
    /// What its failure means.
    pub on_failure: OnFailure,
    /// How long it may take with all tries, in milliseconds. For the first step of [`Forward::Prove`] they count since
    /// the plan came: it was under way when the connection was lost. See also [`Plan::least_ms`].
    pub limit_ms: u64,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// Runs a script with the host's `sh`. It succeeds with status 0.
    Run(String),
    /// Asks the application until it answered well.
    Ask(HealthCheck),
    /// Changes the store.
    Files(Operation),
}

/// What the failure of a step means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnFailure {
    /// The steps after it are not done.
    End,
    /// It is tried again until its time is up.
    Retry,
    /// Nothing.
    Ignore,
}

/// A question over plain HTTP, and which answers are good.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    /// A name or an address, IPv6 without brackets, as the host knows it.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Path and query.
    pub path: String,
    /// All headers, `Host` included. Their values may be secrets: they are written nowhere.
    pub headers: Vec<(String, String)>,
    /// The statuses of a good answer.
    pub statuses: Vec<RangeInclusive<u16>>,
    /// Text that a good answer contains.
    pub body: Option<String>,
    /// The release that a good answer names, where it names one in `X-Release-Id`.
    pub release: String,
    /// How many good answers in a row are needed.
    pub count: u32,
    /// How long to wait between two questions, in milliseconds.
    pub pause_ms: u64,
}

impl fmt::Debug for HealthCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            host, port, path, ..
        } = self;
        write!(f, "HealthCheck({host}:{port}{path})")
    }
}
