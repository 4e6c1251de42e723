//! Findings of the contract as a program reports them.

use action::failure::Failure;
use contract::finding::Finding;

/// A refusal that lists every finding.
pub fn refusal(deed: &str, findings: &[Finding]) -> Failure {
    findings
        .iter()
        .flat_map(|finding| {
            let text = finding.to_string();
            text.lines().map(str::to_owned).collect::<Vec<_>>()
        })
        .fold(Failure::refused(deed), Failure::detail)
}
