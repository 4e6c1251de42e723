//! A GitLab dotenv report (`artifacts: reports: dotenv`).
//!
//! GitLab reads `KEY=value` a line, cuts white space off both ends, and answers anything else with
//! "400 Bad Request (Invalid Format)" when the job is over:
//! <https://gitlab.com/gitlab-org/gitlab/-/blob/master/app/services/ci/parse_dotenv_artifact_service.rb>,
//! <https://docs.gitlab.com/ci/yaml/artifacts_reports/#artifactsreportsdotenv>. It stores the
//! variables as ones that are expanded, so a `$` would start a reference; unproven on a GitLab, a job
//! that prints such a variable settles it.

use crate::variable::Variable;

/// GitLab wants a file smaller than 5 kilobytes.
pub const MAX_BYTES: usize = 5 * 1024 - 1;

/// `NAME=value` a line, and no other line.
pub fn render(variables: &[Variable]) -> String {
    super::docker::render(variables)
}

/// Whether GitLab reads the value back.
pub fn check(value: &str) -> Result<(), String> {
    if value.contains(char::is_control) {
        return Err("holds a line break or control character; a GitLab dotenv report has one line a variable".to_owned());
    }
    if value.trim() != value {
        return Err("begins or ends in white space, which GitLab cuts off".to_owned());
    }
    if value.contains('$') {
        return Err("holds a `$`, which GitLab expands in the jobs that read it".to_owned());
    }
    Ok(())
}

/// Whether GitLab takes as many variables, and a file of this size.
pub fn check_all(variables: &[Variable], most: usize) -> Vec<String> {
    let mut faults = Vec::new();
    if variables.len() > most {
        faults.push(format!(
            "{} variables; this GitLab takes {most} from a dotenv report (--gitlab-variables)",
            variables.len()
        ));
    }
    let bytes = render(variables).len();
    if bytes > MAX_BYTES {
        let largest = variables.iter().max_by_key(|one| one.value.len());
        let largest = largest.map_or_else(String::new, |one| {
            format!(" (largest: {}, {} bytes)", one.name, one.value.len())
        });
        faults.push(format!(
            "a dotenv report of {bytes} bytes; GitLab takes at most {MAX_BYTES}{largest}"
        ));
    }
    faults
}
