//! What a rule is: a stable code for a thing that can be wrong, why it is wrong, what to do, and an example.
//!
//! A code never changes its meaning and is never used again. The first letter says what is looked
//! at: `Y` text, `T` template, `C` configuration file and parameter values, `P` pipeline, `B` buildspec, `I` ignores and the
//! check's own configuration file. Each rule is a file of [`crate::rules`]; `RULES.md` beside this crate is generated from them.

pub(crate) mod source;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It works; good to know.
    Note,
    /// It may work, but is probably not what was meant.
    Warning,
    /// It cannot work.
    Error,
}

impl Severity {
    /// `error`, `warning` or `note`: SARIF's words.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }

    /// The severity of that [`Self::word`].
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        let all = [Self::Note, Self::Warning, Self::Error];
        all.into_iter().find(|one| one.word() == word)
    }
}

/// One rule.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// Such as `P201`.
    pub code: &'static str,
    /// The same in words, such as `unknown-namespace`.
    pub name: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in a sentence.
    pub summary: &'static str,
    /// What to do about it, when a finding has nothing more precise.
    pub fix: &'static str,
    /// Where the rule comes from.
    pub source: &'static str,
    /// What breaks it and what keeps it.
    pub example: Example,
}

/// A rule broken and kept.
#[derive(Debug, PartialEq, Eq)]
pub enum Example {
    /// Changes of one small world whose files are in `tests/world`: the text `at` in a file becomes `failing` or
    /// `passing`. `⟨N × text⟩` in one stands for that much of it.
    Change {
        /// The file that is changed.
        file: &'static str,
        /// The text in it, which stands there once.
        at: &'static str,
        /// What breaks the rule.
        failing: &'static str,
        /// What keeps it.
        passing: &'static str,
    },
    /// Words, for a rule that no change of that world can break.
    Words {
        /// What breaks it.
        fails: &'static str,
        /// What keeps it.
        passes: &'static str,
    },
}

impl Rule {
    /// Everything about the rule, for people.
    #[must_use]
    pub fn explained(&self) -> String {
        let Self {
            code,
            name,
            severity,
            summary,
            fix,
            source,
            example,
        } = self;
        let mut text = format!(
            "{code} {name} ({})\n\n{summary}\n\nFix: {fix}.\nSource: {source}\n",
            severity.word()
        );
        match example {
            Example::Change {
                file,
                at,
                failing,
                passing,
            } => {
                for (word, change) in [("Fails", failing), ("Passes", passing)] {
                    let (excerpt, without) = excerpt(at, change);
                    let preposition = if without { ", without" } else { ":" };
                    let lines = excerpt.lines().map(|line| format!("    {line}\n"));
                    let lines: String = lines.collect();
                    text.push_str(&format!("\n{word}, in {file}{preposition}\n\n{lines}"));
                }
            }
            Example::Words { fails, passes } => {
                text.push_str(&format!("\nFails: {fails}.\n\nPasses: {passes}.\n"));
            }
        }
        text
    }
}

/// A change as it is shown, without the indentation that all its lines have; where nothing is left of the text `at`,
/// what was taken away, and `true`.
#[must_use]
pub fn excerpt(at: &str, change: &str) -> (String, bool) {
    let is_nothing = change.trim().is_empty();
    let text = if is_nothing { at } else { change };
    let text = text.trim_matches('\n');
    let indent = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.len() - line.trim_start().len())
        .min()
        .unwrap_or(0);
    let lines = text
        .lines()
        .map(|line| line.get(indent..).unwrap_or_default().trim_end());
    (lines.collect::<Vec<_>>().join("\n"), is_nothing)
}
