//! T303, local-file: package-template finds it, for it needs the disk.

use crate::rule::{Example, Rule, Severity, source};

/// A local path in the template cannot be packaged: there is no such file, it includes itself, or its folder
/// holds what must not travel.
pub static RULE: Rule = Rule {
    code: "T303",
    name: "local-file",
    severity: Severity::Error,
    summary: "A local path in the template cannot be packaged: there is no such file, it includes itself, or its folder holds files that must not be packaged.",
    fix: "paths are relative to the template's folder",
    source: source::PACKAGE,
    // It needs a disk: package-template's tests of references.
    example: Example::Words {
        fails: "`TemplateURL: missing.yml` beside no such file",
        passes: "`TemplateURL: nested.yml` beside `nested.yml`",
    },
};
