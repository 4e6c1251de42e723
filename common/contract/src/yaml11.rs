//! Values that a reader of YAML 1.1, as CloudFormation is, takes for something else than a text.
//!
//! Dates are left out: `Version: 2012-10-17` is written without quotes everywhere, and CloudFormation
//! documents that it reads no timestamps.

use std::collections::BTreeSet;

use crate::finding::Finding;
use crate::rule::{self, Rule};
use crate::yaml::{Content, Node, Style};

/// A finding for each surprising value below a node, keys left out.
#[must_use]
pub fn check(file: &str, node: &Node) -> Vec<Finding> {
    let mut seen = BTreeSet::new();
    let mut findings = Vec::new();
    walk(file, node, &mut seen, &mut findings);
    findings
}

fn walk(file: &str, node: &Node, seen: &mut BTreeSet<usize>, findings: &mut Vec<Finding>) {
    match &node.content {
        Content::Scalar(text, Style::Plain) if node.tag.is_none() => {
            // Through aliases one place is met several times.
            if let Some(rule) = surprise(text)
                && seen.insert(node.place.start)
            {
                let message = format!("{text} without quotes is {}", read_as(rule, text));
                findings.push(
                    Finding::new(rule, file, Some(node.place), message)
                        .hint(format!(
                            "write '{text}'; or true or false, when a boolean is meant"
                        ))
                        .maybe_hint(
                            (rule != &rule::BOOLEAN_WORD).then(|| format!("write '{text}'")),
                        ),
                );
            }
        }
        Content::Scalar(..) => {}
        Content::Sequence(items) => items
            .iter()
            .for_each(|item| walk(file, item, seen, findings)),
        Content::Mapping(entries) => {
            for (_, value) in entries {
                walk(file, value, seen, findings);
            }
        }
    }
}

fn surprise(text: &str) -> Option<&'static Rule> {
    const WORDS: [&str; 12] = [
        "yes", "Yes", "YES", "no", "No", "NO", "on", "On", "ON", "off", "Off", "OFF",
    ];
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if WORDS.contains(&text) {
        Some(&rule::BOOLEAN_WORD)
    } else if text.len() == 12 && digits(text) {
        Some(&rule::ACCOUNT_ID)
    } else if text.len() > 1 && text.starts_with('0') && digits(text) {
        Some(&rule::LEADING_ZERO)
    } else if let Some((first, rest)) = text.split_once(':')
        && digits(first)
        && !first.starts_with('0')
        && rest
            .split(':')
            .all(|part| digits(part) && matches!(part.parse(), Ok(0..=59)) && part.len() <= 2)
    {
        Some(&rule::BASE_SIXTY)
    } else {
        None
    }
}

/// What a reader of YAML 1.1 makes of it.
fn read_as(rule: &Rule, text: &str) -> String {
    if rule == &rule::BOOLEAN_WORD {
        let truth = matches!(text.to_ascii_lowercase().as_str(), "yes" | "on");
        return format!("the boolean {truth} in YAML 1.1");
    }
    if rule == &rule::BASE_SIXTY {
        let mut parts = text.split(':').filter_map(|part| part.parse::<u64>().ok());
        let first = parts.next().unwrap_or_default();
        let value = parts.fold(first, |sum, part| {
            sum.saturating_mul(60).saturating_add(part)
        });
        return format!("the number {value} in YAML 1.1");
    }
    if rule == &rule::ACCOUNT_ID && !text.starts_with('0') {
        return "a number, not the text of an account id".to_owned();
    }
    match u64::from_str_radix(text, 8) {
        Ok(value) => format!("the octal number {value} in YAML 1.1"),
        Err(_) => "a number in YAML 1.1 and loses its zero".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    fn found(text: &str) -> Vec<(&'static str, String)> {
        let root = crate::yaml::parse("t.yml", text).unwrap();
        let all = check("t.yml", &root);
        all.iter()
            .map(|one| (one.rule.code, one.message.clone()))
            .collect()
    }

    #[test]
    fn surprises_are_found_and_say_what_they_become() {
        let text = "a: yes\nb: [Off, 012, 0189]\nc: 111122223333\nd: 012345670123\ne: 22:30\n";
        let expected = [
            ("Y101", "yes without quotes is the boolean true in YAML 1.1"),
            (
                "Y101",
                "Off without quotes is the boolean false in YAML 1.1",
            ),
            (
                "Y102",
                "012 without quotes is the octal number 10 in YAML 1.1",
            ),
            (
                "Y102",
                "0189 without quotes is a number in YAML 1.1 and loses its zero",
            ),
            (
                "Y103",
                "111122223333 without quotes is a number, not the text of an account id",
            ),
            (
                "Y103",
                "012345670123 without quotes is the octal number 1402433619 in YAML 1.1",
            ),
            (
                "Y104",
                "22:30 without quotes is the number 1350 in YAML 1.1",
            ),
        ];
        assert_eq!(
            found(text),
            expected.map(|(code, message)| (code, message.to_owned()))
        );
    }

    #[test]
    fn what_is_meant_as_it_stands_is_left_alone() {
        let text = "a: 'yes'\nb: [true, 0, 10, 1.5, 0.5, y, n]\nVersion: 2012-10-17\nc: !Ref yes\nd: 10.0.0.0/16\n\
                    e: '012'\nf: 1:2:3:100\ng: ::1\nh: 12:99\non: x\n111122223333: y\ni: |\n  yes\n";
        assert_eq!(found(text), []);
        assert_eq!(
            found("a: &x yes\nb: *x\nc: *x\n").len(),
            3,
            "each place once"
        );
    }
}
