//! P002, stage-count.

use crate::finding::Finding;
use crate::model::pipeline::Pipeline;
use crate::rule::{Example, Rule, Severity, source};

/// A pipeline has 2 to 50 stages.
pub static RULE: Rule = Rule {
    code: "P002",
    name: "stage-count",
    severity: Severity::Error,
    summary: "A pipeline has 2 to 50 stages.",
    fix: "divide or complete the pipeline",
    source: source::QUOTAS,
    example: Example::Change {
        file: "pipeline.yml",
        at: "        - Name: Deploy\n",
        failing: "⟨50 ×         - {Name: S№, Actions: [{Name: A, ActionTypeId: {Category: Approval, Owner: AWS, Provider: Manual, Version: '1'}}]}\n⟩        - Name: Deploy\n",
        passing: "⟨47 ×         - {Name: S№, Actions: [{Name: A, ActionTypeId: {Category: Approval, Owner: AWS, Provider: Manual, Version: '1'}}]}\n⟩        - Name: Deploy\n",
    },
};

pub(super) fn check(pipeline: &Pipeline) -> Vec<Finding> {
    let count = pipeline.stages.len();
    if pipeline.open || (2..=50).contains(&count) {
        return Vec::new();
    }
    let place = pipeline.stages.first().map(|one| one.place);
    let message = format!("{count} stages; CodePipeline takes 2 to 50");
    vec![Finding::new(&RULE, &pipeline.file, place, message)]
}
