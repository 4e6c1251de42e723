//! Values that a reader of YAML 1.1, as CloudFormation is, and a reader of YAML 1.2 take for different things.
//!
//! Dates are left out: `Version: 2012-10-17` is written without quotes everywhere, and CloudFormation
//! documents that it reads no timestamps.

use std::collections::BTreeSet;

use crate::finding::Finding;
use crate::model::yaml::{Content, Node, Style};
use crate::rule::Rule;
use crate::rule::Severity;
use crate::rules::number_form;
use crate::rules::{account_id, base_sixty, boolean_word, leading_zero};

/// A finding for each surprising value below a node, keys left out.
#[must_use]
pub fn check(file: &str, node: &Node) -> Vec<Finding> {
    let mut look = Look {
        file,
        seen: BTreeSet::new(),
        findings: Vec::new(),
    };
    look.walk(node, "");
    look.findings
}

/// What a reader of YAML 1.1 makes of a plain text that is no text to it: a boolean's word, or a whole number's
/// digits; nothing where it is a text, or a number that is written as JSON writes it.
#[must_use]
pub fn value(text: &str) -> Option<String> {
    if matches!(text, "True" | "TRUE" | "False" | "FALSE") {
        return Some(text.to_ascii_lowercase());
    }
    match reading(text)? {
        Reading::Word(truth) => Some(truth.to_string()),
        Reading::Octal(number) | Reading::Grouped(number) | Reading::BaseSixty(number) => {
            Some(number.to_string())
        }
        Reading::TextIn11(_) | Reading::Twelve => None,
    }
}

/// How a plain text is read.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Reading {
    /// `yes` and its like: a boolean in YAML 1.1.
    Word(bool),
    /// `012`: octal in YAML 1.1.
    Octal(u64),
    /// `1_000` or `0b11`: a number in YAML 1.1, a text in YAML 1.2.
    Grouped(u64),
    /// `0189`, `1e3`, `0o17`: a text in YAML 1.1, this number in YAML 1.2.
    TextIn11(String),
    /// `22:30`: a number in base 60 in YAML 1.1.
    BaseSixty(u64),
    /// Twelve digits, as an account id has.
    Twelve,
}

fn reading(text: &str) -> Option<Reading> {
    const WORDS: [&str; 12] = [
        "yes", "Yes", "YES", "no", "No", "NO", "on", "On", "ON", "off", "Off", "OFF",
    ];
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if WORDS.contains(&text) {
        let truth = matches!(text.to_ascii_lowercase().as_str(), "yes" | "on");
        return Some(Reading::Word(truth));
    }
    if text.len() > 1 && text.starts_with('0') && digits(text) {
        return Some(match u64::from_str_radix(text, 8) {
            Ok(number) => Reading::Octal(number),
            Err(_) => Reading::TextIn11(text.trim_start_matches('0').to_owned()),
        });
    }
    if text.len() == 12 && digits(text) {
        return Some(Reading::Twelve);
    }
    if text.contains('_') && text.starts_with(|c: char| c.is_ascii_digit()) {
        let bare = text.replace('_', "");
        let radix = if bare.len() > 1 && bare.starts_with('0') {
            8
        } else {
            10
        };
        return digits(&bare)
            .then(|| u64::from_str_radix(&bare, radix).ok())
            .flatten()
            .map(Reading::Grouped);
    }
    if let Some(binary) = text.strip_prefix("0b") {
        return u64::from_str_radix(binary, 2).ok().map(Reading::Grouped);
    }
    if let Some(octal) = text.strip_prefix("0o") {
        let number = u64::from_str_radix(octal, 8).ok()?;
        return Some(Reading::TextIn11(number.to_string()));
    }
    if let Some((base, exponent)) = text.split_once(['e', 'E'])
        && digits(base)
        && digits(exponent.trim_start_matches(['+', '-']))
    {
        let number: f64 = text.parse().ok()?;
        return Some(Reading::TextIn11(number.to_string()));
    }
    let (first, rest) = text.split_once(':')?;
    let parts = || rest.split(':');
    let sixties =
        parts().all(|part| digits(part) && part.len() <= 2 && matches!(part.parse(), Ok(0..=59)));
    (digits(first) && !first.starts_with('0') && sixties).then(|| {
        let first = first.parse().unwrap_or(u64::MAX);
        let value = parts().filter_map(|part| part.parse::<u64>().ok());
        Reading::BaseSixty(value.fold(first, |sum, part| {
            sum.saturating_mul(60).saturating_add(part)
        }))
    })
}

struct Look<'a> {
    file: &'a str,
    /// Through aliases one place is met several times.
    seen: BTreeSet<usize>,
    findings: Vec<Finding>,
}

