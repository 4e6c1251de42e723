//! A variable, and what a source gave.

/// A value with the place it came from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Where it came from, for messages.
    pub place: String,
    /// Whether it is a variable of the environment under its own name, and so only passed on.
    pub passed_on: bool,
}

/// What one source gave: its variables, or every reason why not.
pub(crate) type Found = Result<Vec<Variable>, Vec<String>>;

/// Every variable, or every fault.
pub(crate) fn whole(results: impl IntoIterator<Item = Result<Variable, String>>) -> Found {
    let mut faults = Vec::new();
    let mut variables = Vec::new();
    for result in results {
        match result {
            Ok(variable) => variables.push(variable),
            Err(fault) => faults.push(fault),
        }
    }
    if faults.is_empty() {
        Ok(variables)
    } else {
        Err(faults)
    }
}
