//! What was found of the application, and what became of telling it.

/// Whether the application answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It answered well as often in a row as was asked for.
    Healthy,
    /// The deadline came; what was seen last.
    Unhealthy(String),
}

/// What became of the news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// It was taken.
    Heard,
    /// Nobody waits for it, as when the group scales out by itself.
    NobodyWaits,
}
