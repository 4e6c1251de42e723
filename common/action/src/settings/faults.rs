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
    is_partial: bool,
}

impl Faults {
    pub(crate) fn new(layers: Layers) -> Self {
        Self {
            layers,
            command: None,
            faults: Vec::new(),
            is_partial: false,
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

    /// From here on only values that are wrong in themselves are faults: an env file could not be read whole,
    /// so that what is not set may stand in it, and what fits nothing else may fit that.
    pub(crate) fn partial(&mut self) {
        self.is_partial = true;
    }

    /// Adds a fault in free words.
    pub fn add(&mut self, message: impl Into<String>) {
        if !self.is_partial {
            self.faults.push(message.into());
        }
    }

    /// Adds a fault of the setting with this field name.
    pub fn of(&mut self, field: &str, message: impl std::fmt::Display) {
        let place = self.layers.place(field);
        self.add(format!("{place}: {message}"));
    }

    /// The value of a setting that may be missing.
    pub fn optional<T>(&mut self, field: &str, given: Given<T>) -> Option<T> {
        match given {
            Given::Unset => None,
            Given::Value(value) => Some(value),
            Given::Fault(message) => {
                let place = self.layers.place(field);
                self.faults.push(format!("{place}: {message}"));
                None
            }
        }
    }

    /// The value of a setting that must be there.
    pub fn required<T>(&mut self, field: &str, given: Given<T>) -> Option<T> {
        if matches!(given, Given::Unset) {
            let name = self.layers.variable(field);
            let flag = self.layers.flag(field);
            self.add(format!("{name} is not set (or {flag})"));
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
        let more = self.is_partial.then(|| {
            "settings that depend on each other are checked once the env files can be read"
                .to_owned()
        });
        self.faults
            .into_iter()
            .chain(more)
            .fold(Failure::refused(deed), Failure::detail)
            .hint(format!("`{program} --help` lists every setting"))
    }
}

#[cfg(test)]
mod tests {
    use super::Faults;
    use crate::settings::given::Given;
    use crate::settings::value::Timeout;

    #[test]
    fn with_an_env_file_half_read_only_bad_values_are_faults() {
        let mut faults = Faults::for_tests();
        faults.add("dev.env:2: no `=`");
        faults.partial();
        faults.required::<Timeout>("lease", Given::Unset);
        faults.add("neither a nor b is set");
        faults.of("source", "is not a folder");
        faults.required("timeout", Given::<Timeout>::Fault("no".to_owned()));
        assert_eq!(faults.messages(), ["dev.env:2: no `=`", "TIMEOUT: no"]);
        let text = faults.into_failure("x").to_string();
        assert!(text.contains("once the env files can be read"), "{text}");
    }
}
