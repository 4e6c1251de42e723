//! Everything that is wrong with a configuration, collected.

use super::given::Given;
use super::layers::Layers;
use crate::failure::Failure;

/// Collects faults and takes [`Given`] values apart. Knows for each setting what it is called and
/// where its value came from.
#[derive(Debug)]
pub struct Faults {
    layers: Layers,
    command: Option<String>,
    faults: Vec<String>,
}

impl Faults {
    pub(crate) fn new(layers: Layers) -> Self {
        Self {
            layers,
            command: None,
            faults: Vec::new(),
        }
    }

    /// The same under a subcommand, which may need other settings than the program alone.
    #[must_use]
    pub fn under(mut self, command: Option<&str>) -> Self {
        self.command = command.map(str::to_owned);
        self
    }

    /// For tests of a program's checks: settings by field name, as if they came from variables.
    #[must_use]
    pub fn for_tests() -> Self {
        Self::new(Layers::default())
    }

    /// The subcommand that was given: what must be set may depend on it.
    #[must_use]
    pub fn command(&self) -> Option<&str> {
        self.command.as_deref()
    }

    /// Adds a fault in free words.
    pub fn add(&mut self, message: impl Into<String>) {
        self.faults.push(message.into());
    }

    /// Adds a fault of the setting with this field name.
    pub fn of(&mut self, field: &str, message: impl std::fmt::Display) {
        let place = self.layers.place(field);
        self.faults.push(format!("{place}: {message}"));
    }

    /// The value of a setting that may be missing.
    pub fn optional<T>(&mut self, field: &str, given: Given<T>) -> Option<T> {
        match given {
            Given::Unset => None,
            Given::Value(value) => Some(value),
            Given::Fault(message) => {
                self.of(field, message);
                None
            }
        }
    }

    /// The value of a setting that must be there.
    pub fn required<T>(&mut self, field: &str, given: Given<T>) -> Option<T> {
        if matches!(given, Given::Unset) {
            let name = self.layers.variable(field);
            let flag = self.layers.flag(field);
            self.faults.push(format!("{name} is not set (or {flag})"));
        }
        self.optional(field, given)
    }

    /// The value of a switch; unset is off.
    pub fn switch(&mut self, field: &str, given: Given<super::value::Switch>) -> bool {
        self.optional(field, given).is_some_and(|switch| switch.0)
    }

    /// Whether nothing is wrong so far.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.faults.is_empty()
    }

    /// What is wrong, one line each.
    #[must_use]
    pub fn messages(&self) -> &[String] {
        &self.faults
    }

    /// All faults as one refusal.
    pub(crate) fn into_failure(self, program: &str) -> Failure {
        let deed = match self.faults.len() {
            1 => "a setting is wrong; nothing was touched".to_owned(),
            n => format!("{n} settings are wrong; nothing was touched"),
        };
        self.faults
            .into_iter()
            .fold(Failure::refused(deed), Failure::detail)
            .hint(format!("`{program} --help` lists every setting"))
    }
}
