//! What a reader makes of a file, statement by statement.

/// What a reader makes of one statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// The variable gets this value.
    Value(String),
    /// The variable gets what the reader's own environment has; nothing when it has none.
    Inherited(Option<String>),
    /// The variable is known without a value.
    NoValue,
    /// The reader passes over the statement, at most with a warning: why.
    Dropped(&'static str),
    /// The reader stops with an error: why. Nothing of the file counts then.
    Refused(&'static str),
    /// A shell does more than set variables: what. Nothing of the text is repeated.
    Runs(&'static str),
}

impl Reading {
    /// The value that a variable gets.
    #[must_use]
    pub fn value(&self) -> Option<&str> {
        match self {
            Reading::Value(value) | Reading::Inherited(Some(value)) => Some(value),
            _ => None,
        }
    }
}

/// One statement of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The line on which it begins, from 1.
    pub line: usize,
    /// The variable, as far as the reader found one.
    pub name: String,
    /// What it does.
    pub reading: Reading,
}

/// What a reader knows besides the file: its own environment. Called with a name.
pub type Host<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The values that earlier statements gave, the last one first.
pub(super) fn earlier(statements: &[Statement], name: &str) -> Option<String> {
    let mut found = statements.iter().rev().filter(|one| one.name == name);
    found.find_map(|one| one.reading.value().map(str::to_owned))
}

/// The byte order mark with which some editors begin a file.
pub(super) const BYTE_ORDER_MARK: char = '\u{feff}';
