//! A call without an answer, where it was not the SDK that gave it up.

use std::error::Error;
use std::fmt;

/// Why a call has no answer, where it was not the SDK that gave it up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// The deadline came.
    Late,
    /// The answer's end is missing: what was asked may be done.
    Cut,
    /// What answered is not AWS.
    Foreign,
}

/// The error of a call without an answer.
#[derive(Debug)]
pub(crate) struct Unanswered {
    pub(crate) why: Why,
    /// The HTTP status, where there was one.
    pub(crate) status: Option<u16>,
    text: String,
}

impl Unanswered {
    pub(crate) fn new(why: Why, status: Option<u16>, text: String) -> Self {
        Self { why, status, text }
    }
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for Unanswered {}
