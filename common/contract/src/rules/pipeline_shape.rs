//! P001, pipeline-shape: `model/pipeline.rs` and `model/pipeline/read.rs` and `model/project.rs` find it.

use crate::rule::{Example, Rule, Severity, source};

/// Something in the pipeline is missing or of the wrong kind.
pub static RULE: Rule = Rule {
    code: "P001",
    name: "pipeline-shape",
    severity: Severity::Error,
    summary: "Something in the pipeline is missing or of the wrong kind.",
    fix: "see the structure of a pipeline",
    source: source::STRUCTURE,
    example: Example::Change {
        file: "pipeline.yml",
        at: "            - Name: Bake\n",
        failing: "            - Nam: Bake\n",
        passing: "            - Name: Bake\n",
    },
};
