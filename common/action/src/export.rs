//! Exported variables: the one audited way from a value to the shell of a build.
//!
//! [`name`] says which names can travel, [`quote`] writes a value so that every POSIX shell reads
//! it back unchanged, [`Exports`] collects what a program exports and checks it as a whole, and
//! [`mod@file`] writes it so that a stale or partial file can never be sourced.

pub mod file;
pub mod name;
pub mod quote;
pub mod shape;
pub mod value;

use name::NameFault;
use std::collections::BTreeMap;
use value::ValueFault;

/// CodePipeline's limit for all output variables of an action, names and values together, in
/// bytes: <https://docs.aws.amazon.com/codepipeline/latest/userguide/limits.html>.
pub const MAX_TOTAL_BYTES: usize = 122_880;

/// Who reads the variables, and so what is asked of them besides what every reader asks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reader {
    /// A shell of the build, whose exported variables become CodePipeline's.
    #[default]
    Shell,
    /// CodePipeline.
    Pipeline,
    /// Neither: a program that reads a file.
    File,
}

/// Checked variables in the order in which they were added.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exports {
    variables: Vec<(String, String)>,
    /// Where each name stands in `variables`.
    places: BTreeMap<String, usize>,
    total_bytes: usize,
    reader: Reader,
    allowed: Vec<String>,
}

/// Why a variable cannot be exported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExportFault {
    /// The name cannot travel.
    #[error(transparent)]
    Name(#[from] NameFault),
    /// The value cannot travel.
    #[error("{name}: {fault}")]
    Value {
        /// The variable.
        name: String,
        /// What is wrong with its value.
        fault: ValueFault,
    },
    /// The same name with two values.
    #[error("{name}: set twice, to different values")]
    Conflict {
        /// The variable.
        name: String,
    },
    /// All variables together are too large.
    #[error(
        "{total} bytes of output variables; CodePipeline allows {MAX_TOTAL_BYTES} (largest: {largest}, {largest_bytes} bytes)"
    )]
    TooLarge {
        /// Names and values, in bytes.
        total: usize,
        /// The largest variable.
        largest: String,
        /// Its value's size.
        largest_bytes: usize,
    },
}

impl Exports {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// None yet, for this reader; these names may be set although they change how later commands
    /// run, are a shell's own or are dropped by CodeBuild.
    #[must_use]
    pub fn read_by(reader: Reader, allowed: &[String]) -> Self {
        Self {
            reader,
            allowed: allowed.to_vec(),
            ..Self::default()
        }
    }

    /// Passes on a variable of CodeBuild's own with the value that it has: `CODEBUILD_` names may be
    /// exported, not set.
    ///
    /// # Errors
    /// As [`Exports::add`], but for the reserved name.
    pub fn pass_on(
        &mut self,
        name: impl Into<String>,
        value: impl Into<String>,
    ) -> Result<(), ExportFault> {
        let name = name.into();
        match name::check(&name) {
            Err(NameFault::CodeBuild(_)) => self.keep(name, value.into()),
            _ => self.add(name, value),
        }
    }

    /// Adds a variable. Adding the same value again changes nothing.
    ///
    /// # Errors
    /// [`ExportFault`] when it could not reach the next action as it is.
    pub fn add(
        &mut self,
        name: impl Into<String>,
        value: impl Into<String>,
    ) -> Result<(), ExportFault> {
        let name = name.into();
        match name::check(&name) {
            Err(fault) if self.admits(&fault) => {}
            checked => checked?,
        }
        self.keep(name, value.into())
    }

    /// Whether this fault of a name is none here.
    fn admits(&self, fault: &NameFault) -> bool {
        match fault {
            NameFault::Steering(name) => self.allowed.contains(name),
            NameFault::Aws(name) => self.reader == Reader::File || self.allowed.contains(name),
            NameFault::OfShell(name) => self.reader != Reader::Shell || self.allowed.contains(name),
            NameFault::NotAnIdentifier(_) | NameFault::TooLong(..) | NameFault::CodeBuild(_) => {
                false
            }
        }
    }

    fn keep(&mut self, name: String, value: String) -> Result<(), ExportFault> {
        value::check(&name, &value).map_err(|fault| ExportFault::Value {
            name: name.clone(),
            fault,
        })?;
        match self.get(&name) {
            Some(present) if present == value => return Ok(()),
            Some(_) => return Err(ExportFault::Conflict { name }),
            None => {}
        }
        self.total_bytes += name.len() + value.len();
        self.places.insert(name.clone(), self.variables.len());
        self.variables.push((name, value));
        self.check_total()
    }

    fn check_total(&self) -> Result<(), ExportFault> {
        if self.total_bytes <= MAX_TOTAL_BYTES || self.reader == Reader::File {
            return Ok(());
        }
        let largest = self.iter().max_by_key(|(_, value)| value.len());
        let (name, value) = largest.unwrap_or_default();
        Err(ExportFault::TooLarge {
            total: self.total_bytes,
            largest: name.to_owned(),
            largest_bytes: value.len(),
        })
    }

    /// The value of a variable.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let at = *self.places.get(name)?;
        self.variables.get(at).map(|(_, value)| value.as_str())
    }

    /// All variables, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variables
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.variables.is_empty()
    }

    /// The assignments: one `export NAME='value'` a line.
    #[must_use]
    pub fn to_shell(&self) -> String {
        self.iter()
            .map(|(name, value)| format!("export {name}={}\n", quote::posix(value)))
            .collect()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::{ExportFault, Exports, Reader};

    #[test]
    fn keeps_order_and_quotes() {
        let mut exports = Exports::new();
        exports.add("AMI_ID", "ami-0123456789abcdef0").unwrap();
        exports.add("NOTE", "it's $(here)").unwrap();
        assert_eq!(
            exports.to_shell(),
            "export AMI_ID='ami-0123456789abcdef0'\nexport NOTE='it'\\''s $(here)'\n"
        );
    }

    #[test]
    fn a_second_value_is_a_conflict_and_the_same_value_is_not() {
        let mut exports = Exports::new();
        exports.add("A", "1").unwrap();
        exports.add("A", "1").unwrap();
        assert!(matches!(
            exports.add("A", "2"),
            Err(ExportFault::Conflict { .. })
        ));
    }

    #[test]
    fn only_who_reads_output_variables_has_their_limits() {
        let mut exports = Exports::read_by(Reader::File, &[]);
        exports.add("AWS_REGION", "eu-west-1").unwrap();
        exports.add("UID", "1000").unwrap();
        exports.add("LOG", "x".repeat(100_000)).unwrap();
        exports.add("MORE", "x".repeat(100_000)).unwrap();
        let mut exports = Exports::read_by(Reader::Pipeline, &["AWS_REGION".to_owned()]);
        exports.add("AWS_REGION", "eu-west-1").unwrap();
        exports.add("UID", "1000").unwrap();
        assert!(exports.add("AWS_PROFILE", "x").is_err());
        assert!(Exports::new().add("UID", "1000").is_err());
    }

    #[test]
    fn the_sum_is_bounded_and_the_largest_is_named() {
        let mut exports = Exports::new();
        exports.add("LOG", "x".repeat(100_000)).unwrap();
        let fault = exports.add("MORE", "x".repeat(30_000)).unwrap_err();
        assert_eq!(
            fault.to_string(),
            "130007 bytes of output variables; CodePipeline allows 122880 (largest: LOG, 100000 bytes)"
        );
    }
}
