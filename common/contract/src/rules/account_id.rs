//! Y103, account-id: `model/yaml11.rs` finds it.

use crate::rule::{Example, Rule, Severity};

/// An unquoted account id (its key says that it is one) is a number: tools that write it again drop its zeros or
/// turn it into 1.1e+11.
pub static RULE: Rule = Rule {
    code: "Y103",
    name: "account-id",
    severity: Severity::Warning,
    summary: "An unquoted account id (its key says that it is one) is a number: tools that write it again drop its zeros or turn it into 1.1e+11.",
    fix: "quote it",
    source: "https://github.com/aws/serverless-application-model/issues/91",
    example: Example::Change {
        file: "app.yml",
        at: "Description: An application.",
        failing: "Metadata: {Account: 111122223333}",
        passing: "Metadata: {Account: '111122223333'}",
    },
};
