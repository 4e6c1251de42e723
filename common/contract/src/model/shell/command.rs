//! One command of a script, and its words.

/// How a command is joined to the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Join {
    /// A line end, `;`, or the end of the script.
    Next,
    /// `&&`.
    And,
    /// `||`.
    Or,
    /// `|`.
    Pipe,
    /// `&`.
    Background,
}

/// One simple command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// The line in the script on which it begins, counted from 0.
    pub line: usize,
    /// Its words; assignments in front are words.
    pub words: Vec<Word>,
    /// In how many `( )` it stands.
    pub subshells: usize,
    /// In how many `if`, `for`, `while`, `case`, `{ }` or functions it stands.
    pub nested: usize,
    /// How many of these are still open after it.
    pub open_after: usize,
    /// What stands before it.
    pub before: Join,
    /// What stands after it.
    pub after: Join,
}

/// One word.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Word {
    /// Without the quotation marks; expansions as they are written.
    pub text: String,
    /// What stands in its `$(…)` and backticks.
    pub substitutions: Vec<String>,
}

impl Word {
    /// The variable of an assignment, `NAME=value`.
    #[must_use]
    pub fn assigned(&self) -> Option<&str> {
        let (name, _) = self.text.split_once('=')?;
        is_name(name).then_some(name)
    }
}

impl Command {
    /// The command itself, after assignments in front of it.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.arguments().first().map(|word| word.text.as_str())
    }

    /// The words from the command's name on.
    #[must_use]
    pub fn arguments(&self) -> &[Word] {
        let at = self
            .words
            .iter()
            .position(|word| word.assigned().is_none())
            .unwrap_or(self.words.len());
        &self.words[at..]
    }

    /// The variables that the command sets in its own shell.
    #[must_use]
    pub fn sets(&self) -> Vec<&str> {
        let arguments = self.arguments();
        match self.name() {
            None => self.words.iter().filter_map(Word::assigned).collect(),
            Some("export" | "readonly" | "declare" | "typeset") => arguments[1..]
                .iter()
                .filter_map(|word| {
                    word.assigned()
                        .or_else(|| is_name(&word.text).then_some(word.text.as_str()))
                })
                .collect(),
            Some("read") => arguments[1..]
                .iter()
                .map(|word| word.text.as_str())
                .filter(|text| is_name(text))
                .collect(),
            Some(_) => Vec::new(),
        }
    }

    /// Whether it runs in a child of the script's shell.
    #[must_use]
    pub(crate) fn is_child(&self) -> bool {
        self.subshells > 0
            || self.before == Join::Pipe
            || matches!(self.after, Join::Pipe | Join::Background)
    }

    /// The file that the command sources with `.` or `source`.
    #[must_use]
    pub fn sources(&self) -> Option<&Word> {
        match self.arguments() {
            [name, file, ..] if name.text == "." || name.text == "source" => Some(file),
            _ => None,
        }
    }
}

/// Whether a text is a shell variable's name.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
