//! JUnit XML as CodeBuild's report groups read it: a test case for each finding, which fails when it counts. The first case
//! is the scan itself, so that a report of no findings is one too.

use crate::scan::report::subject::{Subject, TOOL};
use crate::scan::verdict::{Weighed, Weight};
use aws_smithy_xml::encode::{ScopeWriter, XmlWriter};

pub(super) fn render(subject: &Subject<'_>) -> String {
    let verdict = &subject.scanned.verdict;
    let is_accepted = |one: &&Weighed| matches!(one.weight, Weight::Accepted(_));
    let tests = (verdict.findings.len() + 1).to_string();
    let failures = verdict.counting().count().to_string();
    let skipped = verdict.findings.iter().filter(is_accepted).count();
    let image_id = subject.image.image_id.as_str();
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let mut document = XmlWriter::new(&mut out);
    let mut root = document.start_el("testsuites");
    root.write_attribute("name", TOOL)
        .write_attribute("tests", &tests)
        .write_attribute("failures", &failures)
        .write_attribute("errors", "0");
    let mut root = root.finish();
    let mut suite = root.start_el("testsuite");
    suite
        .write_attribute("name", image_id)
        .write_attribute("tests", &tests)
        .write_attribute("failures", &failures)
        .write_attribute("errors", "0")
        .write_attribute("skipped", &skipped.to_string());
    let mut suite = suite.finish();
    case(&mut suite, image_id, "is scanned", |case| {
        element(case, "system-out", &verdict.summary());
    });
    for one in &verdict.findings {
        case(&mut suite, image_id, &one.finding.title, |case| {
            outcome(case, one)
        });
    }
    suite.finish();
    root.finish();
    out.push('\n');
    out
}

fn case(
    suite: &mut ScopeWriter<'_, '_>,
    image_id: &str,
    name: &str,
    inner: impl FnOnce(&mut ScopeWriter<'_, '_>),
) {
    let mut case = suite.start_el("testcase");
    case.write_attribute("classname", &printable(image_id))
        .write_attribute("name", &printable(name));
    let mut case = case.finish();
    inner(&mut case);
    case.finish();
}

fn outcome(case: &mut ScopeWriter<'_, '_>, one: &Weighed) {
    let line = one.finding.line();
    let files = one.finding.paths.join("\n");
    match &one.weight {
        Weight::Counts => {
            let mut failure = case.start_el("failure");
            failure
                .write_attribute("type", &one.finding.severity_word())
                .write_attribute("message", &printable(&line));
            let mut failure = failure.finish();
            failure.data(&printable(&files));
            failure.finish();
        }
        Weight::Accepted(entry) => {
            let why = format!("accepted until {}: {}", entry.until, entry.reason);
            let mut skipped = case.start_el("skipped");
            skipped.write_attribute("message", &printable(&why));
            skipped.finish().finish();
        }
        weight => element(case, "system-out", &format!("{}: {line}", weight.word())),
    }
}

fn element(scope: &mut ScopeWriter<'_, '_>, name: &str, text: &str) {
    let mut element = scope.start_el(name).finish();
    element.data(&printable(text));
    element.finish();
}

/// XML 1.0 has no place for most control characters at all.
fn printable(text: &str) -> String {
    let has_no_place = |c: char| {
        (c.is_control() && c != '\n' && c != '\t') || matches!(c, '\u{fffe}' | '\u{ffff}')
    };
    let kept = text.chars().map(|c| match has_no_place(c) {
        true => '\u{fffd}',
        false => c,
    });
    kept.collect()
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn what_xml_has_no_place_for_is_replaced() {
        let text = "a\u{1}b\u{ffff}c\td\ne<&>";
        assert_eq!(printable(text), "a\u{fffd}b\u{fffd}c\td\ne<&>");
    }
}
