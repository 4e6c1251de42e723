//! Test reports of a build, summarised. They change nothing about its result, as in CodeBuild.

use std::path::Path;

use serde_json::Value;
use xmlparser::{ElementEnd, Token, Tokenizer};

use crate::artifact::matching;
use crate::build_options::ReportGroup;

/// The most failed tests that are named.
const SHOWN: usize = 10;

/// What the files of a group say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) passed: usize,
    pub(crate) failed: Vec<String>,
    pub(crate) skipped: usize,
}

/// Looks for the files of each group and tells what they say.
pub(crate) fn tell(groups: &[ReportGroup], source: &Path, prefix: &str) {
    for group in groups {
        let name = &group.name;
        match summary(group, source) {
            Ok(Some(Summary {
                passed,
                failed,
                skipped,
            })) => {
                tracing::info!(
                    "{prefix}: report {name}: {passed} passed, {} failed, {skipped} skipped",
                    failed.len()
                );
                for test in failed.iter().take(SHOWN) {
                    tracing::warn!("{prefix}: report {name}: {test} failed");
                }
            }
            Ok(None) => tracing::info!(
                "{prefix}: report {name}: files are there; {} is not summarised here",
                group.format
            ),
            Err(why) => tracing::warn!("{prefix}: report {name}: {why}"),
        }
    }
}

/// The summary of a group; nothing for a format that is not read here.
fn summary(group: &ReportGroup, source: &Path) -> Result<Option<Summary>, String> {
    let base = source.join(group.base_directory.as_deref().unwrap_or("."));
    let files = matching(&base, &group.files, &[])?;
    if files.is_empty() {
        return Err(format!("no file matches {}", group.files.join(", ")));
    }
    let mut all = Summary::default();
    for file in files {
        let path = base.join(&file);
        let text = std::fs::read_to_string(&path)
            .map_err(|error| format!("{}: {error}", file.display()))?;
        let one = read(&group.format, &text).map_err(|why| format!("{}: {why}", file.display()))?;
        let Some(one) = one else { return Ok(None) };
        all.passed += one.passed;
        all.failed.extend(one.failed);
        all.skipped += one.skipped;
    }
    Ok(Some(all))
}

fn read(format: &str, text: &str) -> Result<Option<Summary>, String> {
    match format {
        "JUNITXML" => junit(text).map(Some),
        "CUCUMBERJSON" => cucumber(text).map(Some),
        "NUNITXML" | "NUNIT3XML" => {
            by_attribute(text, "test-case", &["name", "fullname"], "result").map(Some)
        }
        "TESTNGXML" => {
            by_attribute(text, "test-method", &["name", "signature"], "status").map(Some)
        }
        "VISUALSTUDIOTRX" => {
            by_attribute(text, "UnitTestResult", &["testName"], "outcome").map(Some)
        }
        _ => Ok(None),
    }
}

/// The tokens of a whole document: the tokenizer does not ask whether it has an end.
fn tokens(text: &str) -> Result<Vec<Token<'_>>, String> {
    let tokens: Vec<Token<'_>> = Tokenizer::from(text)
        .collect::<Result<_, _>>()
        .map_err(|error| error.to_string())?;
    let (mut open, mut closed) = (0, 0);
    for token in &tokens {
        match token {
            Token::ElementStart { .. } => open += 1,
            Token::ElementEnd {
                end: ElementEnd::Empty | ElementEnd::Close(..),
                ..
            } => closed += 1,
            _ => {}
        }
    }
    if open == 0 || open != closed {
        return Err("it is not a whole XML document".to_owned());
    }
    Ok(tokens)
}

/// What a test case of JUnit has inside.
enum Inside {
    Nothing,
    Failure,
    Skipped,
}

fn junit(text: &str) -> Result<Summary, String> {
    let mut summary = Summary::default();
    let mut case: Option<(String, Inside)> = None;
    let mut element = "";
    for token in tokens(text)? {
        match token {
            Token::ElementStart { local, .. } => {
                element = local.as_str();
                match (element, &mut case) {
                    ("testcase", _) => case = Some((String::new(), Inside::Nothing)),
                    ("failure" | "error", Some((_, inside))) => *inside = Inside::Failure,
                    ("skipped", Some((_, inside))) => *inside = Inside::Skipped,
                    _ => {}
                }
            }
            Token::Attribute { local, value, .. } if element == "testcase" => {
                if let Some((name, _)) = &mut case {
                    match local.as_str() {
                        "name" => name.push_str(value.as_str()),
                        "classname" => name.insert_str(0, &format!("{}.", value.as_str())),
                        _ => {}
                    }
                }
            }
            Token::ElementEnd { end, .. } => {
                let ends = match end {
                    ElementEnd::Close(_, local) => local.as_str() == "testcase",
                    ElementEnd::Empty => element == "testcase",
                    ElementEnd::Open => false,
                };
                if ends && let Some((name, inside)) = case.take() {
                    match inside {
                        Inside::Nothing => summary.passed += 1,
                        Inside::Failure => summary.failed.push(name),
                        Inside::Skipped => summary.skipped += 1,
                    }
                }
                element = "";
            }
            _ => {}
        }
    }
    Ok(summary)
}