impl Look<'_> {
    fn walk(&mut self, node: &Node, key: &str) {
        match &node.content {
            Content::Scalar(text, Style::Plain) if node.tag.is_none() => {
                self.plain(node, text, key)
            }
            Content::Scalar(..) => {}
            Content::Sequence(items) => items.iter().for_each(|item| self.walk(item, key)),
            Content::Mapping(entries) => {
                for (key, value) in entries {
                    self.walk(value, key.as_str().unwrap_or_default());
                }
            }
        }
    }

    fn plain(&mut self, node: &Node, text: &str, key: &str) {
        let of_account = text.len() == 12 && is_of_account(key);
        let (rule, read_as): (&'static Rule, String) = match reading(text) {
            Some(Reading::Word(truth)) => (
                &boolean_word::RULE,
                format!("the boolean {truth} in YAML 1.1, as CloudFormation reads it"),
            ),
            Some(Reading::Octal(number)) if !of_account => (
                &leading_zero::RULE,
                format!("the octal number {number} in YAML 1.1, as CloudFormation reads it"),
            ),
            Some(Reading::Octal(number)) => (
                &account_id::RULE,
                format!("the octal number {number} in YAML 1.1, not the text of an account id"),
            ),
            Some(Reading::BaseSixty(number)) => (
                &base_sixty::RULE,
                format!("the number {number} in YAML 1.1, as CloudFormation reads it"),
            ),
            Some(Reading::Grouped(number)) => (
                &number_form::RULE,
                format!(
                    "the number {number} in YAML 1.1, as CloudFormation reads it, and a text in YAML 1.2"
                ),
            ),
            Some(Reading::TextIn11(number)) => (
                &number_form::RULE,
                format!(
                    "the number {number} to a reader of YAML 1.2, and a text in YAML 1.1, as CloudFormation reads it"
                ),
            ),
            Some(Reading::Twelve) if of_account => (
                &account_id::RULE,
                "a number, not the text of an account id".to_owned(),
            ),
            Some(Reading::Twelve) | None => return,
        };
        if !self.seen.insert(node.place.start) {
            return;
        }
        let hint = if rule == &boolean_word::RULE {
            format!("write '{text}'; or true or false, when a boolean is meant")
        } else {
            format!("write '{text}'")
        };
        let message = format!("{text} without quotes is {read_as}");
        let finding = Finding::new(rule, self.file, Some(node.place), message).hint(hint);
        // What CloudFormation leaves as it is changes only on the way through other tools.
        let kept = rule == &number_form::RULE && value(text).is_none();
        self.findings.push(if kept {
            finding.lowered(Severity::Note)
        } else {
            finding
        });
    }
}

/// Whether a value under that key may be an account id.
fn is_of_account(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["account", "owner", "principal", "registryid"]
        .iter()
        .any(|word| key.contains(word))
        || key == "aws"
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    fn found(text: &str) -> Vec<(&'static str, String)> {
        let root = crate::model::yaml::parse("t.yml", text).unwrap();
        let all = check("t.yml", &root);
        all.iter()
            .map(|one| (one.rule.code, one.message.clone()))
            .collect()
    }

    #[test]
    fn surprises_are_found_and_say_what_they_become() {
        let text = "a: yes\nb: [Off, 012, 0189]\nAccountId: 111122223333\nOwners: [012345670123]\ne: 22:30\n\
                    f: [1_000, 0b11, 1e3, 0o17, 1_0x]\n";
        let by_11 = "in YAML 1.1, as CloudFormation reads it";
        let by_12 = "to a reader of YAML 1.2, and a text in YAML 1.1, as CloudFormation reads it";
        let expected = [
            ("Y101", format!("yes without quotes is the boolean true {by_11}")),
            ("Y101", format!("Off without quotes is the boolean false {by_11}")),
            ("Y102", format!("012 without quotes is the octal number 10 {by_11}")),
            ("Y107", format!("0189 without quotes is the number 189 {by_12}")),
            (
                "Y103",
                "111122223333 without quotes is a number, not the text of an account id".to_owned(),
            ),
            (
                "Y103",
                "012345670123 without quotes is the octal number 1402433619 in YAML 1.1, not the text of an account id".to_owned(),
            ),
            ("Y104", format!("22:30 without quotes is the number 1350 {by_11}")),
            (
                "Y107",
                format!("1_000 without quotes is the number 1000 {by_11}, and a text in YAML 1.2"),
            ),
            (
                "Y107",
                format!("0b11 without quotes is the number 3 {by_11}, and a text in YAML 1.2"),
            ),
            ("Y107", format!("1e3 without quotes is the number 1000 {by_12}")),
            ("Y107", format!("0o17 without quotes is the number 15 {by_12}")),
        ];
        assert_eq!(found(text), expected);
    }

    #[test]
    fn a_value_becomes_what_cloudformation_reads() {
        for (text, read) in [
            ("yes", "true"),
            ("OFF", "false"),
            ("True", "true"),
            ("012", "10"),
            ("1_000", "1000"),
            ("22:30", "1350"),
        ] {
            assert_eq!(value(text).as_deref(), Some(read), "{text}");
        }
        for text in [
            "0189",
            "1e3",
            "0o17",
            "12",
            "true",
            "x",
            "1.5",
            "y",
            "2012-10-17",
        ] {
            assert_eq!(value(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_meant_as_it_stands_is_left_alone() {
        let text = "a: 'yes'\nb: [true, 0, 10, 1.5, 0.5, y, n]\nVersion: 2012-10-17\nc: !Ref yes\nd: 10.0.0.0/16\n\
                    e: '012'\nf: 1:2:3:100\ng: ::1\nh: 12:99\non: x\n111122223333: y\nj: 111122223333\nk_e3: a_b\ni: |\n  yes\n";
        assert_eq!(found(text), []);
        assert_eq!(
            found("a: &x yes\nb: *x\nc: *x\n").len(),
            3,
            "each place once"
        );
    }
}
