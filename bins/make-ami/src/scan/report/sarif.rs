//! SARIF 2.1.0: <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>.

use crate::scan::report::subject::{Subject, TOOL, VERSION};
use crate::scan::verdict::{Weighed, Weight};
use serde_json::{Value, json};

pub(super) fn render(subject: &Subject<'_>) -> String {
    let findings = &subject.scanned.verdict.findings;
    let mut rules: Vec<&Weighed> = Vec::new();
    for one in findings {
        if rules
            .iter()
            .all(|rule| rule.finding.id() != one.finding.id())
        {
            rules.push(one);
        }
    }
    let results = findings.iter().map(|one| {
        let rule = rules
            .iter()
            .position(|rule| rule.finding.id() == one.finding.id());
        result(one, rule, &subject.image.image_id)
    });
    let results: Vec<Value> = results.collect();
    let rules: Vec<Value> = rules.iter().map(|rule| described(rule)).collect();
    let value = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": TOOL, "semanticVersion": VERSION, "rules": rules}},
            "columnKind": "unicodeCodePoints",
            "invocations": [{"executionSuccessful": true}],
            "properties": {
                "imageId": subject.image.image_id,
                "region": subject.job.home.region,
                "scanId": subject.scanned.scan_id,
            },
            "results": results,
        }],
    });
    format!("{value:#}\n")
}

fn described(weighed: &Weighed) -> Value {
    let finding = &weighed.finding;
    let mut rule = json!({
        "id": finding.id(),
        "shortDescription": {"text": finding.title},
        "properties": {"tags": ["security", "vulnerability"]},
    });
    if let Some(score) = finding.score {
        // Code hosts show it; they read a text.
        rule["properties"]["security-severity"] = format!("{score:.1}").into();
    }
    if finding.id().starts_with("CVE-") {
        let page = format!("https://nvd.nist.gov/vuln/detail/{}", finding.id());
        rule["helpUri"] = page.into();
    }
    rule
}

fn result(weighed: &Weighed, rule: Option<usize>, image_id: &str) -> Value {
    let Weighed { finding, weight } = weighed;
    let level = match weight {
        Weight::Counts => "error",
        Weight::Accepted(_) | Weight::Recent | Weight::Unfixable => "warning",
        Weight::Slight => "note",
    };
    // A finding that names no file is of the image as a whole.
    let places = match finding.paths.is_empty() {
        true => vec![image_id.to_owned()],
        false => finding.paths.clone(),
    };
    let locations = places
        .iter()
        .map(|path| json!({"physicalLocation": {"artifactLocation": {"uri": uri(path)}}}));
    let mut result = json!({
        "ruleId": finding.id(),
        "ruleIndex": rule,
        "level": level,
        "message": {"text": format!("{} in {image_id}: {}", finding.line(), weight.word())},
        "locations": locations.collect::<Vec<_>>(),
    });
    if let Weight::Accepted(entry) = weight {
        let why = format!("{} (until {})", entry.reason, entry.until);
        result["suppressions"] =
            json!([{"kind": "external", "status": "accepted", "justification": why}]);
    }
    result
}

/// A path of the image as a relative URI reference, percent-encoded (RFC 3986).
fn uri(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    for byte in path.trim_start_matches('/').bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}