/// Formats in which an element for each test says its result in an attribute.
fn by_attribute(text: &str, test: &str, names: &[&str], result: &str) -> Result<Summary, String> {
    let mut summary = Summary::default();
    let mut current: Option<(String, String)> = None;
    for token in tokens(text)? {
        match token {
            Token::ElementStart { local, .. } => {
                current = (local.as_str() == test).then(Default::default);
            }
            Token::Attribute { local, value, .. } => {
                if let Some((name, verdict)) = &mut current {
                    if local.as_str() == result {
                        value.as_str().clone_into(verdict);
                    } else if names.contains(&local.as_str()) {
                        value.as_str().clone_into(name);
                    }
                }
            }
            Token::ElementEnd { .. } => {
                if let Some((name, verdict)) = current.take() {
                    match verdict.to_ascii_lowercase().as_str() {
                        "passed" | "pass" | "success" => summary.passed += 1,
                        "failed" | "fail" | "failure" | "error" | "timeout" | "aborted" => {
                            summary.failed.push(name);
                        }
                        _ => summary.skipped += 1,
                    }
                }
            }
            _ => {}
        }
    }
    Ok(summary)
}

fn cucumber(text: &str) -> Result<Summary, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let list = |node: &Value, key: &str| -> Vec<Value> {
        node.get(key)
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default()
    };
    let name = |node: &Value| {
        let text = node.get("name").and_then(Value::as_str);
        text.unwrap_or("?").to_owned()
    };
    let mut summary = Summary::default();
    for feature in value.as_array().ok_or("not a list of features")? {
        for scenario in list(feature, "elements") {
            let statuses: Vec<String> = list(&scenario, "steps")
                .iter()
                .filter_map(|step| Some(step.pointer("/result/status")?.as_str()?.to_owned()))
                .collect();
            let has = |status: &str| statuses.iter().any(|one| one == status);
            if has("failed") {
                let full = format!("{}: {}", name(feature), name(&scenario));
                summary.failed.push(full);
            } else if statuses.iter().all(|one| one == "passed") {
                summary.passed += 1;
            } else {
                summary.skipped += 1;
            }
        }
    }
    Ok(summary)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    fn check(format: &str, text: &str, passed: usize, failed: &[&str], skipped: usize) {
        let read = read(format, text).unwrap().unwrap();
        assert_eq!(
            (read.passed, read.failed, read.skipped),
            (
                passed,
                failed.iter().map(|&one| one.to_owned()).collect(),
                skipped
            ),
            "{format}"
        );
    }

    #[test]
    fn every_format_of_tests_is_read() {
        check(
            "JUNITXML",
            "<testsuites><testsuite><testcase classname='a' name='b'/><testcase name='c'><failure message='x'>no</failure></testcase>\
             <testcase name='d'><skipped/></testcase></testsuite></testsuites>",
            1,
            &["c"],
            1,
        );
        check(
            "CUCUMBERJSON",
            r#"[{"name": "F", "elements": [{"name": "ok", "steps": [{"result": {"status": "passed"}}]},
               {"name": "no", "steps": [{"result": {"status": "failed"}}, {"result": {"status": "skipped"}}]},
               {"name": "later", "steps": [{"result": {"status": "pending"}}]}]}]"#,
            1,
            &["F: no"],
            1,
        );
        check(
            "NUNIT3XML",
            "<test-run><test-case name='a' result='Passed'/><test-case name='b' result='Failed'><failure/></test-case>\
             <test-case name='c' result='Skipped'/></test-run>",
            1,
            &["b"],
            1,
        );
        check(
            "NUNITXML",
            "<test-results><test-case name='a' result='Success'/><test-case name='b' result='Failure'/></test-results>",
            1,
            &["b"],
            0,
        );
        check(
            "TESTNGXML",
            "<testng-results><test-method name='a' status='PASS'/><test-method name='b' status='FAIL'/></testng-results>",
            1,
            &["b"],
            0,
        );
        check(
            "VISUALSTUDIOTRX",
            "<TestRun><Results><UnitTestResult testName='a' outcome='Passed'/><UnitTestResult testName='b' outcome='Failed'/>\
             <UnitTestResult testName='c' outcome='NotExecuted'/></Results></TestRun>",
            1,
            &["b"],
            1,
        );
        assert_eq!(read("CLOVERXML", "<a/>").unwrap(), None);
        assert!(read("JUNITXML", "<testcase").is_err());
    }
}
